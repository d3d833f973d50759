"""What a recommendation looks like: 80 columns, the name first, who can't be told apart, what is missing."""

from dataclasses import replace
from typing import Any

import pytest

from ipctune.bench.recommendation import Absent, Answer, Arm, Lever, Looked, Recommendation, Table
from ipctune.judge.verdict import Estimate
from ipctune.report.recommend import render, render_markdown, render_plan
from ipctune.report.style import PLAIN


def arm(label: str, ns: float, *, apart: bool = False, slower: Estimate | None = None, price: float = 8000.0) -> Arm:
    dearer = None if slower is None else Estimate(price / 8000 - 1, price / 8000 - 1.1, price / 8000 - 0.9, 20)
    mechanism, *options = label.split(" ")
    return Arm(
        label=label,
        mechanism=mechanism,
        options=tuple((one.partition("=")[0], one.partition("=")[2]) for one in options),
        p50_ns=ns,
        p99_ns=None,
        samples=900,
        messages_per_second=1e9 / ns,
        bytes_per_second=4096e9 / ns,
        cpu_ns_per_message=price,
        poll_ns_per_message=500.0,
        price_ns_per_message=price,
        price_vcpus=0.8,
        blocks=20,
        spoiled=0,
        keeps_up=True,
        burdens=("no descriptor",),
        apart=apart,
        again=True,
        slower=slower,
        dearer=dearer,
    )


FASTEST = arm("memfd-futex", 4000.0)
SAME = arm("pipe", 4050.0, slower=Estimate(0.012, -0.02, 0.05, 20))
SLOWER = arm("tcp capacity=1048576", 9000.0, apart=True, slower=Estimate(1.2, 1.1, 1.3, 20), price=5000.0)
FAR = arm("unix-seqpacket capacity=1048576", 90_000.0, apart=True, slower=Estimate(21.5, 20.0, 23.4, 20))
ALIKE = Table("memfd-futex", "pipe", (FASTEST, SAME, SLOWER, FAR))
ALONE = Table("memfd-futex", "memfd-futex", (FASTEST, replace(SAME, apart=True), SLOWER))
LOOKED = tuple(Looked(f"mechanism-{number}", 1000.0 * number, 1e6) for number in range(1, 9))
REFUSED = Absent("posix-mq", "mq_send: EMSGSIZE", "EMSGSIZE", "fs.mqueue.msgsize_max")
ANSWER = Answer("ping-pong", 4096, ALIKE, LOOKED, (REFUSED,), 230, 13, 17, True)
NEEDS = Lever(None, "", "", "", "no cpuidle driver here")
RESULT = Recommendation(
    started="2026-01-02T03:04:05Z",
    seconds=30.0,
    seed=1,
    kernel="6.1.0",
    vcpus=2,
    rate=0.0,
    work_ns=10_000,
    placement="free",
    answers=(ANSWER,),
    lever=NEEDS,
)


def with_table(table: Table | None, **changes: Any) -> Recommendation:
    return replace(RESULT, answers=(replace(ANSWER, table=table, **changes),))


def folded(text: str) -> str:
    return " ".join(text.split())


def test_it_fits_the_screen_and_begins_with_the_name() -> None:
    text = render(RESULT, PLAIN)
    assert max(map(len, text.splitlines())) <= 80
    assert text.index("USE  pipe") < text.index("p50")
    said = folded(text)
    assert "4 KiB ping-pong, as fast as it goes, 10 µs of work, not pinned" in said
    assert "simplest of 2 that can't be told apart: memfd-futex, pipe" in said
    assert "the fastest, memfd-futex: +1.2 % (-2.0 … +5.0)" in said
    assert "price: 8.00 µs of CPU a message, 0.50 µs of it polling; 0.80 vCPU as fast as it goes" in said
    assert "mind: no descriptor" in said
    assert "for less CPU: tcp capacity=1M, 5.00 µs, +120 % (+110 … +130)" in said
    assert "×22.5 (21 … 24.4)" in said
    assert "unknown" in said
    assert "posix-mq: refused: EMSGSIZE (limit: fs.mqueue.msgsize_max)" in said
    assert "mechanism-3 3.00 µs" in said


def test_a_winner_has_its_lead() -> None:
    said = folded(render(with_table(ALONE), PLAIN))
    assert "USE memfd-futex" in said
    assert "the next, pipe, takes +1.2 % (-2.0 … +5.0) time a message" in said
    assert "told apart" not in said


def test_without_an_answer_it_says_why() -> None:
    assert "No answer yet" in render(with_table(None), PLAIN)
    nothing = render(with_table(None, looked=()), PLAIN)
    assert "Nothing could be measured" in nothing
    assert "fs.mqueue.msgsize_max" in nothing


def test_the_lever_says_what_it_would_need_or_what_it_does() -> None:
    assert "no cpuidle driver here" in render(RESULT, PLAIN)
    there = Lever("haltpoll", "haltpoll guest_halt_poll_ns", "200000", "it polls", "--with-lever measures it")
    assert "not measured; --with-lever measures it" in render(replace(RESULT, lever=there), PLAIN)
    failed = replace(there, failed="the kernel refuses it")
    assert "not measured: the kernel refuses it" in render(replace(RESULT, lever=failed), PLAIN)
    measured = replace(there, table=ALIKE, gain=Estimate(-0.89, -0.9, -0.88, 15))
    said = folded(render(replace(RESULT, lever=measured), PLAIN))
    assert "on against off, pipe: -89 % (-90 … -88) time a message" in said
    assert "it polls" in said
    assert "200000" in render_markdown(replace(RESULT, lever=measured))


def test_what_is_about_to_be_set_is_shown() -> None:
    there = Lever("haltpoll", "haltpoll guest_halt_poll_ns", "200000", "it polls", "")
    text = render_plan(there, ("/sys/module/haltpoll/parameters/guest_halt_poll_ns", "/var/lib/ipctune"))
    for words in ("guest_halt_poll_ns = 200000", "it polls", "taken back", "    /sys/module", "    /var/lib/ipctune"):
        assert words in text


def test_a_stream_counts_messages() -> None:
    stream = tuple(replace(one, p50_ns=None) for one in ALIKE.arms)
    said = folded(render(with_table(replace(ALIKE, arms=stream), pattern="stream"), PLAIN))
    assert "k msg/s MB/s" in said
    assert "250" in said


@pytest.mark.parametrize("patterns", [("ping-pong", "stream"), tuple("abcdef")])
def test_the_map_fits_the_screen(patterns: tuple[str, ...]) -> None:
    answers = tuple(replace(ANSWER, pattern=pattern, size=size) for pattern in patterns for size in (64, 1 << 20, 4096))
    unknown = replace(ANSWER, pattern=patterns[0], size=65536, table=None)
    result = replace(RESULT, answers=(*answers, unknown), is_map=True, lever=None, interrupted=True)
    text = render(result, PLAIN)
    assert max(map(len, text.splitlines())) <= 80
    for words in ("pipe =", "64 KiB", "ended by Ctrl-C", "pipe or memfd-futex", patterns[-1]):
        assert words in text
    assert "## 1 MiB" in render_markdown(result)


def test_an_empty_map_is_no_error() -> None:
    assert "nothing was measured" in render(replace(RESULT, answers=(), is_map=True), PLAIN)


def test_without_unicode_it_is_ascii() -> None:
    assert render(RESULT, PLAIN, unicode=False).isascii()
