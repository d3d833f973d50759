"""Leave-one-out on this kernel: a setting that helps, and one that does nothing for the pair, handed in as winners."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.host.lever import FOUND, KNOB, SETTING, made_helpful

from ipctune.host import read_host
from ipctune.host.state import State, open_state
from ipctune.journal.session import exclusive, guarded, revert
from ipctune.journal.store import Journal
from ipctune.knobs.registry import KNOBS
from ipctune.tune.budget import Clock
from ipctune.tune.loop import placed
from ipctune.tune.model import Contribution, Goal, Settings
from ipctune.tune.plan import Candidate
from ipctune.tune.proof import prove

DATAGRAMS = Path("/proc/sys/net/unix/max_dgram_qlen")
IDLE = "net.unix.max_dgram_qlen"  # a pipe knows nothing of datagrams


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A journal of the test's own; whatever was kept is reverted at its end."""
    state = open_state(tmp_path / "state")
    assert isinstance(state, State)
    found = Journal(state)
    before = SETTING.read_text(), DATAGRAMS.read_text()
    with made_helpful(tmp_path):
        yield found
    revert(found)
    assert before == (SETTING.read_text(), DATAGRAMS.read_text())


def test_what_does_nothing_leaves_the_set_and_what_helps_stays(journal: Journal) -> None:
    host, more = read_host(), str(int(DATAGRAMS.read_text()) + 1)
    settings = Settings(goal=Goal.LATENCY, rate=12_000.0, block=0.05, rest=0.08, seconds=28.0)
    settings = replace(settings, spec=placed(host, settings.spec))
    winners = [
        Candidate(KNOBS[KNOB], {"kernel.sched_autogroup_enabled": "0" if FOUND == "1" else "1"}, {}),
        Candidate(KNOBS[IDLE], {IDLE: more}, {}),
    ]
    with exclusive(journal), guarded(journal) as session:
        proof = prove(winners, settings, session, Clock(settings.seconds), random.Random(1), lambda _: None)
        kept, datagrams = dict(session.kept), DATAGRAMS.read_text().strip()
    assert proof.held
    words = {one.knob: one.word for one in proof.apart}
    assert words.pop(KNOB) is Contribution.SHOWN
    assert words[IDLE] in (Contribution.NONE, Contribution.UNDECIDED)
    assert set(kept) == {KNOB}
    assert int(datagrams) == int(more) - 1
