"""Who talks to whom: edges between processes, from what goes through objects that two of them hold, and from whom a
process wakes while it sends; counted by native/bpf/graph.bpf.c.
"""

import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ipctune.trace import pipes
from ipctune.trace.model import Edge, End, Flow, Graph, Node
from ipctune.trace.pipes import TALKS
from ipctune.trace.session import name_of, own
from ipctune.trace.whom import Whom

__all__ = ["Counted", "Watcher", "between"]

_PAIR = struct.Struct("=IIII")
_WAKES = struct.Struct("=QQ16s16s")
_ONLY_WAKES = ("eventfd", "futex", "sysv-sem")
"""What goes through these says nothing, or nothing goes through: a wake-up is all that shows that two talk."""
_FEWEST = 3
"""At least, and one a second: an interrupt that comes in such a call wakes others in the name of who is in it."""


@dataclass(frozen=True, slots=True)
class _Wakes:
    count: int
    across: int
    from_comm: str
    to_comm: str


@dataclass(frozen=True, slots=True)
class Counted:
    """All that was counted since the start, at a moment; wakes by waker, woken and kind."""

    flows: pipes.Counted
    wakes: dict[tuple[int, int, str], _Wakes]


class Watcher(pipes.Watcher):
    """Counts from when the context begins until it ends."""

    def __init__(self, whom: Whom) -> None:
        super().__init__(whom, "graph")

    def read(self) -> Counted:  # type: ignore[override]
        """What was counted so far."""
        wakes = {}
        for key, value in self.loaded.items("wakes"):
            sender, woken, talk, _ = _PAIR.unpack(key)
            count, across, *names = _WAKES.unpack(value)
            told = map(name_of, names)
            wakes[sender, woken, TALKS.get(talk, "?")] = _Wakes(count, across, *told)
        return Counted(super().read(), wakes)


def between(before: Counted, after: Counted) -> Graph:
    """What was counted from one moment to another; the most messages first."""
    flows = pipes.between(before.flows, after.flows)
    wakes = dict(_new_wakes(before, after))
    comms = {end.pid: end.comm for flow in flows.flows for end in flow.ends}
    edges = _edges(flows.flows)
    for key, one in wakes.items():
        sender, woken, kind = key
        if kind in _ONLY_WAKES and one.count >= max(_FEWEST, flows.seconds):
            edges.setdefault(key, Edge(sender, woken, kind, one.count, 0))
            comms |= {sender: one.from_comm, woken: one.to_comm}
        if key in edges:
            edges[key] = replace(edges[key], wakes=one.count, across=one.across)
    nodes = [Node(pid, comms.get(pid, "?")) for pid in sorted({pid for key in edges for pid in key[:2]})]
    order = sorted(edges.values(), key=lambda edge: (edge.messages, edge.bytes), reverse=True)
    seconds = after.flows.now.at - before.flows.now.at
    lost = after.flows.now.lost - before.flows.now.lost
    return Graph(seconds, tuple(nodes), tuple(order), lost, own(before.flows.now, after.flows.now))


def _new_wakes(before: Counted, after: Counted) -> Iterator[tuple[tuple[int, int, str], _Wakes]]:
    for key, now in after.wakes.items():
        was = before.wakes.get(key)
        count = now.count - (was.count if was else 0)
        if count:
            yield key, replace(now, count=count, across=now.across - (was.across if was else 0))


def _edges(flows: Iterable[Flow]) -> dict[tuple[int, int, str], Edge]:
    """From each process that sends into an object to each other one that takes out of it.

    Where several take, what was sent is theirs by the share of what each took.
    """
    found: dict[tuple[int, int, str], list[tuple[float, float]]] = defaultdict(list)
    for flow in flows:
        if flow.kind in _ONLY_WAKES or not flow.ident:
            continue
        takers = [end for end in flow.ends if not end.sends and end.messages]
        for sender in (end for end in flow.ends if end.sends and end.messages):
            others = [end for end in takers if end.pid != sender.pid]
            for taker, share in _shares(others):
                found[sender.pid, taker.pid, flow.kind].append((sender.messages * share, sender.bytes * share))
    return {
        key: Edge(*key, messages=round(sum(m for m, _ in some)), bytes=round(sum(b for _, b in some)))
        for key, some in found.items()
    }


def _shares(takers: list[End]) -> Iterator[tuple[End, float]]:
    total = sum(taker.bytes or taker.messages for taker in takers)
    for taker in takers:
        yield taker, (taker.bytes or taker.messages) / total
