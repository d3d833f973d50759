"""The live benchmark of the judge has the shape that its full run needs; what it finds takes a quiet machine."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_two_trials_of_each_kind_end_with_a_verdict() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "live.py"), "--trials", "2", "--pairs", "12"]
    command += ["--block", "0.02", "--rest", "0", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert sorted(facts["verdicts"]) == ["does nothing", "slows by 10 %"]
    assert all(sum(words.values()) == 2 for words in facts["verdicts"].values())
