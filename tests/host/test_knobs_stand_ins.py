"""Knobs that no kernel at hand lets us write: set, verified and restored on stand-ins, and by the script in sh."""

import re
import subprocess
from pathlib import Path

import pytest

from ipctune.errors import NotPossible
from ipctune.knobs import files, scheduler
from ipctune.knobs.files import FilePart
from ipctune.knobs.model import Part
from ipctune.knobs.module import ModulePart
from ipctune.knobs.registry import KNOBS
from ipctune.knobs.words import ChoicePart, FeaturePart

FEATURES = "PLACE_LAG NO_NEXT_BUDDY CACHE_HOT_BUDDY WAKEUP_PREEMPTION NO_HRTICK\n"
HEAD = 'failed=0\nsqueeze() { set -f; set -- $(echo $1); echo "$*"; }\n'

# A module, by stand-ins -----------------------------------------------------------------------------------------


@pytest.fixture
def module(tmp_path: Path) -> ModulePart:
    tools, modules = tmp_path / "bin", tmp_path / "modules"
    tools.mkdir()
    modules.mkdir()
    for name, line in {
        "modprobe": f'echo "$@" >{tmp_path}/said; mkdir {modules}/$1',
        "rmmod": f"rmdir {modules}/$1",
    }.items():
        (tools / name).write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{line}\n")
        (tools / name).chmod(0o755)
    return ModulePart("cpuidle_haltpoll", ("force=1",), path=str(tools), modules=str(modules))


def test_a_module_is_loaded_with_its_parameters_and_removed(module: ModulePart, tmp_path: Path) -> None:
    assert module.read() == "absent"
    module.write("loaded")
    assert module.read() == "loaded"
    assert (tmp_path / "said").read_text() == "cpuidle_haltpoll force=1\n"
    module.write("absent")
    assert module.read() == "absent"


def test_a_module_that_does_not_load_says_why(module: ModulePart, tmp_path: Path) -> None:
    (tmp_path / "bin/modprobe").write_text("#!/bin/sh\necho 'Device or resource busy' >&2; exit 1\n")
    with pytest.raises(NotPossible, match="Device or resource busy"):
        module.write("loaded")
    assert module.read() == "absent"


def test_without_modprobe_the_hint_names_its_package(tmp_path: Path) -> None:
    with pytest.raises(NotPossible) as error:
        ModulePart("cpuidle_haltpoll", path=str(tmp_path)).write("loaded")
    assert "kmod" in error.value.hint


def test_the_script_removes_a_module_only_if_we_loaded_it(module: ModulePart) -> None:
    assert module.undo_lines("loaded", ("loaded",)) == []
    assert "rmmod cpuidle_haltpoll" in module.undo_lines("absent", ("loaded",))[0]


# Files that show all their words -------------------------------------------------------------------------------


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that may be written in this test alone; unlike the kernel's it keeps what is written."""
    path = tmp_path / "words"
    monkeypatch.setitem(files.ALLOWED, str(path), re.compile(re.escape(str(path))))
    return path


def test_a_choice_is_the_word_in_brackets(shown: Path) -> None:
    shown.write_text("always within_size [advise] never\n")
    part = ChoicePart(str(shown))
    assert part.read() == "advise"
    part.write("never")
    assert shown.read_text().startswith("never")
    with pytest.raises(NotPossible, match="does not offer"):
        part.write("sometimes")


@pytest.mark.parametrize("text", ["", "always never\n", "[]\n", "garbage ["])
def test_a_choice_that_is_not_shown_is_unknown(shown: Path, text: str) -> None:
    shown.write_text(text)
    assert ChoicePart(str(shown)).read() in (None, "")


def test_a_feature_is_one_switch_among_many(shown: Path) -> None:
    shown.write_text(FEATURES)
    assert FeaturePart(str(shown), "WAKEUP_PREEMPTION").read() == "WAKEUP_PREEMPTION"
    assert FeaturePart(str(shown), "NEXT_BUDDY").read() == "NO_NEXT_BUDDY"
    assert FeaturePart(str(shown), "BUDDY").read() is None
    with pytest.raises(NotPossible, match="on or off"):
        FeaturePart(str(shown), "NEXT_BUDDY").write("NO_WAKEUP_PREEMPTION")


def test_the_slice_is_a_number(shown: Path) -> None:
    shown.write_text("900000\n")
    part = FilePart(str(shown))
    original = part.read()
    part.write("700000\n")  # as long as the file, which is cut in the kernel and not here
    assert part.read() == "700000"
    part.write(original or "")
    assert part.read() == original


@pytest.mark.parametrize(
    ("part", "text", "original", "ours", "after"),
    [
        ("choice", "always [advise] never", "never", ["advise"], "never"),
        ("choice", "always advise [never]", "never", ["advise"], None),
        ("choice", "[always] advise never", "never", ["advise"], None),
        ("choice", "[always] advise never", "never", None, "never"),
        ("feature", "A NO_X B", "X", ["NO_X"], "X"),
        ("feature", "A X B", "X", ["NO_X"], None),
        ("feature", "NO_X", "X", None, "X"),
        ("feature", "A NO_XX B", "X", ["NO_X"], None),
    ],
)
def test_the_script_puts_back_what_is_ours_and_leaves_the_rest(
    tmp_path: Path, part: str, text: str, original: str, ours: list[str] | None, after: str | None
) -> None:
    path = tmp_path / "a file's words"
    path.write_text(text + "\n")
    made: Part = ChoicePart(str(path)) if part == "choice" else FeaturePart(str(path), "X")
    lines = "\n".join(made.undo_lines(original, ours))
    done = subprocess.run(["sh", "-c", f"{HEAD}{lines}\nexit $failed"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert path.read_text() == (text + "\n" if after is None else after)


def test_where_debugfs_is_locked_the_knobs_are_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(scheduler, "_SLICE", str(tmp_path / "absent"))
    monkeypatch.setattr(scheduler, "_FEATURES", str(tmp_path / "absent"))
    from ipctune.host import read_host

    host = read_host(quick=True)
    for knob in ("base-slice", "scheduler-features"):
        assert KNOBS[knob].candidates(host, {"pattern": "stream"}) == ()
        assert "locked" in KNOBS[knob].why_not(host)


def test_with_debugfs_there_are_candidates(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "base_slice_ns").write_text("2800000\n")
    (tmp_path / "features").write_text(FEATURES)
    monkeypatch.setattr(scheduler, "_SLICE", str(tmp_path / "base_slice_ns"))
    monkeypatch.setattr(scheduler, "_FEATURES", str(tmp_path / "features"))
    from ipctune.host import read_host

    host = read_host(quick=True)
    values = [value["base_slice_ns"] for value in KNOBS["base-slice"].candidates(host, {})]
    assert values == ["700000", "11200000"]
    features = KNOBS["scheduler-features"]
    assert features.candidates(host, {"pattern": "stream"}) == ({"WAKEUP_PREEMPTION": "NO_WAKEUP_PREEMPTION"},)
    assert features.candidates(host, {"pattern": "ping-pong"}) == ({"NEXT_BUDDY": "NEXT_BUDDY"},)
    assert features.candidates(host, {}) == ()
