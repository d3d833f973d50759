"""A recorded machine comes from other people: whatever is in it, looking ends with a screen and not with an error."""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.trees.make import TREES, write

from ipctune.errors import Exit
from ipctune.host.findings import Inspection, inspect
from ipctune.host.plain import plain
from ipctune.host.record import record
from ipctune.host.recorded import open_recorded
from ipctune.host.root import MappingSource, Root
from ipctune.report.inspect import render

TOP = Path(__file__).parents[3]
ENVIRONMENT = {"PYTHONPATH": str(TOP / "src"), "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin", "LC_ALL": "C"}
NEW = (
    "/proc/user_beancounters", "/proc/1/cgroup", "/proc/77/status", "/proc/77/limits", "/proc/77/fdinfo/3",
    "/sys/devices/system/cpu/vulnerabilities/mds",
    "/etc/sysctl.d/10-x.conf", "/etc/tuned/active_profile", "/sys/hypervisor/type", "/sys/hypervisor/guest_type",
    "/proc/xen/capabilities", "/run/systemd/container", "/proc/device-tree/hypervisor/compatible",
    "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "/proc/1/environ", "/sys/devices/system/cpu/isolated",
)  # fmt: skip

numbers = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from(["-1", "0", "9" * 30, "1e9", "0x10", "٣", "²", "nan", "18446744073692774399", "max"]),
)
lines = st.lists(st.one_of(numbers, st.text(max_size=12)), max_size=8).map(" ".join)
garbage = st.one_of(
    st.binary(max_size=300),
    st.lists(lines, max_size=6).map(lambda rows: "\n".join(rows).encode("utf-8", "replace")),
    st.sampled_from(
        [b"", b"\0" * 4096, b"\xff\xfe", b"\n" * 5000, b"a" * 300_000, b"1 " * 200_000, b"\x1b[31m\x07red"]
    ),
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
told = st.dictionaries(
    st.sampled_from(["observed", "cpuid", "clock", "jitter", "unreadable", "rlimits"]),
    values
    | st.dictionaries(
        st.sampled_from(
            ["page", "shm", "stat", "sadf", "machine", "hypervisor", "vendor", "leaves", "kvm", "monotonic_ns",
             "getppid_ns", "seconds", "lost_percent", "cpu_dma_latency", "bpf", "audit"]
        ),
        values,
    ),
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, bytes]:
    """One of our machines with a few files lost, cut, filled with garbage, swapped, or with facts of any shape."""
    files = {path: text.encode() for path, text in TREES[draw(st.sampled_from(sorted(TREES)))]().items()}
    paths = sorted(files)
    for path in draw(st.lists(st.sampled_from(paths), max_size=6)):
        files.pop(path, None)
    for path in draw(st.lists(st.sampled_from([*paths, *NEW]), max_size=8)):
        files[path] = draw(garbage)
    for path in draw(st.lists(st.sampled_from(paths), max_size=3)):
        files[path] = files.get(path, b"")[: draw(st.integers(0, 40))]
    if draw(st.booleans()):
        one, other = draw(st.sampled_from(paths)), draw(st.sampled_from(paths))
        files[one], files[other] = files.get(other, b""), files.get(one, b"")
    if draw(st.booleans()):
        files["/facts.json"] = json.dumps(draw(told)).encode()
    return files


def looked_at(root: Root) -> Inspection:
    """Everything that `inspect` does with a machine."""
    result = inspect(root)
    for everything in (False, True):
        screen = render(result, everything=everything)
        assert all(char.isprintable() or char == "\n" for char in screen), "a recording must not steer the terminal"
    json.dumps(plain(result))
    with TemporaryDirectory() as folder:
        record(root, Path(folder, "again.tar.gz"))
    return result


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(damaged())
def test_a_damaged_recording_is_still_a_screen(files: dict[str, bytes]) -> None:
    looked_at(Root(MappingSource(files), live=False))


targets = st.sampled_from(
    [
        "/",
        "..",
        "../../../../../../etc/passwd",
        "/proc/self",
        "loop",
        "/dev/zero",
        "/facts.json",
        "\0bad",
        "a" * 5000,
        "",
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(TREES)), st.data())
def test_links_lead_nowhere_outside(tree: str, data: st.DataObject) -> None:
    files = {path: text.encode() for path, text in TREES[tree]().items()}
    paths = sorted(files)
    folders = sorted({path.rpartition("/")[0] for path in paths} - {""})
    chosen = data.draw(st.lists(st.sampled_from([*paths, *folders]), max_size=6, unique=True))
    links = {path: data.draw(targets) for path in chosen}
    kept = {path: text for path, text in files.items() if not any(path.startswith(link) for link in links)}
    looked_at(Root(MappingSource(kept, links), live=False))


@pytest.mark.parametrize("depth", [200, 900, 5000, 100_000])
def test_facts_as_deep_as_they_may_be(depth: int) -> None:
    deep = "[" * depth + "]" * depth
    looked_at(Root(MappingSource({"/facts.json": f'{{"observed": {deep}}}'.encode()}), live=False))


def odd_folder(top: Path) -> Path:
    """On a disk: loops, a way out, a device, a pipe, a folder in a file's place, names and bytes that are no text."""
    write(TREES["debian12_kvm"](), top)
    for path in ("proc/stat", "proc/meminfo", "proc/cmdline", "etc/sysctl.d", "proc/uptime", "proc/self/mounts"):
        target = top / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
    (top / "proc/stat").symlink_to("/dev/zero")
    (top / "proc/meminfo").symlink_to("meminfo")
    (top / "proc/cmdline").symlink_to("../../../../../../etc/hostname")
    os.mkfifo(top / "proc/uptime")
    (top / "proc/self/mounts").mkdir()
    (top / "etc/sysctl.d").mkdir()
    Path(os.fsdecode(bytes(top) + b"/etc/sysctl.d/\xff\x1b[2J.conf")).write_bytes(b"kernel.shmmax = 1\x1b[31m\n\xff")
    (top / "proc/sys/kernel/hostname").write_bytes(b"\x1b]0;owned\x07\xff\xfe\n")
    with (top / "proc/self/status").open("wb") as large:
        large.truncate(5 << 30)  # a hole: nothing on the disk
    return top


@pytest.mark.parametrize("module", ["ipctune", "ipctune.cli.plain"])
@pytest.mark.parametrize("more", [[], ["--all"], ["--json"], ["--check"]])
def test_an_odd_folder_gives_a_screen(tmp_path: Path, module: str, more: list[str]) -> None:
    top = odd_folder(tmp_path / "machine")
    command = [sys.executable, "-m", module, "inspect", "--root", str(top), *more]
    done = subprocess.run(command, capture_output=True, env=ENVIRONMENT, check=False, timeout=60)
    assert done.returncode in (Exit.DONE, Exit.CHECK_FAILED), done.stderr
    assert done.stderr == b""
    assert b"\x1b" not in done.stdout


def test_an_odd_folder_reads_nothing_of_this_machine(tmp_path: Path) -> None:
    result = looked_at(open_recorded(odd_folder(tmp_path / "machine")))
    assert result.host.kernel.boot == ()
    assert result.host.memory.total is None
