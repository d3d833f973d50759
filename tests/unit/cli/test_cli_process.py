"""What only a process of its own shows: a reader that goes away, signals, and the words of every page."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_SOURCE = Path(__file__).resolve().parents[3] / "src"
_COMMANDS = [
    "inspect",
    "bench",
    "compare",
    "status",
    "log",
    "why",
    "tune",
    "keep",
    "verify",
    "commit",
    "revert",
    "uninstall",
]


def start(
    *words: str, stdout: int = subprocess.PIPE, unbuffered: bool = False, module: str = "ipctune"
) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(_SOURCE), "IPCTUNE_STATE": "/nonexistent", "COLUMNS": "80"}
    environment["PYTHONUNBUFFERED"] = "1" if unbuffered else ""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("unbuffered", [False, True])
@pytest.mark.parametrize("module", ["ipctune", "ipctune.cli.plain"])
@pytest.mark.parametrize("words", [("status", "--json"), ("--help",)], ids=" ".join)
def test_a_reader_that_goes_away_is_no_error(words: tuple[str, ...], module: str, unbuffered: bool) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = start(*words, stdout=writer, unbuffered=unbuffered, module=module)
    os.close(writer)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (0, "")


@pytest.mark.parametrize("unbuffered", [False, True])
@pytest.mark.parametrize("module", ["ipctune", "ipctune.cli.plain"])
@pytest.mark.parametrize("words", [("inspect", "--json"), ("status",), ("--help",)], ids=" ".join)
def test_a_full_device_is_one_line_and_3(words: tuple[str, ...], module: str, unbuffered: bool) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    process = start(*words, stdout=full, unbuffered=unbuffered, module=module)
    os.close(full)
    _, said = process.communicate(timeout=60)
    assert said == "ipctune: the output can't be written: No space left on device\n"
    assert process.returncode == 3


# Lines that are too long now, to be broken in their pages.
_LONG = {
    "  Needs:   something that is active (`ipctune status`), and root for what root set.",
    "  Touches: what the plan lists, which it shows before the first write. Everything",
    "  Touches: what is set is put aside for half a second at a time, and back in force",
    "  Touches: nothing; saves the run in the state folder. Keeps two vCPUs busy meanwhile.",
}


@pytest.mark.parametrize("command", _COMMANDS)
def test_every_page_fits_80_columns(command: str) -> None:
    out, _ = start(command, "--help").communicate(timeout=30)
    assert {line for line in out.splitlines() if len(line) > 80} <= _LONG


def test_the_group_alone_is_wrong_use_with_its_page() -> None:
    process = start()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "look (changes nothing)" in out + err
