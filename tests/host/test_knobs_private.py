"""Limits of the IPC and the network namespace: hit, raised and restored where nobody else is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.host.namespaced import CASES

from ipctune.journal.restore import Result
from ipctune.knobs.model import Kind, Scope
from ipctune.knobs.registry import KNOBS

TOP = Path(__file__).parents[2]

pytestmark = pytest.mark.usefixtures("as_it_was")


@pytest.mark.parametrize("knob", CASES)
def test_a_limit_is_hit_raised_and_restored_in_a_namespace_of_its_own(knob: str, tmp_path: Path) -> None:
    case = CASES[knob]
    command = ["unshare", "--ipc", "--net", sys.executable, "-m", "tests.host.namespaced", knob, str(tmp_path / "s")]
    environment = {**os.environ, "PYTHONPATH": f"{TOP / 'src'}:{TOP}", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert (seen["refused"], seen["passed"], seen["again"]) == (case.errno, 0, case.errno)
    assert seen["low"] == seen["taken back"] == seen["restored"] == case.low
    assert seen["raised"] == seen["kept"] == seen["value"][knob]
    assert (seen["results"], seen["entries"]) == ([Result.RESTORED], 0)


def test_every_limit_of_a_namespace_that_no_run_raises_is_tried_here() -> None:
    namespaced = (Scope.IPC_NAMESPACE, Scope.NET_NAMESPACE)
    never = {k.id for k in KNOBS.values() if k.kind is Kind.LIMIT and k.scope in namespaced and k.not_tried}
    assert never <= CASES.keys()
