"""A whole recommendation on mechanisms made of numbers: who is named, and what is said where things go wrong."""

from typing import Any

import msgspec
import pytest
from tests.unit.bench.pretended import Pretended, Silent, _block

from ipctune.bench.ask import Asked, recommend
from ipctune.bench.candidates import Candidate
from ipctune.bench.recommend import CutShort
from ipctune.bench.recommendation import Answer, Lever, Recommendation, Table, arm_of
from ipctune.bench.spec import Spec
from ipctune.errors import NotPossible, WrongUse

LEVER = Lever("haltpoll", "haltpoll guest_halt_poll_ns", "200000", "some", "")
FAST = {"pipe": 10_000.0, "tcp": 20_000.0, "sysv-msg": 12_500.0, "memfd-futex": 30_000.0}
EQUAL = {"memfd-futex": 10_000.0, "sysv-msg": 10_000.0, "pipe": 10_000.0, "tcp": 16_000.0}


def asked(**changes: Any) -> Asked:
    return Asked(**({"seconds": 30.0, "seed": 3} | changes))


def only(result: Recommendation) -> Answer:
    (answer,) = result.answers
    return answer


def table(result: Recommendation) -> Table:
    found = only(result).table
    assert found is not None
    return found


def test_the_fastest_is_named_with_its_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    Pretended(FAST).install(monkeypatch)
    screen = Silent()
    result = recommend(asked(), screen)
    found = table(result)
    assert (found.fastest, found.named, found.not_apart) == ("pipe", "pipe", ("pipe",))
    assert [arm.label for arm in found.arms][:2] == ["pipe", "sysv-msg"]
    lead = found.arm("sysv-msg").slower
    assert lead is not None
    assert lead.low is not None
    assert lead.high is not None
    assert 0.2 < lead.low < lead.effect < lead.high < 0.3
    assert found.arm("pipe").again
    assert only(result).again_rounds > 0
    assert screen.stages == ["look", "finals", "again"]
    assert {spec.placement for spec in _specs(monkeypatch)} == {"free"}


def _specs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    made = Pretended(FAST)
    made.install(monkeypatch)
    recommend(asked(seconds=5.0), Silent())
    return made.asked


def test_of_equal_ones_the_simplest_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    Pretended(EQUAL).install(monkeypatch)
    found = table(recommend(asked(), Silent()))
    assert found.named == "pipe"
    assert set(found.not_apart) == {"memfd-futex", "sysv-msg", "pipe"}
    assert found.arm("tcp").apart


def test_exact_ties_name_the_simplest(monkeypatch: pytest.MonkeyPatch) -> None:
    Pretended(EQUAL, noise=0.0).install(monkeypatch)
    result = recommend(asked(), Silent())
    assert table(result).named == "pipe"
    assert only(result).settled


def test_unknown_mechanisms_are_candidates_and_come_last(monkeypatch: pytest.MonkeyPatch) -> None:
    Pretended({"new-a": 10_000.0, "memfd-spin": 10_000.0}).install(monkeypatch)
    found = table(recommend(asked(), Silent()))
    assert found.named == "memfd-spin"
    assert found.arm("new-a").burdens is None


@pytest.mark.parametrize("kind", ["refused", "silent", "misused", "corrupt"])
def test_one_that_gives_no_figure_is_absent_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    Pretended(FAST, does={"pipe": kind}).install(monkeypatch)
    result = recommend(asked(), Silent())
    assert table(result).named == "sysv-msg"
    (absent,) = only(result).absent
    assert absent.label == "pipe"
    assert absent.failed == (kind == "corrupt")
    assert absent.limit == ("fs.mqueue.msgsize_max" if kind == "refused" else None)


def test_all_refused_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Pretended(FAST, does=dict.fromkeys(FAST, "refused"))
    made.install(monkeypatch)
    result = recommend(asked(), Silent())
    assert only(result).table is None
    assert len(only(result).absent) == len(FAST)
    made.does = dict.fromkeys(FAST, "misused")
    with pytest.raises(WrongUse, match="no such pattern"):
        recommend(asked(), Silent())


def test_on_one_vcpu_both_sides_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Pretended(FAST)
    made.install(monkeypatch, vcpus=1)
    result = recommend(asked(), Silent())
    assert result.placement == "same"
    assert table(result).named == "pipe"
    assert {spec.cpus for spec in made.asked} == {(0, 0)}
    with pytest.raises(WrongUse, match="second vCPU"):
        recommend(asked(cpus="across"), Silent())


def test_one_mechanism_alone_has_nothing_to_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    Pretended(FAST).install(monkeypatch)
    found = table(recommend(asked(mechanisms=("tcp",)), Silent()))
    assert [arm.label for arm in found.arms] == ["tcp"]
    with pytest.raises(WrongUse, match="no such mechanism"):
        recommend(asked(mechanisms=("tpc",)), Silent())


def test_an_option_that_wins_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Pretended(FAST, options={"tcp": ("capacity",)})
    made.install(monkeypatch)
    plain = made.run

    def run(spec: Any, *rest: Any, **words: Any) -> Any:
        made.ns["tcp"] = 5000.0 if spec.capacity else 20_000.0
        return plain(spec, *rest, **words)

    monkeypatch.setattr("ipctune.bench.rounds.measuring.run", run)
    found = table(recommend(asked(patterns=("stream",)), Silent()))
    assert found.named == "tcp capacity=1048576"
    assert found.arm("tcp").apart
    assert found.arm(found.named).options == (("capacity", "1048576"),)


