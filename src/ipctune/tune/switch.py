"""How a candidate is switched on and off: a knob of the machine through the journal, or an option of the workload."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from ipctune.journal.change import Change
from ipctune.journal.store import Journal
from ipctune.knobs.model import Kind, Knob, Value
from ipctune.tune.point import Point, with_options

__all__ = ["ChangeSwitch", "OptionSwitch", "SetSwitch", "Switch", "switched"]


class Switch(Protocol):
    """Something that a trial turns on for B and off for A."""

    def on(self) -> None: ...

    def off(self) -> None: ...

    def spec(self, spec: Point, *, on: bool) -> Point:
        """The workload of that arm."""

    def own_cpu_ns(self) -> float:
        """CPU time that our own pollers have used so far."""


class OptionSwitch:
    """An option of the workload: nothing on the machine changes."""

    def __init__(self, value: Value) -> None:
        self._value = value

    def on(self) -> None:
        return

    def off(self) -> None:
        return

    def spec(self, spec: Point, *, on: bool) -> Point:
        return with_options(spec, self._value) if on else spec

    def own_cpu_ns(self) -> float:
        return 0.0


class ChangeSwitch:
    """A setting of the machine, on and off through its journalled change."""

    def __init__(self, change: Change, index: int = 0) -> None:
        self.change = change
        self._index = index

    def on(self) -> None:
        self.change.set(self._index)

    def off(self) -> None:
        self.change.unset()

    def spec(self, spec: Point, *, on: bool) -> Point:
        return spec

    def own_cpu_ns(self) -> float:
        return sum(_cpu_ns(pid) for pid in self.change.pids())


class SetSwitch:
    """Several of them as one: the kept set, on and off as a whole."""

    def __init__(self, switches: Sequence[Switch]) -> None:
        self._switches = switches

    def on(self) -> None:
        for switch in self._switches:
            switch.on()

    def off(self) -> None:
        for switch in reversed(self._switches):
            switch.off()

    def spec(self, spec: Point, *, on: bool) -> Point:
        for switch in self._switches:
            spec = switch.spec(spec, on=on)
        return spec

    def own_cpu_ns(self) -> float:
        return sum(switch.own_cpu_ns() for switch in self._switches)


@contextmanager
def switched(journal: Journal | None, candidates: Sequence[tuple[Knob, Value]]) -> Iterator[SetSwitch]:
    """Switches for these candidates; everything is off and restored when the context ends, unless it was kept."""
    with ExitStack() as stack:
        switches: list[Switch] = []
        for knob, value in candidates:
            if knob.kind is Kind.OPTION:
                switches.append(OptionSwitch(value))
            else:
                assert journal is not None
                switches.append(ChangeSwitch(stack.enter_context(Change(journal, knob, [value]))))
        yield SetSwitch(switches)


def _cpu_ns(pid: int) -> float:
    """CPU time of a process (proc_pid_schedstat, else the 10-ms ticks of proc_pid_stat(5))."""
    try:
        return float(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    except (OSError, IndexError, ValueError):
        pass
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) * 1e7
