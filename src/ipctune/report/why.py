"""Everything that a run found about one knob."""

from time import localtime, strftime

from ipctune.knobs.model import Knob
from ipctune.report.style import Style
from ipctune.report.tune import render_trial
from ipctune.report.words import effect, load_name, micro
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
    lines += [f"   not tried: {n.why}" for n in result.not_tried if n.knob == knob.id]
    if knob.id in result.kept and result.proof is not None:
        lines += ["", f"   proof of the kept set, {result.proof.pairs} pairs after the decision:"]
        lines += [f"     {load_name(load)}: p50 {effect(load.p50)}" for load in result.proof.loads]
    return "\n".join(lines)


def _details(trial: Trial) -> list[str]:
    lines = [f"     {line}" for load in trial.loads for line in _load(load)]
    if trial.idle_vcpus is not None:
        lines.append(f"     on an idle machine: {trial.idle_vcpus:.3f} vCPU polling")
    return (
        [*lines, f"     {trial.spoiled} of {trial.blocks} blocks spoiled by steal or others"] if trial.blocks else lines
    )


def _load(load: LoadResult) -> list[str]:
    return [
        f"{load_name(load)}, {load.p50.pairs} pairs:",
        f"  p99 {micro(load.now.p99_ns)} -> {micro(load.tried.p99_ns)}{' (worse)' if load.p99_worse else ''}",
        f"  messages/s {load.now.messages_per_second:,.0f} -> {load.tried.messages_per_second:,.0f}:"
        f" {effect(load.throughput)}",
        f"  CPU + polling a message {micro(load.now.price_ns_per_message)} -> {micro(load.tried.price_ns_per_message)}:"
        f" {effect(load.price)}",
        f"  latency × price {effect(load.product)}",
    ]
