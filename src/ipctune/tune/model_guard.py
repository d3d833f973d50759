"""What a run, and each setting that wins, means for the machine's other programs: frozen values."""

from dataclasses import dataclass

__all__ = ["Bystander", "Took"]


@dataclass(frozen=True, slots=True)
class Bystander:
    """A program that has nothing to do with the pair, beside it: `work_ns` of computing every `period_ns`.

    `now_ns` and `tried_ns` are the time from when a piece is due until it is done, on average; `effect` is
    how much longer that is as a fraction, with its interval (None is no bound). `word` is "worse" where it is surely
    longer, and by more than what is allowed; else "no difference" or "undecided".
    """

    period_ns: int
    work_ns: int
    now_ns: float
    tried_ns: float
    word: str
    effect: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Took:
    """What a run took from the machine's own programs. `vcpus` on average over its `seconds`; `memory_bytes` is what
    its processes held at most between blocks.

    `paused` says why, once for each pause; `most_wait_ms` is how much longer than before the program `waited` waited
    for a vCPU at most, ms a second; `complete` is false where not every program could be seen, `waits_known`
    where the kernel does not tell how long one waits; `stopped` is why the run
    was ended. `watchdog_oom` is the watchdog's oom_score_adj (proc_pid_oom_score_adj(5)); None: there was none.
    """

    seconds: float
    vcpus: float
    memory_bytes: int
    looks: int
    paused: tuple[str, ...]
    paused_seconds: float
    most_wait_ms: float
    waited: str
    complete: bool
    waits_known: bool = True
    stopped: str = ""
    watchdog_oom: int | None = None
