"""What `graph` shows where there is no eBPF: who is connected with whom, and nothing of what goes through."""

from contextlib import suppress
from types import TracebackType
from typing import Self

from ipctune.errors import NotPossible
from ipctune.services.look import look
from ipctune.services.model import Holder, Pair
from ipctune.trace.model import Edge, Graph, Node
from ipctune.trace.sampled import moment
from ipctune.trace.session import Moment, own
from ipctune.trace.whom import Whom

__all__ = ["Connections", "between_connections"]


class Connections:
    """Looks each time it is read."""

    def __init__(self, whom: Whom) -> None:
        self._whom = whom

    def __enter__(self) -> Self:
        if not self._whom.everybody:
            self._whom.processes()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def follow(self) -> bool:
        """Whether there is somebody left."""
        with suppress(NotPossible):
            return self._whom.everybody or bool(self._whom.processes())
        return False

    def read(self) -> tuple[Moment, tuple[Pair, ...]]:
        """Who is connected now."""
        pids = set() if self._whom.everybody else self._whom.processes()
        pairs = look(quick=True).pairs
        return moment(), tuple(pair for pair in pairs if self._is_meant(pair, pids))

    def _is_meant(self, pair: Pair, pids: set[int]) -> bool:
        named = not self._whom.comm or self._whom.comm in (pair.a.program, pair.b.program)
        return named and (self._whom.everybody or bool({pair.a.pid, pair.b.pid} & pids))


def between_connections(
    before: tuple[Moment, tuple[Pair, ...]], after: tuple[Moment, tuple[Pair, ...]], why: str
) -> Graph:
    """The connections that there are at the end; `why` nothing is known of what goes through."""
    edges: dict[tuple[int, int, str], Edge] = {}
    names: dict[int, str] = {}
    for pair in after[1]:
        ways = [(pair.a, pair.b)] if pair.kind == "pipe" else [(pair.a, pair.b), (pair.b, pair.a)]
        for source, target in ways:
            edges.setdefault(_key(source, target, pair), Edge(source.pid, target.pid, pair.kind, 0, 0))
        names |= {pair.a.pid: pair.a.program, pair.b.pid: pair.b.program}
    missing = (f"eBPF ({why}): these are connections that are open; whether anything goes through is not known",)
    nodes = tuple(Node(pid, name) for pid, name in sorted(names.items()))
    seconds = after[0].at - before[0].at
    return Graph(seconds, nodes, tuple(edges.values()), 0, own(before[0], after[0]), missing)


def _key(source: Holder, target: Holder, pair: Pair) -> tuple[int, int, str]:
    return source.pid, target.pid, pair.kind
