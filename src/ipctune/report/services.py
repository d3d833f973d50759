"""What `ipctune services` shows: what to fix, each service's fullest limits, objects, and who talks to whom."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from ipctune.host.finding import Finding
from ipctune.host.findings_limits import amount
from ipctune.report.fit import fit
from ipctune.report.style import PLAIN, Style
from ipctune.services.model import Holder, Object, Pair, Report, Use
from ipctune.services.orphans import Removal

__all__ = ["render", "render_removals", "use_row"]

_WIDTH = 80
_USES, _OBJECTS, _PAIRS = 16, 24, 20
_WORTH_A_LINE = 0.01


def render(report: Report, style: Style = PLAIN, *, everything: bool = False) -> str:
    """The screen, at most 80 columns wide; `everything` lists all uses, objects and pairs."""
    to_fix = [one for one in report.findings if one.severity == "fix"]
    to_know = [one for one in report.findings if one.severity != "fix"]
    head = f"services and programs: {len(report.services)}   read only, {report.seconds:.1f} s"
    lines = [f"{style.bold(head)}   {len(to_fix)} to fix, {len(to_know)} to know", ""]
    lines += _section(style.red("FIX"), to_fix, 1, style)
    lines += _section(style.yellow("KNOW"), to_know, len(to_fix) + 1, style)
    lines += ["nothing found that needs a word", ""] if not report.findings else []
    lines += _uses(report, style, everything)
    lines += _objects(report.objects, style, everything)
    lines += _pairs(report.pairs, style, everything)
    lines += _unseen(report)
    lines += [] if everything else ["more: --all   --json   --clean-orphans"]
    return "\n".join(lines)


def render_removals(found: Sequence[Removal], blind: Sequence[Holder] = ()) -> str:
    """Each thing left over, with the exact command that removes it; `blind` are processes with hidden files."""
    if not found:
        return "nothing is left over: every array has a live owner, every file in /dev/shm a user"
    lines: list[str] = []
    for one in (removal.object for removal in found):
        size = f", {amount(one.bytes, 'bytes')}" if one.bytes is not None else ""
        why = (
            f"no live process of {one.user}"
            if one.kind == "sem-array"
            else "no process has it open or mapped; some programs mean to leave a file there"
        )
        lines += [f" {one.id}: {one.name}, of {one.user}{size}", f"    {why}", f"    {one.remove}"]
    if blind and any(removal.object.kind == "posix-shm" for removal in found):
        names = ", ".join(f"{one.label} (pid {one.pid})" for one in blind[:3])
        more = f" and {len(blind) - 3} more" if len(blind) > 3 else ""
        text = (
            f"whose open files nobody may see, root neither: {names}{more}; for files in /dev/shm it is yours to know"
        )
        lines += _wrapped(text, "", "   ")
    return "\n".join(lines)


def use_row(use: Use) -> str:
    """One line: limit, use, limit's value, who, when a change counts."""
    about = "~" if use.estimated else ""
    most = use.peak if use.limit == "listen queue" else use.use
    value = "unlimited" if use.unlimited else amount(use.value, use.unit)
    who = _who(use)
    return f" {use.limit:<27} {about + amount(most, use.unit):>11} {value:>11}  {who}"


def _who(use: Use) -> str:
    parts = [use.holder.label] if use.holder else []
    if use.place and use.place not in (parts[0] if parts else ""):
        parts.append(use.place)
    if use.what and use.limit != "RLIMIT_NOFILE":
        parts.append(use.what)
    if use.full_looks:
        parts.append(f"full {use.full_looks} of {use.looks}")
    return ", ".join(parts)


def _section(title: str, found: Sequence[Finding], first: int, style: Style) -> Iterator[str]:
    if not found:
        return
    yield title
    for number, one in enumerate(found, start=first):
        what = _wrapped(f"{one.topic}: {one.what}", f"{number:2d} ", "   ")
        yield from (style.bold(line) for line in what)
        yield from _wrapped(one.why, "   ", "   ")
        yield from _wrapped(f"-> {one.todo}", "   ", "      ")
    yield ""


