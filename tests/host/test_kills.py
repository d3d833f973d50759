"""A spread of kills of tuner, watchdog and both: everything comes back. All of them: benchmarks/kills.py."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_everything_is_back_after_every_kill() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.kills", "--spread", "36", "--hold", "0.3"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    counts = re.search(r"(\d+) kills, (\d+) fails", done.stdout)
    assert counts is not None, done.stdout
    assert int(counts[1]) >= 26, done.stdout
    assert counts[2] == "0"
