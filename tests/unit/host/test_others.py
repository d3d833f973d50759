"""What others get: memory below the limits of our groups, and vCPUs of those that we may use."""

from pathlib import Path

import pytest

from ipctune.host.cgroup import memory_room
from ipctune.host.others import read_moment
from ipctune.host.root import DirectorySource, Root


def root(top: Path, files: dict[str, str]) -> Root:
    for path, text in files.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(text)
    return Root(DirectorySource(top))


V2 = {"proc/self/mounts": "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", "proc/self/cgroup": "0::/a/b\n"}
V1 = {
    "proc/self/mounts": "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n",
    "proc/self/cgroup": "3:memory:/a\n",
}
GROUP = "sys/fs/cgroup"


def test_the_tightest_group_on_the_way_up_counts_with_its_cache(tmp_path: Path) -> None:
    files = {
        f"{GROUP}/a/memory.max": "1000\n",
        f"{GROUP}/a/memory.current": "900\n",
        f"{GROUP}/a/memory.stat": "anon 100\ninactive_file 300\n",
        f"{GROUP}/a/b/memory.max": "max\n",
        f"{GROUP}/a/b/memory.current": "900\n",
    }
    assert memory_room(root(tmp_path, {**V2, **files})) == (1000, 400)


def test_what_is_throttled_above_counts_as_a_limit(tmp_path: Path) -> None:
    files = {f"{GROUP}/a/memory.high": "500\n", f"{GROUP}/a/memory.current": "600\n"}
    assert memory_room(root(tmp_path, {**V2, **files})) == (500, 0)


def test_version_1_sums_up_the_cache_of_children(tmp_path: Path) -> None:
    files = {
        f"{GROUP}/memory/a/memory.limit_in_bytes": "1000\n",
        f"{GROUP}/memory/a/memory.usage_in_bytes": "900\n",
        f"{GROUP}/memory/a/memory.stat": "inactive_file 0\ntotal_inactive_file 500\n",
    }
    assert memory_room(root(tmp_path, {**V1, **files})) == (1000, 600)


def test_no_limit_is_none(tmp_path: Path) -> None:
    assert memory_room(root(tmp_path, V2)) is None


@pytest.mark.parametrize("limit", ["1000000\n", "max\n"])
def test_a_moment_knows_the_smaller_of_machine_and_group(tmp_path: Path, limit: str) -> None:
    files = {
        "proc/meminfo": "MemTotal: 4000 kB\nMemAvailable: 3000 kB\n",
        f"{GROUP}/a/b/memory.max": limit,
        f"{GROUP}/a/b/memory.current": "400000\n",
    }
    found = read_moment(root(tmp_path, {**V2, **files}))
    whole = limit == "max\n"
    assert (found.total, found.available) == ((4000 << 10, 3000 << 10) if whole else (1_000_000, 600_000))
