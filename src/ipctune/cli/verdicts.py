"""Whether the verdict of an earlier run still counts, and what it said."""

from ipctune.errors import NotPossible
from ipctune.host import read_host
from ipctune.host.state import State
from ipctune.report.words import effect, load_name
from ipctune.tune.goals import figure_name
from ipctune.tune.model import TuneResult
from ipctune.tune.save import load

__all__ = ["effects_of", "freshness"]


def _run(state: State, run: str) -> TuneResult | None:
    try:
        return load(state, f"runs/{run}.json")
    except NotPossible:
        return None


def freshness(state: State, run: str) -> str:
    """Fresh, or stale and why: another kernel, other vCPUs or another memory than when it was measured."""
    result = _run(state, run)
    if result is None:
        return "unknown: the run is not kept any more (ipctune verify: 30 s)"
    host = read_host()
    then = {"kernel": result.kernel, "vCPUs": result.cpus, "memory": result.memory_bytes}
    now = {"kernel": host.kernel.release, "vCPUs": len(host.cpus.online), "memory": host.memory.total}
    changed = [f"{name} was {then[name]}, is {now[name]}" for name in then if then[name] != now[name]]
    if changed:
        return f"STALE: {'; '.join(changed)} (ipctune verify: 30 s)"
    return "fresh: same kernel, vCPUs, memory as measured (ipctune verify: 30 s)"


def effects_of(state: State, run: str) -> dict[str, str]:
    """What the proof of that run said of the kept set, under the first of its knobs."""
    result = _run(state, run)
    if result is None or result.proof is None or not result.kept:
        return {}
    said = "; ".join(f"{figure_name(load)} {effect(load.p50)} {load_name(load)}" for load in result.proof.loads[:2])
    return {next(iter(result.kept)): said}
