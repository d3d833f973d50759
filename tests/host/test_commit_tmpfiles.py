"""Of lines for one path, which one systemd-tmpfiles carries out: the real one, below a root of the test's own."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipctune.journal.bootorder import conflicts
from ipctune.journal.lasting import TMPFILES, Plan

_TARGET = "/stand-in/parameters/poll"
_LINE = f"w {_TARGET} - - - - ours\n"
_TYPES = ("w", "w+", "w!", "w-", "f+", "z", "x", "r", "#w")
_PATHS = (_TARGET, "/stand-in/parameters/*", "/stand-in/*/poll", "/stand-in/parameters/poll2", f'"{_TARGET}"')


@st.composite
def _theirs(draw: st.DrawFn) -> tuple[str, str]:
    """A file's name and one line in it."""
    folder = draw(st.sampled_from(["etc", "run", "usr/lib"]))
    kind, path = draw(st.sampled_from(_TYPES)), draw(st.sampled_from(_PATHS))
    argument = draw(st.sampled_from([" - - - - five", " - - - - ours", ""]))
    return f"{folder}/tmpfiles.d/{draw(st.sampled_from(['10', '89', '91', 'zz']))}.conf", f"{kind} {path}{argument}\n"


def _applied(root: Path) -> str:
    """What was written last, or nothing."""
    target = root / _TARGET.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("----")
    trace = ["strace", "-qq", "-e", "trace=write", "-P", str(target), "-o", str(root / "writes")]
    command = [*trace, "systemd-tmpfiles", "--create", "--boot", f"--root={root}"]
    subprocess.run(command, check=False, capture_output=True, timeout=20)
    # The last write wins in the kernel. A plain file does not tell which that was: "w+" appends to it.
    said: list[str] = re.findall(r'write\(\d+, "([a-z]+)', (root / "writes").read_text())
    return said[-1] if said else ""


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_theirs(), max_size=3))
def test_bootorder_says_what_systemd_tmpfiles_does(tmp_path: Path, theirs: list[tuple[str, str]]) -> None:
    root = tmp_path / "root"
    shutil.rmtree(root, ignore_errors=True)
    for name, text in [(TMPFILES.lstrip("/"), _LINE), *theirs]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    lost = _applied(root) != "ours"
    assert bool(conflicts(Plan({TMPFILES: _LINE}, ()), root)) == lost


@pytest.mark.parametrize("first", ["10", "95"])
def test_the_first_of_two_lines_is_carried_out(tmp_path: Path, first: str) -> None:
    for name, text in ((TMPFILES, _LINE), (f"etc/tmpfiles.d/{first}.conf", f"w {_TARGET} - - - - five\n")):
        (tmp_path / name.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name.lstrip("/")).write_text(text)
    assert _applied(tmp_path) == ("five" if first == "10" else "ours")
