"""Every skip needs a reason in tests/skips.txt, and a run leaves the machine as it found it.

Both are checked where `CI=true`; `--strict-skips` and `--leftovers` turn them on by hand (`./test` does the second).
"""

import os
import signal
from collections.abc import Mapping

import pytest
from tests.leftovers import left, snapshot
from tests.skips import listed, read_skips

_LONG = (
    "test_apart_live.py",
    "test_attach_live.py",
    "test_command_live.py",
    "test_guard_live.py",
    "test_kills.py",
    "test_scenarios.py",
    "test_target_tuned.py",
    "test_workload_live.py",
    "test_workload_own.py",
)
"""Kills, whole runs, commands and real servers: minutes. CI runs them, and `./test --all`."""
_CI = os.environ.get("CI") == "true"
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background by a shell, we would hand on that Ctrl-C is ignored, and tests press it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
_unlisted: list[str] = []
_left: list[str] = []
_before: Mapping[str, str] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--strict-skips", action="store_true", default=_CI, help="fail on a skip not in skips.txt")
    parser.addoption("--all", action="store_true", default=_CI, help="the long ones too: kills, real servers, commands")
    parser.addoption("--every", type=int, default=1, help="of each test of the core, only every Nth case")
    parser.addoption("--leftovers", action="store_true", default=_CI, help="fail if the machine was changed")


def pytest_sessionstart(session: pytest.Session) -> None:
    global _before  # noqa: PLW0603 - one session a process
    if _looks(session.config):
        _before = snapshot()


def _looks(config: pytest.Config) -> bool:
    """Whether this process looks at what is left; where several run tests side by side, who started them does."""
    return bool(config.getoption("--leftovers")) and not hasattr(config, "workerinput")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without --all the long files are left out, unless the command line names one; --every thins out the core's."""
    items[:] = _thinned(items, config.getoption("--every"))
    named = any(name in argument for argument in config.args for name in _LONG)
    if config.getoption("--all") or named:
        return
    long = [item for item in items if item.path.name in _LONG]
    items[:] = [item for item in items if item.path.name not in _LONG]
    config.hook.pytest_deselected(items=long)


def _thinned(items: list[pytest.Item], every: int) -> list[pytest.Item]:
    """Every Nth case of each test in tests/native: mechanisms, sizes and patterns make thousands there."""
    seen: dict[str, int] = {}
    kept = []
    for item in items:
        test = item.nodeid.partition("[")[0]
        seen[test] = seen.get(test, -1) + 1
        if "native" not in item.path.parts or seen[test] % every == 0:
            kept.append(item)
    return kept


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _unlisted.append(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.skipped:
        _unlisted.append(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    _unlisted[:] = [name for name in _unlisted if not listed(name, read_skips())]
    if not session.config.getoption("--strict-skips"):
        _unlisted.clear()
    if _looks(session.config):
        _left.extend(left(_before))
    if _unlisted or _left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for name in _unlisted:
        terminalreporter.write_line(f"skipped without a line in tests/skips.txt: {name}", red=True)
    for change in _left:
        terminalreporter.write_line(f"the tests left the machine changed: {change}", red=True)
