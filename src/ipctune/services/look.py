"""Everything about the services of the machine that we run on, looked at once; queues are sampled."""

import os
import time
from collections.abc import Iterable, Mapping

from ipctune.host.model import Unseen
from ipctune.host.root import Root
from ipctune.host.text import number
from ipctune.services.diag import LISTEN, tcp_sockets, unix_sockets
from ipctune.services.findings import find
from ipctune.services.logind import at_risk
from ipctune.services.model import Holder, Object, Pair, Report, Service, Use
from ipctune.services.naming import user_names
from ipctune.services.network import NetSpace, ephemeral_uses, network_uses, open_spaces, sample, table_uses
from ipctune.services.orphans import mark
from ipctune.services.pairs import pipe_pairs, tcp_pairs, unix_pairs
from ipctune.services.processes import Processes, read_processes
from ipctune.services.rlimits import pipe_uses, process_uses, queue_uses, read_pipes
from ipctune.services.shm import read_holders, read_mounts, shm_objects, shm_uses
from ipctune.services.sysv import IpcSpace, read_spaces, space_objects, space_uses, user_queue_bytes

__all__ = ["LOOKS", "QUICK_LOOKS", "look"]

LOOKS, QUICK_LOOKS = 40, 12
_PAUSE_S = 0.025
_SOFT = "fs.pipe-user-pages-soft"


def look(root: Root | None = None, *, quick: bool = False) -> Report:
    """Look at this machine. Changes nothing. `quick` looks at queues for 0.3 s instead of 1, and at no one's maps."""
    root = root or Root()
    started = time.monotonic()
    processes = read_processes(root)
    looks = QUICK_LOOKS if quick else LOOKS
    network, pairs, net_unseen, somaxconn = _network(processes, looks)
    spaces, ipc_unseen = read_spaces(processes)
    objects, shm = _objects(root, processes, spaces, quick)
    soft = number(root.text("/proc/sys/fs/pipe-user-pages-soft"))
    uses = [
        *network,
        *shm,
        *process_uses(processes.all),
        *pipe_uses(read_pipes(processes, soft), soft),
        *queue_uses(user_queue_bytes(spaces), processes.all),
        *(use for space in spaces for use in space_uses(space, os.sysconf("SC_PAGE_SIZE"), user_names(root))),
        *_whole_machine(root),
    ]
    ranked = tuple(sorted(uses, key=lambda use: (-use.full, use.limit, use.what)))
    return Report(
        services=_services(processes),
        uses=ranked,
        objects=objects,
        pairs=tuple(sorted(pairs, key=lambda pair: -pair.count)),
        findings=find(ranked, objects, at_risk(root, processes), somaxconn),
        unseen=(*_processes_unseen(processes), *net_unseen, *ipc_unseen),
        looks=looks,
        seconds=time.monotonic() - started,
    )


def _network(processes: Processes, looks: int) -> tuple[list[Use], list[Pair], list[Unseen], dict[str, int | None]]:
    held = processes.holders()
    holders = {inode: [process.holder for process, _ in ends] for inode, ends in held.items()}
    spaces, unseen = open_spaces(processes)
    try:
        sampled, not_sampled = sample(spaces, holders, looks, looks * _PAUSE_S)
        uses, pairs = list(network_uses(sampled, holders)), pipe_pairs(held)
        for space in spaces:
            try:
                _one_space(space, holders, uses, pairs)
            except OSError as error:
                unseen.append(Unseen(f"connections ({space.place or 'this namespace'})", str(error)))
    finally:
        for space in spaces:
            space.asked.close()
    somaxconn = {space.place: number(space.settings.get("net/core/somaxconn")) for space in spaces}
    return uses, pairs, unseen + not_sampled, somaxconn


def _one_space(space: NetSpace, holders: dict[int, list[Holder]], uses: list[Use], pairs: list[Pair]) -> None:
    connections = tcp_sockets(space.asked)
    listening = {one.local[1] for one in connections if one.state == LISTEN}
    open_ones = [one for one in connections if one.state != LISTEN]
    uses += [*ephemeral_uses(space, open_ones, holders), *table_uses(space, open_ones)]
    pairs += [*unix_pairs(unix_sockets(space.asked), holders), *tcp_pairs(open_ones, listening, holders)]


def _objects(
    root: Root, processes: Processes, spaces: Iterable[IpcSpace], quick: bool
) -> tuple[tuple[Object, ...], list[Use]]:
    users, now = user_names(root), time.time()
    holders = None if quick else read_holders(processes.all, every_file=False)
    mounts = read_mounts(processes)
    found: list[Object] = []
    for space in spaces:
        inode = space.process.spaces.get("ipc", 0) if space.process else 0
        attached: Mapping[int, list[Holder]] | None = None
        if holders is not None:
            attached = {ident: list(who.values()) for (ipc, ident), who in holders.segments.items() if ipc == inode}
        found += space_objects(space, attached, users, now)
    found += shm_objects(mounts, holders, users, now)
    return mark(found, processes.live_uids, processes.complete), list(shm_uses(mounts, holders))


def _whole_machine(root: Root) -> Iterable[Use]:
    """Open files of the whole machine."""
    words = (root.text("/proc/sys/fs/file-nr") or "").split()
    if len(words) == 3:
        value = number(words[2])
        yield Use("fs.file-max", "", number(words[0]), value, "files", effect="at once")
    for limit in ("fs.pipe-max-size",):
        yield Use(limit, "", None, number(root.text("/proc/sys/" + limit.replace(".", "/"))), "bytes",
                  effect="the next F_SETPIPE_SZ")  # fmt: skip


def _processes_unseen(processes: Processes) -> list[Unseen]:
    blind = sorted({f"{one.label} (pid {one.pid})" for one in processes.blind})
    shown = ", ".join(blind[:3]) + (f" and {len(blind) - 3} more" if len(blind) > 3 else "")
    found = [Unseen(f"open files of {shown}", "permission denied")] if blind else []
    return found if processes.complete else [*found, Unseen("some processes", "too many")]


def _services(processes: Processes) -> tuple[Service, ...]:
    found = {process.service for process in processes.all}
    return tuple(sorted(found, key=lambda one: (one.kind == "program", one.kind, one.name)))
