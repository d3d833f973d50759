"""The list of tests that may be skipped, and what a run may leave behind."""

import pytest
from tests.leftovers import differences
from tests.skips import listed, parse


def test_a_line_is_a_glob_and_a_reason() -> None:
    assert parse("# comment\n\ntests/a.py::*\tneeds a guest\n") == ("tests/a.py::*",)


@pytest.mark.parametrize("line", ["tests/a.py::*", "tests/a.py::*\t ", "\tno test"])
def test_a_line_without_a_reason_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="no reason"):
        parse(line)


def test_brackets_of_parameters_stand_for_themselves() -> None:
    assert listed("tests/a.py::test_it[x-1]", ("tests/a.py::test_it[x*]",))
    assert not listed("tests/a.py::test_itx", ("tests/a.py::test_it[x*]",))


def test_what_changed_is_named() -> None:
    before = {"msgmax": "8192", "queue": "present", "process 7 (sh)": "running"}
    after = {"msgmax": "65536", "lease": "held"}
    assert differences(before, after) == [
        "lease: absent → held",
        "msgmax: 8192 → 65536",
        "queue: present → absent",
    ]
