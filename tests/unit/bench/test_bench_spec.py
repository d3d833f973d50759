"""A spec says itself on the core's command line and to people."""

import pytest

from ipctune.bench.spec import Spec
from ipctune.errors import WrongUse


def test_defaults_are_left_to_the_core() -> None:
    assert Spec().arguments() == [*("--mechanism", "pipe", "--pattern", "ping-pong", "--size", "64", "--cpus", "-1,-1")]


def test_every_field_reaches_the_command_line() -> None:
    spec = Spec("sysv-msg", "stream", 4096, (0, 1), 20000.0, 0, 65536, "batch")
    said = spec.replace(sysctls=(("kernel.msgmax", "65536"),)).arguments()
    assert said[4:] == [
        *("--size", "4096", "--cpus", "0,1", "--rate", "20000", "--capacity", "65536"),
        *("--policy", "batch", "--sysctl", "kernel.msgmax=65536"),
    ]
    ways = Spec(pattern="stream", wait="epoll", batch=32).arguments()
    assert ways[8:] == ["--wait", "epoll", "--batch", "32"]
    assert Spec(write_size=512, noerror=True).arguments()[8:] == ["--write-size", "512", "--noerror"]
    assert Spec(gap_ns=20_000).arguments()[-2:] == ["--gap", "20000"]
    ring = Spec("memfd-spin-futex", "stream", pages="mlock", slots=64, spin_ns=5000)
    assert ring.arguments()[-6:] == ["--pages", "mlock", "--slots", "64", "--spin", "5000"]
    assert Spec(ipc_namespace="present").arguments()[-2:] == ["--ipc-namespace", "present"]
    assert Spec(pattern="burst", burst=300).arguments()[-2:] == ["--burst", "300"]
    assert Spec(pattern="fan-in", peers=8, work_ns=5).arguments()[-4:] == ["--peers", "8", "--work", "5"]
    assert Spec(work_driver_ns=10, work_ns=5).arguments()[-2:] == ["--work", "10,5"]


@pytest.mark.parametrize(
    "fields",
    [
        {"size": 0},
        {"size": (16 << 20) + 1},
        {"pattern": "zigzag"},
        {"policy": "idle"},
        {"rate": -1.0},
        {"wait": "select"},
        {"wait": "retry", "policy": "fifo"},
        {"write_size": -1},
        {"write_size": (16 << 20) + 1},
        {"batch": 0},
        {"batch": 1025, "pattern": "stream"},
        {"batch": 2},
        {"batch": 2, "pattern": "stream", "write_size": 64},
        {"batch": 2, "pattern": "stream", "size": 16 << 20},
        {"rate": 10.0, "gap_ns": 10},
        {"sysctls": (("a", "b"),), "ipc_namespace": "present"},
        {"pages": "large"},
        {"slots": 4},
        {"slots": 3, "pattern": "stream"},
        {"slots": 32768, "pattern": "stream"},
        {"slots": -4, "pattern": "stream"},
        {"slots": 128, "pattern": "stream", "size": 16 << 20},
        {"spin_ns": -1},
        {"spin_ns": 1_000_000_001},
        {"work_driver_ns": -1},
        {"pattern": "burst"},
        {"pattern": "burst", "burst": 100_001},
        {"pattern": "burst", "burst": 10, "rate": 1.0},
        {"pattern": "stream", "burst": 10},
        {"pattern": "fan-in"},
        {"pattern": "fan-in", "peers": 1},
        {"pattern": "fan-out", "peers": 65},
        {"peers": 2},
    ],
)
def test_nonsense_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(WrongUse):
        Spec().replace(**fields)


def test_description() -> None:
    spec = Spec(size=4096, cpus=(0, 1), rate=1000.0)
    assert spec.describe() == "pipe ping-pong 4 KiB, vCPUs 0 and 1, 1,000/s"
    ways = Spec("tcp", "stream", wait="poll", batch=8, noerror=True)
    assert ways.describe() == "tcp stream 64 B, not pinned, as fast as it goes, waits by poll, 8 a call, MSG_NOERROR"
    assert Spec(wait="retry", write_size=1024).describe().endswith(", waits by retry, writes of 1 KiB")
    assert Spec().describe() == "pipe ping-pong 64 B, not pinned, as fast as it goes"
    ring = Spec("memfd-spin-futex", "stream", pages="huge", slots=64, spin_ns=5000)
    said = "memfd-spin-futex stream 64 B, not pinned, as fast as it goes, huge pages, 64 slots, 5 µs of spinning"
    assert ring.describe() == said
    fan = Spec("tcp", "fan-in", peers=8, work_driver_ns=2000, work_ns=1000)
    assert fan.describe() == "tcp fan-in 64 B, not pinned, as fast as it goes, 8 peers, 2 and 1 µs of work"
    assert Spec(pattern="burst", burst=300).describe() == "pipe burst 64 B, not pinned, 300 at once"
    assert [Spec(cpus=c).placement for c in ((0, 0), (0, 1), (0, -1))] == ["same", "across", "free"]
