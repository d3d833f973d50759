"""Everything that a run found about one knob."""

from dataclasses import replace
from time import localtime, strftime

from ipctune.knobs.model import Knob
from ipctune.report.apart import render_apart
from ipctune.report.front import on_fronts
from ipctune.report.style import Style
from ipctune.report.tune import render_trial
from ipctune.report.words import effect, load_name, micro, plain
from ipctune.tune.goals import figure_name
from ipctune.tune.model import LoadResult, Trial, TuneResult

__all__ = ["render"]


def render(result: TuneResult, knob: Knob, style: Style) -> str:
    """What the knob is, its trials with every figure, and the proof where it was kept."""
    when = strftime("%Y-%m-%d %H:%M", localtime(result.started))
    lines = [style.bold(knob.title) + style.dim(f"   {result.run} ({when}), goal {result.settings.goal}")]
    lines += [
        f"   scope {knob.scope}; reaches {knob.reach}",
        f"   price: {knob.price}",
        f"   source: {knob.source}",
        "",
    ]
    for trial in result.trials:
        if trial.knob == knob.id:
            lines += [render_trial(trial, result.settings.goal, style), *_details(trial)]
    lines += [f"   {line}" for line in on_fronts(result.fronts, knob.id)]
    lines += [f"   not tried: {n.why}" for n in result.not_tried if n.knob == knob.id]
    if knob.id in result.kept and result.proof is not None:
        lines += ["", f"   proof of the kept set, {result.proof.pairs} pairs after the decision:"]
        lines += [f"     {load_name(load)}: {figure_name(load)} {effect(load.p50)}" for load in result.proof.loads]
    apart = [one for one in result.proof.apart if one.knob == knob.id] if result.proof is not None else []
    if result.proof is not None and apart:
        lines += ["", *render_apart(replace(result.proof, apart=tuple(apart)), result.settings.goal)]
    return "\n".join(lines)


def _details(trial: Trial) -> list[str]:
    lines = [f"     {line}" for load in trial.loads for line in _load(load)]
    if trial.idle_vcpus is not None:
        lines.append(f"     on an idle machine: {trial.idle_vcpus:.3f} vCPU polling")
    return (
        [*lines, f"     {trial.spoiled} of {trial.blocks} blocks spoiled by steal or others"] if trial.blocks else lines
    )


def _load(load: LoadResult) -> list[str]:
    if load.metric is not None:
        return _own(load)
    return [
        f"{load_name(load)}, {load.p50.pairs} pairs:",
        f"  p99 {micro(load.now.p99_ns)} -> {micro(load.tried.p99_ns)}{' (worse)' if load.p99_worse else ''}",
        f"  messages/s {load.now.messages_per_second:,.0f} -> {load.tried.messages_per_second:,.0f}:"
        f" {effect(load.throughput)}",
        f"  CPU + polling a message {micro(load.now.price_ns_per_message)} -> {micro(load.tried.price_ns_per_message)}:"
        f" {effect(load.price)}",
        f"  latency × price {effect(load.product)}",
    ]


def _own(load: LoadResult) -> list[str]:
    """A metric of the user's: nobody counts messages there."""
    assert load.metric is not None
    better = "higher" if load.metric.higher_is_better else "lower"
    now, tried = (arm.price_ns_per_message / 1e9 for arm in (load.now, load.tried))
    return [
        f"{load_name(load)}, {load.p50.pairs} pairs:",
        f"  {load.metric.name} ({better} is better)"
        f" {plain(load.now.figure or 0.0)} -> {plain(load.tried.figure or 0.0)}: {effect(load.p50)}",
        f"  CPU + polling a run {now:.3f} -> {tried:.3f} s: {effect(load.price)}",
        f"  metric × price {effect(load.product)}",
    ]
