"""The schema in docs/ is the one that the types give, and what is printed fits the types."""

import msgspec
from tests.unit.bench.schema import TARGET, schema
from tests.unit.bench.test_bench_report import result

from ipctune.bench import runs
from ipctune.bench.matrix import BenchResult


def test_the_schema_is_fresh() -> None:
    stale = "python -m tests.unit.bench.schema writes it (PYTHONPATH=src:.)"
    assert TARGET.read_text(encoding="utf-8") == schema(), stale


def test_the_json_fits_the_types() -> None:
    assert msgspec.json.decode(runs.to_json(result()), type=BenchResult) == result()
