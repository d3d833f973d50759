"""The environment: made once, renewed when sources change, never taken while half made."""

import fcntl
import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.stand_in_machine import Machine, machine, not_root


@pytest.fixture
def there(tmp_path: Path) -> Machine:
    """A machine that lacks no package."""
    made = machine(tmp_path)
    made.flag("compiles")
    made.flag("venv-works")
    return made


def _builds(there: Machine) -> int:
    return sum(line.startswith("pip wheel") for line in there.said())


def test_a_second_start_builds_nothing(there: Machine) -> None:
    there.call("run", "bench")
    said = there.said()
    answer = there.call("run", "bench")
    assert (answer.code, answer.out, answer.err) == (0, "ipctune: bench\n", "")
    assert there.said() == said


def test_one_job_builds(there: Machine) -> None:
    there.call("run", "bench")
    (build,) = [line for line in there.said() if line.startswith("pip wheel")]
    assert "--config-settings=compile-args=-j1" in build
    assert "--no-build-isolation" in build


def _edit(clone: Path) -> None:
    (clone / "native" / "a.c").write_text("changed\n", encoding="utf-8")


def _delete(clone: Path) -> None:
    (clone / "native" / "b.c").unlink()


def _add(clone: Path) -> None:
    (clone / "src" / "ipctune" / "b.py").write_text("new\n", encoding="utf-8")


def _rename(clone: Path) -> None:
    (clone / "native" / "b.c").rename(clone / "native" / "c.c")


def _older(clone: Path) -> None:
    os.utime(clone / "pyproject.toml", (1, 1))


@pytest.mark.parametrize("change", [_edit, _delete, _add, _rename, _older])
def test_it_is_built_again_when_sources_change(there: Machine, change: Callable[[Path], None]) -> None:
    there.call("run", "bench")
    change(there.clone)
    assert there.call("run", "bench").out == "ipctune: bench\n"
    assert _builds(there) == 2
    assert there.said().count("venv") == 1
    assert there.said().count("pip install requirements") == 1


def test_what_python_caches_is_no_change(there: Machine) -> None:
    there.call("run", "bench")
    cache = there.clone / "src" / "ipctune" / "__pycache__"
    cache.mkdir()
    (cache / "a.pyc").write_bytes(b"x")
    there.call("run", "bench")
    assert _builds(there) == 1


def test_a_failed_build_is_told_and_tried_again(there: Machine) -> None:
    there.flag("wheel-fails")
    answer = there.call("run", "bench")
    assert answer.code == 3
    assert "error: no compiler" in answer.err
    assert answer.out == ""
    there.clear("wheel-fails")
    assert there.call("run", "bench").out == "ipctune: bench\n"


def test_a_failed_rebuild_is_not_taken_for_good(there: Machine) -> None:
    there.call("run", "bench")
    _edit(there.clone)
    there.flag("wheel-fails")
    assert there.call("run", "bench").code == 3
    assert there.call("run", "bench").code == 3
    there.clear("wheel-fails")
    assert there.call("run", "bench").code == 0


def test_an_environment_that_was_left_half_made_is_made_anew(there: Machine) -> None:
    there.flag("install-dies")
    assert there.call("run", "bench").code != 0
    assert not (there.clone / ".venv" / "ipctune-stamp").exists()
    there.clear("install-dies")
    assert there.call("run", "bench").out == "ipctune: bench\n"
    assert there.said().count("venv") == 2


def test_no_network_is_told(there: Machine) -> None:
    there.flag("no-network")
    answer = there.call("run", "bench")
    assert answer.code == 3
    assert "is there a network?" in answer.err


@pytest.mark.parametrize("command", ["status", "revert"])
def test_looking_and_undoing_answer_at_once(tmp_path: Path, command: str) -> None:
    there = machine(tmp_path)
    answer = there.call("run", command, "--json")
    assert answer.code == 0
    assert answer.out == f"plain: {there.clone}/src {command} --json\n"
    assert there.said() == []


def test_inspect_installs_no_package(tmp_path: Path) -> None:
    there = machine(tmp_path)
    answer = there.call("run", "inspect")
    assert answer.out == f"plain: {there.clone}/src inspect\n"
    assert not [line for line in there.said() if line.startswith("apt-get")]


def test_inspect_is_whole_where_no_package_is_missing(there: Machine) -> None:
    assert there.call("run", "inspect").out == "ipctune: inspect\n"


def test_inspect_answers_plainly_where_nothing_can_be_fetched(there: Machine) -> None:
    there.flag("no-network")
    assert there.call("run", "inspect").out.startswith("plain: ")


