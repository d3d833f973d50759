"""The screens of `tune`: plan, what was tried, the result. Pure functions from values to text."""

from collections.abc import Sequence
from time import localtime, strftime

from ipctune.knobs.registry import KNOBS
from ipctune.report.apart import render_apart
from ipctune.report.causes import cause_words, title
from ipctune.report.figures import figures, folded
from ipctune.report.front import render_fronts
from ipctune.report.style import Style
from ipctune.report.took import bystander_line, render_took
from ipctune.report.watch import CAUSES, render_watch
from ipctune.report.words import duration, effect, load_name, named, percent, value
from ipctune.report.words import share as percentage
from ipctune.tune.bounds import BOUNDS
from ipctune.tune.evidence import LEAST_SHARE, UNKNOWN
from ipctune.tune.goals import judge, lower
from ipctune.tune.model import Goal, NotTried, Outcome, Trial, TuneResult
from ipctune.tune.plan import Candidate, Plan

__all__ = ["render", "render_plan", "render_trial"]

_STARTED = {"placement": "`taskset -c VCPU`", "sched-batch": "`chrt --batch 0`"}
"""How a command is started so that it inherits what was tried on it."""
_THEIRS = {"placement": "Belongs to the programs (`taskset -c VCPU PROGRAM`, or CPUAffinity= in their units)"}
"""What their owner types."""


def render_plan(
    plan: Plan,
    seconds: float,
    undo: str,
    places: Sequence[str],
    style: Style,
    *,
    guard: bool = True,
    only: Sequence[str] = (),
) -> str:
    """What is going to be set, how it comes back, and every path that may be written.

    `only` are the settings that the user named: of them each is told why it is not tried.
    """
    lines = [title("3  PLAN", f"about {duration(seconds)}", style)]
    lines.append(style.dim(f"   {'try':<34}{'now -> tried':<16}{'scope':<10}comes back"))
    for c in plan.candidates:
        arrow = f"{c.describe_now()} -> {c.knob.describe(c.value)}"
        lines.append(f"   {_clip(_name(c), 33):<34}{_clip(arrow, 15):<16}{_clip(c.knob.scope, 9):<10}{c.knob.undo}")
    lines += [style.yellow(line) for note in plan.notes for line in folded(note, "   ")]
    lines += [style.yellow(line) for line in _not_tried(plan.not_tried, only)]
    if others := sum(left.knob not in only for left in plan.not_tried):
        lines.append(f"   Not tried: {others} other settings (--dry-run lists them and why).")
    lines.append("   Writes nothing but:")
    lines += [f"     {path}" for path in (*plan.writes, *places)]
    first = f"Your services come first. {BOUNDS}" if guard else "--no-guard: it neither pauses nor stops for others."
    lines += [style.dim(line) for line in folded(first, "   ")]
    if plan.writes:
        lines.append(f"   Undo without ipctune: sh {undo}")
    return "\n".join(lines)


def _not_tried(left: Sequence[NotTried], only: Sequence[str]) -> list[str]:
    """What the user named, and why it is not tried: it is missed where the others are not."""
    named = [f"Not tried, though named: {one.knob}: {one.why}." for one in left if one.knob in only]
    return [line for text in named for line in folded(text, "   ")]


def _name(candidate: Candidate) -> str:
    return candidate.knob.title + (" (short look)" if candidate.reference else "")


def render_trial(trial: Trial, goal: Goal, style: Style) -> str:
    """A few lines when a trial ends."""
    head = f"   {_clip(trial.title + ' ' + value(trial.value), 44):<45}{_outcome(trial.outcome, style)}"
    beside = [] if trial.bystander is None else folded(bystander_line(trial.bystander))
    return "\n".join([head, *map(_indent, figures(trial.loads, goal)), *beside, *map(style.dim, folded(trial.why))])


def _outcome(outcome: Outcome, style: Style) -> str:
    paint = {Outcome.KEPT: style.green, Outcome.REJECTED: style.yellow, Outcome.REFUSED: style.red}
    text = outcome.value.upper() if outcome is Outcome.KEPT else outcome.value
    return paint.get(outcome, style.dim)(text)


def render(result: TuneResult, style: Style, *, details: bool = False) -> str:
    """The result. Where nothing is kept it leads with what there is, never with a bare no."""
    lines = [title("5  RESULT", _subtitle(result), style)]
    lines += _kept(result, style) if result.kept else _nothing(result, style)
    for a in result.advice:
        lines += folded(f"Note: {a.text}" + (f" ({a.figure})" if a.figure else ""), "   ")
    lines += _advice_trials(result)
    lines += render_fronts(result.fronts, style)
    lines += _spoiled(result.trials)
    if not result.trials:
        lines += _not_tried([left for left in result.not_tried if not left.seconds], result.settings.only)
    lines += _no_time(result.not_tried)
    lines += render_took(result.took, style) if result.took is not None and not result.stopped else []
    if details:
        lines += ["", style.dim("   not tried:"), *(f"     {n.knob}: {n.why}" for n in result.not_tried)]
    if result.recovered:
        lines += ["   Restored first, left by an earlier run: " + ", ".join(result.recovered)]
    return "\n".join(lines)


