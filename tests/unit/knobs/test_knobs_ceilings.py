"""Limits are ceilings: raised by a recorded refusal alone, never lowered, one entry for coupled values."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.trees.make import TREES, root_of

from ipctune.host import read_host
from ipctune.host.model import Host, HugePages, Pressure
from ipctune.knobs import semaphores
from ipctune.knobs.files import ALLOWED, FilePart
from ipctune.knobs.limits import MOST_OBJECTS, one_number, rounded_up
from ipctune.knobs.model import Kind
from ipctune.knobs.registry import KNOBS

ROOT = read_host(root_of(TREES["debian12_kvm"]()))
SEM = semaphores._wanted
sizes = st.integers(0, 2**31 - 1)


@given(sizes, sizes, st.none() | st.integers(1, 2**31))
def test_a_ceiling_is_never_lowered_and_lets_pass_what_was_asked_for(
    present: int, asked: int, most: int | None
) -> None:
    text = one_number("x", lambda _host, size: rounded_up(size), most)(ROOT, {"refused:x": str(asked)}, str(present))
    if text is None:
        assert asked <= present or (most is not None and max(asked, present) >= most) or rounded_up(asked) <= present
    else:
        assert int(text) > present
        assert int(text) >= asked
        assert most is None or int(text) <= most


@pytest.mark.parametrize("name", [k.id for k in KNOBS.values() if k.kind is Kind.LIMIT])
def test_without_a_refusal_no_limit_is_touched(name: str) -> None:
    assert KNOBS[name].candidates(ROOT, {}) == ()
    assert "no refusal was recorded" in KNOBS[name].why_not(ROOT)
    assert KNOBS[name].candidates(ROOT, {f"refused:{name}": "garbage", "refused:kernel.sem.semmni": "-"}) == ()


@given(
    st.lists(st.integers(1, 40000), min_size=4, max_size=4),
    st.dictionaries(st.sampled_from([*semaphores.FIELDS]), sizes),
)
def test_no_value_of_sem_is_lowered(now: list[int], asked: dict[str, int]) -> None:
    hints = {f"refused:kernel.sem.{name}": str(value) for name, value in asked.items()}
    text = SEM(ROOT, hints, "\t".join(map(str, now)))
    raised = now if text is None else [int(word) for word in text.split()]
    assert all(after >= before for before, after in zip(now, raised, strict=True))
    for (name, most), after, before in zip(semaphores.FIELDS.items(), raised, now, strict=True):
        assert after >= min(asked.get(name, 0), before if asked.get(name, 0) > most else asked.get(name, 0))
        assert after <= max(most, before)


@pytest.mark.parametrize("text", ["", "1 2 3", "1 2 3 4 5", "a b c d", "-1 2 3 4"])
def test_a_file_that_is_not_four_numbers_is_left_alone(text: str) -> None:
    assert SEM(ROOT, {"refused:kernel.sem.semmni": "9"}, text) is None


@pytest.mark.parametrize("name", ["kernel.msgmni", "kernel.shmmni"])
def test_more_identifiers_than_the_kernel_has_are_not_promised(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FilePart, "read", lambda _part: "32000")
    (value,) = KNOBS[name].candidates(ROOT, {f"refused:{name}": "32001"})
    assert value == {name: str(MOST_OBJECTS)}
    assert KNOBS[name].candidates(ROOT, {f"refused:{name}": str(MOST_OBJECTS + 1)}) == ()


def test_the_size_of_shared_memory_is_a_ceiling_from_memory_and_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FilePart, "read", lambda _part: "4096")
    (largest,) = KNOBS["kernel.shmmax"].candidates(ROOT, {"refused:kernel.shmmax": "8192"})
    assert int(largest["kernel.shmmax"]) == ROOT.memory.total
    (huge,) = KNOBS["kernel.shmmax"].candidates(ROOT, {"refused:kernel.shmmax": str(3 << 40)})
    assert int(huge["kernel.shmmax"]) == 4 << 40
    monkeypatch.setattr(FilePart, "read", lambda _part: "18446744073692774399")
    assert KNOBS["kernel.shmmax"].candidates(ROOT, {"refused:kernel.shmmax": "8192"}) == ()


# Knobs of memory -----------------------------------------------------------------------------------------------


def pressed(swappiness: int = 60, waits: float = 5.0, used: float = 0.5) -> Host:
    """The guest with a swap that is used to that part, and tasks that waited for memory."""
    memory = replace(ROOT.memory, swap_total=1 << 30, swap_free=int((1 - used) * (1 << 30)), swappiness=swappiness)
    return replace(ROOT, memory=memory, pressure=(Pressure("memory", waits, waits, 0.0, 0.0),))


@pytest.mark.parametrize(
    ("host", "advised"),
    [
        (ROOT, False),
        (pressed(), True),
        (pressed(swappiness=10), False),
        (pressed(waits=0.1), False),
        (pressed(used=0.0), False),
    ],
)
def test_swappiness_is_advised_under_real_pressure_alone(host: Host, advised: bool) -> None:
    assert bool(KNOBS["vm.swappiness"].candidates(host, {})) is advised


def with_segment(size: int, *, thp: str = "never", reserved: int = 0, free: int = 0) -> Host:
    """The guest with one System V segment of that size, and huge pages of 2 MiB."""
    limit = replace(ROOT.limits["kernel.shmmax"], use=size)
    memory = replace(ROOT.memory, thp_shmem=thp, huge=(HugePages(2 << 20, reserved, free),), available=1 << 30)
    return replace(ROOT, limits={**ROOT.limits, "kernel.shmmax": limit}, memory=memory)


@pytest.mark.parametrize(
    ("host", "pages"),
    [
        (with_segment(100 << 20), "50"),
        (with_segment((100 << 20) + 1), "51"),
        (with_segment(1 << 20), None),
        (with_segment(1 << 30), None),  # more than a quarter of what is available
        (with_segment(100 << 20, reserved=60, free=10), None),
        (with_segment(0, reserved=60, free=60), "0"),
        (ROOT, None),
    ],
)
def test_huge_pages_are_advised_from_use(host: Host, pages: str | None) -> None:
    found = KNOBS["vm.nr_hugepages"].candidates(host, {})
    assert [value["vm.nr_hugepages"] for value in found] == ([] if pages is None else [pages])


def test_huge_pages_for_shared_memory_are_advised_where_it_is_large_and_they_are_off() -> None:
    knob = KNOBS["shmem-huge-pages"]
    assert knob.candidates(with_segment(100 << 20), {}) == ({"shmem_enabled": "advise"},)
    assert knob.candidates(with_segment(100 << 20, thp="advise"), {}) == ()
    assert knob.candidates(with_segment(1 << 20), {}) == ()


def test_what_needs_history_says_so_and_is_advice_alone() -> None:
    slow = {k.id for k in KNOBS.values() if k.needs_history}
    assert slow == {"vm.swappiness", "shmem-huge-pages", "vm.nr_hugepages"}
    assert all(KNOBS[name].advice_only for name in slow)


def test_busy_polling_may_write_nothing() -> None:
    assert KNOBS["busy-poll"].parts() == {}
    assert not any("busy" in path for path in ALLOWED)
    assert not any(Path(path).name.startswith("napi") for path in ALLOWED)