def _uses(report: Report, style: Style, everything: bool) -> Iterator[str]:
    shown = [use for use in report.uses if everything or use.full >= _WORTH_A_LINE]
    if not shown:
        yield from ("limits: none that a service uses more than 1 % of", "")
        return
    yield style.dim(f"{'fullest limits':<28} {'use':>11} {'limit':>11}  who, what")
    for use in shown if everything else shown[:_USES]:
        yield from _row(use_row(use), everything)
        if everything and use.effect:
            yield f"    {use.effect}"
    yield from _left(len(shown) - _USES, everything)
    yield ""


def _objects(objects: Sequence[Object], style: Style, everything: bool) -> Iterator[str]:
    if not objects:
        yield from ("IPC objects: none of System V, no POSIX queue, nothing in /dev/shm", "")
        return
    yield style.dim(f"{'IPC objects':<26} {'owner':<10} {'size':>10}  who has it")
    ordered = sorted(objects, key=lambda one: (not one.orphan, one.place, one.kind, one.id))
    for one in ordered if everything else ordered[:_OBJECTS]:
        name = one.id if everything else fit(one.id, 25)
        yield from _row(f" {name:<25} {fit(one.user, 10):<10} {_size(one):>10}  {_holders(one)}", everything)
        if everything and one.remove and one.orphan:
            yield f"    {one.remove}"
    yield from _left(len(ordered) - _OBJECTS, everything)
    yield ""


def _size(one: Object) -> str:
    if one.kind == "sem-array":
        return f"{one.amount} sem"
    if one.kind == "msg-queue":
        return f"{one.amount} msg"
    return amount(one.bytes, "bytes")


def _holders(one: Object) -> str:
    place = f" [{one.place}]" if one.place else ""
    if one.orphan:
        return f"LEFT OVER: {'no live process of its owner' if one.kind == 'sem-array' else 'nobody'}{place}"
    if one.holders is None:
        return f"can't be told{place}" if one.kind.startswith(("sem", "msg", "posix-q")) else f"not looked{place}"
    return (_names(one.holders) or "nobody") + place


def _names(holders: Iterable[Holder]) -> str:
    counts: dict[str, int] = {}
    for holder in holders:
        counts[holder.label] = counts.get(holder.label, 0) + 1
    return ", ".join(f"{count} {name}" if count > 1 else name for name, count in counts.items())


def _pairs(pairs: Sequence[Pair], style: Style, everything: bool) -> Iterator[str]:
    """Pairs by label: thirty workers with one server are one line."""
    merged: dict[tuple[str, str, str, str], int] = {}
    for pair in pairs:
        key = (pair.kind, pair.a.label, pair.b.label, pair.what)
        merged[key] = merged.get(key, 0) + pair.count
    if not merged:
        return
    yield style.dim("who talks to whom")
    rows = sorted(merged.items(), key=lambda item: (-item[1], item[0]))
    for (kind, a, b, what), count in rows if everything else rows[:_PAIRS]:
        yield from _row(f" {kind:<5} {count:>5}  {a} -> {b}{f'  {what}' if what else ''}", everything, 14)
    yield from _left(len(rows) - _PAIRS, everything)
    yield ""


def _row(text: str, everything: bool, indent: int = 29) -> list[str]:
    """A row of a table: folded below its second column where everything is shown, else shortened."""
    return _wrapped(text.rstrip(), "", " " * indent) if everything else [fit(text.rstrip(), _WIDTH)]


def _left(count: int, everything: bool) -> list[str]:
    return [f" {count} more: --all"] if count > 0 and not everything else []


def _unseen(report: Report) -> list[str]:
    if not report.unseen:
        return ["could not see: nothing missing"]
    text = "; ".join(f"{one.what} ({one.why})" for one in report.unseen)
    return _wrapped(text, "could not see: ", " " * 15)


def _wrapped(text: str, first: str, others: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=others, break_on_hyphens=False)
