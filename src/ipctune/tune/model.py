"""What a run of `tune` finds: frozen values from which every screen and every JSON is made.

Effects are fractions: -0.89 is 89 % less. Times are ns and prices vCPUs or ns a message, unless a name says otherwise.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from ipctune.bench.spec import Spec
from ipctune.host.model_watch import Watch
from ipctune.tune.front import Front
from ipctune.tune.model_guard import Bystander, Took
from ipctune.tune.model_target import Hit, Target
from ipctune.workload.model import CommandLine, Metric

__all__ = [
    "Advice",
    "Apart",
    "ArmFigures",
    "Bottleneck",
    "Contribution",
    "Effect",
    "Goal",
    "LoadResult",
    "NotTried",
    "Outcome",
    "Proof",
    "Refusal",
    "Settings",
    "Trial",
    "TuneResult",
]


class Goal(StrEnum):
    """What a change is kept for; see docs/tune.md."""

    BALANCED = "balanced"
    LATENCY = "latency"
    THROUGHPUT = "throughput"
    CPU = "cpu"


class Outcome(StrEnum):
    """What became of a candidate."""

    KEPT = "kept"
    REJECTED = "rejected"  # it helps, at a price or harm that the goal does not allow
    NO_GAIN = "no gain"
    UNDECIDED = "undecided"
    REFUSED = "refused"  # the kernel did not take it
    ADVICE = "advice"  # it belongs to a program: for its owner to set
    COVERED = "covered"  # it would be kept, but another one does the same better


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user asked for. `seconds` is the whole run; `rate` messages a second for the open loop.

    A `command` takes the place of the pair that `spec` and `rate` describe; `block` is then what its first runs took.
    So does a `workload`: a real server by its name, or a file of the user's own; `workload_rate` is that of its open
    loop, None its default. `watch` is how long the machine's own programs are watched first, less in a short run, 0 for
    not at all; `watch_stops` whether a larger cause than IPC ends the run there: never where the user named what is
    measured. `beside`: length of a block with a bystander. `guard`: pause and stop where the machine's own programs
    come short. With a `target` what belongs to that process is tried, and what was `refused` there is raised. `attach`
    is a live service that takes the place of the pair: a process id, or a unit.
    """

    goal: Goal = Goal.BALANCED
    seconds: float = 180.0
    spec: Spec = field(default_factory=Spec)
    rate: float = 1000.0
    max_cpu: float = 0.1
    max_idle_cpu: float = 0.02
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    hold: float = 600.0
    seed: int = 1
    block: float = 0.3
    rest: float = 0.2
    pairs: int = 40
    idle: float = 5.0
    beside: float = 0.2
    watch: float = 10.0
    watch_stops: bool = True
    guard: bool = True
    command: CommandLine | None = None
    workload: str = ""
    workload_rate: float | None = None
    target: Target | None = None
    refused: tuple[Hit, ...] = ()
    attach: str = ""

    @property
    def is_pair(self) -> bool:
        """Whether the built-in pair is measured, and nothing that the user named."""
        return self.command is None and not (self.workload or self.attach) and self.target is None


@dataclass(frozen=True, slots=True)
class Effect:
    """One comparison: B against A as a fraction, its interval, and what it could have seen.

    `word` is better, worse, no difference or undecided; `could_have_seen` is the least effect that this many pairs
    with this scatter would have found four times out of five.
    """

    word: str
    effect: float
    low: float | None
    high: float | None
    pairs: int
    could_have_seen: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """One arm at one load, over all of its blocks. `p99_ns` is None ("unknown") below 10,000 samples.

    `figure` is the middle of what the goal looks at first: median latency in ns, or a command's metric in its own
    unit. Where nobody counts messages, there are 0 a second, and CPU and price are those of one run of the workload.
    """

    p50_ns: float | None
    p99_ns: float | None
    messages_per_second: float
    cpu_ns_per_message: float
    price_ns_per_message: float
    price_vcpus: float
    polled_vcpus: float
    samples: int
    figure: float | None = None


