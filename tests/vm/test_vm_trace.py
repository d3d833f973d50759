"""Every eBPF program loads on the stock kernels of Debian 12 and 13, and counts what is there."""

from typing import Any

import pytest
from tests.vm.guest import KERNELS, run_in_guest

PROGRAM = """
import json, os, struct, time
from ipctune.trace import calls, futex, graph, latency, pipes, wakeups
from ipctune.trace.whom import Whom

def pair(messages):
    r, w = os.pipe()
    pid = os.fork()
    if not pid:
        while os.read(r, 64): pass
    os.close(r)
    for _ in range(messages):
        os.write(w, b"x" * 64)
    os.close(w)
    return pid

def child(work):
    r, w = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(w); os.read(r, 1); work(); os._exit(0)
    os.close(r)
    return pid, w

def counted(module, work, *words):
    pid, go = child(work)
    with module.Watcher(Whom(pids=(pid,)), *words) as watcher:
        before = watcher.read()
        os.write(go, b"g")
        os.waitpid(pid, 0)
        return module.between(before, watcher.read())

def talk():
    r, w = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(w)
        while os.read(r, 64): pass
        os._exit(0)
    os.close(r)
    for _ in range(500):
        os.write(w, b"x" * 64)
    os.close(w)
    os.waitpid(pid, 0)

def sleep():
    for _ in range(20):
        time.sleep(0.01)

found = {"kernel": os.uname().release}
took = counted(latency, talk, calls.chosen(["write"]))
found["writes"] = [row.count for row in took.calls]
found["runs"] = took.own.program_runs
flows = counted(pipes, talk).flows
ends = [end for flow in flows for end in flow.ends if end.bytes == 32000]
found["moved"] = sorted((end.sends, end.messages, end.bytes) for end in ends)
edges = counted(graph, talk).edges
found["edges"] = [(edge.kind, edge.messages, edge.bytes) for edge in edges if edge.bytes == 32000]
woken = counted(wakeups, sleep).processes
found["wakes"] = [one.idle_vcpu.count + one.run_queue.count for one in woken]
locks = counted(futex, sleep)
found["futex"] = [locks.lost, list(locks.missing)]
print(json.dumps(found))
"""


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_program_loads_and_counts(kernel: str) -> None:
    found: dict[str, Any] = run_in_guest(kernel, PROGRAM)
    assert found["kernel"].startswith(f"{kernel}.")
    assert 500 in found["writes"]
    assert found["runs"] > 0
    assert found["moved"] == [[False, 500, 32000], [True, 500, 32000]]
    assert found["edges"] == [["pipe", 500, 32000]]
    assert found["wakes"]
    assert found["wakes"][0] >= 20
    assert found["futex"] == [0, []]
