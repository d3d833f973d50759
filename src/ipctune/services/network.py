"""Queues of listeners, ephemeral ports and connection tracking in every network namespace, sampled."""

import os
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ipctune.host.model import Unseen
from ipctune.host.text import cpu_list, number
from ipctune.services.diag import (
    DGRAM,
    LISTEN,
    TIME_WAIT,
    TcpSocket,
    UnixSocket,
    open_diag,
    tcp_sockets,
    unix_sockets,
)
from ipctune.services.model import Holder, Use
from ipctune.services.processes import Process, Processes
from ipctune.services.spaces import NET, Seen, visit, why_not

__all__ = ["NetSpace", "Sampled", "ephemeral_uses", "network_uses", "open_spaces", "port_range", "sample", "table_uses"]

_SYSCTLS = (
    "net/core/somaxconn",
    "net/unix/max_dgram_qlen",
    "net/ipv4/ip_local_port_range",
    "net/ipv4/ip_local_reserved_ports",
    "net/ipv4/tcp_max_tw_buckets",
    "net/netfilter/nf_conntrack_count",
    "net/netfilter/nf_conntrack_max",
)
_MOST_DATAGRAMS = 64
_LONGEST_PATH = 107
_NOT_LISTENING = 0xFFFFFFFF & ~(1 << LISTEN)


@dataclass(frozen=True, slots=True)
class NetSpace:
    """One network namespace: who stands for it, its settings, and a socket that tells of it."""

    process: Process
    place: str
    settings: dict[str, str]
    asked: socket.socket = field(repr=False)


@dataclass(slots=True)
class Sampled:
    """One queue over all looks: the last, the most, and how often it was full."""

    what: str
    kind: str
    inode: int
    most: int | None
    space: NetSpace
    queue: int | None = None
    peak: int | None = None
    looks: int = 0
    full: int = 0

    def add(self, queue: int, most: int) -> None:
        """One look at a listener. It is full from `most` + 1 on (sk_acceptq_is_full, include/net/sock.h)."""
        self.queue, self.most, self.looks = queue, most, self.looks + 1
        self.peak = max(queue, self.peak or 0)
        self.full += queue > most


def open_spaces(processes: Processes) -> tuple[list[NetSpace], list[Unseen]]:
    """A socket into each network namespace; those that can't be entered are named."""
    found: list[NetSpace] = []
    unseen: list[Unseen] = []
    for process in processes.by_space("net").values():
        place = processes.place("net", process)
        try:
            if place:
                seen, fd = visit(process.pid, NET, lambda: (_settings(), open_diag().detach()))
                asked = socket.socket(fileno=fd)
                asked.settimeout(3.0)
            else:
                seen, asked = _settings(), open_diag()
        except (OSError, NotImplementedError) as error:
            unseen.append(Unseen(f"sockets ({place or 'this namespace'})", why_not(error)))
            continue
        found.append(NetSpace(process, place, {key: str(value) for key, value in seen.items()}, asked))
    return found, unseen


def sample(
    spaces: Sequence[NetSpace], holders: dict[int, list[Holder]], looks: int, seconds: float
) -> tuple[list[Sampled], list[Unseen]]:
    """Look `looks` times over `seconds` at every listener and every named datagram socket; none is changed."""
    found: dict[int, Sampled] = {}
    unseen: dict[str, Unseen] = {}
    probes = [probe for space in spaces for probe in _probes(space, holders, unseen)]
    for look in range(looks):
        for space in spaces:
            try:
                _look(space, found)
            except OSError as error:
                unseen[space.place] = Unseen(f"listen queues ({space.place or 'this namespace'})", str(error))
        for probe, one in probes:
            one.looks += 1
            one.full += not _room(probe)
        if look + 1 < looks:
            time.sleep(seconds / looks)
    for probe, _ in probes:
        probe.close()
    return [*found.values(), *(one for _, one in probes)], list(unseen.values())


def network_uses(sampled: Iterable[Sampled], holders: dict[int, list[Holder]]) -> Iterator[Use]:
    """Queues as uses of a limit."""
    for one in sampled:
        listener = one.kind != "datagram"
        yield Use(
            "listen queue" if listener else "datagram queue",
            one.what,
            one.queue,
            one.most,
            "connections" if listener else "messages",
            holder=next(iter(holders.get(one.inode, ())), None),
            peak=one.peak,
            effect="its next listen(): a restart" if listener else "a socket opened afterwards: a restart",
            place=one.space.place,
            looks=one.looks,
            full_looks=one.full,
            estimated=not listener,
        )


