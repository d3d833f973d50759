"""What a run took from the machine's own programs, in words."""

from ipctune.report.figures import folded
from ipctune.report.style import Style
from ipctune.report.words import duration, micro, percent
from ipctune.tune.model_guard import Bystander, Took

__all__ = ["bystander_line", "render_took"]

_SPARED = -900
"""The watchdog's oom_score_adj where it could be had."""


def render_took(took: Took, style: Style) -> list[str]:
    """One paragraph; what was paused for comes first."""
    said = [f"Paused for your programs: {why}." for why in dict.fromkeys(took.paused)]
    if took.paused:
        said.append(f"{len(took.paused)} pauses, {duration(took.paused_seconds)} in all.")
    memory = f"{took.memory_bytes / 1e6:.0f} MB"
    said.append(f"The run took {took.vcpus:.2f} vCPU over {duration(took.seconds)} and {memory} of memory.")
    if took.waited and took.most_wait_ms >= 1:
        said.append(f"{took.waited} waited up to {took.most_wait_ms:.0f} ms/s longer for a vCPU than before.")
    elif not took.waits_known:
        said.append("How long your programs waited for a vCPU can't be seen here.")
    else:
        said.append("None of your programs that could be followed waited longer for a vCPU than before.")
    if not took.complete:
        said.append("Not every program could be seen from here.")
    if took.watchdog_oom is not None and took.watchdog_oom > _SPARED:
        said.append("Where memory runs out, the watchdog is not spared: that takes CAP_SYS_RESOURCE.")
    return [style.dim(line) for line in folded(" ".join(said), "   ")]


def bystander_line(found: Bystander) -> str:
    """What another program got beside a winner."""
    low, high = ("?" if bound is None else f"{100 * bound:+.1f}" for bound in (found.low, found.high))
    return (
        f"another program beside it ({found.work_ns / 1e6:.0f} ms of work every {found.period_ns / 1e6:.0f} ms): "
        f"{micro(found.now_ns)} -> {micro(found.tried_ns)}, {percent(found.effect)} ({low} … {high})"
    )
