"""Mechanisms made of numbers: what each takes, how noisy it is, whom the machine refuses, on a clock of its own."""

import random
from dataclasses import dataclass, field
from math import exp
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.bench.fake import answer, block

from ipctune.bench.block import Block
from ipctune.bench.core import MechanismInfo, Refused, _Refusal
from ipctune.bench.spec import Spec
from ipctune.errors import IpctuneError, NotPossible, WrongUse

__all__ = ["Pretended", "Silent", "info"]


def info(name: str, *options: str) -> MechanismInfo:
    """A mechanism with these options, for any size and pattern."""
    return MechanismInfo(name, f"a {name}", f"{name}(7)", True, None, options)


class Silent:
    """A screen that keeps what it is told."""

    def __init__(self) -> None:
        self.stages: list[str] = []

    def stage(self, name: str, seconds: float) -> None:
        self.stages.append(name)

    def tick(self, text: str) -> None:
        return


@dataclass
class Pretended:
    """`ns` is the median of each mechanism, `cpu` the CPU time a message; `does` how it refuses or fails."""

    ns: dict[str, float]
    cpu: dict[str, float] = field(default_factory=dict)
    does: dict[str, str] = field(default_factory=dict)
    options: dict[str, tuple[str, ...]] = field(default_factory=dict)
    noise: float = 0.02
    polled: float = 1.0
    now: float = 1000.0
    blocks: int = 0
    interrupt_at: int | None = None
    asked: list[Spec] = field(default_factory=list)

    def run(self, spec: Spec, seconds: float, seed: int, **_: object) -> Block:
        self.now += seconds + 0.04
        self.blocks += 1
        self.asked.append(spec)
        if self.blocks == self.interrupt_at:
            raise KeyboardInterrupt
        self._refuse(spec)
        draw = random.Random(f"{seed} {self.blocks}")
        ns = self.ns[spec.mechanism] * self.polled * exp(draw.gauss(0, self.noise))
        return _block(spec, seconds, ns, self.cpu.get(spec.mechanism, 10_000.0))

    def _refuse(self, spec: Spec) -> None:
        kind = self.does.get(spec.mechanism)
        if kind == "refused":
            raise Refused(_Refusal("mq_send", "EMSGSIZE", "too long", 90, "fs.mqueue.msgsize_max"), spec.describe())
        if kind == "misused":
            raise WrongUse("options: it has no such pattern")
        if kind == "silent":
            raise NotPossible("no message went through")
        if kind == "corrupt":
            raise IpctuneError("byte 3 changed")

    def install(self, monkeypatch: pytest.MonkeyPatch, *, vcpus: int = 2) -> None:
        """Put it in the place of the core, of the clock and of the vCPUs."""
        known = tuple(info(name, *self.options.get(name, ())) for name in self.ns)
        clock = SimpleNamespace(monotonic=lambda: self.now)
        for module in ("ask", "recommend", "rounds"):
            monkeypatch.setattr(f"ipctune.bench.{module}.time", clock)
        monkeypatch.setattr("ipctune.bench.rounds.measuring.run", self.run)
        monkeypatch.setattr("ipctune.bench.ask.mechanisms", lambda **_: known)
        monkeypatch.setattr("ipctune.bench.ask.os.sched_getaffinity", lambda _: set(range(vcpus)))


def _block(spec: Spec, seconds: float, ns: float, cpu: float) -> Block:
    messages = max(1, round(seconds * (spec.rate or 1e9 / ns)))
    low = round(ns)
    figures = dict.fromkeys(("min", "p50", "p90", "p99", "p999", "max"), low)
    latency: dict[str, Any] = {"kind": "round-trip", "count": messages, "mean": float(low), **figures}
    side = answer()["sides"][0] | {"cpu_ns": round(cpu * messages / 2)}
    has_none = spec.pattern == "stream" and not spec.rate
    return block(
        spec,
        seconds=seconds,
        messages=messages,
        bytes=messages * spec.size,
        sides=[side, side | {"role": "server"}],
        machine=answer()["machine"] | {"poll_ns": None},
        latency=None if has_none else latency | {"buckets": [[low, messages]]},
    )
