"""A refusal of the core leads to its limit, and what the limit is to be raised to counts what is there already."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
CODE = """
import json
from pathlib import Path
from ipctune.bench.spec import Spec
from ipctune.host import read_host
from ipctune.tune.refusals import find_limits, probe
import ctypes
libc = ctypes.CDLL(None)
made = [libc.msgget(0x1bd0 + n, 0o1600) for n in range({there})]
Path("/proc/sys/kernel/msgmni").write_text("{most}")
spec = Spec(mechanism="sysv-msg", ipc_namespace="{where}")
refusal = probe(spec, 1)
found = find_limits(read_host(quick=True), spec, refusal, 1) if refusal else []
print(json.dumps([refusal and [refusal.call, refusal.errno, refusal.limit], [dict(value) for _, value in found]]))
"""


@pytest.mark.parametrize(
    ("there", "most", "where", "wanted"), [(0, 1, "private", "2"), (3, 4, "present", "8"), (0, 32, "private", None)]
)
def test_too_few_queues_are_named_and_counted(there: int, most: int, where: str, wanted: str | None) -> None:
    code = CODE.format(there=there, most=most, where=where)
    environment = {**os.environ, "PYTHONPATH": f"{TOP / 'src'}:{TOP}", "PYTHONDONTWRITEBYTECODE": "1"}
    command = ["unshare", "--ipc", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    refusal, found = json.loads(done.stdout)
    if wanted is None:
        assert (refusal, found) == (None, [])
    else:
        assert refusal == ["msgget", "ENOSPC", "kernel.msgmni"]
        assert found == [{"kernel.msgmni": wanted}]
