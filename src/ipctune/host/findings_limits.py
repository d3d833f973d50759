"""Findings about IPC limits: what is nearly full, what was lowered and by which file, and advice that would lower."""

from collections.abc import Iterator

from ipctune.host.beancounters import PREFIX
from ipctune.host.finding import Advice, Finding
from ipctune.host.model import Host, Limit
from ipctune.host.text import number

__all__ = ["amount", "limit_findings", "not_to_do"]

_FULL = 0.8
# Objects come and go: the largest one says nothing about the next.
_LARGEST_ONLY = ("kernel.shmmax", "kernel.sem.semmsl")
_CEILINGS = (
    "kernel.shmmax",
    "kernel.shmall",
    "kernel.shmmni",
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "fs.mqueue.msg_max",
    "fs.mqueue.msgsize_max",
    "fs.mqueue.queues_max",
    "fs.pipe-max-size",
    "fs.pipe-user-pages-soft",
    "net.core.rmem_max",
    "net.core.wmem_max",
    "net.core.somaxconn",
    "net.unix.max_dgram_qlen",
    "fs.nr_open",
)
_SEM = ("kernel.sem.semmsl", "kernel.sem.semmns", "kernel.sem.semopm", "kernel.sem.semmni")
_FOR = {"at once": "everything, at once"}
_OLD_SEM = (250, 32000, 100, 128)
_RAISE: dict[str, str] = {
    "/dev/shm": "free what is left over there (ls -l /dev/shm), or mount -o remount,size=… /dev/shm",
    "kernel.shmmni": "ipcs -m shows the segments, ipcrm -m ID removes what is left over",
    "kernel.msgmni": "ipcs -q shows the queues, ipcrm -q ID removes what is left over",
    "kernel.sem.semmni": "ipcs -s shows the arrays, ipcrm -s ID removes what is left over",
    "kernel.msgmnb": "a reader that keeps up; or sysctl kernel.msgmnb, which holds for queues made afterwards",
    "fs.pipe-user-pages-soft": "fewer processes a user, or sysctl fs.pipe-user-pages-soft",
}


def limit_findings(host: Host) -> Iterator[Finding]:
    """Limits above 80 % of use, limits below upstream's default, and files that fight over them."""
    for limit in host.limits.values():
        if limit.name.startswith(PREFIX):
            continue  # the host's: findings_provider
        if limit.full is not None and limit.full >= _FULL and limit.name not in _LARGEST_ONLY:
            yield _nearly_full(host, limit)
        if limit.name in _CEILINGS and _lowered(limit):
            yield _below(host, limit.name, [limit])
    four = [host.limits[name] for name in _SEM if name in host.limits]
    if any(_lowered(limit) for limit in four):
        yield _below(host, "kernel.sem", four)
    yield from _files(host)


def not_to_do(host: Host) -> tuple[Advice, ...]:
    """Advice from common guides that would lower or not change what this kernel has. Only what applies here."""
    return (*_memory_advice(host), *_lower_advice(host), *_gone_advice(host), *_capped_advice(host))


def amount(value: int | None, unit: str) -> str:
    """A limit's value for people: bytes in powers of 1024, other units with separators."""
    if value is None:
        return "unknown"
    if unit != "bytes":
        return f"{value:,}"
    for step, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if abs(value) >= step:
            return f"{value / step:.4g} {name}"
    return f"{value} B"


def _lowered(limit: Limit) -> bool:
    if limit.value is None or limit.upstream is None or limit.unlimited:
        return False
    return limit.value < limit.upstream


def _nearly_full(host: Host, limit: Limit) -> Finding:
    used = f"{'about ' if limit.estimated else ''}{amount(limit.use, limit.unit)} of {amount(limit.value, limit.unit)}"
    unit = "" if limit.unit == "bytes" else f" {limit.unit}"
    who = f" ({limit.who})" if limit.who else ""
    todo = _RAISE.get(limit.name, "free what is left over, or raise it")
    if limit.name == "/dev/shm" and host.container.name:
        todo = "a larger one where the container is started (compose: shm_size; docker run --shm-size)"
    return Finding(
        f"full-{limit.name}",
        "fix",
        limit.name,
        f"{used}{unit} used{who}",
        f"what comes next is refused or has to wait (a raised limit counts for {_FOR.get(limit.effect, limit.effect)})",
        todo,
        80,
        limit.name,
    )


