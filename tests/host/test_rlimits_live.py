"""Limits of a command's own process on this kernel: refused, raised for that command alone, as before later."""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.host.test_scenarios import Silent, journal

from ipctune.errors import WorkloadFailed
from ipctune.host import read_host
from ipctune.journal.session import exclusive
from ipctune.journal.store import Journal
from ipctune.tune.loop import tune
from ipctune.tune.model import Outcome, Settings, TuneResult
from ipctune.workload.model import CommandLine

__all__ = ["journal"]

_SCRIPT = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
{work}
print(f"t={{os.getpid()}}.5")
"""
# Root may lock what it likes (CAP_IPC_LOCK), so another user does; a queue counts against everybody's limit.
_LOCKS = """
os.setuid(65534)
memory = ctypes.create_string_buffer({size})
if libc.mlock(memory, ctypes.c_size_t({size})):
    sys.exit(f"mlock: {{os.strerror(ctypes.get_errno())}}")
"""
_QUEUES = """
name = f"/ipctune-test-{os.getpid()}".encode()
attributes = (ctypes.c_long * 8)(0, 10, 8192)
queue = libc.mq_open(name, os.O_CREAT | os.O_RDWR, 0o600, attributes)
if queue < 0:
    sys.exit(f"mq_open: {os.strerror(ctypes.get_errno())}")
libc.mq_unlink(name)
"""
CASES = {
    "RLIMIT_MEMLOCK": (_LOCKS.format(size=1 << 20), 65_536),
    "RLIMIT_MSGQUEUE": (_QUEUES, 8192),
}


def line(work: str) -> CommandLine:
    script = _SCRIPT.format(work=work)
    return CommandLine(f"{sys.executable} -c '{script}'", r"t=(\S+)")


@contextmanager
def limited(name: str, soft: int) -> Iterator[None]:
    """This process, and so the command, with another soft limit for as long as the context lasts."""
    number = getattr(resource, name)
    before = resource.getrlimit(number)
    resource.setrlimit(number, (soft, before[1]))
    try:
        yield
        assert resource.getrlimit(number) == (soft, before[1])
    finally:
        resource.setrlimit(number, before)


def tuned(journal: Journal, work: str, **changes: object) -> TuneResult:
    asked = Settings(command=line(work), seconds=20.0, rest=0.05, watch=0.0, **changes)  # type: ignore[arg-type]
    with exclusive(journal):
        return tune(read_host(), asked, journal, Silent())


@pytest.mark.parametrize("name", CASES)
def test_a_command_that_is_refused_gets_the_limit_that_lets_it_run(journal: Journal, name: str) -> None:
    work, soft = CASES[name]
    with limited(name, soft):
        result = tuned(journal, work)
    (trial,) = result.trials
    assert (trial.outcome, trial.was) == (Outcome.ADVICE, {name: str(soft)})
    assert [refusal.limit for refusal in result.refusals] == [name]
    assert (result.bottleneck, result.kept) == ("refused", {})
    lines = " ".join(advice.text for advice in result.advice)
    short = name.removeprefix("RLIMIT_")
    for part in (f"Limit{short}={trial.value[name]}", f" {short.lower()} ", f"prlimit --{short.lower()}="):
        assert part in lines


@pytest.mark.parametrize("name", CASES)
def test_what_the_user_leaves_out_is_not_raised(journal: Journal, name: str) -> None:
    work, soft = CASES[name]
    with limited(name, soft), pytest.raises(WorkloadFailed, match="exit code 1"):
        tuned(journal, work, without=(name.lower().replace("_", "-"),))


def test_a_command_that_fails_for_another_reason_ends_the_run_as_before(journal: Journal) -> None:
    with pytest.raises(WorkloadFailed, match="exit code 1"):
        tuned(journal, 'sys.exit("mlock: Cannot allocate memory")')
