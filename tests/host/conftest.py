"""What several files take: a booted machine, a process to be changed, a look that all is as it was; and a second try
for tests whose verdict hangs on real noise.

Their blocks are short for a test's sake. The summary shows each that needed it (`R`); what holds only now and then
fails both tries soon.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.host.nspawn import Booted, machine
from tests.host.target import Target, a_target
from tests.leftovers import left, snapshot

__all__ = ["NOISY"]

NOISY = frozenset(
    f"test_{name}.py"
    for name in (
        "apart_live",
        "attach_live",
        "bottlenecks",
        "command_live",
        "explain_live",
        "guard_live",
        "live_judge",
        "rest",
        "scenarios",
        "target_tuned",
        "watch_live",
        "workload_live",
        "workload_own",
    )
)
_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them; other folders' tests come through here as well."""
    for item in items:
        if item.path.parent == _HERE and item.path.name in NOISY:
            item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=1))


@pytest.fixture
def as_it_was() -> Iterator[None]:
    """No setting and no object is left by the test."""
    before = snapshot()
    yield
    assert left(before) == []


@pytest.fixture
def target() -> Iterator[Target]:
    """A process in namespaces of its own, with a pipe, a socket and a queue."""
    with a_target() as made:
        yield made


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """A booted machine, the same for all tests of a file."""
    with machine(tmp_path_factory.mktemp("machine")) as booted:
        yield booted
