"""`ipctune trace latency` on this kernel: counts against programs that make a known number of calls."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ipctune.errors import NotPossible
from ipctune.trace import futex as locks
from ipctune.trace import graph, pipes, wakeups
from ipctune.trace.calls import CALLS, chosen, number_of
from ipctune.trace.latency import Counted, Watcher, between
from ipctune.trace.model import Called, Latencies
from ipctune.trace.whom import Whom


def can_trace() -> bool:
    """Whether this kernel and our rights allow eBPF."""
    try:
        with Watcher(Whom(pids=(os.getpid(),)), chosen(["futex"])):
            return True
    except NotPossible:
        return False


pytestmark = pytest.mark.skipif(not can_trace(), reason="no BTF, or no right to load eBPF programs")

_PREAMBLE = "import os, sys, time, socket, select, threading\nprint('ready', flush=True)\nsys.stdin.readline()\n"


@contextmanager
def program(code: str) -> Iterator[subprocess.Popen[str]]:
    """A program that waits until it is told to go."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PREAMBLE + code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def go(process: subprocess.Popen[str]) -> None:
    """Let it run to its end."""
    process.communicate("go\n", timeout=30)


def watched(code: str, *calls: str) -> Latencies:
    """What was counted of a program from its start to its end."""
    with program(code) as process, Watcher(Whom(pids=(process.pid,)), chosen(calls)) as watcher:
        before: Counted = watcher.read()
        go(process)
        return between(before, watcher.read())


def row(found: Latencies, call: str) -> Called:
    return next(one for one in found.calls if one.call == call)


def test_reads_and_writes_of_a_pipe_are_counted_and_those_of_a_file_are_not() -> None:
    found = watched(
        "r, w = os.pipe()\nf = os.open('/dev/null', os.O_WRONLY)\n"
        "for i in range(5000):\n os.write(w, b'x'); os.read(r, 1); os.write(f, b'x')\n",
        "write",
        "read",
    )
    assert row(found, "write").count == 5000
    assert 5000 <= row(found, "read").count <= 5004  # and its own standard input
    assert found.lost == 0


def test_what_a_thread_sleeps_in_a_call_is_told_from_what_it_works() -> None:
    found = watched(
        "a, b = socket.socketpair()\n"
        "def late():\n for i in range(20):\n  time.sleep(0.02); b.send(b'x')\n"
        "threading.Thread(target=late).start()\n"
        "for i in range(20):\n a.recv(1)\n",
        "recvfrom",
    )
    received = row(found, "recvfrom")
    assert received.count == 20
    assert received.asleep_ns >= 20 * 0.015 * 1e9
    assert received.asleep_ns <= received.ns
    assert received.most_ns >= 15_000_000


def test_errors_are_counted_by_errno() -> None:
    found = watched(
        "r, w = os.pipe()\nos.set_blocking(r, False)\n"
        "for i in range(300):\n"
        " try:\n  os.read(r, 1)\n"
        " except BlockingIOError:\n  pass\n",
        "read",
    )
    assert row(found, "read").errors == {"EAGAIN": 300}


def test_another_process_is_left_out_and_a_name_is_enough() -> None:
    code = "r, w = os.pipe()\nfor i in range(100):\n os.write(w, b'x')\n"
    named = "open('/proc/self/comm', 'w').write('a-name-of-mine')\n" + code
    with (
        program(code) as one,
        program(named) as two,
        Watcher(Whom(comm="a-name-of-mine"), chosen(["write"])) as watcher,
    ):
        before = watcher.read()
        go(one)
        go(two)
        found = between(before, watcher.read())
    assert [(one.pid, one.count) for one in found.calls] == [(two.pid, 100)]


def test_a_unit_or_group_that_is_not_there_is_not_possible() -> None:
    said = command("--unit", "no-such-unit", "--duration", "1")
    assert said.returncode == 3
    assert "no-such-unit" in said.stderr


