"""A child in namespaces of its own, where real errors are provoked and nothing of the host is touched."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Provoked", "provoked"]

_SCRIPT = Path(__file__).with_name("provoke.py")


@dataclass(frozen=True, slots=True)
class Provoked:
    """The child, which holds the state, and the line that it would have logged."""

    pid: int
    line: str


@contextmanager
def provoked(name: str, *arguments: str, namespaces: str = "imn") -> Iterator[Provoked]:
    """Run a function of provoke.py in new namespaces (letters of unshare(1): i IPC, m mounts, n network)."""
    enter = ["unshare", *(f"-{letter}" for letter in namespaces)] if namespaces else []
    with subprocess.Popen(
        [*enter, sys.executable, str(_SCRIPT), name, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            yield Provoked(child.pid, json.loads(child.stdout.readline()))
        finally:
            child.stdin.close()
            child.wait(10)
