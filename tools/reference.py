"""Writes docs/reference.md from the code: mechanisms, loads, goals and knobs; with --check, fails when it is stale.

Mechanisms are what the measuring core says: IPCTUNE_CORE names it where it is not installed. Nothing in the page
depends on the machine that it is made on.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from ipctune.bench.core import MechanismInfo, mechanisms  # noqa: E402
from ipctune.bench.sizes import LARGEST  # noqa: E402
from ipctune.errors import NotPossible  # noqa: E402
from ipctune.knobs.files import ALLOWED  # noqa: E402
from ipctune.knobs.limits import sysctl_path  # noqa: E402
from ipctune.knobs.model import Cause, Kind, Knob, Lasting  # noqa: E402
from ipctune.knobs.registry import KNOBS  # noqa: E402
from ipctune.tune.evidence import LEAST_SHARE  # noqa: E402
from ipctune.tune.goals import _CPU_MARGIN as CPU_MARGIN  # noqa: E402
from ipctune.tune.goals import _P50_MARGIN as P50_MARGIN  # noqa: E402
from ipctune.tune.model import Settings  # noqa: E402

TARGET = ROOT / "docs" / "reference.md"

_OWN = {
    "haltpoll": "/sys/module/haltpoll/parameters/",
    "cpu-dma-latency": "/dev/cpu_dma_latency",
    "resume-latency": "/sys/devices/system/cpu/cpu*/power/pm_qos_resume_latency_us",
    "cpuidle-governor": "/sys/devices/system/cpu/cpuidle/current_governor",
    "idle-poller": "/sys/fs/cgroup",
    "autogroup": "/proc/sys/kernel/sched_autogroup_enabled",
    "base-slice": "/sys/kernel/debug/sched/base_slice_ns",
    "scheduler-features": "/sys/kernel/debug/sched/features",
    "vm.swappiness": "/proc/sys/vm/swappiness",
    "shmem-huge-pages": "/sys/kernel/mm/transparent_hugepage/shmem_enabled",
    "vm.nr_hugepages": "/proc/sys/vm/nr_hugepages",
}
"""Where the paths of a knob begin; a limit's path is that of its sysctl."""

_KINDS = {
    Kind.FILES: "Settings of the machine",
    Kind.LEASE: "Held by a process of ours",
    Kind.LIMIT: "Limits",
    Kind.LIVE: "Live objects of a process that the user names",
    Kind.OPTION: "What belongs to a program",
    Kind.ADVICE: "What can't be tried while the machine runs",
}
_ABOUT = {
    Kind.FILES: "Tried, proved and kept until the deadline; `commit` makes them last.",
    Kind.LEASE: "They end by themselves when their holder does: the tuner, the watchdog, or the unit of a commit.",
    Kind.LIMIT: "Ceilings: raised only where the workload was refused, never lowered, never timed.",
    Kind.LIVE: "Tried with `tune --target PID` on a workload that has that process work; kept until the deadline.",
    Kind.OPTION: "Tried on the workload alone and printed as advice with its figure: nothing on the machine changes.",
    Kind.ADVICE: "Named where they fit the evidence; or because guides name them, and with the reason why not.",
}


def page() -> str:
    """The whole page. Raises NotPossible without a core, LookupError where a path of the allow-list has no knob."""
    parts = (_head(), _mechanisms(mechanisms()), _loads(), _goals(), _overview(), *map(_group, _KINDS))
    return "\n\n".join(parts) + "\n"


def _head() -> str:
    return (
        "# Reference\n\n"
        "Made by `tools/reference.py` from the code: change that, not this page.\n"
        "What a setting gains is nowhere on it: that is measured, on the machine where it matters."
    )


def _mechanisms(known: Sequence[MechanismInfo]) -> str:
    rows = [
        (f"`{m.name}`", m.summary, m.manual, _sizes(m), ", ".join(f"`--{o}`" for o in m.options) or "–") for m in known
    ]
    table = _table(("mechanism", "what the pair talks through", "manual", "message", "options"), rows)
    return f"## Mechanisms\n\n`ipctune bench` measures them all; `ipctune tune --mechanism` takes one.\n\n{table}"