@dataclass(frozen=True, slots=True)
class LoadResult:
    """A trial at one load: `rate` 0 is as fast as it goes; `placement` is across, same, free, or own (a workload's).

    `p50_bound` is how much worse p50 may be by its plain 95 % interval, which guards against harm; None is no bound.
    `keeps_up`: both arms got through nearly all of an open loop's messages, so that latency is no growing queue's.
    With a `metric`, that takes the place of p50 wherever p50 is named here: `p50`, `product`, `p50_bound`. `name` is
    what a workload calls its load, empty for the built-in pair.
    """

    rate: float
    placement: str
    now: ArmFigures
    tried: ArmFigures
    p50: Effect
    product: Effect
    price: Effect
    throughput: Effect
    p50_bound: float | None
    p99_worse: bool | None
    extra_vcpus: float
    keeps_up: bool = True
    name: str = ""
    metric: Metric | None = None

    @property
    def higher_is_better(self) -> bool:
        """Of p50, or of the metric in its place."""
        return self.metric is not None and self.metric.higher_is_better


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate against the present state. For winners alone: `idle_vcpus` is what polls on an idle machine, and
    `bystander` what another program gets beside it."""

    knob: str
    title: str
    value: dict[str, str]
    was: dict[str, str]
    outcome: Outcome
    why: str
    loads: tuple[LoadResult, ...] = ()
    idle_vcpus: float | None = None
    spoiled: int = 0
    blocks: int = 0
    rounded: str = ""
    reference: bool = False
    bystander: Bystander | None = None


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """A cause, the share of the time that it explains (0 to 1, with its interval), and the evidence in words."""

    cause: str
    title: str
    share: float | None
    low: float | None
    high: float | None
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call that this machine refused to the workload: errno, and the limit behind it where known."""

    call: str
    errno: str
    limit: str | None
    message: str


@dataclass(frozen=True, slots=True)
class NotTried:
    """A knob that was not tried, and why; `seconds` is what it would take where only time was missing."""

    knob: str
    why: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """Something for the owner to do, with its measured figure where there is one."""

    text: str
    figure: str = ""


class Contribution(StrEnum):
    """What a member of the set that was proved does beside the others."""

    SHOWN = "contributes"
    NONE = "adds nothing"
    UNDECIDED = "not shown to add anything"
    NO_TIME = "not told apart"


@dataclass(frozen=True, slots=True)
class Apart:
    """One member of the set: the set without it (now) against the whole set (tried).

    It stays where it contributes, and where there was no time to tell: `seconds` is what that takes then.
    """

    knob: str
    title: str
    value: dict[str, str]
    word: Contribution
    why: str
    loads: tuple[LoadResult, ...]
    pairs: int
    seconds: float | None = None

    @property
    def stays(self) -> bool:
        """Whether it is in the set that is kept."""
        return self.word in (Contribution.SHOWN, Contribution.NO_TIME)


@dataclass(frozen=True, slots=True)
class Proof:
    """The kept set as a whole against the start, in blocks that took no part in any decision.

    `apart` tells of each member where there were two or more; if one left, the loads are of a proof of the rest.
    """

    loads: tuple[LoadResult, ...]
    held: bool
    why: str
    drift: float | None
    pairs: int
    apart: tuple[Apart, ...] = ()


@dataclass(frozen=True, slots=True)
class TuneResult:
    """Everything a run found. `until` is when what was kept goes back (s since the epoch); None: nothing was kept.

    `shown_within`: no cause that was looked at explains more of the time, 0 to 1; None where none was. `unseen` are
    causes that could not be looked at, and why; `needs_root` knobs that can help here and that only root can try.
    `stopped` names the cause that was larger than IPC, so that nothing was tried. `fronts` show what was tried as gain
    against price, a load each.
    """

    version: str
    run: str
    started: float
    finished: float
    host: str
    kernel: str
    cpus: int
    memory_bytes: int | None
    settings: Settings
    baseline_p50_ns: float | None
    awake_p50_ns: float | None
    bottlenecks: tuple[Bottleneck, ...]
    bottleneck: str
    refusals: tuple[Refusal, ...]
    trials: tuple[Trial, ...]
    not_tried: tuple[NotTried, ...]
    proof: Proof | None
    kept: dict[str, dict[str, str]]
    until: float | None
    advice: tuple[Advice, ...]
    recovered: tuple[str, ...]
    interrupted: bool = False
    shown_within: float | None = None
    unseen: tuple[str, ...] = ()
    needs_root: tuple[str, ...] = ()
    watch: Watch | None = None
    stopped: str = ""
    took: Took | None = None
    fronts: tuple[Front, ...] = ()
