"""The table of lines: every example is its own entry's, and each says cause, fix and what not to do."""

import pytest

from ipctune.report.explain import render
from ipctune.services.explain import explain, match
from ipctune.services.log_table import ENTRIES, Entry
from ipctune.services.model import Report, Use

NOTHING = Report((), (), (), (), (), (), 0, 0.0)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_an_example_is_found_and_explained(entry: Entry) -> None:
    told = explain(entry.example, NOTHING)
    assert told.meaning is not None
    assert told.meaning.id == entry.id
    assert all((entry.means, entry.causes, entry.fix, entry.wrong))
    assert max(map(len, render(told).splitlines())) <= 80


# As programs write them: postgres, nginx, PHP, Python, apache, the kernel, redis, perl.
@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ("FATAL: could not create semaphores: No space left on device", "semget-enospc"),
        ("(28)No space left on device: AH00023: Couldn't create the rewrite-map mutex", "semget-enospc"),
        ("    self._sl = _multiprocessing.SemLock(\nOSError: [Errno 28] No space left on device", "semlock-enospc"),
        ('could not resize shared memory segment "/PostgreSQL.1" to 2097152 bytes: No space left on device',
         "shm-resize"),
        ("RuntimeError: DataLoader worker (pid 12) is killed by signal: Bus error.", "bus-error"),
        ("server process (PID 71) was terminated by signal 7: Bus error", "bus-error"),
        ("[error] 9#9: *1 connect() to unix:/run/php/php.sock failed (11: Resource temporarily unavailable)",
         "unix-connect-eagain"),
        ("connect() to 127.0.0.1:9000 failed (99: Cannot assign requested address)", "address-not-available"),
        ("OSError: [Errno 99] Cannot assign requested address", "address-not-available"),
        ("mq_open(\"/jobs\"): Too many open files", "mq-open-emfile"),
        ("FATAL: could not create shared memory segment: Invalid argument\n"
         "DETAIL: Failed system call was shmget(key=5432001, size=1122304, 03600).", "shmget-einval"),
        ("shmget failed: No space left on device", "shmget-enospc"),
        ("msgsnd: Resource temporarily unavailable", "msgsnd-eagain"),
        ("fcntl(F_SETPIPE_SZ): Operation not permitted", "setpipe-eperm"),
        ("LOG: semctl(688130, 3, SETVAL, 0) failed: Invalid argument", "ipc-removed"),
        ("FATAL: semop(id=983046) failed: Identifier removed", "ipc-removed"),
        ("accept4() failed (24: Too many open files)", "too-many-files"),
        ("kernel: nf_conntrack: nf_conntrack: table full, dropping packet", "conntrack-full"),
    ],
)  # fmt: skip
def test_lines_as_programs_write_them(line: str, entry: str) -> None:
    found = match(line)
    assert found is not None
    assert found.id == entry


@pytest.mark.parametrize("line", ["", "all is well", "No space left on device", "write /var/log/x: disk full"])
def test_what_is_not_known_is_not_guessed(line: str) -> None:
    told = explain(line, NOTHING)
    assert told.meaning is None
    assert len(told.nearest) == 3
    assert "not known" in render(told)


@pytest.mark.parametrize(
    ("used", "asked", "near"), [(1 << 20, 2 << 20, False), (2 << 20, 2 << 20, True), (0, 5 << 20, True)]
)
def test_what_was_asked_for_has_to_fit_into_what_is_left(used: int, asked: int, near: bool) -> None:
    uses = (Use("/dev/shm", "", used, 3 << 20, "bytes"),)
    line = f'could not resize shared memory segment "/PostgreSQL.1" to {asked} bytes: No space left on device'
    told = explain(line, Report((), uses, (), (), (), (), 0, 0.0))
    assert told.meaning is not None
    assert bool(told.meaning.near) is near
    assert ("were asked for" in render(told)) is near
    assert ("remount,size=256m" in told.meaning.fix) is near


def test_a_segment_larger_than_the_largest_allowed() -> None:
    uses = (
        Use("kernel.shmmax", "", 0, 4096, "bytes"),
        Use("kernel.shmmax", "", 0, 8192, "bytes", place="container pg"),
    )
    line = "shmget failed: Invalid argument. Failed system call was shmget(5432001, 8192, 03600)."
    told = explain(line, Report((), uses, (), (), (), (), 0, 0.0))
    assert told.meaning is not None
    assert told.meaning.near == uses[:1]


def test_near_limits_come_with_their_holder_and_others_do_not() -> None:
    uses = (Use("kernel.sem.semmni", "www has 3", 3, 3, "arrays", place="container web"),
            Use("kernel.sem.semmns", "", 1, 1000, "semaphores in all"))  # fmt: skip
    told = explain("semget: No space left on device", Report((), uses, (), (), (), (), 0, 0.0))
    assert told.meaning is not None
    assert told.meaning.near == uses[:1]
    assert "3 of 3 arrays: www has 3, container web" in " ".join(render(told).split())
