"""Every knob that writes to the machine: set, verified, restored, on this kernel."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.host.journaled import leases
from tests.host.namespaced import CASES as PRIVATE
from tests.unit.journal.make import journal_in

from ipctune.errors import NotPossible
from ipctune.journal.change import Change
from ipctune.journal.entry import Phase
from ipctune.journal.restore import Result
from ipctune.journal.store import UNDO, Journal
from ipctune.knobs import poller
from ipctune.knobs.files import FilePart, is_allowed
from ipctune.knobs.model import Kind
from ipctune.knobs.poller import CgroupPart
from ipctune.knobs.registry import KNOBS

ELSEWHERE = {"haltpoll-module", "base-slice", "scheduler-features"}
"""Set, verified and restored with stand-ins, in test_knobs_stand_ins.py: no kernel at hand lets them be written."""
VALUES = {
    "haltpoll": {"guest_halt_poll_ns": "160000"},
    "resume-latency": {"cpu1": "n/a"} if os.cpu_count() != 1 else {"cpu0": "n/a"},
    "cpuidle-governor": {"governor": "ladder"},
    "idle-poller": {"cgroup": "present", "cpus": "0"},
    "cpu-dma-latency": {"latency_us": "1000000"},
    "shmem-huge-pages": {"shmem_enabled": "advise"},
}
ONE_MORE = {"vm.swappiness": 1, "vm.nr_hugepages": 1}
ALL = [k for k in KNOBS.values() if k.kind in (Kind.FILES, Kind.LEASE, Kind.LIMIT) and not k.of_target]
WRITING = [k for k in ALL if k.id not in ELSEWHERE | PRIVATE.keys()]

pytestmark = pytest.mark.usefixtures("as_it_was")


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return journal_in(tmp_path)


def _value(knob: str) -> dict[str, str]:
    """A value that differs from the present one; of a limit, a higher one."""
    if knob in VALUES:
        return VALUES[knob]
    name, part = next(iter(KNOBS[knob].parts().items()))
    now = int(part.read() or 0)
    if knob == "autogroup":
        return {name: str(1 - now)}
    return {name: str(now + ONE_MORE[knob] if knob in ONE_MORE else now * 2)}


@pytest.mark.parametrize("knob", [k for k in WRITING if k.lease is None], ids=lambda k: k.id)
def test_a_setting_is_set_verified_and_restored(journal: Journal, knob: object) -> None:
    entry = next(k for k in WRITING if k is knob)
    value = _value(entry.id)
    parts = {name: entry.parts()[name] for name in value}
    original = {name: part.read() for name, part in parts.items()}
    with Change(journal, entry, [value]) as change:
        (record,) = journal.entries()
        assert record.original == original, "the record is there before the first write"
        assert {name: part.read() for name, part in parts.items()} == original
        change.set(0)
        assert {name: part.read() for name, part in parts.items()} == value
        change.unset()
        assert {name: part.read() for name, part in parts.items()} == original
        change.set(0)
    assert {name: part.read() for name, part in parts.items()} == original
    assert journal.entries() == []


@pytest.mark.parametrize("knob", [k.id for k in WRITING if k.lease is None])
def test_a_kept_setting_is_restored_from_its_record(journal: Journal, knob: str) -> None:
    value = _value(knob)
    with Change(journal, KNOBS[knob], [value]) as change:
        change.keep(0)
    (entry,) = journal.entries()
    assert entry.phase is Phase.KEPT
    outcomes = journal.restore_all("test")
    assert {part.result for part in outcomes} == {Result.RESTORED}
    assert journal.entries() == []
    assert [p.result for p in journal.restore_all("test")] == []


def test_only_paths_on_the_allow_list_are_written(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("before")
    with pytest.raises(NotPossible, match="not a setting of ours"):
        FilePart(str(victim)).write("after")
    assert victim.read_text() == "before"
    assert not is_allowed("/sys/devices/system/cpu/cpu0/../../x/power/pm_qos_resume_latency_us")
    assert is_allowed("/sys/devices/system/cpu/cpu17/power/pm_qos_resume_latency_us")


def test_every_part_of_a_file_knob_is_on_the_allow_list() -> None:
    paths = [p.path for k in KNOBS.values() for p in k.parts().values() if isinstance(p, FilePart)]
    assert paths
    assert [path for path in paths if not is_allowed(path)] == []


# The lease -----------------------------------------------------------------------------------------------------


def test_the_lease_is_one_open_descriptor_while_it_is_set(journal: Journal) -> None:
    with Change(journal, KNOBS["cpu-dma-latency"], [VALUES["cpu-dma-latency"]]) as change:
        assert leases(os.getpid()) == 0
        change.set(0)
        change.set(0)
        assert leases(os.getpid()) == 1
        change.unset()
        assert leases(os.getpid()) == 0
        change.set(0)
    assert leases(os.getpid()) == 0
    assert journal.entries() == [], "it ends by itself: there is nothing to record"


def test_the_lease_ends_with_a_holder_that_is_killed() -> None:
    lease = KNOBS["cpu-dma-latency"].lease
    assert lease is not None
    ready, tell = os.pipe()
    pid = os.fork()
    if not pid:
        with lease(VALUES["cpu-dma-latency"]):
            os.write(tell, b"x")
            time.sleep(60)
        os._exit(1)
    os.read(ready, 1)
    assert leases(pid) == 1
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    assert not Path(f"/proc/{pid}/fd").exists()
    os.close(ready)
    os.close(tell)


# Pollers --------------------------------------------------------------------------------------------------------

CPU = Path("/sys/fs/cgroup/cpu")
v1 = pytest.mark.skipif(not (CPU / "cpu.shares").exists(), reason="the cpu controller is not in a v1 hierarchy here")


@contextmanager
def cgroup(name: str) -> Iterator[Path]:
    """A cpu group of our own directly below the root; whatever is in it is back in the root at the end."""
    path = CPU / name
    path.mkdir()
    try:
        yield path
    finally:
        for pid in (path / "cgroup.procs").read_text().split():
            (CPU / "cgroup.procs").write_text(pid)
        path.rmdir()


@v1
def test_in_a_group_of_others_a_poller_is_refused_and_in_its_own_it_runs(journal: Journal) -> None:
    knob = KNOBS["idle-poller"]
    assert knob.lease is not None
    with cgroup("ipctune-test") as ours, ExitStack() as stack:
        (ours / "cgroup.procs").write_text(str(os.getpid()))
        stack.callback((CPU / "cgroup.procs").write_text, str(os.getpid()))
        with pytest.raises(NotPossible, match=r"cpu\.idle = 1"), knob.lease({"cpus": "0"}):
            pass
        with Change(journal, knob, [{"cpus": "0", "cgroup": "present"}]) as change:
            group = CPU / poller.GROUP
            assert not group.exists()
            change.set(0)
            assert (group / "cpu.idle").read_text().strip() == "1"
            end = time.monotonic() + 10
            while not (procs := (group / "cgroup.procs").read_text().split()) and time.monotonic() < end:
                time.sleep(0.01)
            assert procs == [str(pid) for pid in change.pids()]
            assert str(group) in (journal.state.read(UNDO) or b"").decode()
            change.unset()
            assert not group.exists()


def test_in_the_root_group_pollers_are_sched_idle_and_end_with_the_lease() -> None:
    if poller.own_cpu_cgroup() != "/":
        pytest.skip("not in the root group of the cpu controller")
    knob = KNOBS["idle-poller"]
    assert knob.lease is not None
    with knob.lease({"cpus": "0"}) as held:
        assert isinstance(held, list)
        (pid,) = held
        end = time.monotonic() + 10
        while os.sched_getscheduler(pid) != os.SCHED_IDLE and time.monotonic() < end:
            time.sleep(0.01)
        assert os.sched_getscheduler(pid) == os.SCHED_IDLE
        assert os.sched_getaffinity(pid) == {0}
    assert not Path(f"/proc/{pid}").exists()


def _cpu_share(group: Path, cpu: int, seconds: float) -> float:
    """The part of one vCPU that a hog in the group gets, 0 to 1."""
    pid = os.fork()
    if not pid:
        (group / "cgroup.procs").write_text(str(os.getpid()))
        os.sched_setaffinity(0, {cpu})
        while True:
            pass
    try:
        time.sleep(0.1)
        start, before = time.monotonic(), _cpu_ns(pid)
        time.sleep(seconds)
        return (_cpu_ns(pid) - before) / ((time.monotonic() - start) * 1e9)
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def _cpu_ns(pid: int) -> int:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


@v1
def test_a_hog_in_a_sibling_group_keeps_its_cpu_beside_a_poller() -> None:
    """Shares, not times: other work on the vCPU takes from both, so the best of a few pairs counts."""
    cpu = max(os.sched_getaffinity(0))
    part = CgroupPart(str(CPU / poller.GROUP))
    shares = []
    with cgroup("ipctune-test") as ours:
        part.write("present")
        try:
            for _ in range(4):
                alone = _cpu_share(ours, cpu, 0.5)
                pid = poller._spin(cpu, str(CPU / poller.GROUP))
                try:
                    beside = _cpu_share(ours, cpu, 0.5)
                finally:
                    os.kill(pid, 9)
                    os.waitpid(pid, 0)
                shares.append(beside / alone)
                if shares[-1] >= 0.98:
                    break
        finally:
            part.write("absent")
    assert max(shares) >= 0.95, shares
