"""What `bench --recommend` found, as text of 80 columns: which one to use, then why, against what, at what price."""

from collections.abc import Iterable, Iterator, Sequence

from ipctune.bench.recommendation import Answer, Arm, Lever, Recommendation, Table
from ipctune.bench.sizes import named
from ipctune.judge.verdict import Estimate
from ipctune.report.figures import folded
from ipctune.report.recommend_map import render_map
from ipctune.report.recommend_words import (
    amount,
    estimate,
    figure,
    figure_name,
    load,
    micro,
    name_of,
    refusals,
)
from ipctune.report.style import Style, in_ascii

__all__ = ["render", "render_markdown", "render_plan"]

_NAME, _COLUMNS = 26, (9, 9, 24, 6, 6)


def render(result: Recommendation, style: Style, *, unicode: bool = True) -> str:
    """The whole answer; without `unicode` in ASCII."""
    lines = _head(result)
    lines += render_map(result, style) if result.is_map else _answers(result, style)
    text = "\n".join([*lines, *_foot(result, style)])
    return text if unicode else in_ascii(text)


def render_plan(about: Lever, places: Sequence[str]) -> str:
    """What is about to be set, how it comes back, and every path that is written."""
    lines = [f"For moments of some seconds each, the idle lever is on: {about.title} = {about.value}."]
    lines += folded(f"Price meanwhile: {about.price}.", "  ")
    lines += folded("It is taken back after each, on Ctrl-C, and by a watchdog if this program is killed.", "  ")
    return "\n".join([*lines, "  Writes nothing but:", *(f"    {place}" for place in places)])


def _head(result: Recommendation) -> list[str]:
    blocks = sum(answer.blocks for answer in result.answers)
    cut = ", ended by Ctrl-C" if result.interrupted else ""
    what = load(result)
    if not result.is_map and result.answers:
        what = f"{named(result.answers[0].size)} {result.answers[0].pattern}, {what}"
    machine = f"{result.vcpus} vCPU, kernel {result.kernel}   {blocks} blocks in {result.seconds:.0f} s{cut}"
    return [what, machine]


def _answers(result: Recommendation, style: Style) -> list[str]:
    lines: list[str] = []
    for answer in result.answers:
        lines += ["", *_answer(answer, result, style)]
    if result.lever is not None and any(answer.table for answer in result.answers):
        lines += ["", *_lever(result.lever, result.answers[0], style)]
    return lines


def _answer(answer: Answer, result: Recommendation, style: Style) -> list[str]:
    table = answer.table
    if table is None:
        return [*_untold(answer), *refusals(answer.absent)]
    lines = [f"USE  {style.bold(name_of(table.named))}"]
    lines += [line for text in _why(answer, table) for line in folded(text)]
    lines += [line for text in _costs(table, result) for line in folded(text)]
    lines += ["", *_rows(table, style)]
    if len(table.not_apart) > 1:
        lines.append(style.dim("  = not told apart from the fastest"))
    lines += [style.dim(line) for line in _looked(answer)]
    return [*lines, *refusals(answer.absent)]


def _untold(answer: Answer) -> list[str]:
    """It ended too early, or nothing works here."""
    if not answer.looked:
        return ["Nothing could be measured: no mechanism of this machine takes that."]
    first = ", ".join(name_of(one.label) for one in answer.looked[:3])
    return folded(f"No answer yet: it ended in the first short look, where {first} came first.", "")


def _why(answer: Answer, table: Table) -> Iterator[str]:
    """How sure it is, and by how much."""
    alike = [name_of(label) for label in table.alike]
    if len(alike) > 1:
        yield f"the simplest of {len(alike)} that can't be told apart: {', '.join(alike)}"
    if table.named != table.fastest:
        yield f"against the fastest, {name_of(table.fastest)}: {_more(table.arm(table.named).slower)}"
    for label in table.simpler:
        yield f"simpler, and not told apart yet: {name_of(label)}, {_more(table.arm(label).slower)}"
    if len(table.not_apart) > 1 and not answer.settled:
        yield "more time may tell them apart (--time)"
    yield from _ahead(table)
    if answer.again_rounds:
        yield f"measured again after the decision: {answer.again_rounds} rounds"


def _ahead(table: Table) -> Iterator[str]:
    """The gain over the first that is surely slower; of one alone that it is alone."""
    beaten = next((arm for arm in table.arms if arm.apart), None)
    if beaten is not None:
        who = "the next" if len(table.not_apart) == 1 else "the first that is surely slower"
        yield f"{who}, {name_of(beaten.label)}, takes {_more(beaten.slower)} against the fastest"
    elif len(table.arms) == 1:
        yield "nothing else that was looked at could be measured"


def _more(told: Estimate | None) -> str:
    return "an unknown time" if told is None else f"{estimate(told)} time a message"


def _costs(table: Table, result: Recommendation) -> Iterator[str]:
    """Price, what it asks of the program, and a cheaper one."""
    arm = table.arm(table.named)
    polled = arm.poll_ns_per_message
    of_that = "" if polled is None else f", {micro(polled)} µs of it polling"
    at = f"at {result.rate:,.6g}/s" if result.rate else "as fast as it goes"
    yield f"price: {micro(arm.price_ns_per_message)} µs of CPU a message{of_that}; {arm.price_vcpus:.2f} vCPU {at}"
    if arm.burdens is None:
        yield "what it asks of the program is not known"
    else:
        yield from (f"mind: {text}" for text in arm.burdens)
    if not arm.keeps_up:
        yield "it falls behind that rate: latency is that of a growing queue"
    cheaper = table.cheaper
    if cheaper is not None:
        slower = f", {estimate(cheaper.slower)} time a message" if cheaper.slower else ""
        yield f"for less CPU: {name_of(cheaper.label)}, {micro(cheaper.price_ns_per_message)} µs{slower}"