def test_what_goes_through_a_pipe_is_counted_by_process_and_end() -> None:
    code = (
        "r, w = os.pipe()\n"
        "if os.fork():\n os.close(r)\n for i in range(3000): os.write(w, b'x' * 100)\n"
        "else:\n os.close(w)\n while os.read(r, 100): pass\n os._exit(0)\n"
        "os.close(w); os.wait()\n"
    )
    with program(code) as process, pipes.Watcher(Whom(pids=(process.pid,))) as watcher:
        before = watcher.read()
        go(process)
        found = pipes.between(before, watcher.read())
    flow = next(flow for flow in found.flows if any(end.bytes == 300_000 for end in flow.ends))
    assert flow.kind == "pipe"
    sender, receiver = flow.ends
    assert (sender.pid, sender.messages, sender.bytes, sender.sends) == (process.pid, 3000, 300_000, True)
    assert (receiver.messages, receiver.bytes, receiver.sends) == (3000, 300_000, False)
    assert receiver.pid != process.pid
    assert sender.fill is not None
    assert 0 <= sender.fill <= 1


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("unix", "a, b = socket.socketpair()"),
        (
            "loopback",
            "s = socket.create_server(('127.0.0.1', 0)); "
            "a = socket.create_connection(s.getsockname()); b = s.accept()[0]",
        ),
        (
            "loopback",
            "s = socket.create_server(('::1', 0), family=socket.AF_INET6); "
            "a = socket.create_connection(s.getsockname()[:2]); b = s.accept()[0]",
        ),
    ],
)
def test_both_ends_of_a_connection_are_one_object(kind: str, made: str) -> None:
    code = f"{made}\nfor i in range(400): a.send(b'y' * 50); b.recv(50)\n"
    with program(code) as process, pipes.Watcher(Whom(pids=(process.pid,))) as watcher:
        before = watcher.read()
        go(process)
        found = pipes.between(before, watcher.read())
    flow = next(flow for flow in found.flows if any(end.bytes == 20_000 for end in flow.ends))
    assert flow.kind == kind
    assert [(end.sends, end.messages) for end in flow.ends] == [(True, 400), (False, 400)]


PAIRS = """
import ctypes, mmap, struct
libc = ctypes.CDLL(None)
def two(one, other):
    pid = os.fork()
    if not pid:
        other()
        os._exit(0)
    one()
    os.waitpid(pid, 0)
    return pid
r, w = os.pipe()
told = [two(lambda: [os.write(w, b'x' * 10) for i in range(200)], lambda: [os.read(r, 10) for i in range(200)])]
a, b = socket.socketpair()
told += [two(lambda: [(a.send(b'q'), a.recv(1)) for i in range(100)], lambda: [b.send(b.recv(1)) for i in range(100)])]
e = os.eventfd(0, os.EFD_SEMAPHORE)
ring = lambda: [(os.eventfd_write(e, 1), time.sleep(0.002)) for i in range(50)]
told += [two(ring, lambda: [os.eventfd_read(e) for i in range(50)])]
m = mmap.mmap(-1, 4096)
at = ctypes.c_uint.from_buffer(m)
futex = lambda op, value: libc.syscall(%d, ctypes.byref(at), op, value, None, None, 0)
def post():
    for i in range(50):
        time.sleep(0.002); at.value += 1; futex(1, 1)
def wait():
    for i in range(50):
        while at.value == i: futex(0, i)
told += [two(post, wait)]
print(*told, flush=True)
"""


def test_pairs_that_are_there_are_in_the_graph_and_no_others() -> None:
    number = next(number_of(call) for call in CALLS if call.name == "futex")
    with program(PAIRS % number) as process, graph.Watcher(Whom(pids=(process.pid,))) as watcher:
        before = watcher.read()
        out, _ = process.communicate("go\n", timeout=30)
        found = graph.between(before, watcher.read())
    one, pipe, unix, event, futex = process.pid, *map(int, out.split())
    edges = {(edge.source, edge.target, edge.kind): edge for edge in found.edges}
    assert set(edges) == {
        (one, pipe, "pipe"),
        (one, unix, "unix"),
        (unix, one, "unix"),
        (one, event, "eventfd"),
        (one, futex, "futex"),
    }
    assert (edges[one, pipe, "pipe"].messages, edges[one, pipe, "pipe"].bytes) == (200, 2000)
    assert (edges[one, unix, "unix"].messages, edges[unix, one, "unix"].messages) == (100, 100)
    assert edges[unix, one, "unix"].wakes > 50
    # Who is not asleep yet is not woken.
    assert 20 <= edges[one, event, "eventfd"].messages <= 50
    assert 20 <= edges[one, futex, "futex"].messages <= 50
    assert {node.pid for node in found.nodes} == {one, pipe, unix, event, futex}


