"""Writes docs/*.schema.json from the types of what `--json` prints; with --check, fails where one is stale."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

import msgspec  # noqa: E402

from ipctune.bench.compare import Comparison  # noqa: E402
from ipctune.bench.recommendation import Recommendation  # noqa: E402
from ipctune.host.findings import Inspection  # noqa: E402
from ipctune.journal.status import Status  # noqa: E402
from ipctune.services.explain import Explanation  # noqa: E402
from ipctune.services.model import Report  # noqa: E402
from ipctune.trace.model import Flows, Graph, Latencies, Locks, Overview, Wakeups  # noqa: E402
from ipctune.tune.model import TuneResult  # noqa: E402
from ipctune.tune.verify import Verified  # noqa: E402

PRINTED: dict[str, type] = {
    "inspect": Inspection,
    "services": Report,
    "explain": Explanation,
    "compare": Comparison,
    "tune": TuneResult,
    "status": Status,
    "verify": Verified,
    "recommend": Recommendation,
    "trace-latency": Latencies,
    "trace-wakeups": Wakeups,
    "trace-pipes": Flows,
    "trace-futex": Locks,
    "graph": Graph,
    "top": Overview,
}
"""Commands whose `--json` prints one value of a type of ours."""


def target(command: str) -> Path:
    """Where the schema of that command lies."""
    return ROOT / "docs" / f"{command}.schema.json"


def schema(command: str) -> str:
    """The JSON Schema (2020-12) of what `ipctune COMMAND --json` prints."""
    made = msgspec.json.schema(PRINTED[command])
    words = "bench --recommend" if command == "recommend" else command
    said = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"ipctune {words} --json", **made}
    return json.dumps(said, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the schemas, or compare them: 1 when one in docs/ is stale."""
    if "--check" not in sys.argv[1:]:
        for command in PRINTED:
            target(command).write_text(schema(command), encoding="utf-8")
        return 0
    stale = [target(command) for command in PRINTED if not _is_fresh(command)]
    for path in stale:
        print(f"{path} is stale: run python tools/{Path(__file__).name}", file=sys.stderr)
    return 1 if stale else 0


def _is_fresh(command: str) -> bool:
    path = target(command)
    return path.exists() and path.read_text(encoding="utf-8") == schema(command)


if __name__ == "__main__":
    sys.exit(main())
