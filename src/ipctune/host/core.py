"""What is no file: CPUID, clock cost and jitter from `ipctune-core facts`, and a few system calls.

For a recorded machine all of it comes from `facts.json` at the top of the tree, and nothing is run.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ipctune.host.polltime import idle_vcpus
from ipctune.host.root import Root

__all__ = ["FACTS", "Facts", "find_core", "read_facts"]

FACTS = "/facts.json"
_NAME = "ipctune-core"
_STEAL_SECONDS = 0.3
_TIMEOUT = 15
_SADF = ("/usr/bin/sadf", "/usr/lib/sysstat/sadf", "/usr/local/bin/sadf")
_SA_FOLDERS = ("/var/log/sysstat", "/var/log/sa")

T = TypeVar("T", bool, int, float, str)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the core (`data`) and this process (`data["observed"]`) told. `why` says what is missing."""

    data: Mapping[str, object]
    core: bool
    why: str = ""

    def value(self, kind: type[T], *keys: str) -> T | None:
        """The value below `keys` if it is of `kind`; whole numbers count as float, bool never as int."""
        found = self.dig(*keys)
        if kind is float and isinstance(found, int) and not isinstance(found, bool):
            return kind(found)
        wrong_bool = isinstance(found, bool) and kind is not bool
        return found if isinstance(found, kind) and not wrong_bool else None

    def dig(self, *keys: str) -> object:
        """Whatever is below `keys`, or None."""
        found: object = self.data
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found


def find_core() -> Path | None:
    """The measuring core: `IPCTUNE_CORE`, else beside this interpreter. Never searched for in PATH."""
    chosen = os.environ.get("IPCTUNE_CORE")
    if chosen:
        return Path(chosen) if os.access(chosen, os.X_OK) else None
    for folder in (Path(sys.executable).parent, _scripts()):
        if folder and os.access(folder / _NAME, os.X_OK):
            return folder / _NAME
    return None


def _scripts() -> Path | None:
    """Where this interpreter's commands are installed; None where Python itself is not complete."""
    try:
        import sysconfig

        return Path(sysconfig.get_path("scripts"))
    except (ImportError, KeyError):
        return None


def read_facts(root: Root, *, quick: bool = False) -> Facts:
    """The facts of `root`: asked for on the live machine, read from `facts.json` otherwise.

    `quick` leaves out what takes time: the core's timings, the second look at steal, sysstat.
    """
    facts = _live(root, quick) if root.live else _recorded(root)
    root.told = facts.data
    return facts


def _live(root: Root, quick: bool) -> Facts:
    data, why = _run_core()
    return Facts({**data, "observed": _observe(root, quick)}, bool(data), why)


def _recorded(root: Root) -> Facts:
    text = root.text(FACTS, 1 << 22)
    try:
        data = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        data = {}
    data = data if isinstance(data, dict) else {}
    core = any(key not in ("observed", "unreadable") for key in data)
    return Facts(data, core, "" if core else "the recording was made without the core")


def _run_core() -> tuple[dict[str, object], str]:
    core = find_core()
    if core is None:
        return {}, "needs the core, which is not built here"
    try:
        done = subprocess.run(
            [core, "facts"], capture_output=True, timeout=_TIMEOUT, check=True, stdin=subprocess.DEVNULL
        )
        data = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return {}, f"the core could not tell: {type(error).__name__}"
    return (data, "") if isinstance(data, dict) else ({}, "the core's answer can't be read")


def _observe(root: Root, quick: bool) -> dict[str, object]:
    """What we see by system calls, in the form in which a recording keeps it."""
    observed: dict[str, object] = {"page": os.sysconf("SC_PAGE_SIZE"), "machine": os.uname().machine}
    _quietly(lambda: observed.update(shm=_used("/dev/shm")))
    _quietly(lambda: observed.update(cpu_dma_latency=_latency_request()))
    if not quick:
        before = root.text("/proc/stat", 1 << 20)
        polled = idle_vcpus(_STEAL_SECONDS)
        if polled is not None:
            observed["polled_vcpus"] = round(polled, 3)
        _quietly(lambda: observed.update(stat=[_first(before), _first(_now("/proc/stat"))]))
        history = _history(root)
        if history is not None:
            observed["sadf"] = history
    return observed


def _used(path: str) -> dict[str, int]:
    about = os.statvfs(path)
    return {"total": about.f_blocks * about.f_frsize, "used": (about.f_blocks - about.f_bfree) * about.f_frsize}


def _latency_request() -> int:
    """The strictest request in µs. Opening asks for the default, which is no request, and ends at once."""
    fd = os.open("/dev/cpu_dma_latency", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return int.from_bytes(os.read(fd, 4), sys.byteorder, signed=True)
    finally:
        os.close(fd)


def _first(text: str | None) -> str:
    return (text or "").partition("\n")[0]


def _now(path: str) -> str:
    with Path(path).open(encoding="ascii", errors="replace") as file:
        return file.readline()


def _history(root: Root) -> list[dict[str, object]] | None:
    """Steal of today and yesterday from sysstat's own files, by its own tool; None where not kept."""
    files = [f"{folder}/{name}" for folder in _SA_FOLDERS for name in root.names(folder, "sa[0-9]*")]
    tool = next((path for path in _SADF if os.access(path, os.X_OK)), None)
    if tool is None or not files:
        return None
    rows: list[dict[str, object]] = []
    for path in sorted(files, key=_modified)[-2:]:
        rows += _sadf(tool, path)
    return rows


def _modified(path: str) -> float:
    try:
        return Path(path).stat().st_mtime
    except OSError:
        return 0.0


def _sadf(tool: str, path: str) -> list[dict[str, object]]:
    try:
        done = subprocess.run(
            [tool, "-j", path, "--", "-u"],
            capture_output=True,
            timeout=5,
            check=True,
            stdin=subprocess.DEVNULL,
            env={"LC_ALL": "C"},
        )
        return sadf_rows(json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError):
        return []


def sadf_rows(data: object) -> list[dict[str, object]]:
    """Hour and steal of each sample in the output of `sadf -j … -- -u`; what is odd is left out."""
    rows: list[dict[str, object]] = []
    try:
        samples = data["sysstat"]["hosts"][0]["statistics"]  # type: ignore[index]
        for sample in samples:
            when = sample["timestamp"]
            total = next(cpu for cpu in sample["cpu-load"] if cpu["cpu"] in ("all", "-1", -1))
            hour = f"{when['date']} {when['time'][:2]}"
            rows.append({"hour": hour, "steal": float(total["steal"])})
    except (KeyError, IndexError, TypeError, ValueError, StopIteration):
        pass
    return rows


def _quietly(action: Callable[[], object]) -> None:
    try:
        action()
    except OSError:
        return
