"""What a trial measures at one load: the built-in pair of processes, or a workload of the user's."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ipctune.bench.block import Block
from ipctune.bench.spec import FREE, Spec
from ipctune.errors import NotPossible, WorkloadFailed
from ipctune.tune.model import Settings
from ipctune.workload.model import Adjustable, Load, Sample, Workload

__all__ = ["Driven", "Point", "load_of", "placement_of", "points_of", "sample_of", "unpinned", "with_options"]

_LEAST_NS = 1.0


@dataclass(frozen=True, slots=True)
class Driven:
    """A workload at one of its loads. `adjusted`: options were set that it did not choose itself."""

    workload: Workload
    load: Load
    adjusted: bool = False

    def sample(self, seconds: float, seed: int) -> Sample:
        """One block. Raises NotPossible where the workload fails with options of ours, a setting that it does not take,
        and WorkloadFailed where it fails as it is: that is no setting's fault, and ends the run."""
        try:
            return self.workload.sample(self.load, seconds, seed)
        except (NotPossible, WorkloadFailed) as error:
            if self.adjusted:
                raise NotPossible(f"with it, {error.what}", hint=error.hint) from error
            raise WorkloadFailed(error.what, hint=error.hint) from error


Point = Spec | Driven


def points_of(settings: Settings, workload: Workload | None = None) -> tuple[Point, ...]:
    """The loads of every trial, the slowest first: the workload's own, or at the rate and as fast as it goes."""
    if workload is not None:
        return tuple(Driven(workload, load) for load in workload.loads)
    return (settings.spec.replace(rate=settings.rate), settings.spec)


def unpinned(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """Those that trials had pinned, not pinned: what the proof looks at besides."""
    return tuple(p.replace(cpus=FREE) for p in points if isinstance(p, Spec) and p.cpus != FREE)


def load_of(point: Point) -> Load:
    """The load; a pair's has no name of its own."""
    return Load("", rate=point.rate) if isinstance(point, Spec) else point.load


def placement_of(point: Point) -> str:
    """`across`, `same` or `free` for the pair; a workload's processes run where they like: `own`."""
    return point.placement if isinstance(point, Spec) else "own"


def sample_of(block: Block) -> Sample:
    """A block of the pair as a sample; for a stream as fast as it goes the figure is the time that a message takes."""
    return Sample(
        figure=max(_LEAST_NS, block.p50_ns if block.p50_ns is not None else 1e9 / block.rate),
        seconds=block.seconds,
        messages=block.messages,
        cpu_ns=block.cpu_ns,
        poll_ns=block.poll_ns,
        buckets=None if block.latency is None else block.latency.buckets,
        spoiled=block.spoiled,
    )


def with_options(point: Point, value: Mapping[str, str]) -> Point:
    """The workload with a program's options set: `cpus` (same), `policy`, and for the pair `capacity`."""
    if isinstance(point, Spec):
        return _pair_with(point, value)
    if not isinstance(point.workload, Adjustable):
        raise TypeError(f"{point.workload.name} takes no options")
    return replace(point, workload=point.workload.adjusted(value), adjusted=True)


def _pair_with(spec: Spec, value: Mapping[str, str]) -> Spec:
    for name, text in value.items():
        if name == "cpus":
            cpu = max(spec.cpus[1], 0)
            spec = spec.replace(cpus=(cpu, cpu))
        elif name == "policy":
            spec = spec.replace(policy=text)
        elif name == "capacity":
            spec = spec.replace(capacity=int(text))
        else:
            raise ValueError(f"a workload has no option {name!r}")
    return spec