def ephemeral_uses(space: NetSpace, sockets: Sequence[TcpSocket], holders: dict[int, list[Holder]]) -> Iterator[Use]:
    """Local ports in use towards each destination, the five fullest: a port is free for another one (ip(7))."""
    ports = port_range(space.settings)
    if not ports:
        return
    groups: dict[tuple[str, int], list[TcpSocket]] = {}
    for one in sockets:
        if one.local[1] in ports and one.remote[1]:
            groups.setdefault(one.remote, []).append(one)
    for remote, group in sorted(groups.items(), key=lambda item: -len(item[1]))[:5]:
        waiting = sum(one.state == TIME_WAIT for one in group)
        owners = Counter(holder for one in group for holder in holders.get(one.inode, ())[:1])
        yield Use(
            "ephemeral ports",
            f"to {remote[0]}:{remote[1]}" + (f", {waiting} in TIME_WAIT" if waiting else ""),
            len(group),
            len(ports),
            "ports",
            holder=owners.most_common(1)[0][0] if owners else None,
            effect="at once",
            place=space.place,
        )


def table_uses(space: NetSpace, sockets: Sequence[TcpSocket]) -> Iterator[Use]:
    """TIME_WAIT and connection tracking of the namespace, and somaxconn, which has a value and no use of its own."""
    somaxconn = number(space.settings.get("net/core/somaxconn"))
    yield Use("net.core.somaxconn", "", None, somaxconn, "connections", effect="the next listen()", place=space.place)
    waiting = sum(one.state == TIME_WAIT for one in sockets)
    for limit, use, most, unit in (
        ("net.ipv4.tcp_max_tw_buckets", waiting, "net/ipv4/tcp_max_tw_buckets", "sockets in TIME_WAIT"),
        ("net.netfilter.nf_conntrack_max", None, "net/netfilter/nf_conntrack_max", "connections"),
    ):
        value = number(space.settings.get(most))
        used = number(space.settings.get("net/netfilter/nf_conntrack_count")) if use is None else use
        if value is not None and used is not None:
            yield Use(limit, "", used, value, unit, effect="at once", place=space.place)


def _settings() -> Seen:
    """Sysctls of the namespace that the caller stands in."""
    found: Seen = {}
    for name in _SYSCTLS:
        with suppress(OSError):
            found[name] = Path("/proc/sys", name).read_text(encoding="ascii", errors="replace").strip()
    return found


def _look(space: NetSpace, found: dict[int, Sampled]) -> None:
    for unix in unix_sockets(space.asked, 1 << LISTEN):
        name = unix.name or f"unnamed socket {unix.inode}"
        found.setdefault(unix.inode, Sampled(name, "unix", unix.inode, None, space)).add(unix.queue, unix.most)
    for tcp in tcp_sockets(space.asked, 1 << LISTEN):
        host = f"[{tcp.local[0]}]" if ":" in tcp.local[0] else tcp.local[0]
        name = f"{host}:{tcp.local[1]}"
        found.setdefault(tcp.inode, Sampled(name, "tcp", tcp.inode, None, space)).add(tcp.queue, tcp.most)


def _probes(
    space: NetSpace, holders: dict[int, list[Holder]], unseen: dict[str, Unseen]
) -> list[tuple[socket.socket, Sampled]]:
    """A socket connected to each named datagram socket: whether it may write says whether that queue has room.

    Nothing is sent; the receiver does not notice (unix(7): a connected datagram socket only has a default address).
    """
    most = number(space.settings.get("net/unix/max_dgram_qlen"))
    try:
        sockets = unix_sockets(space.asked)
    except OSError as error:
        unseen[space.place] = Unseen(f"datagram queues ({space.place or 'this namespace'})", str(error))
        return []
    bound = [one for one in sockets if one.type == DGRAM and one.name.startswith("/") and not one.peer]
    found: list[tuple[socket.socket, Sampled]] = []
    for one in bound[:_MOST_DATAGRAMS]:
        probe = _connected(one, next(iter(holders.get(one.inode, ())), None))
        if probe is not None:
            found.append((probe, Sampled(one.name, "datagram", one.inode, most, space)))
    return found


def _connected(one: UnixSocket, holder: Holder | None) -> socket.socket | None:
    """Connected through the receiver's own root, as its path may mean something else here."""
    path = f"/proc/{holder.pid}/root{one.name}" if holder else one.name
    if len(os.fsencode(path)) > _LONGEST_PATH:
        return None
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        probe.connect(path)
        return probe
    except OSError:
        probe.close()
        return None


def _room(probe: socket.socket) -> bool:
    import select

    poll = select.poll()
    poll.register(probe, select.POLLOUT)
    return bool(poll.poll(0))


def port_range(settings: dict[str, str]) -> frozenset[int]:
    """The local ports that connect() may take (ip(7)), less those that are reserved; empty where it can't be read."""
    ends = [number(word) for word in settings.get("net/ipv4/ip_local_port_range", "").split()]
    if len(ends) != 2 or ends[0] is None or ends[1] is None or not 0 < ends[0] <= ends[1] < 65536:
        return frozenset()
    return frozenset(range(ends[0], ends[1] + 1)) - set(cpu_list(settings.get("net/ipv4/ip_local_reserved_ports")))
