"""What the screen says of bursts."""

from tests.unit.bench.fake import block

from ipctune.bench.counts import Burst
from ipctune.bench.row import Row, row_of
from ipctune.bench.spec import Spec
from ipctune.report.bench_burst import burst_lines

PLACES = {"same": "one vCPU", "across": "two vCPUs", "free": "not pinned"}


def row(mechanism: str, **counts: object) -> Row:
    told = {"bursts": 2, "offered": 200, "accepted": 200, "partial": 0, "received": 200, "lost": 0, "refused": 0}
    spec = Spec(mechanism, "burst", burst=100)
    return row_of(spec, [block(spec, burst={**told, "errno": None, "fits": 100, **counts}, latency=None)])


def test_who_takes_all_comes_first_and_what_is_lost_or_refused_is_told() -> None:
    rows = (
        row("udp", accepted=200, received=150, lost=50, fits=100),
        row("posix-mq", accepted=20, received=20, refused=180, errno="EAGAIN", fits=10),
        row("memfd-futex", accepted=199, received=199, refused=1, fits=99),
        row("pipe"),
    )
    head, *lines = [line for line in burst_lines(rows, PLACES) if line]
    assert head.startswith("not pinned, 100 of 64")
    assert [line.split()[0] for line in lines] == ["pipe", "memfd-futex", "udp", "posix-mq", "fits:"]
    assert "never full" in lines[0]
    assert "< 1%" in lines[1]
    assert lines[1].split()[-2] == "full"
    assert "25%" in lines[2]
    assert "90%" in lines[3]
    assert "EAGAIN" in lines[3]
    assert all(len(line) <= 80 for line in lines[:-1])


def test_bursts_of_several_blocks_are_summed() -> None:
    spec = Spec("pipe", "burst", burst=100)
    told = {"bursts": 1, "offered": 100, "accepted": 60, "partial": 0, "received": 60, "lost": 0, "refused": 40}
    blocks = [
        block(spec, burst={**told, "errno": errno, "fits": fits}, latency=None)
        for errno, fits in ((None, 50), ("EAGAIN", 60))
    ]
    assert row_of(spec, blocks).burst == Burst(2, 200, 120, 0, 120, 0, 80, "EAGAIN", 60)


def test_without_bursts_there_is_nothing() -> None:
    assert burst_lines((row_of(Spec(), [block()]),), PLACES) == []