def _below(host: Host, key: str, limits: list[Limit]) -> Finding:
    """One finding for one key; the four values of kernel.sem are one key."""
    where = next((one for one in reversed(host.settings) if one.key == key), None)
    many = len(limits) > 1
    now = " ".join(str(limit.value) if many else amount(limit.value, limit.unit) for limit in limits)
    usual = " ".join(str(limit.upstream) if many else _upstream(limit) for limit in limits)
    better = " ".join(str(max(limit.value or 0, limit.upstream or 0)) for limit in limits)
    by = f"{where.file}:{where.line}" if where else "none of the files that were read"
    remove = f"remove line {where.line} of {where.file}; until the next boot: " if where else ""
    return Finding(
        f"lowered-{key}",
        "fix" if where else "know",
        key,
        f"{now} is below upstream's {usual}, set by {by}",
        "a lower ceiling brings nothing: what is not used costs nothing",
        f"{remove}sysctl -w {key}={repr(better) if many else better}",
        58 if where else 28,
        key,
    )


def _upstream(limit: Limit) -> str:
    return "default, unlimited" if (limit.upstream or 0) >= 1 << 60 else amount(limit.upstream, limit.unit)


def _files(host: Host) -> Iterator[Finding]:
    """Keys that tuned owns, and values that a reboot would change."""
    owned = sorted({one.key for one in host.settings if one.owner == "tuned"})
    if owned:
        yield Finding(
            "tuned",
            "know",
            "tuned",
            f"tuned sets {', '.join(owned[:6])}{' and more' if len(owned) > 6 else ''}",
            "it sets them again at every start: another value would not last beside it",
            "change them in a tuned profile of your own (tuned-adm active shows the present one)",
            33,
        )
    last = {one.key: one for one in host.settings if one.owner == "sysctl"}
    for key, one in sorted(last.items()):
        now, later = host.limits.get(key), number(one.value)
        if key in owned or now is None or now.value is None or later is None or later == now.value:
            continue
        yield Finding(
            f"reboot-{key}",
            "know",
            key,
            f"is {amount(now.value, now.unit)} now, {amount(later, now.unit)} after a reboot",
            f"{one.file}:{one.line} says so; someone has set another value since",
            "decide which is meant, and write it there",
            32,
            key,
        )


def _memory_advice(host: Host) -> Iterator[Advice]:
    shmmax, total = host.limits.get("kernel.shmmax"), host.memory.total
    if shmmax and shmmax.unlimited and total:
        yield Advice(
            "kernel.shmmax",
            "shmmax = 70 % of RAM",
            f"it is unlimited: that would lower it to {amount(total * 7 // 10, 'bytes')}",
        )
    if host.memory.swap_total == 0 and host.memory.swappiness is not None:
        yield Advice(
            "vm.swappiness", "vm.swappiness = 10", "there is no swap: shared memory can't be swapped out anyway"
        )


def _lower_advice(host: Host) -> Iterator[Advice]:
    for key, value, source in (
        ("kernel.msgmni", 128, "msgmni = 128"),
        ("kernel.shmmni", 1024, "shmmni = 1024"),
        ("net.core.somaxconn", 1024, "somaxconn = 1024"),
        ("fs.file-max", 65536, "file-max = 65536"),
        ("fs.pipe-max-size", 65536, "pipe-max-size = 65536"),
        ("net.core.rmem_max", 212992, "rmem_max = 212992"),
    ):
        limit = host.limits.get(key)
        if limit and limit.value is not None and (limit.unlimited or limit.value > value):
            now = "unlimited" if limit.unlimited else amount(limit.value, limit.unit)
            yield Advice(key, source, f"it is {now}: that would lower it")
    values = [host.limits[name].value for name in _SEM if name in host.limits]
    if len(values) == 4 and all(v is not None and v > old for v, old in zip(values, _OLD_SEM, strict=True)):
        now = " ".join(map(str, values))
        yield Advice("kernel.sem", "kernel.sem = 250 32000 100 128", f"it is {now}: that would lower all four")


def _gone_advice(host: Host) -> Iterator[Advice]:
    if host.kernel.version >= (5, 13):
        yield Advice(
            "kernel.sched_*",
            "kernel.sched_min_granularity_ns and its like",
            "these are no sysctls any more since 5.13: setting them fails",
        )
    if host.hypervisor.virtual and host.kernel.machine == "x86_64":
        yield Advice(
            "idle=poll",
            "idle=poll on the boot command line",
            "every vCPU would burn its share for ever, also when idle",
        )


def _capped_advice(host: Host) -> Iterator[Advice]:
    capped = host.limits.get(f"{PREFIX}shmpages")
    if capped and capped.value is not None and not capped.unlimited:
        most = amount(capped.value * host.memory.page, "bytes")
        yield Advice(
            "kernel.shmall",
            "raise kernel.shmmax and kernel.shmall",
            f"the host caps shared memory at {most} all the same",
        )
