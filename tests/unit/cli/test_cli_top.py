"""The screen of `ipctune top` in 80×24, with keys, without a kernel behind it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.report.test_report_top import overview

pytest.importorskip("textual")
from textual.widgets import DataTable, Static

from ipctune.cli import top_screen
from ipctune.trace.model import Overview


class Source:
    """A watcher whose second look is its last where it is told so."""

    def __init__(self) -> None:
        self.left = True

    def read(self) -> Any:
        return None

    def follow(self) -> bool:
        return self.left


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> top_screen.Screen:
    def made(_before: object, _after: object) -> Overview:
        return overview(told=("vCPU 1 loses 12 % to the hypervisor",))

    monkeypatch.setattr(top_screen, "between", made)
    monkeypatch.chdir(tmp_path)
    return top_screen.Screen(Source())  # type: ignore[arg-type]


def text(screen: top_screen.Screen, name: str) -> str:
    return str(screen.query_one(f"#{name}", Static).render())


def test_keys(screen: top_screen.Screen, tmp_path: Path) -> None:
    async def use() -> None:
        async with screen.run_test(size=(80, 24)) as pilot:
            table = screen.query_one(DataTable)
            assert table.row_count == 2
            assert table.virtual_size.width <= 80
            assert "82% of all" in text(screen, "head")
            assert "hypervisor" in text(screen, "foot")
            await pilot.press("s")
            assert "by bytes" in text(screen, "head")
            await pilot.press("p")
            assert "PAUSED" in text(screen, "head")
            await pilot.press("p", "question_mark")
            assert "q end" in text(screen, "foot")
            await pilot.press("slash", *"nginx", "enter")
            assert table.row_count == 1
            await pilot.press("slash", *["backspace"] * 5, "enter")
            assert table.row_count == 2
            await pilot.press("d")
            await pilot.press("q")

    asyncio.run(use())
    (written,) = tmp_path.glob("ipctune-top-*.json")
    assert len(json.loads(written.read_text())["talks"]) == 2


def test_it_ends_with_the_last_process(screen: top_screen.Screen) -> None:
    async def use() -> None:
        async with screen.run_test(size=(80, 24)):
            screen._watcher.left = False  # type: ignore[attr-defined]
            screen.look()

    asyncio.run(use())
    assert screen.return_value == 0