def _subtitle(result: TuneResult) -> str:
    if result.interrupted:
        return "interrupted: everything is back, this is what was measured"
    if result.took is not None and result.took.stopped:
        return "stopped for your programs: everything is back"
    if result.stopped:
        return "nothing was tried"
    return "the kept set against the start" if result.kept else f"goal {result.settings.goal}: nothing is set"


def _kept(result: TuneResult, style: Style) -> list[str]:
    lines = []
    for knob, now in result.kept.items():
        trial = next(t for t in result.trials if t.knob == knob and t.value == now)
        lines.append(f"   {style.green(trial.title)}: {value(trial.was)} -> {style.bold(value(now))}")
        if trial.idle_vcpus is not None:
            lines.append(f"     idle price {trial.idle_vcpus:.2f} vCPU polling (the guest counts it as idle)")
        elif not trial.loads:
            lines += folded(trial.why, "     ")
        if trial.bystander is not None:
            lines += folded(bystander_line(trial.bystander))
    if result.proof is not None:
        lines += [f"     {line}" for line in figures(result.proof.loads, result.settings.goal)]
        drift = "" if result.proof.drift is None else f"; the baseline drifted by {percent(result.proof.drift)}"
        lines.append(style.dim(f"     {result.proof.pairs} pairs measured after the decision{drift}"))
        lines += render_apart(result.proof, result.settings.goal)
    if result.until is not None:
        until = strftime("%H:%M:%S", localtime(result.until))
        lines += [
            "",
            f"   {style.bold(f'ACTIVE UNTIL {until}')} ({duration(result.settings.hold)}), then everything goes back.",
            *_commit(result),
            "   ipctune keep --for 24h    try it over a day's peak",
            f"   ipctune revert            back now        ipctune why {next(iter(result.kept))}    the evidence",
        ]
    return lines


def _commit(result: TuneResult) -> list[str]:
    """What is another process's is not to be committed: notes say what makes it last."""
    theirs = any(name in KNOBS and KNOBS[name].of_target for name in result.kept)
    return [] if theirs else ["   ipctune commit            make it last (the files are shown first)"]


def _nothing(result: TuneResult, style: Style) -> list[str]:
    if result.took is not None and result.took.stopped:
        why = folded(f"{result.took.stopped}.", "   ")
        return [*why, "   At a quieter hour, or with --no-guard where nobody minds.", *_cut(result, style)]
    if result.interrupted:
        return _cut(result, style)
    if result.settings.target is not None and not result.trials:
        return [f"   {style.bold('Nothing was changed')} at {result.settings.target.label}."]
    if result.stopped:
        larger = f"{style.bold(CAUSES.get(result.stopped, result.stopped))} comes before IPC here"
        return [f"   {larger}. To go on all the same: ipctune tune --anyway"]
    if result.proof is not None and not result.proof.held:
        more = " More time may show it: ipctune tune --time 10m" if "not yet" in result.proof.why else ""
        return [
            *folded(f"The proof did not hold: {result.proof.why}. Everything is back.{more}", "   "),
            *map(_indent, figures(result.proof.loads, result.settings.goal)),
            *render_apart(result.proof, result.settings.goal),
        ]
    best = _best(result.trials, result.settings.goal)
    if best is not None:
        return [
            f"   {style.bold(best.title)} {value(best.value)} helps, but `{result.settings.goal}` does not keep it:",
            *map(_indent, figures(best.loads, result.settings.goal)),
            f"     {best.why}",
            *(
                f"   What it gains and costs decides: ipctune tune{_same(result)} --goal {goal} --only {best.knob}"
                for goal in _elsewhere(result, best)
            ),
        ]
    undecided = [t for t in result.trials if t.outcome is Outcome.UNDECIDED]
    if undecided:
        return ["   Undecided: too noisy for the time. More of it may tell: ipctune tune --time 10m"]
    if result.refusals:
        shown = [f"{t.title} {value(t.was)} -> {value(t.value)}: {t.why}" for t in result.trials if not t.loads]
        return [line for text in (*(r.message for r in result.refusals), *shown) for line in folded(text, "   ")]
    if result.needs_root:
        what = ", ".join(KNOBS[name].title for name in result.needs_root if name in KNOBS)
        return [
            f"   {style.bold(cause_words(result))}. What can help needs root:",
            *folded(f"{what}", "     "),
            "   sudo ./run (or: sudo ipctune tune) tries each, and takes back what does not help.",
        ]
    advice = [t for t in result.trials if t.outcome is Outcome.ADVICE]
    if advice:
        return [f"   {style.bold(cause_words(result))}. What helps belongs to the programs, not to the machine:"]
    refused = [t for t in result.trials if t.outcome is Outcome.REFUSED]
    if refused or any(n.seconds for n in result.not_tried):
        head = folded(f"{cause_words(result)}; not everything that could help was tried:", "   ")
        head = [line.replace(cause_words(result), style.bold(cause_words(result))) for line in head]
        return [*head, *(f"   {t.title} {value(t.value)}: {t.why}" for t in refused)]
    if result.bottleneck == UNKNOWN and result.bottlenecks:
        what = "nothing that was tried helps" if result.trials else "nothing here could be tried"
        return folded(f"{cause_words(result)}, and {what}.", "   ")
    if result.bottleneck != "none":
        return [f"   {style.bold(cause_words(result))}, and no setting of this machine changes that."]
    return _none_found(result, style)