def test_a_cheaper_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    Pretended(FAST, cpu={"pipe": 40_000.0, "sysv-msg": 9000.0}).install(monkeypatch)
    cheaper = table(recommend(asked(), Silent())).cheaper
    assert cheaper is not None
    assert cheaper.label == "sysv-msg"


def test_p99_needs_ten_thousand_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    Pretended(FAST).install(monkeypatch)
    assert table(recommend(asked(), Silent())).arm("pipe").p99_ns is not None
    slow = table(recommend(asked(rate=1000.0), Silent())).arm("pipe")
    assert slow.p99_ns is None
    assert slow.keeps_up
    assert slow.price_vcpus == pytest.approx(0.01, rel=0.1)


def test_a_rate_that_fills_no_block_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    Pretended(FAST).install(monkeypatch)
    with pytest.raises(WrongUse, match="a block takes 60 s") as caught:
        recommend(asked(rate=0.5), Silent())
    assert "--time" in caught.value.hint


@pytest.mark.parametrize("at", [1, 5, 13, 30, 100, 200])
def test_ctrl_c_keeps_what_was_measured(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    made = Pretended(FAST, interrupt_at=at)
    made.install(monkeypatch)
    result = recommend(asked(), Silent())
    assert result.interrupted
    assert only(result).blocks == at - 1
    assert (only(result).table is None) == (at < 14)


def test_it_keeps_to_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Pretended({f"m{number}": 10_000.0 + number for number in range(28)})
    made.install(monkeypatch)
    for seconds in (20.0, 30.0, 120.0):
        before = made.now
        recommend(asked(seconds=seconds), Silent())
        assert made.now - before < 1.1 * seconds + 2


class Switch:
    """A lever on the pretended machine."""

    seconds = 0.2

    def __init__(self, made: Pretended, *, refuses: bool = False, cut_at: int = 0) -> None:
        self.made, self.refuses, self.cut_at, self.turns = made, refuses, cut_at, 0

    def turn(self, *, on: bool) -> None:
        self.turns += 1
        if self.refuses:
            raise NotPossible("the kernel refuses it")
        if self.turns == self.cut_at:
            raise CutShort("memory is short")
        self.made.now += self.seconds
        self.made.polled = 0.2 if on else 1.0


def test_the_lever_has_arms_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Pretended(FAST)
    made.install(monkeypatch)
    lever = recommend(asked(), Silent(), about=LEVER, switch=Switch(made)).lever
    assert lever is not None
    assert lever.table is not None
    assert lever.table.named == "pipe"
    assert lever.gain is not None
    assert lever.gain.effect == pytest.approx(-0.8, abs=0.02)
    assert lever.gain.high is not None
    assert lever.gain.high < -0.7


def test_a_lever_that_is_refused_leaves_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Pretended(FAST)
    made.install(monkeypatch)
    result = recommend(asked(), Silent(), about=LEVER, switch=Switch(made, refuses=True))
    assert result.lever is not None
    assert result.lever.failed == "the kernel refuses it"
    assert result.lever.table is None
    assert table(result).named == "pipe"
    assert only(result).again_rounds > 5


def test_others_that_come_short_end_it_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Pretended(FAST)
    made.install(monkeypatch)
    result = recommend(asked(), Silent(), about=LEVER, switch=Switch(made, cut_at=9))
    assert result.stopped == "memory is short"
    assert table(result).named == "pipe"
    assert result.lever is not None
    assert result.lever.table is not None


def test_a_map_has_a_cell_for_each_and_shares_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Pretended(FAST)
    made.install(monkeypatch)
    screen, before = Silent(), made.now
    cells = asked(patterns=("ping-pong", "stream"), sizes=(64, 4096), is_map=True, seconds=60.0)
    result = recommend(cells, screen)
    assert [(answer.pattern, answer.size) for answer in result.answers] == list(cells.cells)
    assert {answer.table.named for answer in result.answers if answer.table} == {"pipe"}
    assert screen.stages == ["1/4", "2/4", "3/4", "4/4"]
    assert made.now - before < 66
    made.interrupt_at = made.blocks + 120
    cut = recommend(cells, Silent())
    assert cut.interrupted
    assert cut.answers


def test_json_is_of_its_type(monkeypatch: pytest.MonkeyPatch) -> None:
    Pretended(FAST).install(monkeypatch)
    result = recommend(asked(), Silent(), about=LEVER)
    assert msgspec.json.decode(msgspec.json.encode(result), type=Recommendation) == result


def test_too_few_rounds_do_not_name_what_is_probably_slower(monkeypatch: pytest.MonkeyPatch) -> None:
    Pretended({"memfd-futex": 10_000.0, "pipe": 15_000.0}).install(monkeypatch)
    found = table(recommend(asked(seconds=0.5), Silent()))
    assert (found.named, found.simpler) == ("memfd-futex", ("pipe",))
    assert found.not_apart == ("memfd-futex", "pipe")


def test_fast_blocks_do_not_make_the_tail_of_slow_ones() -> None:
    spec = Spec("memfd-spin")
    made = [_block(spec, 0.1, ns, 1000.0) for ns in (1000.0, 5e6, 5e6)]
    arm = arm_of(Candidate(spec), made)
    assert arm.samples > 10_000
    assert arm.p50_ns == 5e6
    assert arm.p99_ns is None
