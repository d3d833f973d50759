"""The JSON of `inspect` is typed, and the schema in docs/ is the one that the types give."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tests.trees.make import TREES, root_of

from ipctune.host.findings import Inspection, inspect
from ipctune.host.plain import plain

TOP = Path(__file__).parents[3]


@pytest.mark.parametrize("tree", TREES)
def test_json_reads_back_as_the_same_values(tree: str) -> None:
    result = inspect(root_of(TREES[tree]()))
    assert msgspec.json.decode(json.dumps(plain(result)), type=Inspection) == result


def test_the_schema_is_fresh() -> None:
    done = subprocess.run([sys.executable, TOP / "tools" / "schema.py", "--check"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
