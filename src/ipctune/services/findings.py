"""What the services' limits mean to their owner: findings with the line to change and the restart that it takes."""

from collections.abc import Iterable, Iterator, Sequence

from ipctune.host.finding import Finding
from ipctune.host.findings_limits import amount
from ipctune.services.model import Object, Use
from ipctune.services.processes import Process
from ipctune.services.remedies import backlog_line, ceiling_line, restart, rlimit_line, shm_line, suggested, sysctl_line

__all__ = ["find", "finding_id", "merged"]

_NEAR, _FULL = 0.8, 1.0
_SHORTEST_QUEUE = 8  # a backlog below this is full by one burst and means to be
# Objects and messages come and go: the largest one says nothing about the next.
_LARGEST_ONLY = ("kernel.shmmax", "kernel.sem.semmsl", "fs.mqueue.msg_max", "fs.mqueue.msgsize_max")
_OBJECTS = ("listen queue", "datagram queue", "mq_maxmsg", "kernel.msgmnb")
_SHOWN = 4


def find(
    uses: Iterable[Use], objects: Iterable[Object], at_risk: Sequence[Process], somaxconn: dict[str, int | None]
) -> tuple[Finding, ...]:
    """Everything worth saying, what to fix first. `somaxconn` by place."""
    found = [one for use in uses if (one := _of_use(use, somaxconn)) is not None]
    everything = list(objects)
    found += [*_left_over(everything), *_removed_at_logout(everything, at_risk)]
    return tuple(sorted(found, key=lambda one: (one.severity != "fix", -one.rank, one.id)))


def merged(machine: Sequence[Finding], services: Sequence[Finding], most: int) -> tuple[Finding, ...]:
    """Findings about the machine with the `most` urgent about its services among them.

    What the machine's own look says is nearly full is left out where a service is named for the same limit.
    """
    top = services[:most]
    named = {f"full-{one.limit}" for one in top if one.limit} | {
        f"full-{one.limit} of the fullest" for one in top if one.limit
    }
    kept = [one for one in machine if one.id not in named]
    return tuple(sorted([*kept, *top], key=lambda one: (one.severity != "fix", -one.rank, one.id)))


def finding_id(use: Use) -> str:
    """The id of the finding about a use: the same at every look."""
    whose = use.what if use.limit in _OBJECTS else use.holder.service.name if use.holder else ""
    return ":".join(part for part in ("service", use.limit, use.place, whose) if part)


def _of_use(use: Use, somaxconn: dict[str, int | None]) -> Finding | None:
    if use.full < _NEAR or use.limit in _LARGEST_ONLY:
        return None
    if use.limit == "listen queue":
        return _listen(use, somaxconn.get(use.place))
    if use.limit == "datagram queue":
        return _datagrams(use)
    if use.limit == "mq_maxmsg":
        return _posix_queue(use)
    why, todo = _words(use)
    return _finding(use, _amounts(use), why, todo)


def _finding(use: Use, what: str, why: str, todo: str, *, know: bool = False) -> Finding:
    """Fuller ones rank higher; what users of the service notice at once, highest."""
    place = f", {use.place}" if use.place else ""
    topic = use.holder.label if use.holder else use.limit
    about = "" if topic == use.limit else f"{use.limit} "
    where = place if not (use.holder and use.place and use.place in topic) else ""
    rank = min(84 + int(use.full * 5), 92) if use.full >= _FULL else 80
    return Finding(finding_id(use), "know" if know else "fix", topic, f"{about}{what}{where}", why, todo, rank,
                   "" if use.place else use.limit)  # fmt: skip


def _listen(use: Use, somaxconn: int | None) -> Finding | None:
    if (use.value or 0) < _SHORTEST_QUEUE:
        return None
    unix = use.what.startswith(("/", "@"))
    what = f"{use.what}: {use.peak} of {use.value} waiting"
    what += f", seen full in {use.full_looks} of {use.looks} looks" if use.full_looks else f" in one of {use.looks}"
    why = (
        'a full Unix socket refuses at once: "(11: Resource temporarily unavailable)"; no kernel counter shows it'
        if unix
        else "a full queue drops the handshake: the client tries again after 1 s, 3 s, 7 s (TcpExt ListenOverflows)"
    )
    return _finding(use, what, why, backlog_line(use, somaxconn))


def _datagrams(use: Use) -> Finding:
    what = f"{use.what}: no room in {use.full_looks} of {use.looks} looks"
    why = "whoever sends to it waits: syslog() of every program does, where this is /dev/log"
    wanted = suggested(use.value or 0, 512)
    receiver = restart(use.holder)
    return _finding(
        use, what, why, f"{sysctl_line('net.unix.max_dgram_qlen', wanted, use)}, {receiver}; or find who sends so much"
    )


def _posix_queue(use: Use) -> Finding:
    return _finding(
        use,
        f"POSIX queue {use.what}: {use.use} of {use.value} messages",
        "the next mq_send() waits, or gets EAGAIN where it may not",
        "a reader that keeps up; or mq_open() with a larger mq_maxmsg (and fs.mqueue.msg_max) when it is made again",
    )


