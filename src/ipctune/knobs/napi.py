"""Busy polling, which guides name and which cannot help IPC: listed, so that nobody looks for it.

Source: socket(7) SO_BUSY_POLL, Documentation/networking/napi.rst.
"""

from ipctune.knobs.model import Kind, Knob, Scope

__all__ = ["KNOBS"]

_WHY = "cannot help here: loopback and Unix sockets have no NAPI instance that could be polled"

KNOBS = (
    Knob(
        id="busy-poll",
        title="busy polling of sockets (net.core.busy_poll, busy_read)",
        kind=Kind.ADVICE,
        scope=Scope.HOST,
        helps=frozenset(),
        candidates=lambda _host, _hints: (),
        why_not=lambda _host: _WHY,
        price="a CPU that polls a network device's queue",
        reach="sockets of real network devices alone",
        source="Documentation/networking/napi.rst",
        since=(3, 11),
        undo="nothing is set",
        not_tried=_WHY,
    ),
)
