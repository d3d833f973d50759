"""For every knob a machine on which `tune` selects it: real trials on this kernel, with short blocks."""

import dataclasses
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.host.journaled import reverted
from tests.host.lever import (
    GOVERNOR,
    HALTPOLL,
    SETTING,
    made_helpful,
    needs_haltpoll,
    slower_without_pollers,
)

from ipctune.bench.spec import Spec
from ipctune.host import read_host
from ipctune.host.model import Host
from ipctune.host.model_watch import Watch
from ipctune.journal.session import exclusive, revert
from ipctune.journal.store import Journal
from ipctune.knobs.registry import KNOBS
from ipctune.tune.evidence import Evidence
from ipctune.tune.loop import tune
from ipctune.tune.model import Goal, Outcome, Settings, Trial, TuneResult
from ipctune.tune.plan import Plan


class Silent:
    """A listener that agrees to everything."""

    def stage(self, name: str, seconds: float) -> None: ...

    def tick(self, text: str) -> None: ...

    def watched(self, watch: Watch, *, goes_on: bool) -> None: ...

    def found(self, evidence: Evidence) -> None: ...

    def consent(self, plan: Plan, seconds: float) -> bool:
        return True

    def tried(self, trial: Trial) -> None: ...


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with reverted(tmp_path, SETTING) as found:
        yield found


@contextmanager
def present(path: Path, text: str) -> Iterator[None]:
    """Another value in a file of the kernel's for as long as the context lasts."""
    before = path.read_text().strip()
    path.write_text(text)
    try:
        yield
    finally:
        path.write_text(before)


def selected(journal: Journal, knob: str, settings: Settings, host: Host | None = None) -> Trial:
    """The trial of that knob in a run that the user narrowed to it."""
    seconds = max(19.0, 240 * settings.block) + 60 * KNOBS[knob].settle
    short = dataclasses.replace(settings, only=(knob,), seconds=seconds, rest=0.05, idle=0.3, hold=60.0, pairs=12)
    with exclusive(journal):
        result = tune(host or read_host(quick=True), short, journal, Silent())
    return next(t for t in result.trials if t.knob == knob)


# So many that a vCPU that polls is met awake at the rate as well: a gain that few short blocks show at both loads.
SHORT = Settings(rate=12_000.0, block=0.04, watch=0.0, beside=0.03)
LATENCY = dataclasses.replace(SHORT, goal=Goal.LATENCY)


@needs_haltpoll
@pytest.mark.parametrize("knob", ["haltpoll", "cpu-dma-latency", "resume-latency"])
def test_what_keeps_a_vcpu_from_halting_is_kept_for_latency(journal: Journal, knob: str) -> None:
    assert selected(journal, knob, LATENCY).outcome is Outcome.KEPT


@needs_haltpoll
def test_the_governor_is_kept_where_another_one_halts(journal: Journal) -> None:
    with present(HALTPOLL, "200000"), present(GOVERNOR, "menu"):
        trial = selected(journal, "cpuidle-governor", LATENCY)
        revert(journal)
    assert trial.value == {"governor": "haltpoll"}
    assert trial.outcome is Outcome.KEPT


def test_a_poller_is_kept_where_there_is_no_driver_and_it_helps(journal: Journal, tmp_path: Path) -> None:
    host = read_host(quick=True)
    idle = dataclasses.replace(host.idle, driver=None, governor=None)
    bare = dataclasses.replace(host, idle=idle, cpus=dataclasses.replace(host.cpus, allowed=(0,)))
    # With one vCPU to choose from trials pin nothing; so few messages have no p99, which a poller may really worsen.
    settings = dataclasses.replace(LATENCY, rate=200.0, block=0.1)
    with made_helpful(tmp_path, slower_without_pollers()):
        found = selected(journal, "idle-poller", settings, bare)
    assert found.loads[-1].p50.word == "better"
    # What it takes from a program beside it is measured for real, and a busy hypervisor may make that much.
    assert found.outcome is Outcome.KEPT or "another program's work" in found.why, found.why


def test_placement_ends_as_advice(journal: Journal) -> None:
    assert selected(journal, "placement", LATENCY).outcome is Outcome.ADVICE


