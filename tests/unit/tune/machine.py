"""A machine made of numbers: settings in memory, blocks drawn from a seeded noise, a clock that nobody waits for.

It stands in for everything that `tune` touches: the measuring core, the knobs, the watchdog and time itself.
"""

import random
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import exp, prod

import pytest
from tests.trees.make import TREES, root_of
from tests.unit.host.watched import made_rates

from ipctune.bench.block import Block, Latency, MachineCost, Side
from ipctune.bench.curve import Curve, Point
from ipctune.bench.hops import HopCost
from ipctune.bench.spec import Spec
from ipctune.errors import NotPossible
from ipctune.host import read_host
from ipctune.host.model import Host
from ipctune.host.model_watch import Rates, Watch
from ipctune.host.watch import WatchCut
from ipctune.journal.store import Journal
from ipctune.knobs.files import ALLOWED
from ipctune.knobs.model import Cause, Hints, Kind, Knob, Parts, Scope, Value
from ipctune.knobs.registry import KNOBS
from ipctune.tune.beside import beside_seconds
from ipctune.tune.evidence import Evidence
from ipctune.tune.guard import Check
from ipctune.tune.model import Bottleneck, Settings, Trial
from ipctune.tune.model_guard import Bystander
from ipctune.tune.plan import Plan
from ipctune.tune.switch import Switch

__all__ = [
    "ACROSS",
    "Does",
    "Machine",
    "Told",
    "curve",
    "evidence",
    "host",
    "install",
    "make_knob",
    "nothing_left",
    "settings",
]

ACROSS = Spec(cpus=(0, 1))
_RATE = 1000.0


@dataclass(frozen=True, slots=True)
class Does:
    """What a value does: factors on latency and CPU a message at the rate and flat out, vCPUs polled, and a factor on
    the time that a bystander takes."""

    rate: float = 1.0
    flat: float = 1.0
    cpu: float = 1.0
    polls: float = 0.0
    idle: float = 0.0
    tail: float = 1.0
    beside: float = 1.0


@dataclass
class Machine:
    """The present state of all settings and leases, what they do, and how far its time has come."""

    does: dict[tuple[str, str], Does] = field(default_factory=dict)
    noise: float = 0.03
    state: dict[str, str] = field(default_factory=dict)
    refuses: dict[str, str] = field(default_factory=dict)
    held: set[tuple[str, str]] = field(default_factory=set)
    now: float = 1000.0
    blocks: int = 0
    interrupt_at: int | None = None
    started: list[str] = field(default_factory=list)
    rates: Rates = field(default_factory=made_rates)
    watched: list[float] = field(default_factory=list)
    cut_watch: bool = False

    def observe(self, seconds: float, _tick: object = None) -> Rates | None:
        """What the machine's own programs do."""
        self.watched.append(seconds)
        self.now += seconds
        if self.cut_watch:
            raise WatchCut(self.rates)
        return self.rates

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1.7e9 + self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def active(self) -> list[Does]:
        """What is in force now."""
        return [self.does[pair] for pair in (*self.state.items(), *self.held) if pair in self.does]

    def idle_vcpus(self, seconds: float) -> float | None:
        self.sleep(seconds)
        return sum(d.idle for d in self.active())

    def run(self, spec: Spec, seconds: float, seed: int, **_: object) -> Block:
        """One block, as the measuring core would report it."""
        self.now += seconds + 0.06
        self.blocks += 1
        if self.blocks == self.interrupt_at:
            raise KeyboardInterrupt
        draw = random.Random(f"{seed} {self.blocks}")
        active = [*self.active(), *self._option(spec)]
        latency = _base(spec) * exp(draw.gauss(0, self.noise))
        cpu, polls, tail = 30_000.0 * exp(draw.gauss(0, self.noise / 3)), 0.0, 1.3
        for one in active:
            latency *= one.rate if spec.rate else one.flat
            cpu *= one.cpu
            polls += one.polls
            tail *= one.tail
        return _block(spec, seconds, seed, latency, tail, cpu, polls)

    def bystander(self, switch: Switch, check: Check) -> Bystander:
        """What another program gets, with the switch on against off."""
        switch.on()
        factor = prod(d.beside for d in self.active())
        self.sleep(beside_seconds(0.3, 0.2))
        check(switch.off)
        word = "worse" if factor > 1.05 else "no difference"
        return Bystander(5_000_000, 1_000_000, 1.1e6, 1.1e6 * factor, word, factor - 1, factor - 1.01, factor - 0.99)

    def _option(self, spec: Spec) -> list[Does]:
        said = [("policy", spec.policy), ("capacity", str(spec.capacity)), ("cpus", spec.placement)]
        return [self.does[pair] for pair in said if pair in self.does]


