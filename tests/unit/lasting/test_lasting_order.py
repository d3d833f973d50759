"""Who wins at boot, told from files alone: nothing of the host's is read."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctune.journal import bootorder, tuned
from ipctune.journal.bootorder import conflicts
from ipctune.journal.lasting import SYSCTL, TMPFILES, Plan

KEY = "kernel.msgmax"
FILE = "/sys/module/haltpoll/parameters/guest_halt_poll_ns"
PLAN = Plan({SYSCTL: f"# ours\n{KEY} = 65536\n", TMPFILES: f"w {FILE} - - - - 200000\n"}, ())


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def found(root: Path) -> list[tuple[str, int, str]]:
    return [(c.file, c.line, c.theirs) for c in conflicts(PLAN, root)]


def test_nobody_else(tmp_path: Path) -> None:
    put(tmp_path, SYSCTL.lstrip("/"), f"{KEY} = 1\n")  # an older one of ours is overwritten
    put(tmp_path, TMPFILES.lstrip("/"), f"w {FILE} - - - - 1\n")
    assert found(tmp_path) == []


@pytest.mark.parametrize("folder", ["etc", "run", "usr/local/lib", "usr/lib", "lib"])
def test_a_later_file_wins_wherever_it_lies(tmp_path: Path, folder: str) -> None:
    put(tmp_path, f"{folder}/sysctl.d/91-x.conf", f"#\n{KEY}=1\n")
    put(tmp_path, f"{folder}/sysctl.d/10-x.conf", f"{KEY}=2\n")
    assert found(tmp_path) == [(f"/{folder}/sysctl.d/91-x.conf", 2, "1")]


def test_a_file_in_etc_hides_its_namesake(tmp_path: Path) -> None:
    put(tmp_path, "usr/lib/sysctl.d/95-x.conf", f"{KEY}=1\n")
    put(tmp_path, "etc/sysctl.d/95-x.conf", "# nothing\n")
    assert found(tmp_path) == []


def test_only_the_last_line_of_a_key_is_named(tmp_path: Path) -> None:
    put(tmp_path, "etc/sysctl.d/91-x.conf", f"{KEY}=1\n")
    put(tmp_path, "etc/sysctl.d/92-x.conf", f"{KEY}=2\n{KEY} = 3\n")
    assert found(tmp_path) == [("/etc/sysctl.d/92-x.conf", 2, "3")]
    put(tmp_path, "etc/sysctl.d/93-x.conf", f"{KEY}=65536\n")
    assert found(tmp_path) == []


def test_sysctl_conf_is_last_and_named_once(tmp_path: Path) -> None:
    put(tmp_path, "etc/sysctl.conf", f"\n{KEY}=1\n")
    (tmp_path / "etc/sysctl.d").mkdir()
    (tmp_path / "etc/sysctl.d/99-sysctl.conf").symlink_to("../sysctl.conf")
    put(tmp_path, "etc/sysctl.d/zz.conf", f"{KEY}=65536\n")
    assert found(tmp_path) == [("/etc/sysctl.conf", 2, "1")]


def test_white_space_within_a_value_is_no_difference(tmp_path: Path) -> None:
    plan = Plan({SYSCTL: "kernel.sem = 250 32000 32 128\n"}, ())
    put(tmp_path, "etc/sysctl.d/95-x.conf", "kernel.sem = 250\t32000   32 128\n")
    assert conflicts(plan, tmp_path) == []


@pytest.mark.parametrize(
    ("name", "line", "loses"),
    [
        ("10-x", f"w {FILE} - - - - 0", True),
        ("10-x", f"w+! {FILE} - - - - 0", True),
        ("10-x", f'w "{FILE}" - - - - 0', True),
        ("10-x", f"x {FILE}", True),
        ("10-x", f"z {FILE} 0600", False),
        ("10-x", f"f+ {FILE} - - - - 0", False),
        ("10-x", f"w {FILE}", False),
        ("10-x", "w /sys/module/haltpoll/parameters/* - - - - 0", False),
        ("95-x", f"w {FILE} - - - - 0", False),
        ("95-x", "w /sys/module/haltpoll/parameters/* - - - - 0", True),
        ("95-x", "w /sys/module/other/parameters/* - - - - 0", False),
    ],
)
def test_of_two_lines_for_a_path_the_first_wins_and_of_patterns_the_last(
    tmp_path: Path, name: str, line: str, loses: bool
) -> None:
    put(tmp_path, f"usr/lib/tmpfiles.d/{name}.conf", f"#\n{line}\n")
    assert [(f, n) for f, n, _ in found(tmp_path)] == ([(f"/usr/lib/tmpfiles.d/{name}.conf", 2)] if loses else [])


def test_an_active_tuned_profile_and_what_it_includes(tmp_path: Path) -> None:
    put(tmp_path, "etc/tuned/active_profile", "mine\n")
    put(tmp_path, "etc/tuned/mine/tuned.conf", "[main]\ninclude = base\n[knobs]\ntype=sysfs\n" + f"{FILE} = 0\n")
    put(tmp_path, "usr/lib/tuned/profiles/base/tuned.conf", f"[sysctl]\n# {KEY}=7\n{KEY}='8'\n{FILE}=5\n")
    assert found(tmp_path) == [
        ("/usr/lib/tuned/profiles/base/tuned.conf (tuned, active)", 3, "8"),
        ("/etc/tuned/mine/tuned.conf (tuned, active)", 5, "0"),
    ]


def test_the_profile_that_includes_wins(tmp_path: Path) -> None:
    put(tmp_path, "etc/tuned/active_profile", "mine")
    put(tmp_path, "etc/tuned/mine/tuned.conf", f"[sysctl]\n{KEY}=65536\n[main]\ninclude=base")
    put(tmp_path, "usr/lib/tuned/base/tuned.conf", f"[main]\ninclude=mine\n[sysctl]\n{KEY}=8")
    assert found(tmp_path) == []


def test_where_tuned_applies_sysctl_d_again_ours_wins(tmp_path: Path) -> None:
    put(tmp_path, "etc/tuned/active_profile", "mine")
    put(tmp_path, "etc/tuned/mine/tuned.conf", f"[sysctl]\n{KEY}=8")
    assert len(found(tmp_path)) == 1
    put(tmp_path, "etc/tuned/tuned-main.conf", "# x\nreapply_sysctl = 1\n")
    assert found(tmp_path) == []
    put(tmp_path, "etc/tuned/tuned-main.conf", "reapply_sysctl = 0\n")
    assert len(found(tmp_path)) == 1


@pytest.mark.parametrize(("theirs", "changes"), [(">65536", False), (">65537", True), ("<65536", False), ("<1", True)])
def test_tuned_may_only_raise_or_lower(theirs: str, changes: bool) -> None:
    assert tuned.would_change(theirs, "65536") is changes


def test_tuned_sets_the_wake_up_latency_of_every_vcpu(tmp_path: Path) -> None:
    path = "/sys/devices/system/cpu/cpu1/power/pm_qos_resume_latency_us"
    put(tmp_path, "etc/tuned/active_profile", "mine")
    put(tmp_path, "etc/tuned/mine/tuned.conf", "[cpu]\npm_qos_resume_latency_us=100\n")
    assert len(conflicts(Plan({TMPFILES: f"w {path} - - - - n/a\n"}, ()), tmp_path)) == 1


_LINES = st.lists(st.text(alphabet="kernel.msgmax/net= -#;[]*w\t\x0b\x85\u2028\\\"'01", max_size=30), max_size=8)


@given(_LINES)
def test_any_file_is_read_without_complaint(lines: list[str]) -> None:
    text = "\n".join(lines)
    for _, _, number in bootorder._sysctls(text):
        assert "=" in lines[number - 1] or lines[number - 1].strip().startswith("-")
    for line in bootorder._tmpfiles(text):
        assert bootorder._kind(lines[line.number - 1].strip()) == line.kind
        assert line.target.startswith("/")
    assert all(0 < number <= len(lines) for *_, number in tuned._options(text))


@given(st.lists(st.tuples(st.sampled_from(["a.b", "a.c"]), st.integers(0, 9)), max_size=6), st.integers(1, 3))
def test_the_last_line_is_what_counts(lines: list[tuple[str, int]], blanks: int) -> None:
    text = ("\n" * blanks).join(f"{key} = {value}" for key, value in lines)
    read = {key: value for key, value, _ in bootorder._sysctls(text)}
    assert read == {key: str(value) for key, value in dict(lines).items()}
