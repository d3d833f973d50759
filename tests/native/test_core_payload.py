"""A message that comes back changed is never measured."""

import pytest
from tests.native.core import PATTERNS, Core


@pytest.mark.parametrize("size", [1, 5, 64, 100_000])
@pytest.mark.parametrize("message", ["1", "50"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_one_changed_bit_is_seen(core: Core, pattern: str, message: str, size: int) -> None:
    words = ("--pattern", pattern, "--size", str(size))
    answer = core.run("test-corrupt", *words, seconds=1, IPCTUNE_TEST_MECHANISMS=message)
    assert answer.status == 70
    assert answer.error["call"] == "check"
    assert core.processes() == []


def test_it_is_seen_in_the_measured_part_too(core: Core) -> None:
    # 1,000 messages warm up at most, 32 settle
    answer = core.run("test-corrupt", seconds=10, IPCTUNE_TEST_MECHANISMS="1100")
    assert (answer.status, answer.error["call"]) == (70, "check")


def test_nobody_meets_the_corrupting_mechanism_by_chance(core: Core) -> None:
    assert core.run("test-corrupt").status == 2
    listed = core.call("mechanisms").data["mechanisms"]
    assert "test-corrupt" not in {one["name"] for one in listed}
