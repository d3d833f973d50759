"""Where a process is when its vCPU is looked at: who is always at the same place, and what lies there."""

import os

import pytest

from ipctune.trace.spins import NOTHING, Looked, between, evidence, spinning

PAUSE = bytes.fromhex("8b07 85c0 f390 75f8".replace(" ", ""))
YIELD = bytes.fromhex("3f2003d5")


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ({100: 30}, 100),
        ({100: 15, 101: 15, 7: 5}, 100),
        ({100: 30, 200: 29}, 100),
        ({100: 30, 200: 31}, 200),
        ({100: 19}, None),  # too few
        ({at * 10: 20 for at in range(1, 10)}, None),  # all over its code
        ({0: 100, 100: 30}, None),  # in the kernel for most of the time
        ({0: 100}, None),
        ({}, None),
    ],
)
def test_who_is_always_at_the_same_place(lines: dict[int, int], line: int | None) -> None:
    window = spinning(lines)
    assert (window.line if window else None) == line


@pytest.mark.skipif(os.uname().machine not in ("x86_64", "aarch64"), reason="no code of this architecture is known")
def test_what_spin_waits_are_written_with() -> None:
    code = YIELD if os.uname().machine == "aarch64" else PAUSE
    assert evidence(code) in ("PAUSE", "YIELD")
    assert evidence(bytes(32)) == ""
    assert evidence(b"") == ""


def test_what_was_there_before_does_not_count() -> None:
    places = {(1, 100): ("lock+0x4", "PAUSE")}
    then = Looked({1: {100: 500}}, {1: "a"}, places)
    now = Looked({1: {100: 510, 300: 100}, 2: {100: 199}}, {1: "a", 2: "b"}, places | {(2, 100): ("work", "")})
    assert between(then, now, 1.0) == ()
    (found,) = between(NOTHING, Looked({1: {100: 199}}, {1: "a"}, places), 1.0)
    assert (found.pid, found.comm, found.name, found.instruction) == (1, "a", "lock+0x4", "PAUSE")
    assert found.vcpu == pytest.approx(1.0)
