"""Shared memory of every kind: whole results on one vCPU and two, limits by name, pages as asked for."""

import errno
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.native.core import MECHANISMS, PATTERNS, RINGS, Core, wait_for
from tests.native.result import check_result

NEW = MECHANISMS[MECHANISMS.index("memfd-spin") :]
SIZES = (1, 63, 4096, 1 << 20)
PROCESS_VM_READV = {"x86_64": 310, "aarch64": 270}


def placements() -> dict[str, tuple[str, ...]]:
    """Where both sides run: pinned to the `same` vCPU, `across` two where there are two, or `free`."""
    cpus = sorted(os.sched_getaffinity(0))
    return {"same": ("--cpus", f"{cpus[0]},{cpus[0]}"), "across": ("--cpus", f"{cpus[0]},{cpus[-1]}"), "free": ()}


@pytest.mark.parametrize("where", ["same", "across", "free"])
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("mechanism", NEW)
def test_every_size_on_one_vcpu_and_on_two(core: Core, mechanism: str, pattern: str, where: str) -> None:
    for size in SIZES:
        answer = core.run(mechanism, "--pattern", pattern, "--size", str(size), *placements()[where])
        assert answer.status == 0, answer.data
        check_result(answer.data)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("mechanism", NEW)
def test_where_one_vcpu_is_allowed(core: Core, mechanism: str, pattern: str) -> None:
    words = ("run", "--mechanism", mechanism, "--seconds", "0.01", "--pattern", pattern)
    answer = core.call(*words, prefix=("taskset", "-c", str(min(os.sched_getaffinity(0)))))
    assert answer.status == 0, answer.data
    check_result(answer.data)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("mechanism", NEW)
def test_the_largest_message(core: Core, mechanism: str, pattern: str) -> None:
    check_result(core.run(mechanism, "--pattern", pattern, "--size", str(16 << 20)).data)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("mechanism", ["memfd-signal", "memfd-spin-futex", "memfd-mutex-cond", "process-vm-readv"])
def test_no_wake_up_is_lost(core: Core, mechanism: str, pattern: str) -> None:
    spin = ("--spin", "1") if mechanism == "memfd-spin-futex" else ()
    for seed in range(10):
        words = ("--pattern", pattern, "--size", "8", "--seed", str(seed), *spin)
        assert core.run(mechanism, *words, *placements()["across"]).status == 0


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("mechanism", NEW)
def test_a_changed_bit_is_seen(core: Core, mechanism: str, pattern: str) -> None:
    test = {"IPCTUNE_TEST_MECHANISMS": "50", "IPCTUNE_TEST_CORRUPTS": mechanism}
    answer = core.run("test-corrupt", "--pattern", pattern, seconds=5, **test)
    assert (answer.status, answer.error["call"]) == (70, "check")
    assert core.processes() == []


@pytest.mark.parametrize(
    ("mechanism", "sysctl", "limit"),
    [
        ("sysv-shm-futex", "kernel.shmmax=4096", "kernel.shmmax"),
        ("sysv-shm-sem", "kernel.shmall=1", "kernel.shmall"),
        ("sysv-shm-posix-sem", "kernel.shmmni=1", "kernel.shmmni"),
        ("sysv-shm-sem", "kernel.sem=1 32000 100 128", "kernel.sem.semmsl"),
        ("sysv-shm-sem", "kernel.sem=250 3 100 128", "kernel.sem.semmns"),
        ("sysv-shm-sem", "kernel.sem=250 32000 0 128", "kernel.sem.semopm"),
        ("sysv-shm-sem", "kernel.sem=250 32000 100 0", "kernel.sem.semmni"),
    ],
)
def test_limits_of_system_v_are_named(core: Core, mechanism: str, sysctl: str, limit: str) -> None:
    answer = core.run(mechanism, "--size", "8192", "--sysctl", sysctl)
    assert (answer.status, answer.error["limit"]) == (3, limit)


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS])
def test_a_kernel_that_lets_nobody_read_another_process(core: Core, number: int) -> None:
    call = PROCESS_VM_READV[platform.machine()]
    filtered = (sys.executable, str(Path(__file__).with_name("filtered.py")), str(call), str(number))
    answer = core.call("run", "--mechanism", "process-vm-readv", "--seconds", "0.01", prefix=filtered)
    assert (answer.status, answer.error["call"], answer.error["errno"]) == (3, "process_vm_readv", number)
    assert answer.error["limit"] in ("seccomp", "kernel.yama.ptrace_scope")


@pytest.mark.parametrize(
    "words",
    [
        ("pipe", "--pages", "huge"),
        ("process-vm-readv", "--pages", "prefault"),
        ("memfd-futex", "--pages", "large"),
        ("tcp", "--slots", "4", "--pattern", "stream"),
        ("process-vm-readv", "--slots", "4", "--pattern", "stream"),
        ("memfd-futex", "--slots", "4"),
        ("memfd-futex", "--slots", "3", "--pattern", "stream"),
        ("memfd-futex", "--slots", "0", "--pattern", "stream"),
        ("memfd-futex", "--slots", "32768", "--pattern", "stream"),
        ("memfd-futex", "--slots", "128", "--pattern", "stream", "--size", str(16 << 20)),
        ("memfd-futex", "--spin", "1000"),
        ("memfd-spin", "--spin", "1000"),
        ("memfd-spin-futex", "--spin", "0"),
        ("memfd-spin-futex", "--spin", "1000000001"),
    ],
)
def test_options_of_rings_are_refused_elsewhere(core: Core, words: tuple[str, ...]) -> None:
    answer = core.run(*words)
    assert answer.status == 2, answer.data
    assert words[-2] in answer.error["message"] or words[1] in answer.error["message"]