def _rows(table: Table, style: Style) -> list[str]:
    """One line each, the fastest first."""
    names = (figure_name(table.arms[0]), _second_name(table.arms[0]), "time against it", "CPU", "vCPU")
    head = "".join(f"{name:>{width}}" for name, width in zip(names, _COLUMNS, strict=True))
    return [style.dim(f"{'':<{_NAME}}{head}".rstrip()), *(_row(arm, table) for arm in table.arms)]


def _row(arm: Arm, table: Table) -> str:
    mark = "= " if not arm.apart and len(table.not_apart) > 1 else "  "
    name = mark + name_of(arm.label) + ("!" if arm.spoiled else "")
    against = "fastest" if arm.slower is None else estimate(arm.slower)
    cells = (figure(arm), _second(arm), against, micro(arm.price_ns_per_message), f"{arm.price_vcpus:.2f}")
    clipped = name if len(name) < _NAME else name[: _NAME - 2] + "…"
    return f"{clipped:<{_NAME}}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, _COLUMNS, strict=True))


def _second_name(arm: Arm) -> str:
    return "MB/s" if arm.p50_ns is None else "p99"


def _second(arm: Arm) -> str:
    """p99, unknown with too few samples; of a stream flat out its bytes."""
    if arm.p50_ns is None:
        return f"{arm.bytes_per_second / 1e6:,.0f}"
    return "unknown" if arm.p99_ns is None else micro(arm.p99_ns)


def _looked(answer: Answer) -> list[str]:
    """Those that were not in the finals, with what the short look saw."""
    finals = {arm.label for arm in answer.table.arms} if answer.table else set()
    left = [f"{name_of(one.label)} {amount(one)}" for one in answer.looked if one.label not in finals]
    return folded("slower in a first short look: " + ", ".join(left), "  ") if left else []


def _lever(lever: Lever, answer: Answer, style: Style) -> list[str]:
    """The same with idle vCPUs polling, or what that would need."""
    title = style.bold("WITH THE IDLE LEVER ON")
    if lever.knob is None:
        return [title, *folded(f"takes {lever.needs}" if not lever.needs.startswith("no ") else lever.needs)]
    head = f"{title}   {lever.title} = {lever.value}"
    if lever.table is None or answer.table is None:
        why = (
            f"not measured: {lever.failed}" if lever.failed else f"not measured; {lever.needs or 'it ended too early'}"
        )
        return [head, *folded(why)]
    lines = [head, f"USE  {style.bold(name_of(lever.table.named))}"]
    if lever.gain is not None:
        lines += folded(f"on against off, {name_of(answer.table.named)}: {estimate(lever.gain)} time a message")
    lines += folded(f"price beside the figures: {lever.price}")
    return [*lines, *_rows(lever.table, style)]


def _foot(result: Recommendation, style: Style) -> list[str]:
    lines = [f"stopped: {result.stopped}"] if result.stopped else []
    if any(arm.spoiled for answer in result.answers if answer.table for arm in answer.table.arms):
        lines.append("! others spoiled some of its blocks (steal, other programs)")
    held = "Intervals hold together with 95 %. CPU: µs a message, both sides and polling."
    return [*lines, style.dim(held)] if any(a.table for a in result.answers) and not result.is_map else lines


# Markdown ---------------------------------------------------------------------------------------------------------


def render_markdown(result: Recommendation) -> str:
    """A page for a ticket or a wiki; it names no host."""
    lines = [f"# Which way to communicate: {load(result)}", "", f"{result.vcpus} vCPU, kernel {result.kernel}", ""]
    for answer in result.answers:
        lines += [f"## {named(answer.size)} {answer.pattern}", "", *_markdown(answer, result), ""]
    lever = result.lever
    if lever is not None and lever.table is not None:
        lines += [f"## With {lever.title} = {lever.value}", "", f"Use **{name_of(lever.table.named)}**.", ""]
        lines += [*_markdown_table(lever.table), ""]
    elif lever is not None:
        lines += ["## With the idle lever on", "", f"Not measured: {lever.failed or lever.needs}.", ""]
    return "\n".join(lines).rstrip()


def _markdown(answer: Answer, result: Recommendation) -> Iterator[str]:
    table = answer.table
    if table is None:
        yield from _untold(answer)
        return
    yield f"Use **{name_of(table.named)}**."
    yield ""
    yield from (f"- {text}" for text in (*_why(answer, table), *_costs(table, result)))
    yield ""
    yield from _markdown_table(table)


def _markdown_table(table: Table) -> Iterable[str]:
    first = table.arms[0]
    yield f"| mechanism | {figure_name(first)} | {_second_name(first)} | time against the fastest | CPU µs | vCPU |"
    yield "| --- | ---: | ---: | --- | ---: | ---: |"
    for arm in table.arms:
        against = "fastest" if arm.slower is None else estimate(arm.slower) + ("" if arm.apart else ", not told apart")
        cells = (figure(arm), _second(arm), against, micro(arm.price_ns_per_message), f"{arm.price_vcpus:.2f}")
        yield f"| {name_of(arm.label)} | {' | '.join(cells)} |"
