"""Names of what belongs to another process: parsed by code alone, and nothing but what was written is read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctune.knobs.marks import Mark, parse
from ipctune.knobs.registry import KNOBS
from ipctune.knobs.target import SPACES

numbers = st.integers(0, 10**18)
pids = st.integers(1, 1 << 22)
ends = st.builds(Mark, pids, numbers, st.sampled_from(["pipe", "socket"]), numbers)
queues = st.builds(
    Mark, pids, numbers, st.just("queue"), numbers, numbers, st.builds("{}:{}:{}".format, numbers, numbers, numbers)
)
limits = st.sampled_from([(space, name) for space, names in SPACES.items() for name in names]).flatmap(
    lambda one: st.builds(Mark, pids, numbers, st.just(one[0]), numbers, numbers, st.just(one[1]))
)
OF_TARGET = [knob for knob in KNOBS.values() if knob.of_target]


@given(ends | queues | limits)
def test_a_mark_is_read_back_as_it_was_written(mark: Mark) -> None:
    assert parse(str(mark)) == mark
    (knob,) = [knob.id for knob in OF_TARGET if str(mark) in knob.parts()]
    assert KNOBS[knob].parts()[str(mark)].where


@given(st.text() | st.from_regex(r"[0-9]{1,8}:[0-9]{1,8}:[a-z]{3,6}:\[[0-9]{1,9}\](@[0-9]+)?(:[a-z0-9:./ ]*)?"))
def test_any_other_text_is_no_mark_or_says_the_same(text: str) -> None:
    mark = parse(text)
    assert mark is None or str(mark) == text


@given(ends | queues | limits, st.integers(0, 60), st.characters())
def test_one_changed_character_never_gives_another_reading(mark: Mark, at: int, character: str) -> None:
    text = str(mark)
    changed = text[: at % len(text)] + character + text[at % len(text) + 1 :]
    found = parse(changed)
    assert found is None or str(found) == changed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1:2:pipe:[3]\n",
        " 1:2:pipe:[3]",
        "01:2:pipe:[3]",
        "0:2:pipe:[3]",
        "4194305:2:pipe:[3]",
        "1:2:pipe:[3]:x",
        "1:2:pipe:[3]@4",
        "1:2:file:[3]",
        "1:2:queue:[3]@4",
        "1:2:queue:[3]@4:5:6",
        "1:2:queue:[3]@4:5:6:7:8",
        "1:2:ipc:[3]:kernel.msgmni",
        "1:2:ipc:[3]@4:../../../etc/passwd",
        "1:2:ipc:[3]@4:kernel..msgmni",
        "1:2:ipc:[3]@4",
        "1:2:pipe:[٣]",
        "/proc/sys/kernel/msgmni",
    ],
)
def test_what_is_no_mark(text: str) -> None:
    assert parse(text) is None
    assert [knob.id for knob in OF_TARGET if text in knob.parts()] == []


@pytest.mark.parametrize(
    "text", ["1:2:ipc:[3]@4:kernel.core_pattern", "1:2:net:[3]@4:kernel.msgmni", "1:2:ipc:[3]@4:net.core.somaxconn"]
)
def test_a_limit_that_is_not_on_the_list_is_no_part(text: str) -> None:
    assert parse(text) is not None
    assert [knob.id for knob in OF_TARGET if text in knob.parts()] == []


@pytest.mark.parametrize("knob", OF_TARGET, ids=lambda knob: knob.id)
def test_nobody_lists_them(knob: object) -> None:
    assert [list(one.parts()) for one in OF_TARGET if one is knob] == [[]]