def test_two_real_time_spinners_do_not_take_the_only_vcpu(core: Core) -> None:
    answer = core.run("memfd-spin", "--policy", "fifo", *placements()["same"])
    assert (answer.status, "nobody else" in answer.error["message"]) == (2, True)


@pytest.mark.parametrize("slots", [1, 2, 16384])
@pytest.mark.parametrize("mechanism", RINGS)
def test_slots_take_effect(core: Core, mechanism: str, slots: int) -> None:
    answer = core.run(mechanism, "--pattern", "stream", "--slots", str(slots))
    assert answer.status == 0, answer.data
    check_result(answer.data)
    assert answer.data["slots"] == slots


def test_what_was_in_effect_is_told(core: Core) -> None:
    told = ("pages", "slots", "spin_ns")
    assert [core.run("pipe").data[name] for name in told] == [None, None, None]
    assert [core.run("process-vm-readv").data[name] for name in told] == [None, None, None]
    assert [core.run("memfd-spin").data[name] for name in told] == ["normal", 1, None]
    assert [core.run("memfd-spin-futex").data[name] for name in told] == ["normal", 1, 20000]
    words = ("--spin", "5", "--pages", "prefault", "--pattern", "stream")
    assert [core.run("memfd-spin-futex", *words).data[name] for name in told] == ["prefault", 1024, 5]


@pytest.mark.parametrize("pages", ["prefault", "mlock"])
@pytest.mark.parametrize("mechanism", RINGS)
def test_pages_of_every_ring(core: Core, mechanism: str, pages: str) -> None:
    answer = core.run(mechanism, "--pages", pages)
    assert answer.status == 0, answer.data
    check_result(answer.data)
    assert answer.data["pages"] == pages


@contextmanager
def sides(core: Core, mechanism: str, pages: str) -> Iterator[list[int]]:
    """Both sides of a slow stream, so that few of the slots are ever used."""
    words = ("--pattern", "stream", "--rate", "20", "--size", "4096", "--slots", "1024", "--pages", pages)
    process = core.start(mechanism, *words)
    try:
        assert wait_for(lambda: len(core.processes()) == 3)
        yield [pid for pid in core.processes() if pid != process.pid]
    finally:
        process.kill()
        process.communicate()
        assert wait_for(lambda: core.processes() == [])


def kib(pid: int, what: str) -> int:
    """Of the largest ring that this process maps: `Size` or `Rss` (proc_pid_smaps(5))."""
    found, ours = [0], False
    for line in Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8").splitlines():
        name, _, rest = line.partition(":")
        if "-" in line.split()[0]:
            ours = "memfd:ipctune" in line or "/SYSV" in line
        elif ours and name == what:
            found.append(int(rest.split()[0]))
    return max(found)


@pytest.mark.parametrize("mechanism", ["memfd-futex", "sysv-shm-futex"])
def test_normal_pages_come_when_they_are_touched(core: Core, mechanism: str) -> None:
    with sides(core, mechanism, "normal") as both:
        assert wait_for(lambda: all(kib(pid, "Rss") > 0 for pid in both))
        assert all(kib(pid, "Rss") < kib(pid, "Size") // 2 for pid in both)


def locked_kib(pid: int) -> int:
    """What this process has locked (proc_pid_status(5))."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmLck:"))


@pytest.mark.parametrize("pages", ["prefault", "mlock"])
@pytest.mark.parametrize("mechanism", ["memfd-futex", "sysv-shm-futex"])
def test_pages_are_there_in_both_sides_before_they_are_touched(core: Core, mechanism: str, pages: str) -> None:
    with sides(core, mechanism, pages) as both:
        assert wait_for(lambda: all(kib(pid, "Rss") == kib(pid, "Size") > 4096 for pid in both))
        if pages == "mlock":
            assert wait_for(lambda: all(locked_kib(pid) > 4096 for pid in both))


def test_memory_that_may_not_be_locked(core: Core) -> None:
    prefix = ("prlimit", "--memlock=65536", "setpriv", "--bounding-set=-ipc_lock")
    words = ("run", "--mechanism", "memfd-futex", "--seconds", "0.01", "--pages", "mlock", "--size", "1048576")
    answer = core.call(*words, prefix=prefix)
    assert (answer.status, answer.error["call"], answer.error["limit"]) == (3, "mlock", "RLIMIT_MEMLOCK")
    assert core.processes() == []


@pytest.mark.parametrize("mechanism", RINGS)
def test_huge_pages_are_had_or_refused_by_name(core: Core, mechanism: str) -> None:
    answer = core.run(mechanism, "--pages", "huge")
    if answer.status == 0:
        check_result(answer.data)
        assert answer.data["pages"] in ("huge-hugetlb", "huge-transparent", "huge-mixed")
    else:
        assert (answer.status, answer.error["limit"]) == (3, "vm.nr_hugepages")