def test_a_wake_up_of_an_idle_vcpu_is_told_from_the_run_queue() -> None:
    sleeps = "for i in range(100): time.sleep(0.002)\n"
    with program(sleeps) as process, wakeups.Watcher(Whom(pids=(process.pid,))) as watcher:
        before = watcher.read()
        go(process)
        found = wakeups.between(before, watcher.read())
    (one,) = found.processes
    assert one.pid == process.pid
    assert 100 <= one.idle_vcpu.count + one.run_queue.count <= 130
    assert sum(vcpu.idle_vcpu.count + vcpu.run_queue.count for vcpu in found.vcpus) == (
        one.idle_vcpu.count + one.run_queue.count
    )


def test_who_is_woken_before_it_sleeps_is_no_long_wait() -> None:
    code = (
        "import ctypes\nlibc = ctypes.CDLL(None)\nt = (ctypes.c_long * 2)(0, 1)\n"
        "for i in range(8):\n"
        " for j in range(2000): libc.nanosleep(t, None)\n"
        " time.sleep(0.15)\n"
    )
    with program(code) as process, wakeups.Watcher(Whom(pids=(process.pid,))) as watcher:
        before = watcher.read()
        go(process)
        found = wakeups.between(before, watcher.read())
    (one,) = found.processes
    assert one.idle_vcpu.count + one.run_queue.count >= 8
    assert max(one.idle_vcpu.most_ns, one.run_queue.most_ns) < 100_000_000


def test_connections_without_number_are_all_counted() -> None:
    code = (
        "for i in range(6000):\n"
        " a, b = socket.socketpair()\n a.send(b'x' * 10); b.recv(10); a.close(); b.close()\n"
        " if i % 500 == 0: time.sleep(0.1)\n"
    )
    with program(code) as process, pipes.Watcher(Whom(pids=(process.pid,))) as watcher:
        before = watcher.read()
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        while process.poll() is None:
            time.sleep(0.02)
            watcher.read()
        found = pipes.between(before, watcher.read())
    sent = [end for flow in found.flows for end in flow.ends if flow.kind == "unix" and end.sends]
    assert (sum(end.messages for end in sent), sum(end.bytes for end in sent), found.lost) == (6000, 60_000, 0)


def test_what_steers_a_terminal_is_no_name() -> None:
    code = "open('/proc/self/comm', 'w').write('\\x1b[31mEVIL\\n')\nr, w = os.pipe()\nos.write(w, b'x')\n"
    found = watched(code, "write")
    assert all("\x1b" not in one.comm and "\n" not in one.comm for one in found.calls)


def test_a_call_that_a_signal_ends_is_eintr() -> None:
    code = (
        "import signal\nsignal.signal(signal.SIGALRM, lambda *_: None)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)\nr, w = os.pipe()\n"
        "threading.Timer(0.15, lambda: os.write(w, b'x')).start()\nos.read(r, 1)\n"
    )
    found = watched(code, "read")
    assert row(found, "read").errors.keys() == {"EINTR"}


CONVOY = """
import ctypes, mmap, threading
libc = ctypes.CDLL(None)
word = mmap.mmap(-1, 4096)
at = ctypes.addressof(ctypes.c_char.from_buffer(word))
futex = lambda op, value: libc.syscall(%d, ctypes.c_void_p(at), op, value, None, None, 0)
waiters = [threading.Thread(target=futex, args=(0, 0)) for _ in range(5)]
[one.start() for one in waiters]
time.sleep(0.1)
assert futex(1, 2) == 2
time.sleep(0.05)
assert futex(1, 10) == 3
[one.join() for one in waiters]
[futex(1, 1) for _ in range(7)]
[futex(0, 99) for _ in range(11)]
print(at, flush=True)
"""