def _sizes(mechanism: MechanismInfo) -> str:
    if mechanism.max_size is not None:
        return "up to a limit of the kernel"
    return f"up to {LARGEST >> 20} MiB"


def _loads() -> str:
    rate = Settings().rate
    rows = [
        ("ping-pong", "a message there and a reply back", "a round trip (RT)"),
        ("stream", "messages one way", "one way; as fast as it goes, the time a message takes"),
        ("burst", "N messages at once while the consumer sleeps", "none: it shows what fits, what is refused or lost"),
        ("fan-in", "N producers, one consumer", "one way at a rate"),
        ("fan-out", "one producer, N consumers, each message to one of them", "one way at a rate"),
        ("connect", "a connection for each message and its reply", "a round trip from connect to close"),
    ]
    return (
        "## Patterns and loads\n\n"
        + _table(("pattern", "what happens", "latency is"), rows)
        + "\n\n`ipctune tune` takes the first two. Every trial measures two loads: **as fast as it goes**, and "
        "**at a rate** "
        f"(`--rate`, {rate:,.0f} a second unless told): Poisson arrivals, latency from the intended start.\n"
        "A pair runs on two vCPUs (`across`), on the `same` one, or unpinned (`free`)."
    )


def _goals() -> str:
    usual = Settings()
    idle = f"at most {usual.max_idle_cpu:g} vCPU polled on an idle machine (`--max-idle-cpu`)"
    slower = f"p50 worse at no load, and shown to be less than {P50_MARGIN:.0%} worse"
    harm = f"{slower}; p99 worse at no load"
    rows = [
        (
            "`balanced` (default)",
            "latency × price is lower at one load at least; where it is not, the extra price is at most "
            f"{usual.max_cpu:g} vCPU (`--max-cpu`)",
            f"{harm}; {idle}",
        ),
        ("`latency`", "p50 is better at one load at least", f"{harm}; the price is shown and vetoes nothing"),
        (
            "`throughput`",
            "more messages a second as fast as it goes",
            f"p50 and p99 are shown and veto nothing; {idle}",
        ),
        ("`cpu`", "a lower price a message", f"p50 shown to be at most {CPU_MARGIN:.0%} worse; {idle}"),
    ]
    return (
        "## Goals: when a change is kept\n\n"
        + _table(("goal", "kept if", "and"), rows)
        + "\n\n**Better** and **worse**: the whole interval lies on that side of zero, at a level that all knobs "
        "of the run share, and the effect is at least 1 %.\n"
        "**Price**: CPU time of both sides, plus the time that idle vCPUs poll, plus pollers of our own. "
        "A guest counts polling as idle, so `top` does not show it.\n"
        "**p99** with fewer than 10,000 samples is unknown, is printed so, and vetoes nothing; otherwise it is worse "
        "where its interval lies wholly beyond 25 % worse.\n"
        f"A cause is called **the bottleneck** when it surely explains {LEAST_SHARE:.0%} of the time or more."
    )


def _overview() -> str:
    rows = [
        (f"[`{k.id}`](#{_anchor(k.id)})", k.title, str(k.scope), _helps(k), _lasts(k), _since(k))
        for kind in _KINDS
        for k in _of(kind)
    ]
    return "## Knobs\n\n" + _table(("knob", "what it sets", "scope", "helps with", "lasts by", "since Linux"), rows)


def _group(kind: Kind) -> str:
    return "\n\n".join([f"## {_KINDS[kind]}", _ABOUT[kind], *map(_knob, _of(kind))])


