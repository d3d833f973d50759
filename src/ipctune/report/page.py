"""A run of `tune` as a page to paste into a ticket or a wiki.

It says what was measured, what was tried and what it cost, how to undo it, and what to ask the hosting company for. It
names no host, no address, no user, none of the owner's commands and no folder of a user's.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from time import localtime, strftime

from ipctune.host.is_it_ipc import NAMES
from ipctune.host.model import Host
from ipctune.host.model_watch import WaitCause
from ipctune.host.scrub import clean
from ipctune.report.apart import render_apart
from ipctune.report.front import render_fronts
from ipctune.report.style import PLAIN
from ipctune.report.ticket import Waking, asked, machine
from ipctune.report.words import duration, effect, load_name, micro, plain, share, value
from ipctune.tune.evidence import UNKNOWN
from ipctune.tune.goals import metric, metric_name
from ipctune.tune.model import ArmFigures, Bottleneck, Goal, LoadResult, Outcome, Settings, Trial, TuneResult

__all__ = ["render_page"]

_USER = "(user)"
_WATCHED = {
    WaitCause.IPC: "no cause is larger than waiting for each other",
    WaitCause.NONE: "they hardly wait for anything",
    WaitCause.IDLE: "the machine is idle",
}


def render_page(result: TuneResult, host: Host, users: Collection[str] = ()) -> str:
    """The page in Markdown. `users` are names and folders of users here, which are left out wherever they stand."""
    parts = (
        ("# What communication between processes costs here, and what helps", _about(result, host)),
        ("## What holds it back", _causes(result)),
        ("## What was tried", _tried(result)),
        ("## What was kept", _kept(result)),
        ("## How to undo it", _undo(result)),
        ("## What the owners of programs can do", _advice(result)),
        ("## What to ask the hosting company for", asked(host, _waking(result))),
        ("## How it was measured", _how(result)),
    )
    lines: list[str] = []
    for title, told in parts:
        body = list(told)
        lines += [title, "", *body, ""] if body else []
    return _without(clean("\n".join(lines).rstrip(), host.hostname), users)


def _without(text: str, users: Collection[str]) -> str:
    for name in sorted(users, key=len, reverse=True):
        text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", _USER, text)
    return text


def _about(result: TuneResult, host: Host) -> Iterator[str]:
    yield from machine(host, strftime("%Y-%m-%d %H:%M %z", localtime(result.started)))
    yield f"- Measured: {_workload(result.settings)}, for {duration(result.finished - result.started)}"
    yield f"- Goal: `{result.settings.goal}`; by ipctune {result.version}, run {result.run}"
    if result.interrupted:
        yield "- The run was interrupted: this is what was measured until then"
    if result.took is not None and result.took.stopped:
        yield "- The run was stopped for the machine's own programs: this is what was measured until then"


def _workload(settings: Settings) -> str:
    """What was measured; a command and a file of the owner's are theirs to name."""
    if settings.command is not None:
        better = "lower" if settings.command.lower_is_better else "higher"
        return f"a command of the owner's by the figure that it prints ({better} is better)"
    if settings.attach:
        return "a live service under its own traffic"
    if settings.workload:
        return "a workload of the owner's" if "/" in settings.workload else f"a {settings.workload} server of its own"
    spec = settings.spec
    return f"two processes, {spec.pattern} of {spec.size} bytes through {spec.mechanism}"


def _causes(result: TuneResult) -> Iterator[str]:
    if result.watch is not None:
        seconds = result.watch.rates.seconds
        cause = NAMES.get(result.watch.cause)
        what = f"what holds them back first is {cause}" if cause else _WATCHED[result.watch.cause]
        yield f"- The machine's own programs, watched for {seconds:.0f} s: {what}"
        most = result.watch.ceiling
        if most.hop_ns is not None and most.waiting_ms is not None:
            saved = f"{micro(most.hop_ns)} a hop, {most.waiting_ms:.1f} ms a second in all"
            yield f"- Waking faster could save them at most {saved}"
    for one in result.bottlenecks:
        mark = "**" if one.cause == result.bottleneck else ""
        yield f"- {mark}{one.title}: {_share(one)}{mark} ({'; '.join(one.evidence)})"
    own = result.settings.command is not None  # then the message is a line of the owner's program
    for refusal in result.refusals:
        yield f"- Refused: {f'{refusal.call}, limit {refusal.limit}' if own else refusal.message}"
    if not result.bottlenecks and not result.refusals:
        yield "- No cause was looked at"
    elif result.bottleneck == "none":
        yield "- No bottleneck that this tool knows of"
    elif result.bottleneck == UNKNOWN:
        yield "- The bottleneck could not be told"


def _share(cause: Bottleneck) -> str:
    if cause.share is None:
        return "unknown"
    if cause.low is None or cause.high is None:
        return f"at most {share(cause.high if cause.high is not None else cause.share)} of the time"
    return f"{share(cause.share)} of the time ({max(0.0, cause.low) * 100:.0f} … {max(0.0, cause.high) * 100:.0f})"


