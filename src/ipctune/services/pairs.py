"""Who talks to whom: both ends of pipes, Unix connections and loopback TCP connections, put together."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ipctune.services.diag import ESTABLISHED, TcpSocket, UnixSocket
from ipctune.services.model import Holder, Pair
from ipctune.services.processes import End, Process

__all__ = ["pipe_pairs", "tcp_pairs", "unix_pairs"]

_Key = tuple[Holder, Holder, str]


def pipe_pairs(held: Mapping[int, Sequence[tuple[Process, End]]]) -> list[Pair]:
    """Writer and reader of each pipe, where they are two processes."""
    found: Counter[_Key] = Counter()
    for ends in held.values():
        if ends and ends[0][1].kind == "pipe":
            writers = dict.fromkeys(process.holder for process, end in ends if end.writes)
            readers = dict.fromkeys(process.holder for process, end in ends if end.reads)
            only = [(w, r) for w in writers for r in readers if w.pid != r.pid]
            found.update((writer, reader, "") for writer, reader in only[:1])
    return _pairs("pipe", found)


def unix_pairs(sockets: Iterable[UnixSocket], holders: Mapping[int, Sequence[Holder]]) -> list[Pair]:
    """Both ends of each Unix connection; the side that has the address comes second."""
    by_inode = {one.inode: one for one in sockets}
    found: Counter[_Key] = Counter()
    for one in by_inode.values():
        peer = by_inode.get(one.peer)
        if peer is None or (peer.peer == one.inode and (one.name, one.inode) > (peer.name, peer.inode)):
            continue  # the other end of the same connection counts it
        _count(found, holders, one.inode, peer.inode, peer.name or one.name)
    return _pairs("unix", found)


def tcp_pairs(sockets: Iterable[TcpSocket], listening: set[int], holders: Mapping[int, Sequence[Holder]]) -> list[Pair]:
    """Both ends of each TCP connection within one network namespace; the side that listens comes second."""
    connected = {(one.local, one.remote): one for one in sockets if one.state == ESTABLISHED}
    found: Counter[_Key] = Counter()
    for (local, remote), one in connected.items():
        other = connected.get((remote, local))
        if other is None or local[1] in listening or (remote[1] not in listening and local > remote):
            continue
        _count(found, holders, one.inode, other.inode, f"{remote[0]}:{remote[1]}")
    return _pairs("tcp", found)


def _count(found: Counter[_Key], holders: Mapping[int, Sequence[Holder]], inode: int, other: int, what: str) -> None:
    here, there = holders.get(inode), holders.get(other)
    if here and there and here[0].pid != there[0].pid:
        found[here[0], there[0], what] += 1


def _pairs(kind: str, found: Counter[_Key]) -> list[Pair]:
    return [Pair(kind, a, b, what, count) for (a, b, what), count in found.most_common()]  # type: ignore[arg-type]
