"""A listener's queue as the kernel has it: what ss(8) prints as Recv-Q and Send-Q of a listening socket."""

import re
import shutil
import subprocess
from dataclasses import dataclass

from ipctune.workload.client import Address

__all__ = ["Queue", "parse", "queue"]


@dataclass(frozen=True, slots=True)
class Queue:
    """Connections that wait to be accepted, and how many may."""

    waiting: int
    backlog: int


_COUNT = re.compile(r"[0-9]{1,10}")


def queue(address: Address) -> Queue | None:
    """The queue of the listener there; None where ss is not installed or does not show it."""
    ss = shutil.which("ss", path="/usr/bin:/bin:/usr/sbin:/sbin")
    if ss is None:
        return None
    said = subprocess.run([ss, "-Hlnxt"], capture_output=True, text=True, errors="replace", timeout=10, check=False)
    return parse(said.stdout, address)


def parse(text: str, address: Address) -> Queue | None:
    """The same from the lines of `ss -Hlnxt`: Netid State Recv-Q Send-Q Local-Address:Port …"""
    wanted = address if isinstance(address, str) else f"{address[0]}:{address[1]}"
    for line in text.splitlines():
        words = line.split()
        if len(words) > 4 and words[4] == wanted and all(_COUNT.fullmatch(word) for word in words[2:4]):
            return Queue(int(words[2]), int(words[3]))
    return None
