"""Knobs of the scheduler, where run-queue wait is the cause: autogroup, and what debugfs lets be written.

A locked-down kernel answers EPERM for debugfs even when read: then these are not there.
Sources: sched(7), Documentation/scheduler/sched-debug.rst, kernel/sched/features.h.
"""

from collections.abc import Sequence

from ipctune.host.model import Host
from ipctune.knobs.files import FilePart, allow
from ipctune.knobs.limits import sysctl_path
from ipctune.knobs.model import Cause, Hints, Kind, Knob, Lasting, Parts, Scope, Value
from ipctune.knobs.single import file_knob
from ipctune.knobs.words import FeaturePart

__all__ = ["KNOBS"]

_AUTOGROUP_KEY = "kernel.sched_autogroup_enabled"
_AUTOGROUP = sysctl_path(_AUTOGROUP_KEY)
_SLICE = "/sys/kernel/debug/sched/base_slice_ns"
_FEATURES = allow("/sys/kernel/debug/sched/features")
_STEP = 4
_SHORTEST = 100_000  # ns; the kernel's own lower bound for a task's slice
_FOR_PATTERN = {"stream": ("WAKEUP_PREEMPTION", "NO_WAKEUP_PREEMPTION"), "ping-pong": ("NEXT_BUDDY", "NEXT_BUDDY")}
"""A stream is spared switches; of a pair that waits for each other, the woken one goes first."""
_LOCKED = "debugfs is not mounted, the kernel keeps it locked, it lacks this file, or not root"
_STAND_IN = "tried on a stand-in for debugfs alone: the kernel at hand answers EPERM for the real one"


def _autogroup(host: Host, _hints: Hints) -> Sequence[str]:
    other = {"0": "1", "1": "0"}.get(FilePart(_AUTOGROUP).read() or "")
    return (other,) if other and host.privileges.root else ()


def _slices(host: Host, _hints: Hints) -> Sequence[str]:
    now = FilePart(_SLICE).read() or ""
    if not host.privileges.root or not now.isdigit():
        return ()
    values = (max(_SHORTEST, int(now) // _STEP), int(now) * _STEP)
    return tuple(str(ns) for ns in values if ns != int(now))


def _feature_parts() -> Parts:
    return {name: FeaturePart(_FEATURES, name) for name, _ in _FOR_PATTERN.values()}


def _features(host: Host, hints: Hints) -> Sequence[Value]:
    name, wanted = _FOR_PATTERN.get(hints.get("pattern", ""), ("", ""))
    now = FeaturePart(_FEATURES, name).read() if name else None
    return ({name: wanted},) if host.privileges.root and now not in (None, wanted) else ()


KNOBS = (
    file_knob(
        "autogroup",
        _AUTOGROUP,
        part=_AUTOGROUP_KEY,
        title="scheduling by session (autogroup)",
        helps=Cause.RUN_QUEUE,
        texts=_autogroup,
        why_not=lambda _host: "this kernel has no autogroup, or not root",
        price="CPU is shared out among tasks instead of sessions, or the other way round",
        reach="tasks in the root group of the cpu controller, at once: not those of units with a cgroup of their own",
        source="sched(7)",
        lasting=Lasting.SYSCTL,
        settle=0.1,
        since=(2, 6),
    ),
    file_knob(
        "base-slice",
        _SLICE,
        part="base_slice_ns",
        title="base slice of the scheduler",
        helps=Cause.RUN_QUEUE,
        texts=_slices,
        why_not=lambda _host: _LOCKED,
        price="shorter: more switches for whatever computes; longer: whatever is woken waits longer",
        reach="every task on this machine, at once; containers too",
        source="Documentation/scheduler/sched-debug.rst",
        settle=0.1,
        since=(6, 6),
        not_tried=_STAND_IN,
    ),
    Knob(
        id="scheduler-features",
        title="features of the scheduler",
        kind=Kind.FILES,
        scope=Scope.HOST,
        helps=frozenset({Cause.RUN_QUEUE}),
        parts=_feature_parts,
        candidates=_features,
        why_not=lambda _host: _LOCKED,
        price="every other task is scheduled by it too",
        reach="every task on this machine, at once; containers too",
        source="kernel/sched/features.h",
        settle=0.1,
        since=(5, 13),
        not_tried=_STAND_IN,
    ),
)
