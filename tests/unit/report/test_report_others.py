"""The screens of status, why, verify, revert, log and commit: key lines, and what each says where there is nothing."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.tune.made import BETTER, figures, load, proof, result, trial

from ipctune.journal.commit import Preview
from ipctune.journal.lasting import Plan
from ipctune.journal.restore import Restored, Result
from ipctune.journal.status import SettingStatus, Status, read_status
from ipctune.knobs.registry import KNOBS
from ipctune.report import commit, log, status, undone, verify, why
from ipctune.report.style import PLAIN
from ipctune.tune.model import NotTried, Outcome
from ipctune.tune.verify import Verified

SETTING = SettingStatus(
    "haltpoll", "haltpoll guest_halt_poll_ns", "guest_halt_poll_ns", "0", "200000", "200000", 1.7e9, "kept", "in force"
)


def seen(state: str = "active", *settings: SettingStatus, **changes: Any) -> Status:
    made = replace(
        read_status(None),
        state=state,
        undo="/var/lib/ipctune/undo.sh",
        until=1.7e9,
        seconds_left=584.0,
        settings=settings or (SETTING,),
        watchdog_pid=4242,
        watchdog_bytes=12_000_000,
        polling_vcpus=0.014,
    )
    return replace(made, **changes)


def test_status_of_nothing_is_one_line() -> None:
    assert status.render(read_status(None)) == "nothing is set"


def test_status_names_a_run_that_has_not_set_anything_yet() -> None:
    text = status.render(replace(read_status(None), measuring=4243))
    assert text.splitlines()[0] == "nothing is set"
    assert "a run is under way, and measures (pid 4243):\nCtrl-C there, or kill 4243, ends it" in text
    assert "kill 4243" in status.render(seen("trying", tuner=4243, measuring=4243))


def test_status_says_that_roots_settings_can_not_be_seen() -> None:
    lines = status.render(replace(read_status(None), hidden="/var/lib/ipctune")).splitlines()
    assert lines[0] == "nothing of yours is set"
    assert lines[1].startswith("what root may have set can't be seen by this user")
    assert lines[2] == "sudo ipctune status"
    assert max(map(len, lines)) <= 80


def test_status_shows_was_set_now_price_undo_watchdog_and_verdict() -> None:
    text = status.render(seen(), verdict="fresh: same kernel", effects={"haltpoll": "p50 -15 %"})
    for part in (
        "ACTIVE, NOT COMMITTED",
        "in 9 min 44 s",
        "keep --for 24h | commit | revert",
        "haltpoll guest_halt_poll_ns           0         200000    200000",
        "p50 -15 %",
        "1 of 1 as we set it",
        "0.01 vCPU polling",
        "sh /var/lib/ipctune/undo.sh",
        "pid 4242, 12 MB",
        "fresh: same kernel",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("trying", "a run is under way (pid 77)"),
        ("committed", "COMMITTED: lasts over reboots until `ipctune revert`"),
        ("left behind", "LEFT BEHIND: `ipctune revert` puts it back"),
    ],
)
def test_status_of_each_state(state: str, words: str) -> None:
    assert status.render(seen(state, tuner=77)).startswith(words)


def test_status_names_what_others_changed_and_what_is_wrong() -> None:
    changed = replace(SETTING, now="100000", state="changed by someone else")
    text = status.render(seen("active", changed, left_behind=2, problems=("the journal entry x can't be trusted",)))
    assert "changed by others    haltpoll guest_halt_poll_ns" in text
    assert "0 of 1 as we set it" in text
    assert "2 settings were left behind: ipctune revert" in text
    assert "problem: the journal entry x" in text


def test_status_says_whose_line_it_is_and_why_something_was_left() -> None:
    changed = replace(SETTING, now="100000", state="changed by someone else", by="/etc/sysctl.d/9.conf, line 3")
    text = status.render(seen("left behind", changed, why_left="its time is up"))
    assert "LEFT BEHIND (its time is up): `ipctune revert`" in text
    assert "haltpoll guest_halt_poll_ns (as in /etc/sysctl.d/9.conf, line 3)" in text


def test_status_says_what_is_unknown() -> None:
    text = status.render(seen(polling_vcpus=None, watchdog_pid=None, seconds_left=None))
    assert "unknown" in text
    assert "not running" in text
    assert "an unknown time" in text


def test_the_table_of_settings_fits_80_columns() -> None:
    lines = status.render(seen()).splitlines()
    table = lines[3 : lines.index("", 3)]
    assert len(table) == 2
    assert max(map(len, table)) <= 80


def test_why_shows_every_figure_of_the_knob_and_the_proof() -> None:
    better = load(p50=BETTER, product=BETTER, tried=figures(22.0), p99_worse=None)
    tried = trial(Outcome.KEPT, loads=(load(1000.0), better), idle_vcpus=0.004)
    run = result(trials=(tried, trial(Outcome.NO_GAIN, knob="other", title="another")), proof=proof())
    run = replace(run, kept={"haltpoll": tried.value})
    text = why.render(run, KNOBS["haltpoll"], PLAIN)
    for part in (
        "goal balanced",
        "scope host",
        "price: an idle vCPU polls",
        "Documentation/virt/guest-halt-polling.rst",
        "as fast as it goes, 20 pairs:",
        "p99 90.0 µs -> 44.0 µs",
        "messages/s",
        "latency × price -50 % (-52 … -48)",
        "on an idle machine: 0.004 vCPU polling",
        "0 of 96 blocks spoiled",
        "proof of the kept set, 12 pairs after the decision:",
    ):
        assert part in text
    assert "another" not in text


def test_why_says_p99_unknown_and_not_tried() -> None:
    unknown = load(now=replace(figures(), p99_ns=None))
    run = result(trials=(trial(Outcome.NO_GAIN, loads=(unknown,)),), not_tried=(NotTried("haltpoll", "no time left"),))
    text = why.render(run, KNOBS["haltpoll"], PLAIN)
    assert "p99 unknown ->" in text
    assert "not tried: no time left" in text


def test_verify_says_the_word_first() -> None:
    helps = Verified("still helps", "latency × price better as fast as it goes", (), (load(p50=BETTER),), 12)
    assert verify.render(helps, PLAIN).startswith("still helps: latency × price better")
    assert "-50 % (-52 … -48)" in verify.render(helps, PLAIN)
    assert verify.render(replace(helps, word="no longer"), PLAIN).startswith("no longer: ")
    changed = Verified("changed", "", ("haltpoll guest_halt_poll_ns",), (), 0)
    assert verify.render(changed, PLAIN).startswith("changed by someone else: haltpoll guest_halt_poll_ns")


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (Result.RESTORED, "restored: /proc/sys/a = 1"),
        (Result.ALREADY, "already the original: /proc/sys/a = 1"),
        (Result.CHANGED, "left alone: /proc/sys/a is 3, changed by someone else (the original was 1)"),
        (Result.FAILED, "NOT RESTORED: /proc/sys/a: EROFS (the original was 1)"),
        (Result.HISTORY, "1 settings of an earlier boot or another namespace: nothing to restore"),
    ],
)
def test_revert_says_what_became_of_each(what: Result, words: str) -> None:
    assert undone.render([Restored("k", "a", "/proc/sys/a", "1", "3", what, "EROFS")]) == words


def test_revert_of_nothing_says_so() -> None:
    assert undone.render([]) == "nothing was set"


def test_log_is_a_line_an_event() -> None:
    lines: list[dict[str, Any]] = [
        {"time": 1.7e9, "event": "kept", "knob": "haltpoll", "value": {"ns": "1"}, "original": {"ns": "0"}},
        {"time": 1.7e9, "event": "committed", "kept": {"haltpoll": {"ns": "1"}}, "files": ["/etc/a", "/etc/b"]},
        {"time": 1.7e9},
    ]
    told = log.render(lines).splitlines()
    assert told[0].endswith("kept  haltpoll  value ns=1  original ns=0")
    assert told[1].endswith("committed  kept haltpoll=ns=1  files /etc/a, /etc/b")
    assert told[2].endswith("?")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"event": "tuned", "interrupted": True, "guard": ""}, "tuned  INTERRUPTED before its end"),
        ({"event": "tuned", "guard": "redis waits 300 ms/s"}, "tuned  STOPPED for your programs: redis waits 300 ms/s"),
        ({"event": "tuned", "interrupted": False, "goal": "balanced"}, "tuned  goal balanced"),
        ({"event": "verified", "word": "no longer", "run": "r"}, "verified  no longer  run r"),
        ({"event": "prolonged", "until": 86_400.0 * 2}, "prolonged  until 1970-01-0"),
        ({"event": "prolonged", "until": "x"}, "prolonged"),
    ],
)
def test_log_says_how_it_ended(line: dict[str, Any], says: str) -> None:
    assert f"  {says}" in log.render([{"time": 1.7e9, **line}])


def test_log_folds_at_a_word_where_a_width_is_given() -> None:
    line = {"time": 1.7e9, "event": "tuned", "command": "one two-three " * 20}
    told = log.render([line], 80).splitlines()
    assert len(told) > 2
    assert max(map(len, told)) <= 80
    assert all(part.startswith(" " * 21) for part in told[1:])
    assert " ".join(" ".join(told).split()) == " ".join(log.render([line]).split())


def test_commit_shows_each_file_and_what_does_not_last() -> None:
    plan = Plan({"/etc/sysctl.d/90-ipctune.conf": "kernel.msgmax = 1\n"}, ("a poller: held until reboot",))
    text = commit.render(Preview(plan, (), {}))
    assert text.startswith("/etc/sysctl.d/90-ipctune.conf:\n    kernel.msgmax = 1\n")
    assert "does not last here: a poller: held until reboot" in text
    assert commit.render(Preview(Plan({}, ()), (), {})) == "nothing to write"