def _tried(result: TuneResult) -> Iterator[str]:
    if not result.trials:
        yield f"Nothing: {result.stopped} comes before IPC here." if result.stopped else "Nothing."
        return
    yield from ("| setting | load | now -> tried | change | CPU + polling | outcome |", "| --- " * 6 + "|")
    for trial in result.trials:
        yield from _rows(trial)
    yield ""
    yield from (f"- {_name(t)}: {t.outcome}; {t.why}" for t in result.trials)
    yield from (f"- {n.knob} {n.why}: it needs {duration(n.seconds)} more" for n in result.not_tried if n.seconds)
    plot = render_fronts(result.fronts, PLAIN)
    yield from ("", "```", *plot[1:-1], "```") if plot else ()


def _rows(trial: Trial) -> Iterator[str]:
    if not trial.loads:
        yield f"| {_cell(_name(trial))} | | | | | {trial.outcome} |"
    for load in trial.loads:
        cells = (_name(trial), load_name(load), _figures(load), effect(load.p50), _price(load), str(trial.outcome))
        yield "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _name(trial: Trial) -> str:
    return f"{trial.title} {value(trial.value)}"


def _figures(load: LoadResult) -> str:
    return f"{_figure(load, load.now)} -> {_figure(load, load.tried)}"


def _figure(load: LoadResult, arm: ArmFigures) -> str:
    if load.metric is not None:
        return plain(arm.figure or 0.0)
    return micro(arm.p50_ns if arm.p50_ns is not None else arm.figure)


def _price(load: LoadResult) -> str:
    now, tried = load.now, load.tried
    if load.rate or load.metric is not None:
        return f"{now.price_vcpus:.2f} -> {tried.price_vcpus:.2f} vCPU"
    return f"{micro(now.price_ns_per_message)} -> {micro(tried.price_ns_per_message)} a message"


def _kept(result: TuneResult) -> Iterator[str]:
    if not result.kept:
        why = "" if result.proof is None else f" The proof did not hold: {result.proof.why}."
        yield f"Nothing: everything is as it was.{why}"
    for knob, now in result.kept.items():
        trial = next((t for t in result.trials if t.knob == knob and t.value == now), None)
        if trial is not None:
            idle = "" if trial.idle_vcpus is None else f"; on an idle machine it polls {trial.idle_vcpus:.2f} vCPU"
            yield f"- **{trial.title}**: {value(trial.was)} -> {value(now)}{idle}"
    if result.proof is None:
        return
    yield from (
        "",
        f"All of it together against the start, {result.proof.pairs} pairs measured after the decision:",
        "",
    )
    yield from ("| load | now -> tried | change | CPU + polling | what the goal looks at |", "| --- " * 5 + "|")
    yield from (_proved(load, result.settings.goal) for load in result.proof.loads)
    apart = " ".join(line.strip() for line in render_apart(result.proof, result.settings.goal))
    yield from ("", apart) if apart else ()


def _proved(load: LoadResult, goal: Goal) -> str:
    decides = metric(goal, load)
    told = f"{metric_name(goal, [load])} {effect(decides)}: {decides.word}"
    return f"| {_cell(load_name(load))} | {_figures(load)} | {effect(load.p50)} | {_price(load)} | {told} |"


def _undo(result: TuneResult) -> Iterator[str]:
    if not result.kept:
        return
    until = "" if result.until is None else strftime(" at %H:%M", localtime(result.until))
    yield f"- By itself{until}, and after a reboot, unless it was committed (`ipctune commit`) or prolonged"
    yield "- At once: `ipctune revert`"
    yield "- Without ipctune: `sh undo.sh` in its state folder (`/var/lib/ipctune` where root ran it)"


def _advice(result: TuneResult) -> Iterator[str]:
    yield from (f"- {a.text}" + (f" ({a.figure})" if a.figure else "") for a in result.advice)
    for trial in result.trials:
        if trial.outcome is Outcome.ADVICE and trial.loads:
            gains = "; ".join(f"{effect(load.p50)} {load_name(load)}" for load in trial.loads)
            yield f"- {_name(trial)}: {gains}"


def _waking(result: TuneResult) -> Waking | None:
    """From the wake-cost curve of the run: a round trip across vCPUs that halt, and one that finds them awake."""
    if result.baseline_p50_ns is None or result.awake_p50_ns is None:
        return None
    return Waking(result.baseline_p50_ns, result.awake_p50_ns, result.settings.block)


def _how(result: TuneResult) -> Sequence[str]:
    spoiled, blocks = sum(t.spoiled for t in result.trials), sum(t.blocks for t in result.trials)
    told = f" Steal or other programs spoiled {spoiled} of {blocks} blocks." if spoiled else ""
    return (
        "Each setting against the present state, one at a time, in pairs of blocks in random order, the machine at "
        "rest before each. Intervals come from flipping signs within the pairs, at an error rate that all comparisons "
        f"of the run share. The price is CPU and polling, which the guest counts as idle.{told}",
    )
