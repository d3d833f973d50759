"""The core on the stock kernels of Debian 12 and 13: every mechanism, and settings that only a guest lets us set."""

from typing import Any

import pytest
from tests.vm.guest import KERNELS, run_in_guest

from ipctune.host.core import find_core

PROGRAM = """
import json, os, subprocess
os.chmod("/core", 0o755)

def core(*words):
    done = subprocess.run(["/core", *words], capture_output=True, text=True, timeout=60)
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr

def run(mechanism, *words):
    code, said, err = core("run", "--mechanism", mechanism, "--seconds", "0.05", *words)
    return [code, said["error"].get("limit") or said["error"]["name"]] if "error" in said else [code, said.get("pages")]

def write(path, text):
    try:
        with open(path, "w") as file: file.write(text)
    except OSError as error:
        return str(error)
    return ""

names = [one["name"] for one in core("mechanisms")[1]["mechanisms"]]
found = {"kernel": os.uname().release, "every": {name: run(name) for name in names}}
write("/proc/sys/vm/nr_hugepages", "8")
found["huge"] = run("memfd-futex", "--pattern", "stream", "--size", "65536", "--pages", "huge")
found["uring"] = write("/proc/sys/kernel/io_uring_disabled", "2") or run("io-uring")
print(json.dumps(found))
"""


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_mechanism_runs_or_says_what_refuses_it(kernel: str) -> None:
    found: dict[str, Any] = run_in_guest(kernel, PROGRAM, core=find_core())
    assert found["kernel"].startswith(f"{kernel}.")
    refused = {name: said for name, said in found["every"].items() if said[0] != 0}
    assert all(code == 3 for code, _ in refused.values()), refused
    assert not refused.keys() - {"process-vm-readv", "io-uring"}, refused
    assert found["huge"] == [0, "huge-hugetlb"]
    if kernel != "6.1":  # the setting came with 6.6
        assert found["uring"] == [3, "kernel.io_uring_disabled"]
