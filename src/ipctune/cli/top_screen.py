"""The screen of `ipctune top` that moves (Textual); what stands on it is made by `report.top`."""

import json
import time
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, Footer, Input, Static

from ipctune.errors import Exit
from ipctune.host.plain import plain
from ipctune.report.top import COLUMNS, SORTS, WIDTHS, cells, chosen, foot, head
from ipctune.trace.model import Overview
from ipctune.trace.overview import Counted, Watcher, between
from ipctune.trace.whom import Whom

__all__ = ["Screen", "show"]

_EVERY_S = 1.0
_HELP = (
    "from > to: who sends, who takes. wake p99: what the taker waits from being woken to running. asleep: share of the "
    "time that sender/taker slept in these calls. full: how full the pipe was. s sort, / filter, p pause, d JSON, q end"
)


class Screen(App[int]):
    """Reads the watcher each second; everything else is drawing."""

    CSS = "#head, #foot { height: auto; } #talks { height: 1fr; } #filter { display: none; height: 3; }"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "end"),
        Binding("s", "sort", "sort"),
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("p", "pause", "pause"),
        Binding("d", "dump", "JSON"),
        Binding("question_mark", "help", "help", key_display="?"),
    ]

    def __init__(self, watcher: Watcher) -> None:
        super().__init__()
        self._watcher, self._last = watcher, watcher.read()
        self.shown: Overview | None = None
        self.sort, self.wanted, self.paused, self._helps = "messages", "", False, False

    def compose(self) -> ComposeResult:
        """Head, table, what is worth a word, keys."""
        yield Static(id="head", markup=False)
        yield DataTable(id="talks", cursor_type="row", cell_padding=0)
        yield Input(placeholder="a word of the lines to be shown; Enter", id="filter")
        yield Static(id="foot", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """The columns, and the first look."""
        for name, wide in zip(COLUMNS, WIDTHS, strict=True):
            self._table().add_column(name, width=wide + 1)
        self._table().focus()
        self.set_interval(_EVERY_S, self.look)
        self.look()

    def look(self) -> None:
        """What is new since the last look; nothing while paused."""
        if self.paused:
            return
        now: Counted = self._watcher.read()
        if not self._watcher.follow():
            self.exit(int(Exit.DONE))
            return
        self.shown, self._last = between(self._last, now), now
        self._draw()

    def action_sort(self) -> None:
        """By the next column."""
        names = list(SORTS)
        self.sort = names[(names.index(self.sort) + 1) % len(names)]
        self._draw()

    def action_pause(self) -> None:
        """Stand still, or go on."""
        self.paused = not self.paused
        self._draw()

    def action_help(self) -> None:
        """What the columns are."""
        self._helps = not self._helps
        self._draw()

    def action_filter(self) -> None:
        """Ask for a word."""
        asked = self.query_one("#filter", Input)
        asked.display = True
        asked.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The word: lines that hold it, all for an empty one."""
        self.wanted = event.value.strip()
        event.input.display = False
        self._table().focus()
        self._draw()

    def action_dump(self) -> None:
        """Write what is shown into a new file in this folder."""
        if self.shown is None:
            return
        name = time.strftime("ipctune-top-%Y%m%dT%H%M%SZ.json", time.gmtime())
        try:
            with open(name, "x", encoding="utf-8") as file:  # noqa: PTH123 - as the user sees it
                json.dump(plain(self.shown), file)
        except OSError as error:
            self.notify(f"not written: {error.strerror}", severity="error")
        else:
            self.notify(f"written: {name}")

    def _table(self) -> "DataTable[str]":
        return self.query_one("#talks", DataTable)

    def _draw(self) -> None:
        found = self.shown
        if found is None:
            return
        table, at = self._table(), self._table().cursor_row
        table.clear()
        for talk in chosen(found, self.sort, self.wanted):
            table.add_row(*cells(talk))
        table.move_cursor(row=at)
        state = "".join(
            (f"   by {self.sort}", f"   with '{self.wanted}'" if self.wanted else "", "   PAUSED" * self.paused)
        )
        self.query_one("#head", Static).update(head(found) + state)
        width = max(40, self.size.width)
        told = [_HELP] if self._helps else foot(found, width)
        vcpu, memory = found.own.program_ns / found.seconds / 1e9, found.own.resident_bytes >> 20
        cost = f"cost {vcpu:.3f} vCPU in the kernel, {memory} MiB here"
        lost = f"   lost {found.lost:,}" if found.lost else ""
        self.query_one("#foot", Static).update("\n".join([*told, cost + lost]))


def show(whom: Whom) -> int:
    """Until q, Ctrl-C, or nobody is left. Raises NotPossible where eBPF can't be had."""
    with Watcher(whom) as watcher:
        return Screen(watcher).run() or int(Exit.DONE)
