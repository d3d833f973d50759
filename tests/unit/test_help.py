"""--help is quick to come and says what a caller needs: exit codes, what is touched, what is needed."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

_SOURCE = Path(__file__).resolve().parents[2] / "src"
_LOOKING = ["inspect", "services", "explain", "bench", "compare", "sockets", "status", "log", "why"]
_COMMANDS = [*_LOOKING, "tune", "keep", "verify", "commit", "revert", "uninstall"]
_THERE = [name for name in _COMMANDS if (_SOURCE / "ipctune/cli" / f"{name}.py").exists()]
_PAGES = [(), *((name,) for name in _THERE)]
_GROUPS = ("look (changes nothing)", "try (comes back by itself)", "keep or undo")
_EXIT_CODES = ("0 ", "1 ", "2 ", "3 ", "70 ", "130 ")
# Each costs tens of milliseconds at a start, or comes with what does.
_HEAVY = {"asyncio", "jinja2", "msgspec", "networkx", "numpy", "psutil", "pyroute2", "rich", "scipy"} | {
    "multiprocessing",
    "sqlite3",
    "textual",
    "typer",
    "urllib.request",
}


def _ipctune(*arguments: str, flags: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(_SOURCE), "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, "-P", *flags, "-m", "ipctune", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def _loaded(report: str) -> set[str]:
    """Modules in what `-X importtime` reports."""
    lines = [line for line in report.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


def test_every_command_is_there() -> None:
    assert _THERE == _COMMANDS


@pytest.mark.parametrize("arguments", _PAGES, ids=" ".join)
def test_help_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    answer = _ipctune(*arguments, "--help", flags=("-X", "importtime"))
    loaded = _loaded(answer.stderr)
    assert "click" in loaded
    assert not {name for name in loaded if name in _HEAVY or name.split(".")[0] in _HEAVY}


@pytest.mark.parametrize("arguments", _PAGES, ids=" ".join)
def test_every_help_names_all_exit_codes(arguments: tuple[str, ...]) -> None:
    answer = _ipctune(*arguments, "--help")
    assert answer.returncode == 0
    codes = answer.stdout.partition("Exit codes:")[2]
    starts = [line.strip() for line in codes.splitlines() if line.strip()]
    assert [code for code in _EXIT_CODES if not any(s.startswith(code) for s in starts)] == []


@pytest.mark.parametrize("name", _THERE)
def test_every_page_says_what_it_touches_and_needs(name: str) -> None:
    page = _ipctune(name, "--help").stdout
    assert "Touches:" in page
    assert "Needs:" in page
    assert page.index("Touches:") < page.index("Options:")


def test_commands_are_grouped_by_what_they_do_to_the_machine() -> None:
    page = _ipctune("--help").stdout
    assert [group for group in _GROUPS if group not in page] == []
    assert [name for name in _COMMANDS if f"  {name} " not in page] == []


def test_an_unknown_command_is_wrong_use() -> None:
    assert _ipctune("conquer").returncode == 2


def test_the_console_script_and_the_module_are_one() -> None:
    metadata = tomllib.loads((_SOURCE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    assert metadata["project"]["scripts"] == {"ipctune": "ipctune.cli.main:main"}
    assert "from ipctune.cli.main import main" in (_SOURCE / "ipctune" / "__main__.py").read_text(encoding="utf-8")
