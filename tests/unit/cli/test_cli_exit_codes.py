"""Exit codes: 0 whatever was found, 2 wrong use, 3 not possible here, 70 internal error, 130 Ctrl-C."""

import json

import pytest
from tests.unit.cli.conftest import Cli

from ipctune.cli.knob_names import knob_named
from ipctune.errors import Exit, WrongUse
from ipctune.knobs.registry import KNOBS

_WRONG = [
    ("nonsense",),
    ("--nonsense",),
    ("tune", "--commit"),
    ("tune", "--only", "nonsense"),
    ("tune", "--without", "nonsense"),
    ("tune", "--mechanism", "nonsense"),
    ("tune", "--goal", "nonsense"),
    ("tune", "--pattern", "nonsense"),
    ("tune", "--time", "1s"),
    ("tune", "--time", "25h"),
    ("tune", "--time", "soon"),
    ("tune", "--size", "0"),
    ("tune", "--size", "17M"),
    ("tune", "--rate", "0"),
    ("tune", "--hold", "-1"),
    ("tune", "superfluous"),
    ("tune", "--command", "true"),
    ("tune", "--metric", "(.)"),
    ("tune", "--lower-is-better"),
    ("tune", "--private"),
    ("tune", "--timeout", "3s"),
    ("tune", "--command", " ", "--metric", "(.)"),
    ("tune", "--command", "true", "--metric", "("),
    ("tune", "--command", "true", "--metric", "no group"),
    ("tune", "--command", "true", "--metric", "json:"),
    ("tune", "--command", "true", "--metric", "(.)", "--rate", "1000"),
    ("tune", "--command", "true", "--metric", "(.)", "--timeout", "soon"),
    ("tune", "--command", "true", "--metric", "(.)", "--time", "1s"),
    ("why",),
    ("why", "nonsense"),
    ("keep", "--for", "soon"),
    ("log", "-n", "0"),
    ("uninstall",),
]


@pytest.mark.parametrize("words", _WRONG, ids=" ".join)
def test_wrong_use_is_2_and_says_what_is_wrong(cli: Cli, words: tuple[str, ...]) -> None:
    answer = cli(*words)
    assert answer.code == Exit.WRONG_USE
    assert answer.out == ""
    assert answer.err.strip()
    assert "Traceback" not in answer.err
    assert cli.machine.blocks == 0


def test_an_unknown_command_is_named_without_a_guess(cli: Cli) -> None:
    answer = cli("nonsense")
    assert "No such command 'nonsense'" in answer.err
    assert "Did you mean" not in answer.err


@pytest.mark.parametrize("words", [("tune", "--only", "nonsense"), ("why", "nonsense")], ids=" ".join)
def test_an_unknown_knob_is_answered_with_those_there_are(cli: Cli, words: tuple[str, ...]) -> None:
    assert cli(*words).err == "ipctune: there is no knob nonsense\n  one of helps, idles\n"


def test_many_names_fit_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipctune.cli.knob_names.KNOBS", {f"knob-{n:03}": KNOBS["haltpoll"] for n in range(60)})
    with pytest.raises(WrongUse) as wrong:
        knob_named("nonsense")
    assert max(map(len, f"  {wrong.value.hint}".splitlines())) <= 80
    assert "knob-059" in wrong.value.hint


def test_a_command_and_a_server_exclude_each_other(cli: Cli) -> None:
    for more in ((), ("--metric", "(.)")):
        answer = cli("tune", "--command", "a", "--workload", "redis", *more)
        assert answer.code == Exit.WRONG_USE
        assert "--command and --workload exclude each other" in answer.err


@pytest.mark.parametrize("words", [("verify",), ("keep",), ("commit", "--yes"), ("why", "helps")], ids=" ".join)
def test_nothing_active_is_3_with_what_to_do(cli: Cli, words: tuple[str, ...]) -> None:
    answer = cli(*words)
    assert answer.code == Exit.NOT_POSSIBLE
    assert answer.err.startswith("ipctune: no")
    assert "ipctune tune" in answer.err


@pytest.mark.parametrize("words", [("status",), ("log",), ("revert",)], ids=" ".join)
def test_looking_and_undoing_where_nothing_is_set_is_0_and_makes_no_folder(cli: Cli, words: tuple[str, ...]) -> None:
    from ipctune.host.state import state_path

    answer = cli(*words)
    assert answer.code == Exit.DONE
    assert answer.out.startswith("nothing ")
    assert not state_path().exists()


def test_uninstall_where_nothing_is_there(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipctune.journal.lasting.FILES", ())
    answer = cli("uninstall", "--yes")
    assert (answer.code, answer.out) == (Exit.DONE, "there is nothing of ours on this machine\n")


def test_an_internal_error_is_70_and_asks_for_a_report(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("ipctune.journal.status.read_status", fail)
    answer = cli("status")
    assert answer.code == Exit.INTERNAL
    assert "internal error: ZeroDivisionError: oops" in answer.err
    assert "please report this" in answer.err
    assert "Traceback" not in answer.err


def test_the_traceback_of_an_internal_error_is_there_when_asked_for(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPCTUNE_DEBUG", "1")
    monkeypatch.setattr("ipctune.journal.status.read_status", lambda *_: 1 / 0)
    assert "Traceback" in cli("status").err


def test_ctrl_c_is_130(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ipctune.journal.status.read_status", stop)
    assert cli("status").code == Exit.INTERRUPTED


def test_ctrl_c_in_a_run_is_130_with_everything_back_and_saved(cli: Cli) -> None:
    cli.machine.interrupt_at = 200
    answer = cli("tune", "--json")
    assert answer.code == Exit.INTERRUPTED
    assert json.loads(answer.out)["interrupted"]
    assert set(cli.machine.state.values()) == {"0"}
    assert cli("why", "helps").code == Exit.DONE
    assert json.loads(cli("log", "--json").out.splitlines()[-1])["interrupted"]
    assert "INTERRUPTED before its end" in cli("log").out
    assert cli("status").out == "nothing is set\n"


def test_another_run_is_3_with_its_pid(cli: Cli) -> None:
    import os

    from ipctune.journal.lock import locked
    from ipctune.journal.store import open_journal

    journal = open_journal()
    assert journal is not None
    with locked(journal.state):
        answer = cli("tune")
    assert answer.code == Exit.NOT_POSSIBLE
    assert f"another ipctune is at work (pid {os.getpid()})" in answer.err


def test_a_state_folder_that_others_can_write_is_3(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from ipctune.host.state import state_path

    state_path().mkdir()
    state_path().chmod(0o777)
    answer = cli("status")
    assert answer.code == Exit.NOT_POSSIBLE
    assert "others can write it" in answer.err


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("echo no; exit 5", "the command failed: exit code 5"),
        ("echo hello", "the command printed nothing that matches"),
        ("echo t=nan", "the command printed nan, which is no measurement"),
        ("echo t=0", "a metric has to be above 0"),
        ("sleep 20", "the command did not end within 0.2 s"),
    ],
)
def test_a_command_that_gives_no_measurement_is_3_and_changes_nothing(cli: Cli, line: str, why: str) -> None:
    answer = cli("tune", "--command", line, "--metric", "t=(.*)", "--timeout", "0.2s")
    assert answer.code == Exit.NOT_POSSIBLE
    assert why in answer.err
    assert "2  PLAN" not in answer.out
    assert set(cli.machine.state.values()) == {"0"}
    assert cli.machine.started == []
