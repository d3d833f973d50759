"""A whole life at the command line: tune, status, why, log, verify, keep, revert, uninstall; text and JSON."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.cli.conftest import Cli
from tests.unit.host.watched import made_rates

from ipctune.cli.plain import main as plain_main
from ipctune.errors import Exit, NotPossible
from ipctune.host.model_watch import Rates
from ipctune.host.state import state_path
from ipctune.journal.lock import measuring
from ipctune.journal.status import Status
from ipctune.journal.store import open_journal
from ipctune.tune.model import Outcome, TuneResult
from ipctune.tune.verify import Verified


def values(text: str) -> Any:
    """One line of JSON without NaN and infinities."""
    assert text.count("\n") == 1
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_without_a_terminal_it_prints_the_plan_and_goes_on(cli: Cli) -> None:
    answer = cli("tune")
    assert answer.code == Exit.DONE
    order = ["1  IS IT IPC?", "1,240 wake-ups/s", "2  WHY", "The bottleneck: waking a halted vCPU", "3  PLAN"]
    order += ["/proc/sys/fake/helps", "4  TRIED"]
    order += ["KEPT", "5  RESULT", "ACTIVE UNTIL"]
    places = [answer.out.index(part) for part in order]
    assert places == sorted(places)
    assert "\x1b" not in answer.out
    assert answer.err == ""
    assert cli.machine.state == {"helps": "1", "idles": "0"}


def test_enter_starts_and_no_stops_at_the_plan(cli: Cli) -> None:
    cli.typed = "n\n"
    answer = cli("tune")
    assert answer.code == Exit.DONE
    assert "Start?" in answer.out
    assert "4  TRIED" not in answer.out
    assert set(cli.machine.state.values()) == {"0"}
    cli.typed = "\n"
    assert "5  RESULT" in cli("tune").out


def test_yes_does_not_ask(cli: Cli) -> None:
    cli.typed = ""
    assert "Start?" not in cli("tune", "--yes").out
    assert cli.machine.state["helps"] == "1"


def test_a_dry_run_lists_all_and_writes_nothing(cli: Cli) -> None:
    answer = cli("tune", "--dry-run", "--without", "idles")
    assert answer.code == Exit.DONE
    assert "idles: left out by --without" in answer.out
    assert "4  TRIED" not in answer.out
    assert cli.machine.started == []


def test_the_result_as_json_has_the_shape_of_the_schema(cli: Cli) -> None:
    answer = cli("tune", "--json", "--seed", "7")
    found = msgspec.convert(values(answer.out), TuneResult)
    assert found.kept == {"helps": {"helps": "1"}}
    assert found.settings.seed == 7
    assert {t.knob: t.outcome for t in found.trials} == {"helps": Outcome.KEPT, "idles": Outcome.UNDECIDED}


def test_the_page_stands_alone_on_standard_output_and_names_nobody(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "idles")  # a user's name that would stand in the page
    answer = cli("tune", "--markdown")
    assert answer.code == Exit.DONE
    assert answer.out.startswith("# What communication between processes costs here")
    assert "- **the helps setting**: 0 -> 1" in answer.out
    assert "idles" not in answer.out
    assert "5  RESULT" not in answer.out + answer.err
    assert "4  TRIED" in answer.err
    assert cli("tune", "--markdown", "--json").code == Exit.WRONG_USE


def test_a_dry_run_has_a_page_too(cli: Cli) -> None:
    answer = cli("tune", "--markdown", "--dry-run")
    assert "## What was tried\n\nNothing." in answer.out
    assert cli.machine.started == []


def busy() -> Rates:
    """Both vCPUs are full."""
    return made_rates(vcpus=tuple(replace(v, busy=1.0) for v in made_rates().vcpus), run_wait_ms=900.0)


def test_a_larger_cause_stops_it_with_0_and_anyway_goes_on(cli: Cli) -> None:
    cli.machine.rates = busy()
    answer = cli("tune")
    assert answer.code == Exit.DONE
    for part in ("IPC is not the problem here", "a full vCPU", "nothing was tried", "ipctune tune --anyway"):
        assert part in answer.out
    assert "2  WHY" not in answer.out
    assert cli.machine.state["helps"] == "0"
    assert "stopped full-vcpu" in cli("log").out
    again = cli("tune", "--anyway")
    assert "Going on all the same" in again.out
    assert cli.machine.state["helps"] == "1"


def test_a_larger_cause_as_json(cli: Cli) -> None:
    cli.machine.rates = busy()
    found = msgspec.convert(values(cli("tune", "--json").out), TuneResult)
    assert (found.stopped, found.trials) == ("full-vcpu", ())
    assert found.watch is not None
    assert found.watch.stops


def test_ctrl_c_during_the_watch_shows_what_was_seen(cli: Cli) -> None:
    cli.machine.cut_watch = True
    answer = cli("tune")
    assert answer.code == Exit.INTERRUPTED
    assert "1,240 wake-ups/s" in answer.out
    assert cli.machine.state["helps"] == "0"


def test_an_idle_machine_says_so_and_goes_on(cli: Cli) -> None:
    cli.machine.rates = made_rates(vcpus=tuple(replace(v, busy=0.0) for v in made_rates().vcpus), wakes=2.0)
    answer = cli("tune")
    assert "The machine is idle" in answer.out
    assert "So patterns of our own are measured." in answer.out
    assert "5  RESULT" in answer.out


def test_status_and_why_and_log_tell_of_it(cli: Cli) -> None:
    cli("tune")
    text = cli("status").out
    assert "ACTIVE, NOT COMMITTED" in text
    assert "the helps setting" in text
    assert "fresh: same kernel" in text
    status = msgspec.convert(values(cli("status", "--json").out), Status)
    assert (status.state, [s.state for s in status.settings]) == ("active", ["in force"])

    assert "proof of the kept set" in cli("why", "helps").out
    evidence = values(cli("why", "helps", "--json").out)
    assert [t["outcome"] for t in evidence["trials"]] == ["kept"]
    assert values(cli("why", "idles", "--json").out)["trials"][0]["outcome"] == "undecided"

    events = [json.loads(line)["event"] for line in cli("log", "--json").out.splitlines()]
    assert events.index("kept") < events.index("tuned")
    assert len(cli("log", "-n", "1").out.splitlines()) == 1


def test_verify_says_whether_it_still_helps(cli: Cli) -> None:
    cli("tune", "--yes")
    found = msgspec.convert(values(cli("verify", "--time", "20s", "--json").out), Verified)
    assert (found.word, found.changed) == ("still helps", ())
    assert cli.machine.state["helps"] == "1"
    assert cli("verify", "--time", "20s", "--check").code == Exit.DONE

    cli.machine.does.clear()
    answer = cli("verify", "--time", "20s", "--check")
    assert answer.code == Exit.CHECK_FAILED
    assert answer.out.startswith("no longer: ")

    cli.machine.state["helps"] = "7"
    assert cli("verify", "--time", "20s").out.startswith("changed by someone else: helps helps")
    assert cli.machine.state["helps"] == "7"


def test_keep_prolongs(cli: Cli) -> None:
    cli("tune")
    before = values(cli("status", "--json").out)["until"]
    answer = cli("keep", "--for", "2h")
    assert answer.code == Exit.DONE
    assert answer.out.startswith("active until ")
    assert values(cli("status", "--json").out)["until"] > before + 3600


def test_revert_brings_everything_back_and_may_be_repeated(cli: Cli) -> None:
    cli("tune")
    assert "restored: /proc/sys/fake/helps = 0" in cli("revert").out
    assert cli.machine.state["helps"] == "0"
    assert (cli("revert").code, cli("revert", "--json").out) == (Exit.DONE, "[]\n")


def test_revert_as_json_names_what_was_left_alone(cli: Cli) -> None:
    cli("tune")
    cli.machine.state["helps"] = "7"
    found = values(cli("revert", "--json").out)
    assert [(part["knob"], part["now"]) for part in found] == [("helps", "7")]
    assert "left alone" in found[0]["result"]


def test_uninstall_leaves_no_file(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipctune.journal.lasting.FILES", ())
    cli("tune")
    answer = cli("uninstall", "--yes")
    assert answer.code == Exit.DONE
    assert f"removed {state_path()}" in answer.out
    assert not state_path().exists()
    assert cli.machine.state["helps"] == "0"


def test_uninstall_asks_on_a_terminal(cli: Cli) -> None:
    cli("tune")
    cli.typed = "\n"
    assert cli("uninstall").code == Exit.DONE
    assert cli.machine.state["helps"] == "1"


def test_a_stale_verdict_is_called_stale(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("tune")
    name = next((state_path() / "runs").glob("*.json"))
    saved = json.loads(name.read_text()) | {"kernel": "5.4.0-old"}
    name.write_text(json.dumps(saved))
    assert "STALE: kernel was 5.4.0-old" in cli("status").out


def test_no_color_and_dumb_terminals_are_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from ipctune.report.style import Style

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for term, no_color, on in (("xterm", "", True), ("xterm", "1", False), ("dumb", "", False)):
        monkeypatch.setenv("TERM", term)
        monkeypatch.setenv("NO_COLOR", no_color)
        assert Style.auto(Terminal()).on is on
        assert not Style.auto(io.StringIO()).on


def test_what_was_measured_is_shown_on_a_full_disk(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise NotPossible("no space left on device")

    monkeypatch.setattr("ipctune.cli.tuning.save", full)
    answer = cli("tune", "--json")
    assert answer.code == Exit.DONE
    assert values(answer.out)["kept"] == {"helps": {"helps": "1"}}
    assert "not saved: no space left on device" in answer.err


@pytest.mark.parametrize("plain", [True, False])
def test_without_root_what_root_set_is_not_called_nothing(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, plain: bool
) -> None:
    monkeypatch.setattr("ipctune.host.state._ROOTS", tmp_path)
    monkeypatch.setattr("ipctune.host.state.os.access", lambda *_: False)
    monkeypatch.setattr("ipctune.journal.lasting.files_there", lambda *_: [])
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    for word in ("status", "revert"):
        code = plain_main([word]) if plain else (answer := cli(word)).code
        shown = capsys.readouterr() if plain else answer
        assert code == Exit.DONE
        assert shown.out.startswith("nothing of yours ")
        assert f"can't be seen by this user ({tmp_path}):\nsudo ipctune {word}\n" in shown.out + shown.err


def test_a_run_that_only_measures_yet_is_named_by_status(cli: Cli) -> None:
    journal = open_journal()
    assert journal is not None
    with measuring(journal.state):
        assert values(cli("status", "--json").out)["measuring"] == os.getpid()
        assert f"a run is under way, and measures (pid {os.getpid()})" in cli("status").out
    assert cli("status").out == "nothing is set\n"


COMMIT = "/etc/sysctl.d/90-ipctune.conf"


@pytest.mark.parametrize("usual", [True, False])
def test_revert_names_files_of_a_commit_that_no_record_knows(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, usual: bool
) -> None:
    monkeypatch.setattr("ipctune.cli.plain_revert.files_there", lambda: [COMMIT])
    monkeypatch.setattr("os.geteuid", lambda: 0)
    if usual:
        monkeypatch.delenv("IPCTUNE_STATE")
        monkeypatch.setattr("ipctune.host.state.state_path", lambda: tmp_path / "usual")
    answer = cli("revert")
    assert answer.code == (Exit.NOT_POSSIBLE if usual else Exit.DONE)
    assert COMMIT in answer.err
    assert "nothing was set" not in answer.out
    assert ("ipctune uninstall removes them" in answer.err) is usual


def test_uninstall_removes_what_run_keeps_in_the_cache_and_nothing_else(cli: Cli, tmp_path: Path) -> None:
    made, other = tmp_path / "cache/ipctune/env-1", tmp_path / "cache/ipctune/env-2"
    for folder in (made, other):
        folder.mkdir(parents=True)
    (made / "ipctune-stamp").touch()
    answer = cli("uninstall", "--yes")
    assert answer.code == Exit.DONE
    assert f"removed {made}" in answer.out
    assert (made.exists(), other.exists()) == (False, True)


def test_uninstall_leaves_another_state_folders_commit(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipctune.journal.lasting.files_there", lambda *_: [COMMIT])
    answer = cli("uninstall", "--yes")
    assert f"left there: {COMMIT}" in answer.out