def test_a_convoy_with_a_known_holder() -> None:
    number = next(number_of(call) for call in CALLS if call.name == "futex")
    with program(CONVOY % number) as process, locks.Watcher(Whom(pids=(process.pid,))) as watcher:
        before = watcher.read()
        out, _ = process.communicate("go\n", timeout=30)
        found = locks.between(before, watcher.read())
    lock = next(one for one in found.locks if one.address == int(out))
    assert (lock.slept, lock.most_waiting, lock.unslept) == (5, 5, 11)
    assert (lock.wakes, lock.woken, lock.in_vain) == (9, 5, 7)
    assert 2 * 0.1 + 3 * 0.15 <= lock.asleep_ns / 1e9 + 0.05 <= 5
    assert lock.to_run_ns is not None
    assert lock.stack


SPIN = """
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
static atomic_int taken = 1;
static volatile unsigned long sum;
__attribute__((noinline, aligned(64))) static void spin(void) { while (atomic_load(&taken)) __builtin_ia32_pause(); }
__attribute__((noinline, aligned(64))) static void work(void) { for (unsigned long i = 0;; i++) sum += i * i; }
int main(int argc, char **argv) {
    puts("ready"); fflush(stdout); getchar();
    strcmp(argv[1], "spin") ? work() : spin();
}
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the program that spins is written for x86-64")
def test_who_spins_is_told_from_who_works(tmp_path: Path) -> None:
    (tmp_path / "spin.c").write_text(SPIN)
    built = tmp_path / "spin"
    subprocess.run(["cc", "-O2", "-o", built, tmp_path / "spin.c"], check=True)
    both = [subprocess.Popen([built, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for how in ("spin", "work")]
    try:
        with locks.Watcher(Whom(pids=tuple(one.pid for one in both))) as watcher:
            before = watcher.read()
            for one in both:
                assert one.stdout is not None
                assert one.stdin is not None
                one.stdout.readline()
                one.stdin.write(b"\n")
                one.stdin.flush()
            time.sleep(1.0)
            found = locks.between(before, watcher.read())
    finally:
        for one in both:
            one.kill()
            one.communicate()
    assert [(spin.pid, spin.instruction) for spin in found.spins] == [(both[0].pid, "PAUSE")]
    assert found.spins[0].vcpu > 0.2


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ipctune", "trace", "latency", *words],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_json_is_one_object_and_lines_with_an_interval() -> None:
    said = command("--duration", "0.5", "--json")
    assert said.returncode == 0, said.stderr
    found = json.loads(said.stdout)
    assert found["seconds"] >= 0.5
    assert found["own"]["program_runs"] > 0
    lines = command("--duration", "0.6", "--interval", "0.2", "--json").stdout.splitlines()
    assert len(lines) == 3
    assert all(json.loads(line)["seconds"] < 0.5 for line in lines)


def programs() -> int:
    """eBPF programs of ours that are in the kernel."""
    from ipctune.host.bpf import loaded_programs

    return sum(one["name"] in ("call_begins", "call_ends", "task_changes") for one in loaded_programs())


def until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 5
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_nothing_stays(number: signal.Signals) -> None:
    assert until(lambda: programs() == 0)  # those of an earlier test go when the kernel has time
    process = subprocess.Popen(
        [sys.executable, "-m", "ipctune", "trace", "latency"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert until(lambda: programs() == 3)
        time.sleep(0.3)  # attached as well
        process.send_signal(number)
        out, _ = process.communicate(timeout=10)
    finally:
        process.kill()
    assert until(lambda: programs() == 0)
    if number == signal.SIGINT:
        assert process.returncode == 0
        assert b"system calls of IPC" in out
