"""docs/bench.schema.json from the types of `ipctune bench --json`; as a module it writes the file."""

import json
from pathlib import Path

import msgspec

from ipctune.bench.matrix import BenchResult

TARGET = Path(__file__).resolve().parents[3] / "docs" / "bench.schema.json"


def schema() -> str:
    """The JSON Schema (2020-12), as text."""
    named = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ipctune bench --json",
        **msgspec.json.schema(BenchResult),
    }
    return json.dumps(named, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(schema(), encoding="utf-8")
