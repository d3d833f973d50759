"""Which mechanism has which pattern, and how its command line says it."""

import os

from tests.native.core import BYTE_STREAMS, DATAGRAMS, QUEUES

PEERS = 3
BURST = 40
CONNECT = ("unix-abstract", "unix-path", "tcp")
FANS = ("fan-in", "fan-out")
_PLAIN_RINGS = ("memfd-futex", "memfd-eventfd", "memfd-spin", "memfd-spin-futex", "memfd-signal", "sysv-shm-futex")
_TAKEN_WHOLE = ("unix-dgram", "unix-seqpacket")
HAVE = {
    "burst": (*BYTE_STREAMS, *DATAGRAMS, *QUEUES, *_PLAIN_RINGS),
    **dict.fromkeys(FANS, (*BYTE_STREAMS, *_TAKEN_WHOLE, *QUEUES)),
    "connect": CONNECT,
}
CASES = [(pattern, mechanism) for pattern, names in HAVE.items() for mechanism in names]


def words(pattern: str) -> tuple[str, ...]:
    """The options that ask for this pattern."""
    count = {"burst": ("--burst", str(BURST)), "connect": ()}.get(pattern, ("--peers", str(PEERS)))
    return ("--pattern", pattern, *count)


def placements() -> list[str]:
    """On one vCPU, and on two where there are two."""
    cpus = sorted(os.sched_getaffinity(0))
    return [f"{cpus[0]},{cpus[0]}", *(f"{cpus[0]},{cpu}" for cpu in cpus[1:2])]