def test_revert_does_not_fail_with_a_build_that_fails(there: Machine) -> None:
    there.call("run", "bench")
    _edit(there.clone)
    there.flag("wheel-fails")
    assert there.call("run", "revert").out.startswith("plain: ")


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("tune", "--help")])
def test_help_before_set_up_sets_nothing_up(tmp_path: Path, words: tuple[str, ...]) -> None:
    there = machine(tmp_path)
    answer = there.call("run", *words)
    assert answer.code == 0
    assert "Exit codes: 0 done" in answer.out
    assert there.said() == []
    assert not (there.clone / ".venv").exists()


def test_two_first_starts_build_once(there: Machine) -> None:
    gate = there.stand / "wheel-waits"
    os.mkfifo(gate)
    command = ["/bin/sh", "run", "bench"]
    first = subprocess.Popen(command, cwd=there.clone, env=there.environment(), text=True)
    with gate.open("w", encoding="utf-8"):  # opens when the first start builds
        second = subprocess.Popen(command, cwd=there.clone, env=there.environment(), stderr=subprocess.PIPE, text=True)
        assert second.stderr
        assert "waiting" in second.stderr.readline()
    assert (first.wait(), second.wait()) == (0, 0)
    second.stderr.close()
    assert _builds(there) == 1


def test_a_clone_that_is_not_writable_gets_an_environment_in_the_cache(there: Machine) -> None:
    (there.clone / ".venv").write_text("in the way: mkdir fails, as on a read-only mount", encoding="utf-8")
    answer = there.call("run", "bench")
    assert answer.out == "ipctune: bench\n", answer.err
    (made,) = (there.stand / "home" / ".cache" / "ipctune").iterdir()
    assert (made / "ipctune-stamp").exists()
    assert there.call("run", "bench").err == ""


def test_a_cache_that_others_can_write_is_refused(there: Machine) -> None:
    (there.clone / ".venv").write_text("in the way", encoding="utf-8")
    there.call("run", "bench")
    (made,) = (there.stand / "home" / ".cache" / "ipctune").iterdir()
    made.chmod(0o777)
    answer = there.call("run", "bench")
    assert answer.code == 3
    assert "no folder for the environment" in answer.err


def test_without_a_home_and_a_writable_clone_it_says_so(there: Machine) -> None:
    not_root(there)
    (there.clone / ".venv").write_text("in the way", encoding="utf-8")
    answer = there.call("run", "bench", HOME="")
    assert answer.code == 3
    assert "XDG_CACHE_HOME" in answer.err


def test_an_empty_home_is_no_obstacle(there: Machine) -> None:
    assert there.call("run", "bench", HOME="").out == "ipctune: bench\n"


def test_a_clone_on_a_noexec_mount_gets_an_environment_in_the_cache(there: Machine) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting takes root")
    mounted = there.stand / "mounted"
    mounted.mkdir()
    script = (
        f"mount -t tmpfs -o noexec none {mounted} && cp -r {there.clone}/. {mounted} && exec sh {mounted}/run bench"
    )
    done = subprocess.run(
        ["unshare", "--mount", "/bin/sh", "-c", script],
        env={**there.environment(), "PATH": f"{there.stand}/bin:/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "ipctune: bench\n", done.stderr
    assert list((there.stand / "home" / ".cache" / "ipctune").iterdir())


@pytest.mark.parametrize("command", ["status", "revert", "inspect"])
def test_an_answer_at_once_waits_for_no_other_set_up(there: Machine, command: str) -> None:
    there.call("run", "bench")
    _edit(there.clone)
    with (there.clone / ".venv" / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        answer = there.call("run", command)
    assert answer.out.startswith("plain: "), answer.err


@pytest.mark.parametrize("command", ["status", "revert"])
def test_what_is_set_is_shown_and_undone_without_a_build(there: Machine, command: str) -> None:
    there.call("run", "bench")
    _edit(there.clone)
    builds = _builds(there)
    assert there.call("run", command).out.startswith("plain: ")
    assert _builds(there) == builds


def test_a_question_that_stands_holds_up_nobody(tmp_path: Path) -> None:
    there = machine(tmp_path)
    ours, its = pty.openpty()
    asked = subprocess.Popen(
        ["/bin/sh", "run", "bench"], cwd=there.clone, env=there.environment(), stdin=its, stderr=its, text=True
    )
    said = b""
    while b"Go on?" not in said:
        said += os.read(ours, 4096)
    with (there.clone / ".venv" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.write(ours, b"n\n")
    assert asked.wait(30) == 3
    os.close(its)
    os.close(ours)