def _knob(knob: Knob) -> str:
    writes = ", ".join(f"`{path}`" for path in _paths(knob)) or _writes_otherwise(knob)
    facts = {
        "scope": f"{knob.scope}; reaches {knob.reach}",
        "may write": writes,
        "helps with": _helps(knob),
        "price": knob.price + ("; it always polls, so one short look is all it gets unless the goal is `latency`"
                               if knob.always_polls else ""),
        "settles in": _settles(knob),
        "comes back": _returns(knob),
        "lasts by": _lasts(knob),
        "since": f"Linux {_since(knob)}" if knob.since > (0, 0) else "any supported kernel",
        "source": knob.source,
        "not tried": knob.not_tried,
    }  # fmt: skip
    lines = [f"- **{name}**: {text}" for name, text in facts.items() if text]
    return "\n".join([f"### {knob.id}", "", f"What it sets: {knob.title}.", "", *lines])


def _of(kind: Kind) -> list[Knob]:
    return [knob for knob in KNOBS.values() if knob.kind is kind]


def _paths(knob: Knob) -> list[str]:
    """The part of the allow-list that belongs to this knob."""
    if knob.of_target:
        return []
    if knob.kind is Kind.LIMIT:
        return [sysctl_path(knob.id)]
    begin = _OWN.get(knob.id)
    return [path for path in ALLOWED if begin is not None and path.startswith(begin)]


def _writes_otherwise(knob: Knob) -> str:
    if knob.kind is Kind.FILES:
        return "no file: it loads a kernel module with `modprobe`, and removes it with `rmmod`"
    if knob.kind is Kind.LIVE:
        return "no file: the objects themselves, by system calls"
    if knob.of_target:
        return "the files of the limits of that kind of namespace, in the target's namespace alone"
    return "nothing"


def _returns(knob: Knob) -> str:
    if knob.kind is Kind.LEASE:
        return "by itself, when its holder ends"
    if knob.of_target:
        return "the journal restores it while the process, or somebody in its namespace, lives; else it is gone"
    if knob.kind in (Kind.FILES, Kind.LIMIT):
        return "the journal restores it: at the deadline, on `revert`, and after a crash"
    return knob.undo


def _settles(knob: Knob) -> str:
    if knob.needs_history:
        return "hours: it acts with history, so it is advice alone and no run tries it"
    return f"{knob.settle:g} s" if knob.settle else "at once"


def _lasts(knob: Knob) -> str:
    if knob.kind in (Kind.OPTION, Kind.ADVICE):
        return "up to its owner"
    if knob.of_target:
        return "the program's own code" if knob.kind is Kind.LIVE else "the container's own configuration"
    if knob.lasting is not Lasting.NONE:
        return str(knob.lasting)
    return "a holder, until `revert` or reboot" if knob.kind is Kind.LEASE else "nothing: until `revert` or reboot"


def _helps(knob: Knob) -> str:
    said = {Cause.REFUSED: "a refused call"}
    if not knob.helps:
        return "nothing here"
    return ", ".join(sorted(said.get(cause, cause.replace("-", " ")) for cause in knob.helps))


def _since(knob: Knob) -> str:
    return ".".join(map(str, knob.since)) if knob.since > (0, 0) else "–"


def _anchor(name: str) -> str:
    """As forges make them: dots go, the rest stays."""
    return name.replace(".", "")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(_rows(head, rows))


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        cells = (cell.replace("|", r"\|") for cell in row)
        yield f"| {' | '.join(cells)} |"


def check_paths() -> None:
    """Every path that may be written stands in the page, once. Raises LookupError otherwise."""
    told = [path for knob in KNOBS.values() for path in _paths(knob)]
    if sorted(told) != sorted(ALLOWED):
        raise LookupError(f"paths with no knob, or with two: {sorted(set(ALLOWED) ^ set(told)) or sorted(told)}")


def main() -> int:
    """Write the page, or compare it: 1 when docs/ is stale, 3 without the core."""
    check_paths()
    try:
        fresh = page()
    except NotPossible as error:
        print(f"{error.what}: {error.hint}", file=sys.stderr)
        return 3
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(fresh, encoding="utf-8")
        return 0
    if TARGET.exists() and TARGET.read_text(encoding="utf-8") == fresh:
        return 0
    print(f"{TARGET} is stale: run python tools/{Path(__file__).name}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
