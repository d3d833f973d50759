"""What counts as simpler, and what is a candidate at all."""

import pytest
from tests.unit.bench.pretended import info

from ipctune.bench.candidates import Candidate, plain_ones, variants
from ipctune.bench.simplicity import Burden, burdens, rank
from ipctune.bench.spec import Spec


@pytest.mark.parametrize(
    ("simpler", "other"),
    [
        ("pipe", "memfd-futex"),
        ("pipe", "sysv-msg"),
        ("tcp", "memfd-eventfd"),
        ("posix-mq", "sysv-msg"),
        ("memfd-futex", "memfd-spin"),
        ("memfd-spin", "something-new"),
    ],
)
def test_the_worst_burden_decides(simpler: str, other: str) -> None:
    assert rank(simpler) < rank(other)


def test_an_option_is_one_more_thing_to_do() -> None:
    assert rank("pipe") < rank("pipe", (("capacity", "1048576"),)) < rank("tcp")
    assert rank("tcp") < rank("pipe", (("wait", "retry"),))


def test_burdens_come_worst_first_and_unknown_is_unknown() -> None:
    assert burdens("sysv-msg") == (Burden.NO_POLL, Burden.LEFT_BEHIND)
    assert burdens("something-new") is None
    for found in (burdens("pipe"), burdens("memfd-spin")):
        assert found
        assert list(found) == [one for one in Burden if one in found]


def test_candidates_are_the_core_s_in_its_order() -> None:
    found = plain_ones((info("zebra"), info("pipe")), Spec(pattern="stream", size=4096, work_ns=0))
    assert [one.label for one in found] == ["zebra", "pipe"]
    assert {(one.spec.pattern, one.spec.size) for one in found} == {("stream", 4096)}


def test_options_are_those_of_the_core_that_a_spec_can_say() -> None:
    told = info("pipe", "capacity", "colour")
    stream = Candidate(Spec(pattern="stream"))
    assert [one.label for one in variants(stream, told)] == ["pipe capacity=1048576"]
    assert list(variants(Candidate(Spec()), told)) == []
    assert list(variants(stream, info("pipe"))) == []
