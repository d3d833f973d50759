"""A stand-in for `ipctune-core`: a script that answers by the contract, and misbehaves on demand."""

import os
import sys
from pathlib import Path
from typing import Any

from ipctune.bench.block import Block
from ipctune.bench.spec import Spec

__all__ = ["answer", "block", "write_core"]


def answer(spec: Spec | None = None, **changes: Any) -> dict[str, Any]:
    """What the core would say to `spec`, with some fields changed."""
    asked = spec or Spec()
    low = 5000 + min(asked.gap_ns // 100, 95_000)
    side = {
        "role": "client",
        "cpu_ns": 3_000_000,
        "voluntary_switches": 1000,
        "involuntary_switches": 2,
        "minor_faults": 0,
        "major_faults": 0,
        "syscalls": 2000,
        "blocked": 1000,
        "run_delay_ns": None,
    }
    latency: dict[str, Any] = {"kind": "round-trip", "count": 1000, "mean": low + 10.0}
    latency |= {"min": low, "p50": low, "p90": low, "p99": low, "p999": low, "max": low + 40}
    latency["buckets"] = [[low, 1000]]
    machine = {"seconds": 0.1, "steal_ns": 0, "busy_ns": 10_000_000, "foreign_ns": 0}
    said: dict[str, Any] = {
        **{"mechanism": asked.mechanism, "pattern": asked.pattern, "size": asked.size},
        **{"cpus": list(asked.cpus), "rate": asked.rate, "gap_ns": asked.gap_ns, "seed": 1},
        **{"capacity": None, "ipc_namespace": asked.ipc_namespace},
        **{"seconds": 0.1, "messages": 1000, "bytes": 1000 * asked.size},
        "latency": None if asked.pattern == "stream" and not asked.rate else latency,
        "sides": [side, side | {"role": "server"}],
        "machine": machine | {"poll_ns": 1_000_000},
    }
    return said | changes


def block(spec: Spec | None = None, **changes: Any) -> Block:
    """The same as a block."""
    import json

    from ipctune.bench.block import parse

    asked = spec or Spec()
    return parse(json.dumps(answer(asked, **changes)), asked)


def write_core(folder: Path) -> Path:
    """The stand-in as an executable file. The mechanism's name says how it behaves."""
    path = folder / "ipctune-core"
    root = Path(__file__).parents[3]
    path.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path[:0] = [{str(root)!r}, {str(root / 'src')!r}]\n"
        "from tests.unit.bench.fake import main\nmain()\n"
    )
    path.chmod(0o755)
    return path


def main() -> None:
    """Answer as the core does."""
    import json
    import time

    if sys.argv[1] == "mechanisms":
        print(json.dumps({"mechanisms": [_mechanism("pipe"), _mechanism("unix-stream")]}))
        return
    if sys.argv[1] == "limits":
        _limits(dict(zip(sys.argv[2::2], sys.argv[3::2], strict=True)))
        return
    spec = _read(sys.argv[2:])
    kind = spec.mechanism
    if kind == "hang":
        Path(os.environ["FAKE_CORE_PID"]).write_text(str(os.getpid()))
        time.sleep(60)
    if kind == "crash":
        os.kill(os.getpid(), 9)
    if kind == "refuse":
        _fail(3, call="msgsnd", errno=22, name="EINVAL", message="too long", limit="kernel.msgmax")
    if kind == "misuse":
        _fail(2, call="options", errno=0, name="", message="no such mechanism", limit=None)
    if kind == "corrupt":
        _fail(70, call="check", errno=0, name="", message="byte 3 changed", limit=None)
    print("{" if kind == "garbage" else json.dumps(answer(spec)))


def _limits(said: dict[str, str]) -> None:
    """Copies at 1 ns a byte. What `FAKE_CORE_LIMITS` says comes instead, with exit status 3."""
    import json

    if "FAKE_CORE_LIMITS" in os.environ:
        _fail(3, call="fork", errno=11, name="EAGAIN", message=os.environ["FAKE_CORE_LIMITS"], limit="RLIMIT_NPROC")
    sizes = [int(word) for word in said["--sizes"].split(",")]
    cpus = [int(word) for word in said.get("--cpus", "0,1").split(",")]
    told = {"syscall_ns": 118.0, "clock_ns": 21.0, "cache_line_ns": 110.0, "context_switch_ns": 1600.0}
    told |= {"page_fault_ns": 512.0, "memfd_fault_ns": 801.0}
    copies = [[size, float(size)] for size in sizes]
    print(json.dumps({"cpus": cpus, **told, "wake_ns": [[1_000_000, 18_800.0]], "memcpy": copies}))


def _mechanism(name: str) -> dict[str, Any]:
    told = {"name": name, "summary": f"a {name}", "manual": f"{name}(7)", "stream": True}
    return told | {"max_size": None, "options": ["capacity"]}


def _fail(code: int, **error: Any) -> None:
    import json

    print(json.dumps({"error": error}))
    raise SystemExit(code)


def _read(words: list[str]) -> Spec:
    said = dict(zip(words[::2], words[1::2], strict=True))
    first, second = said["--cpus"].split(",")
    return Spec(
        mechanism=said["--mechanism"],
        pattern=said["--pattern"],
        size=int(said["--size"]),
        cpus=(int(first), int(second)),
        rate=float(said.get("--rate", 0)),
        gap_ns=int(said.get("--gap", 0)),
    )
