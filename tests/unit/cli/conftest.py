"""The command line in this process, on a machine that is made of numbers and a state folder of this test's own."""

import io
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.unit.tune.machine import Does, Machine, host, install, make_knob

from ipctune.bench.core import MechanismInfo
from ipctune.cli import main
from ipctune.host.model import Host
from ipctune.knobs.model import Knob

PIPE = MechanismInfo("pipe", "a pipe", "pipe(7)", True, None)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@dataclass
class Cli:
    """Runs commands as `ipctune WORDS…` would; nobody sits at the terminal unless `terminal` is set."""

    machine: Machine
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    knobs: tuple[Knob, ...] = ()
    typed: str | None = None

    def __call__(self, *words: str) -> Answer:
        seed = ("--seed", "7") if words[0] == "tune" and "--seed" not in words else ()
        self.monkeypatch.setattr(sys, "argv", ["ipctune", *words, *seed])
        self.monkeypatch.setattr(sys, "stdin", _Terminal(self.typed) if self.typed is not None else io.StringIO())
        code = main._guarded(main._call)
        shown = self.capsys.readouterr()
        return Answer(code, shown.out, shown.err)


def _read_host(**_: object) -> Host:
    return host()


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """`helps` helps and `idles` does nothing; the bottleneck is the halted wake."""
    machine = Machine()
    machine.does["cpus", "same"] = Does(flat=0.1)
    machine.does["helps", "1"] = Does(rate=0.8, flat=0.15, cpu=0.4)
    knobs = (make_knob(machine, "helps", "1"), make_knob(machine, "idles", "1"))
    install(machine, monkeypatch, *knobs)
    monkeypatch.setenv("IPCTUNE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # uninstall removes what ./run keeps there
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("ipctune.host.read_host", _read_host)
    monkeypatch.setattr("ipctune.bench.core.mechanisms", lambda: (PIPE,))
    for name, stand_in in (("read_host", _read_host), ("mechanisms", lambda: (PIPE,))):
        monkeypatch.setattr(f"ipctune.cli.tuning.{name}", stand_in)
    monkeypatch.setattr("ipctune.cli.verdicts.read_host", _read_host)
    return Cli(machine, monkeypatch, capsys, knobs)