def _base(spec: Spec) -> float:
    return 80_000.0 if spec.rate else 45_000.0


def _block(spec: Spec, seconds: float, seed: int, latency: float, tail: float, cpu: float, polls: float) -> Block:
    messages = max(10, round(seconds * (spec.rate or 1e9 / latency)))
    half = round(cpu * messages / 2)
    low, high = round(latency), round(latency * tail)
    slow = max(1, messages // 50)
    kind = "one-way" if spec.pattern == "stream" else "round-trip"
    buckets = ((low, messages - slow), (high, slow))
    side = Side("client", half, messages, 1, 0, 0, 2 * messages)
    poll_ns = round(polls * seconds * 1e9)
    return Block(
        spec=spec,
        seed=seed,
        seconds=seconds,
        messages=messages,
        bytes=messages * spec.size,
        capacity=None,
        ipc_namespace="private",
        latency=Latency(kind, messages, low, low, low, high, high, high, float(low), buckets),
        sides=(side, replace(side, role="server")),
        machine=MachineCost(seconds, 0, 2 * half, 0, poll_ns),
    )


@dataclass(frozen=True, slots=True)
class _Memory:
    """A setting in the machine's memory, under a path as real ones have it."""

    machine: Machine
    name: str

    @property
    def where(self) -> str:
        return f"/proc/sys/fake/{self.name}"

    def read(self) -> str | None:
        return self.machine.state.get(self.name)

    def write(self, text: str) -> None:
        if self.name in self.machine.refuses:
            raise NotPossible(f"{self.where} does not take {text!r}: {self.machine.refuses[self.name]}")
        self.machine.state[self.name] = text

    def undo_lines(self, original: str, ours: Sequence[str] | None) -> list[str]:
        return []


def make_knob(
    machine: Machine,
    name: str,
    *values: str,
    kind: Kind = Kind.FILES,
    helps: Cause = Cause.HALTED_WAKE,
    since: tuple[int, int] = (0, 0),
    always_polls: bool = False,
) -> Knob:
    """A knob whose one part is called like it; its original is `0`."""

    @contextmanager
    def hold(value: Value) -> Iterator[object]:
        machine.held |= set(value.items())
        yield []
        machine.held -= set(value.items())

    def parts() -> Parts:
        return {name: _Memory(machine, name)} if kind in (Kind.FILES, Kind.LIMIT) else {}

    def candidates(_host: Host, hints: Hints) -> Sequence[Value]:
        if kind is Kind.LIMIT and f"refused:{name}" not in hints:
            return ()
        return tuple({name: value} for value in values)

    if kind in (Kind.FILES, Kind.LIMIT):
        machine.state.setdefault(name, "0")
    return Knob(
        id=name,
        title=f"the {name} setting",
        kind=kind,
        scope=Scope.HOST,
        helps=frozenset({helps}),
        candidates=candidates,
        why_not=lambda _host: "it is not there",
        parts=parts,
        price="some",
        reach="all",
        source="none",
        lease=hold if kind is Kind.LEASE else None,
        since=since,
        always_polls=always_polls,
    )


def install(machine: Machine, monkeypatch: pytest.MonkeyPatch, *knobs: Knob) -> None:
    """Put the machine in the place of the real one, and these knobs in the place of ours."""
    for module in ("measure", "budget", "trials", "proof", "causes", "evidence", "refusals", "loop", "verify", "guard"):
        monkeypatch.setattr(f"ipctune.tune.{module}.time", _Clock(machine))
    for module in ("measure", "causes", "refusals"):
        monkeypatch.setattr(f"ipctune.tune.{module}.run", machine.run)
    monkeypatch.setattr("ipctune.tune.trials.idle_vcpus", machine.idle_vcpus)
    monkeypatch.setattr("ipctune.tune.beside.Beside.of", lambda _, switch, check: machine.bystander(switch, check))
    monkeypatch.setattr("ipctune.tune.causes.halts", lambda _cpus: None)
    monkeypatch.setattr("ipctune.tune.evidence.halts", lambda: None)
    monkeypatch.setattr("ipctune.tune.evidence.measure_curve", lambda cpus, _seed, **_: curve(cpus))
    monkeypatch.setattr("ipctune.tune.watching.observe", machine.observe)
    monkeypatch.setattr("ipctune.tune.watching.hop_cost", lambda *_, **__: HopCost(22_000.0, 3000.0))
    for name in ("start", "end", "set_timer", "clear_timer"):
        monkeypatch.setattr(f"ipctune.journal.launch.{name}", lambda *_, name=name: machine.started.append(name))
    monkeypatch.setattr("ipctune.journal.putback.remove_files", list)
    _replace_knobs(monkeypatch, knobs)


class _Clock:
    """The module `time` as the loop uses it."""

    def __init__(self, machine: Machine) -> None:
        import time

        self.monotonic, self.sleep, self.time = machine.monotonic, machine.sleep, machine.time
        self.strftime, self.gmtime = time.strftime, time.gmtime


def _replace_knobs(monkeypatch: pytest.MonkeyPatch, knobs: Sequence[Knob]) -> None:
    # In reverse: what is taken out of a dict comes back at its end, the last one first.
    for name in reversed(list(KNOBS)):
        monkeypatch.delitem(KNOBS, name)
    for knob in knobs:
        monkeypatch.setitem(KNOBS, knob.id, knob)
        for part in knob.parts().values():
            monkeypatch.setitem(ALLOWED, part.where, re.compile(re.escape(part.where)))


def curve(cpus: tuple[int, int]) -> Curve:
    """Nobody polls: slow from the first gap on."""
    points = tuple(Point(gap, 45_000.0 + gap / 50, 1000, 30_000.0) for gap in (0, 20_000, 200_000, 1_000_000))
    return Curve(points, 4200.0, cpus)


def host() -> Host:
    """Two vCPUs under KVM, as root; read from a tree, so that nothing here depends on this machine."""
    found = read_host(root_of(TREES["debian12_kvm"]()))
    cpus = replace(found.cpus, online=(0, 1), allowed=(0, 1))
    return replace(found, cpus=cpus)


def settings(**changes: object) -> Settings:
    """Settings of a short run across two vCPUs."""
    return replace(Settings(spec=ACROSS, rate=_RATE), **changes)  # type: ignore[arg-type]


def evidence(cause: str = "halted-wake", **hints: str) -> Evidence:
    """That cause explains nine tenths of the time, for sure."""
    found = Bottleneck(cause, "waking a halted vCPU", 0.9, 0.85, 0.93, ("45.0 µs a message; 4.2 µs without",))
    return Evidence((found,), cause, None, hints, 45_000.0)


@dataclass
class Told:
    """A listener that remembers; `answer` is what it says to the plan."""

    answer: bool = True
    plans: list[Plan] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    watches: list[tuple[Watch, bool]] = field(default_factory=list)

    def stage(self, name: str, seconds: float) -> None:
        self.stages.append(name)

    def tick(self, text: str) -> None:
        assert text

    def watched(self, watch: Watch, *, goes_on: bool) -> None:
        self.watches.append((watch, goes_on))

    def found(self, evidence: Evidence) -> None:
        self.evidence.append(evidence)

    def consent(self, plan: Plan, seconds: float) -> bool:
        self.plans.append(plan)
        return self.answer

    def tried(self, trial: Trial) -> None:
        self.trials.append(trial)


def nothing_left(machine: Machine, journal: Journal) -> bool:
    """Whether every setting is the original, no lease is held and the journal is empty."""
    return set(machine.state.values()) <= {"0"} and not machine.held and not journal.entries()
