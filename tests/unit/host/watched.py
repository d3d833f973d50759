"""Machines at two moments, as files, and rates made by hand: what `watch` reads and what it finds."""

from dataclasses import dataclass, field, replace
from typing import Any

from tests.trees.make import root_of

from ipctune.host.look import look
from ipctune.host.model_watch import DiskRates, ProgramRates, Rates, VcpuRates
from ipctune.host.rates import rates

__all__ = ["Moment", "Thread", "between", "made_rates"]

_CPU = "/sys/devices/system/cpu"
_OTHER = "0 0 0 0 0"
_ZEROS = " ".join(["0"] * 8)


@dataclass(frozen=True, slots=True)
class Thread:
    """One thread as /proc shows it. Times in ns."""

    pid: int
    name: str = "redis"
    tid: int = 0
    parent: int = 1
    state: str = "S"
    flags: int = 0
    started: int = 100
    cpu: int = 0
    policy: int = 0
    ran: int = 0
    waited: int = 0
    switches: int = 0

    def stat(self) -> str:
        tid = self.tid or self.pid
        before = f"{tid} ({self.name}) {self.state} {self.parent} 1 1 0 -1 {self.flags} {_ZEROS} 20 0 1 0"
        return f"{before} {self.started} {' '.join(['0'] * 16)} {self.cpu} 0 {self.policy} 0 0 0\n"

    def files(self) -> dict[str, str]:
        folder = f"/proc/{self.pid}/task/{self.tid or self.pid}"
        own = {f"/proc/{self.pid}/stat": self.stat()} if not self.tid else {}
        return own | {
            f"{folder}/stat": self.stat(),
            f"{folder}/schedstat": f"{self.ran} {self.waited} 7\n",
            f"{folder}/status": f"Name:\t{self.name}\nvoluntary_ctxt_switches:\t{self.switches}\n",
        }


@dataclass(frozen=True, slots=True)
class Moment:
    """Counts since boot of a machine with two vCPUs; process 9 is we ourselves.

    `ticks` are user, nice, system, idle, iowait, irq, softirq and steal of each vCPU.
    """

    ticks: tuple[tuple[int, ...], tuple[int, ...]] = ((0,) * 8, (0,) * 8)
    halts: tuple[int, int] | None = (0, 0)
    idle_us: int = 0
    ipis: tuple[int, int] | None = (0, 0)
    swap_in: int = 0
    swap_out: int = 0
    pressure: dict[str, int] = field(default_factory=dict)
    disk: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)  # requests, sectors, request ms, busy ms, flushes
    run_delay: int | None = None
    threads: tuple[Thread, ...] = ()

    def files(self) -> dict[str, str]:
        """Everything as files."""
        cpus = "".join(f"cpu{i} {' '.join(map(str, row))} 0 0\n" for i, row in enumerate(self.ticks))
        requests, sectors, request_ms, busy_ms, flushes = self.disk
        files = {
            "/proc/stat": f"cpu  1 2 3 4 5 6 7 8\n{cpus}ctxt {sum(t.switches for t in self.threads)}\nbtime 1\n",
            "/proc/vmstat": f"nr_free 5\npswpin {self.swap_in}\npswpout {self.swap_out}\npgmajfault 3\n",
            "/proc/self/status": "Name:\tpython\nPid:\t9\n",
            "/proc/diskstats": f"254 0 vda {requests} 0 {sectors} {request_ms} 0 0 0 0 0 {busy_ms} {_OTHER} {flushes} 0"
            "\n254 1 vda1 900000 0 900000 0 0 0 0 0 0 900000 0\n7 0 loop0 900000 0 0 0 0 0 0 0 0 900000 0\n",
            "/sys/block/vda/size": "1\n",
            f"{_CPU}/online": "0-1\n",
        }
        files |= {f"/proc/pressure/{name}": f"some avg10=0.00 total={us}\n" for name, us in self.pressure.items()}
        if self.run_delay is not None:
            files["/proc/schedstat"] = f"version 15\ntimestamp 1\ncpu0 0 0 0 0 0 0 5 {self.run_delay} 9\ndomain0 3 1\n"
        if self.ipis is not None:
            lines = (f"{name} {counts[0]} {counts[1]} {words}\n" for name, counts, words in self._interrupts())
            files["/proc/interrupts"] = f"           CPU0       CPU1\n{''.join(lines)}"
        for cpu, halts in enumerate(self.halts or ()):
            files |= _state(f"{_CPU}/cpu{cpu}/cpuidle/state0", "POLL", 77777, 9)
            files |= _state(f"{_CPU}/cpu{cpu}/cpuidle/state1", "HLT", halts, self.idle_us)
        for thread in (Thread(1, "init"), Thread(9, "python"), *self.threads):
            files |= thread.files()
        return files

    def _interrupts(self) -> list[tuple[str, tuple[int, int], str]]:
        a, b = self.ipis or (0, 0)
        return [
            ("LOC:", (9999, 9999), "Local timer interrupts"),
            ("RES:", (a // 2, b // 2), "Rescheduling interrupts"),
            ("CAL:", (a - a // 2, b - b // 2), "Function call interrupts"),
        ]


def _state(folder: str, name: str, usage: int, us: int) -> dict[str, str]:
    return {f"{folder}/name": f"{name}\n", f"{folder}/usage": f"{usage}\n", f"{folder}/time": f"{us}\n"}


def between(before: Moment, after: Moment, seconds: float = 10.0) -> Rates:
    """The rates between two moments."""
    first, second = look(root_of(before.files()), 5.0), look(root_of(after.files()), 5.0 + seconds, first=False)
    found = rates(first, second)
    assert found is not None
    return found


def made_rates(**changes: Any) -> Rates:
    """A machine that talks: 1,240 wake-ups a second of a sleeping vCPU, nothing else to see."""
    vcpu = VcpuRates(0, 0.1, 0.0, 0.0, 700.0, 620.0)
    made = Rates(
        seconds=10.0,
        vcpus=(vcpu, replace(vcpu, cpu=1)),
        context_switches=4000.0,
        halts=1400.0,
        wakes=1240.0,
        halted_ns=1_000_000.0,
        programs=(ProgramRates("redis-server", 1, 1200.0, 0.2, 0.1), ProgramRates("php-fpm", 4, 40.0, 0.2, 0.1)),
        busiest_program="redis-server",
        busiest_thread=0.1,
        full_threads=0,
        run_wait_ms=0.4,
        swap_in=0.0,
        swap_out=0.0,
        major_faults=0.0,
        pressure=(),
        disks=(DiskRates("vda", 0.01, 3.0, 4096.0, 0.2, 0.0),),
        blocked=(),
        complete=True,
        steal_reported=True,
    )
    return replace(made, **changes)
