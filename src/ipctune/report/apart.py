"""What each setting of a proved set does beside the others, in words."""

from ipctune.report.figures import folded
from ipctune.report.words import duration, effect, load_name, value
from ipctune.tune.goals import metric, metric_name
from ipctune.tune.model import Apart, Contribution, Goal, Proof

__all__ = ["render_apart"]


def render_apart(proof: Proof, goal: Goal) -> list[str]:
    """A paragraph a member: whether it stays, and what the set with it was against the set without it."""
    return [line for one in proof.apart for line in folded(_text(one, goal))]


def _text(one: Apart, goal: Goal) -> str:
    name = f"{one.title} {value(one.value)}"
    if one.word is Contribution.NO_TIME:
        needs = "" if one.seconds is None else f" (needs {duration(one.seconds)} more)"
        return f"{name}: not told apart from the others, for want of time{needs}; it stays, as the set was proved."
    what = "contributes beside the others" if one.stays else f"{one.word} beside the others, so it is put back"
    told = "; ".join(f"{effect(metric(goal, load))} {load_name(load)}" for load in one.loads)
    return f"{name}: {what}. The set with it against the set without it: {metric_name(goal, one.loads)} {told}."
