"""What `ipctune top` shows: sorted, filtered, within 80 columns, with what it means."""

import pytest

from ipctune.report.top import SORTS, cells, chosen, foot, head, render_overview
from ipctune.trace.model import Lock, Locks, Overview, Own, Spin, Talk, Waits, Wakeups, WokenProcess
from ipctune.trace.overview import findings

OWN = Own(1000, 2_000_000, 30_000_000, 40 << 20)
NONE = Waits(0, 0, 0, None, None)


def talk(sender: str, taker: str, **other: float | str | None) -> Talk:
    known: dict[str, object] = {
        "source": 10,
        "source_comm": sender,
        "target": 20,
        "target_comm": taker,
        "kind": "unix",
        "messages_s": 10.0,
        "bytes_s": 100.0,
        "wakes_s": 5.0,
        "across": 0.5,
        "wake_p99_ns": 50_000.0,
        "source_asleep": 0.1,
        "target_asleep": 0.9,
        "fill": None,
    }
    return Talk(**(known | other))  # type: ignore[arg-type]


FULL = talk("producer", "consumer", kind="pipe", messages_s=5.0, fill=0.95, source_asleep=0.8)
TALKS = (talk("nginx", "php-fpm", messages_s=5000.0), FULL)
LOCK = Lock(30, "java", 4096, "[heap]+0x10", 50, 9_000_000_000, 1e6, 2e6, 3_000_000, 0, 0, 0, 50, 50, 0, 1e4, 12)
LOCKS = Locks(2.0, (LOCK,), 0, OWN, spins=(Spin(40, "spinner", 0.97, "lock+0x4", "PAUSE"),))
IDLE = Waits(1000, 45_000_000, 90_000, 45_000.0, 90_000.0)
WOKEN = Wakeups(2.0, (WokenProcess(20, "redis-server", 500, IDLE, NONE),), (), 0, OWN)


def overview(talks: tuple[Talk, ...] = TALKS, told: tuple[str, ...] = ()) -> Overview:
    return Overview(2.0, talks, (LOCK,), LOCKS.spins, {0: 0.0, 1: 0.12}, 0.82, told, 0, OWN)


def test_every_sort_has_the_most_first() -> None:
    for name, by in SORTS.items():
        values = [by(one) for one in chosen(overview(), name, "")]
        assert values == sorted(values, reverse=True)


@pytest.mark.parametrize(("word", "count"), [("", 2), ("nginx", 1), ("PIPE", 1), ("20", 2), ("nobody", 0)])
def test_a_word_chooses_lines(word: str, count: int) -> None:
    assert len(chosen(overview(), "messages", word)) == count


def test_what_it_means_is_said_with_what_to_do() -> None:
    told = list(findings(TALKS, WOKEN, LOCKS, {0: 0.01, 1: 0.12}))
    assert [
        word in line for word, line in zip(("steal", "spins", "full", "12 threads", "--attach 20"), told, strict=True)
    ]
    assert all(
        word in line for word, line in zip(("vCPU 1", "spinner 40", "producer", "[heap]", "45 µs"), told, strict=True)
    )


def test_nothing_to_say() -> None:
    quiet = Wakeups(1.0, (), (), 0, OWN)
    assert list(findings((), quiet, Locks(1.0, (), 0, OWN), {})) == []
    assert foot(overview()) == ["nothing that needs a word"]


def test_the_text_is_eighty_columns_wide() -> None:
    told = tuple(findings(TALKS, WOKEN, LOCKS, {1: 0.12}))
    wide = talk(
        "a-long-name-of-a-program",
        "another-long-name",
        source=4_194_304,
        target=4_194_304,
        messages_s=1e7,
        bytes_s=1e12,
    )
    lines = render_overview(overview((*TALKS, wide), told)).splitlines()
    assert max(map(len, lines[1:-1])) <= 100
    assert "82% of all" in head(overview())
    assert "1:12%" in head(overview())
    assert cells(FULL)[-1] == "95%"
