"""The idle lever: which one a machine has, what it would take, and that it is off and restored whatever happens."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.bench.pretended import Pretended, Silent
from tests.unit.journal.make import journal_in
from tests.unit.tune.machine import Machine, _Clock, host, install, make_knob

from ipctune.bench.ask import Asked, recommend
from ipctune.bench.recommend import CutShort
from ipctune.errors import NotPossible
from ipctune.host.model import HaltpollParameters, Host
from ipctune.knobs.model import Kind
from ipctune.knobs.registry import KNOBS
from ipctune.tune.guard import Guard, Stopped
from ipctune.tune.lever import about_lever, find_lever, lever_on, paths_of

WAYS = {"pipe": 10_000.0, "tcp": 20_000.0}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    install(made, monkeypatch, make_knob(made, "haltpoll", "200000", "50000"))
    monkeypatch.setattr("ipctune.tune.lever.time", _Clock(made))
    return made


def idle(**changes: Any) -> Host:
    found = host()
    return replace(found, idle=replace(found.idle, **changes))


def polling(ns: int) -> HaltpollParameters:
    return HaltpollParameters(ns, None, None, None, None)


def halting() -> Host:
    """It has a driver, and nobody polls."""
    return idle(driver="haltpoll", governor="haltpoll", haltpoll=polling(0))


def test_haltpoll_comes_before_the_lease(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = make_knob(machine, "cpu-dma-latency", "0", kind=Kind.LEASE)
    monkeypatch.setitem(KNOBS, "cpu-dma-latency", lease)
    found = find_lever(halting())
    assert found is not None
    assert (found[0].id, dict(found[1])) == ("haltpoll", {"haltpoll": "200000"})
    assert paths_of(*found) == ("/proc/sys/fake/haltpoll",)
    monkeypatch.setitem(KNOBS, "haltpoll", make_knob(machine, "haltpoll"))
    found = find_lever(halting())
    assert found is not None
    assert found[0].id == "cpu-dma-latency"
    assert paths_of(*found) == ("/dev/cpu_dma_latency",)


def test_where_it_can_be_had_it_says_how(machine: Machine) -> None:
    about = about_lever(halting(), asked=False)
    assert (about.knob, about.value) == ("haltpoll", "200000")
    assert "--with-lever" in about.needs
    assert about_lever(halting(), asked=True).needs == ""


@pytest.mark.parametrize(
    ("module", "words"),
    [("built-in", "cpuidle_haltpoll.force=1 on the boot"), ("module", "modprobe"), ("absent", "CONFIG_HALTPOLL")],
)
def test_without_a_driver_it_says_what_it_takes(machine: Machine, module: Any, words: str) -> None:
    bare = idle(driver=None, haltpoll_module=module)
    assert find_lever(bare) is None
    about = about_lever(bare, asked=True)
    assert about.knob is None
    assert words in about.needs


def test_what_is_on_already_is_no_lever(machine: Machine) -> None:
    found = halting()
    polls = replace(found, idle=replace(found.idle, haltpoll=polling(200_000)))
    assert "200000 already" in about_lever(polls, asked=True).needs
    asked_for = replace(found, idle=replace(found.idle, latency_request_us=0, poll_state_index=0))
    assert "asked for already" in about_lever(asked_for, asked=True).needs


def test_it_is_on_for_its_arms_alone_and_restored(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = Pretended(WAYS)
    made.install(monkeypatch)
    seen: list[str] = []
    plain = made.run

    def run(*words: Any, **more: Any) -> Any:
        seen.append(machine.state["haltpoll"])
        return plain(*words, **more)

    monkeypatch.setattr("ipctune.bench.rounds.measuring.run", run)
    found = find_lever(halting())
    assert found is not None
    journal = journal_in(tmp_path)
    with lever_on(journal, Guard(host(), lambda _: None, on=False), found) as switch:
        result = recommend(Asked(seconds=20.0), Silent(), about=about_lever(halting(), asked=True), switch=switch)
    assert result.lever is not None
    assert result.lever.table is not None
    assert seen.count("200000") == seen[-2 * seen.count("200000") :].count("0") > 10
    assert machine.state == {"haltpoll": "0"}
    assert journal.entries() == []
    assert machine.started.count("start") >= 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_it_is_restored_whatever_ends_it(machine: Machine, tmp_path: Path, error: type[BaseException]) -> None:
    found = find_lever(halting())
    assert found is not None
    journal = journal_in(tmp_path)
    guard = Guard(host(), lambda _: None, on=False)
    seen = []

    def broken() -> None:
        with lever_on(journal, guard, found) as switch:
            switch.turn(on=True)
            seen.append((machine.state["haltpoll"], len(journal.entries())))
            raise error

    with pytest.raises(error):
        broken()
    assert seen == [("200000", 1)]
    assert machine.state == {"haltpoll": "0"}
    assert journal.entries() == []


def test_others_come_first(machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = find_lever(halting())
    assert found is not None
    guard = Guard(host(), lambda _: None, on=False)

    def stop(_off: object) -> bool:
        raise Stopped("memory is short")

    journal = journal_in(tmp_path)
    monkeypatch.setattr(guard, "check", stop)
    with pytest.raises(CutShort, match="memory is short"), lever_on(journal, guard, found) as switch:
        switch.turn(on=True)
    monkeypatch.setattr(guard, "ready", lambda: "a vCPU is short")
    with pytest.raises(NotPossible, match="not now"), lever_on(journal, guard, found):
        pass
    assert machine.state == {"haltpoll": "0"}


def test_a_lever_that_the_kernel_refuses_leaves_the_rest(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Pretended(WAYS).install(monkeypatch)
    machine.refuses["haltpoll"] = "Invalid argument"
    found = find_lever(halting())
    assert found is not None
    with lever_on(journal_in(tmp_path), Guard(host(), lambda _: None, on=False), found) as switch:
        result = recommend(Asked(seconds=20.0), Silent(), about=about_lever(halting(), asked=True), switch=switch)
    assert result.lever is not None
    assert "Invalid argument" in result.lever.failed
    assert result.answers[0].table is not None