def _words(use: Use) -> tuple[str, str]:
    """Why it matters and what to do."""
    counts = f"a raised limit counts for {use.effect}"
    match use.limit:
        case "RLIMIT_NOFILE":
            return f'the next open or accept fails with "Too many open files"; {counts}', rlimit_line(use)
        case "RLIMIT_MEMLOCK":
            return f'the next mlock() fails with "Cannot allocate memory"; {counts}', rlimit_line(use)
        case "RLIMIT_MSGQUEUE":
            return (
                'the next mq_open() fails with "Too many open files": bytes of all queues of the user count',
                rlimit_line(use),
            )
        case "/dev/shm" | "/dev/shm inodes":
            return (
                'the next to need it gets "could not resize shared memory segment … No space left on device", '
                "[Errno 28] from SemLock, or a Bus error",
                shm_line(use),
            )
        case "fs.pipe-user-pages-soft":
            return (
                "the user's next pipes get 8 KiB instead of 64, and F_SETPIPE_SZ fails with EPERM: slower, not broken",
                f"fewer processes of that user, or {sysctl_line(use.limit, suggested(use.value or 0), use)}",
            )
        case "ephemeral ports":
            return (
                'the next connect() there fails with "Cannot assign requested address"',
                "connections that are kept open, or a Unix socket; "
                + sysctl_line("net.ipv4.ip_local_port_range", "1024 65535", use),
            )
        case "net.ipv4.tcp_max_tw_buckets":
            return "beyond it the kernel ends TIME_WAIT early; harmless, but it logs", "keep connections open"
        case "net.netfilter.nf_conntrack_max":
            return (
                'new connections are dropped, loopback too: "nf_conntrack: table full, dropping packet"',
                f"a rule that does not track lo (raw table, NOTRACK), or {ceiling_line(use)}",
            )
        case "kernel.msgmnb":
            return (
                "the next msgsnd() waits, or gets EAGAIN with IPC_NOWAIT",
                "a reader that keeps up; the queue itself is raised by msgctl(IPC_SET), sysctl holds for new ones",
            )
    return f"the next one is refused with ENOSPC ({counts})", f"remove what is left over, or {ceiling_line(use)}"


def _amounts(use: Use) -> str:
    about = "about " if use.estimated else ""
    unit = "" if use.unit == "bytes" else f" {use.unit}"
    most = max(use.use or 0, use.peak or 0)
    once = f" (has been {amount(most, use.unit)})" if most > (use.use or 0) else ""
    what = f" ({use.what})" if use.what else ""
    return f"{about}{amount(use.use, use.unit)} of {amount(use.value, use.unit)}{unit}{once}{what}"


def _left_over(objects: Sequence[Object]) -> Iterator[Finding]:
    """One finding for the semaphore arrays of each dead owner, one for the files in /dev/shm."""
    arrays = [one for one in objects if one.kind == "sem-array" and one.orphan and not one.place]
    for user in sorted({one.user for one in arrays}):
        own = [one for one in arrays if one.user == user]
        ids = " ".join(f"-s {one.id.partition(':')[2]}" for one in own[:_SHOWN])
        more = " …" if len(own) > _SHOWN else ""
        yield Finding(
            f"orphans:sem:{user}",
            "know",
            f"user {user}",
            f"{len(own)} semaphore array{'s' if len(own) != 1 else ''}, no live process of {user}",
            "left by a kill: each counts against kernel.sem until it is removed",
            f"ipcrm {ids}{more}  (ipctune services --clean-orphans asks before it does this)",
            30,
        )
    files = [one for one in objects if one.kind == "posix-shm" and one.orphan and not one.place]
    if files:
        size = amount(sum(one.bytes or 0 for one in files), "bytes")
        names = ", ".join(one.name for one in files[:2])
        yield Finding(
            "orphans:shm",
            "know",
            "/dev/shm",
            f"{len(files)} file{'s' if len(files) != 1 else ''} ({size}) that no process has open: {names}",
            "memory until it is removed; some programs mean to leave a file there",
            "ipctune services --clean-orphans shows each and asks",
            29,
        )


def _removed_at_logout(objects: Sequence[Object], at_risk: Sequence[Process]) -> Iterator[Finding]:
    for uid in sorted({one.uid for one in at_risk}):
        owned = [one for one in objects if one.uid == uid and not one.place]
        services = sorted({one.service.name for one in at_risk if one.uid == uid})
        has = f" and has {len(owned)} IPC object{'s' if len(owned) != 1 else ''}" if owned else ""
        yield Finding(
            f"remove-ipc:{uid}",
            "fix" if owned else "know",
            ", ".join(services[:_SHOWN]),
            f"runs under uid {uid}, a login's{has}; logind has RemoveIPC=yes",
            'when that user logs out, its shared memory, semaphores and queues go: "semctl … Invalid argument"',
            "a system user for the service (uid below 1000); or RemoveIPC=no in /etc/systemd/logind.conf, "
            "then systemctl restart systemd-logind; or loginctl enable-linger",
            83 if owned else 31,
        )