def _none_found(result: TuneResult, style: Style) -> list[str]:
    """No cause was named: shown to be absent, or merely not shown to be there."""
    looked = ", ".join(
        f"{b.title} at most {percentage(max(0.0, b.high))}" for b in result.bottlenecks if b.high is not None
    )
    left = f"Not looked at: {'; '.join(result.unseen)}." if result.unseen else ""
    rest = [line for text in (f"Looked at: {looked or 'nothing'}.", left) if text for line in folded(text, "   ")]
    within = result.shown_within
    if within is None or within >= LEAST_SHARE:
        most = "anything" if within is None else f"up to {percentage(within)}"
        return [f"   {style.bold('Undecided')}: {most} may be there to gain. Longer: ipctune tune --time 10m", *rest]
    why = ""
    if not result.settings.is_pair:
        who, what = named(result.settings), "metric" if result.settings.command else "figures"
        who = f"{who[:1].upper()}{who[1:]}"
        why = f" {who} hardly waits for halted vCPUs, and nothing that was tried changes its {what}."
    head, *more = folded(f"Nothing to gain here, shown to within {percentage(within)}.{why}", "   ")
    return [head.replace("Nothing to gain here", style.bold("Nothing to gain here")), *more, *rest]


def _cut(result: TuneResult, style: Style) -> list[str]:
    """What there is of a run that was interrupted."""
    goal = result.settings.goal
    trials = [line for t in result.trials for line in render_trial(t, goal, style).splitlines()]
    if trials or result.bottlenecks or result.watch is None:
        return trials or ["   nothing yet"]
    return render_watch(result.watch, style).splitlines()


def _best(trials: Sequence[Trial], goal: Goal) -> Trial | None:
    """The rejected trial that does most for the goal's own figure."""
    found = [t for t in trials if t.outcome is Outcome.REJECTED]
    return min(found, key=lambda t: sum(lower(goal, load) for load in t.loads), default=None)


def _same(result: TuneResult) -> str:
    """The words that measure the same again, where they are short."""
    if result.settings.attach:
        return f" --attach {result.settings.attach}"
    return f" --workload {result.settings.workload}" if result.settings.workload else ""


def _elsewhere(result: TuneResult, trial: Trial) -> list[Goal]:
    """The first other goal that would keep it, if there is one."""
    asked = result.settings
    for goal in Goal:
        found = judge(
            goal, trial.loads, idle_vcpus=trial.idle_vcpus, max_cpu=asked.max_cpu, max_idle_cpu=asked.max_idle_cpu
        )
        burns = trial.reference and goal is not Goal.LATENCY  # what always polls is for latency alone
        if goal is not asked.goal and found.keep and not burns:
            return [goal]
    return []


def _advice_trials(result: TuneResult) -> list[str]:
    found = [t for t in result.trials if t.outcome is Outcome.ADVICE and t.loads]
    lines = []
    for trial in found:
        what = "metric" if any(load.metric for load in trial.loads) else "median"
        gains = "; ".join(f"{effect(load.p50)} {load_name(load)}" for load in trial.loads)
        whose = _STARTED.get(trial.knob, "") if result.settings.command else ""
        whose = f"Start it with {whose}" if whose else _THEIRS.get(trial.knob, "Belongs to the programs")
        lines += folded(f"{trial.title}: {what} {gains}. {whose}: nothing is set.", "   ")
    return lines


def _spoiled(trials: Sequence[Trial]) -> list[str]:
    spoiled, blocks = sum(t.spoiled for t in trials), sum(t.blocks for t in trials)
    return [f"   {spoiled} of {blocks} blocks were spoiled by steal or by other programs."] if spoiled else []


def _no_time(not_tried: Sequence[NotTried]) -> list[str]:
    return [f"   {n.knob} {n.why} (needs {duration(n.seconds)} more)" for n in not_tried if n.seconds]


def _indent(line: str) -> str:
    return f"     {line}"


def _clip(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
