"""Which mechanism has which pattern, and how its command line says it."""

import os

from tests.native.core import MECHANISMS, RINGS

PEERS = 3
BURST = 40
CONNECT = ("unix-abstract", "tcp")
FANS = ("fan-in", "fan-out")
HAVE = {
    "burst": MECHANISMS,
    **dict.fromkeys(FANS, tuple(name for name in MECHANISMS if name not in RINGS)),
    "connect": CONNECT,
}
CASES = [(pattern, mechanism) for pattern, names in HAVE.items() for mechanism in names]


def words(pattern: str) -> tuple[str, ...]:
    """The options that ask for this pattern."""
    count = {"burst": ("--burst", str(BURST)), "connect": ()}.get(pattern, ("--peers", str(PEERS)))
    return ("--pattern", pattern, *count)


def room(mechanism: str, size: int) -> tuple[str, ...]:
    """What lets a message queue take messages of that size."""
    if mechanism not in ("sysv-msg", "posix-mq") or size <= 8192:
        return ()
    raised = ("--sysctl", "kernel.msgmax=100000", "--sysctl", "kernel.msgmnb=200000")
    return (*raised, "--sysctl", "fs.mqueue.msgsize_max=100000", "--capacity", "200000")


def placements() -> list[str]:
    """On one vCPU, and on two where there are two."""
    cpus = sorted(os.sched_getaffinity(0))
    return [f"{cpus[0]},{cpus[0]}", *(f"{cpus[0]},{cpu}" for cpu in cpus[1:2])]
