"""The screen "is it IPC?": what waking sleeping vCPUs costs the machine's programs at most, and what is larger."""

from textwrap import wrap

from ipctune.host.is_it_ipc import NAMES, STALL_MS, amount
from ipctune.host.model_watch import Ceiling, ProgramRates, Rates, WaitCause, Watch
from ipctune.report.style import PLAIN, Style

__all__ = ["CAUSES", "after_watch", "render_watch"]

CAUSES = {str(cause): f"{name[:1].upper()}{name[1:]}" for cause, name in NAMES.items()}
"""Causes that come before IPC, as the beginning of a sentence."""

_WIDTH = 79
_TALKERS = 4
_LEAST_SWITCHES = 1.0


def render_watch(watch: Watch, style: Style = PLAIN, *, title: str = "IS IT IPC?") -> str:
    """The ceiling, the other causes, who talks, and the answer; at most 80 columns."""
    note = f"your programs, watched for {_seconds(watch.rates.seconds)}"
    lines = [style.bold(title) + style.dim(note.rjust(_WIDTH - len(title)))]
    lines += _ceiling(watch.ceiling)
    lines += _fold("Other causes looked for:  " + "   ".join(_others(watch.rates)))
    talkers = [p for p in watch.rates.programs if p.switches >= _LEAST_SWITCHES][:_TALKERS]
    if talkers:
        lines += _fold(f"Woken most often: {', '.join(map(_talker, talkers))}")
    if not watch.rates.complete:
        lines += _fold("Not every program could be seen: without root, or too many of them.")
    return "\n".join([*lines, *_answer(watch, style)])


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 9.5 else f"{seconds:.1f} s"


def _ceiling(most: Ceiling) -> list[str]:
    count = "unknown, how many" if most.wakes is None else _count(most.wakes)
    wakes = f"{count} wake-ups/s go to a sleeping vCPU"
    if most.halted_ns is None or most.awake_ns is None:
        cost = f"; what one costs is unknown: {most.unknown}."
        return [*_fold(wakes + cost), *_fold("Most that can be gained: unknown.")]
    cost = f"; one costs {_us(most.halted_ns)} here, {_us(most.awake_ns)} if awake."
    if most.hop_ns is None or most.waiting_ms is None:
        return [*_fold(wakes + cost), *_fold(f"Most that can be gained: {_us(most.hop_ns or 0)} a hop.")]
    gain = f"Most that can be gained: {_us(most.hop_ns)} a hop, {amount(most.waiting_ms)} of waiting a second in all."
    return [*_fold(wakes + cost), *_fold(gain)]


def _count(rate: float) -> str:
    return f"{rate:,.0f}"


def _us(ns: float) -> str:
    us = ns / 1000
    return f"{us:.0f} µs" if us >= 10 else f"{us:.2g} µs"


def _others(rates: Rates) -> list[str]:
    """Each other cause with its figure, non-breaking, so that a figure stays with its name."""
    vcpus = len(rates.vcpus)
    steal = (
        "unknown" if rates.steal_reported is False else f"{rates.steal_ms / 10 / vcpus:.1f} %" if vcpus else "unknown"
    )
    pages = (rates.swap_in or 0.0) + (rates.swap_out or 0.0)
    swap = "unknown" if rates.swap_in is None else f"{pages:,.0f} pages/s" if pages >= 1 else "none"
    disk = max((d.busy for d in rates.disks), default=0.0)
    queue = "unknown" if rates.run_wait_ms is None else f"{rates.run_wait_ms:,.1f} ms/s"
    fullest = rates.fullest
    full = "unknown" if fullest is None else f"{100 * fullest.busy:.0f} %"
    io = rates.stalled_ms("io")
    waits = rates.iowait_ms if io is None else io
    waited = f" ({waits:,.0f} ms/s waiting)" if waits >= STALL_MS else ""
    words = (
        f"steal {steal}",
        f"swap {swap}",
        f"disk {disk * 100:.0f} %{waited}",
        f"run queue {queue}",
        f"fullest vCPU {full}",
    )
    return [word.replace(" ", "\xa0") for word in words]


def _talker(program: ProgramRates) -> str:
    many = f" ({program.processes})" if program.processes > 1 else ""
    return f"{program.name}{many} {_count(program.switches)}/s".replace(" ", "\xa0")


def _answer(watch: Watch, style: Style) -> list[str]:
    if watch.stops:
        head = "IPC is not the problem here."
        return _fold(f"-> {head} It is {watch.why}.", style, head)
    return _fold(f"-> {watch.why[:1].upper()}{watch.why[1:]}.", style)


def _fold(text: str, style: Style = PLAIN, strong: str = "") -> list[str]:
    """Text in lines that fit a terminal, indented; `strong` is painted where it stands on one line."""
    lines = wrap(
        text, _WIDTH, initial_indent="   ", subsequent_indent="   ", break_long_words=False, break_on_hyphens=False
    )
    plain = (line.replace("\xa0", " ") for line in lines)
    return [line.replace(strong, style.bold(strong)) if strong else line for line in plain]


def after_watch(watch: Watch, *, goes_on: bool, named: str = "") -> str:
    """What `tune` does next, where that is not plain, and the end of the section. `named` is what the user named to be
    measured, such as "your command"; empty for the built-in pair."""
    if not goes_on:
        return ""
    if watch.stops:
        return f"\n   Going on all the same, with {named or 'patterns of our own'}.\n"
    what = f"{named} is" if named else "patterns of our own are"
    return f"\n   So {what} measured.\n" if watch.cause is WaitCause.IDLE else "\n"