@pytest.mark.parametrize(
    ("knob", "spec"),
    [
        ("pipe-capacity", Spec(pattern="stream", size=4096, capacity=4096)),
        ("socket-buffers", Spec(mechanism="unix-stream", pattern="stream", size=4096, capacity=4096)),
        ("sched-batch", Spec(mechanism="sysv-msg", pattern="stream", size=1024, cpus=(0, 0))),
    ],
)
def test_what_belongs_to_a_program_ends_as_advice(journal: Journal, knob: str, spec: Spec) -> None:
    throughput = dataclasses.replace(SHORT, goal=Goal.THROUGHPUT, spec=spec)
    outcome = selected(journal, knob, throughput).outcome
    # Some schedulers give a stream on one vCPU its long slices anyway: then there is nothing to advise.
    assert outcome is Outcome.ADVICE or (knob == "sched-batch" and outcome is Outcome.NO_GAIN)


def refused(journal: Journal, spec: Spec) -> TuneResult:
    """A run for a workload that this machine refuses."""
    with exclusive(journal):
        return tune(read_host(quick=True), Settings(spec=spec, seconds=20, hold=60, watch=0.0), journal, Silent())


@pytest.mark.parametrize(
    ("limits", "spec"),
    [
        ({"kernel.msgmax", "kernel.msgmnb"}, Spec(mechanism="sysv-msg", size=20_000)),
        ({"fs.mqueue.msgsize_max"}, Spec(mechanism="posix-mq", size=16_384)),
        ({"fs.mqueue.msg_max"}, Spec(mechanism="posix-mq", size=64, capacity=4096, pattern="stream")),
        ({"fs.pipe-max-size"}, Spec(size=65_536, capacity=2 << 20, pattern="stream")),
    ],
)
def test_a_limit_is_raised_where_it_refuses_the_workload(journal: Journal, limits: set[str], spec: Spec) -> None:
    paths = [Path("/proc/sys") / name.replace(".", "/") for name in limits]
    before = [path.read_text() for path in paths]
    result = refused(journal, spec)
    assert set(result.kept) == limits
    assert all(path.read_text() != text for path, text in zip(paths, before, strict=True))
    revert(journal)
    assert [path.read_text() for path in paths] == before


def test_socket_buffers_are_raised_where_they_refuse_the_workload(journal: Journal) -> None:
    write, read = Path("/proc/sys/net/core/wmem_max"), Path("/proc/sys/net/core/rmem_max")
    with present(write, "212992"), present(read, "212992"):
        spec = Spec(mechanism="unix-stream", size=4096, capacity=1 << 20, pattern="stream")
        result = refused(journal, spec)
        assert set(result.kept) == {"net.core.wmem_max", "net.core.rmem_max"}
        revert(journal)
        assert (write.read_text(), read.read_text()) == ("212992\n", "212992\n")


@pytest.mark.parametrize(
    ("limit", "low", "mechanism"),
    [
        ("kernel.shmmax", "64", "sysv-shm-futex"),
        ("kernel.shmall", "1", "sysv-shm-posix-sem"),
        ("kernel.shmmni", "1", "sysv-shm-futex"),
        ("kernel.sem", "1\t1\t1\t0", "sysv-shm-sem"),
    ],
)
def test_a_limit_of_shared_memory_is_raised_where_it_refuses(
    journal: Journal, limit: str, low: str, mechanism: str
) -> None:
    path = Path("/proc/sys") / limit.replace(".", "/")
    with present(path, low):
        result = refused(journal, Spec(mechanism=mechanism))
        assert set(result.kept) == {limit}
        assert path.read_text().strip() != low
        revert(journal)
        assert path.read_text().strip() == low


def test_exceptions_are_named() -> None:
    untried = {name for name, knob in KNOBS.items() if knob.not_tried}
    module, scheduler = {"haltpoll-module", "haltpoll-boot"}, {"base-slice", "scheduler-features"}
    assert untried == module | scheduler | {"net.core.somaxconn", "net.unix.max_dgram_qlen", "busy-poll"}
    assert os.geteuid() == 0, "these tests set what only root can"
