"""What makes a setting last: small files in the conventional places, which need neither Python nor the clone.

sysctl.d(5), tmpfiles.d(5), modules-load.d(5), modprobe.d(5), systemd.service(5). The names are fixed here; no
journal and no argument can name another file.
"""

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ipctune.errors import NotPossible
from ipctune.knobs.files import FilePart
from ipctune.knobs.model import Kind, Knob, Lasting, Value
from ipctune.knobs.registry import KNOBS

__all__ = [
    "FILES",
    "MODPROBE",
    "MODULES",
    "SYSCTL",
    "TMPFILES",
    "TOOLS",
    "UNIT",
    "Plan",
    "files_there",
    "plan_files",
    "remove_files",
    "tool",
    "write_files",
]

SYSCTL = "/etc/sysctl.d/90-ipctune.conf"
TMPFILES = "/etc/tmpfiles.d/90-ipctune.conf"
MODULES = "/etc/modules-load.d/ipctune.conf"
MODPROBE = "/etc/modprobe.d/ipctune.conf"
UNIT = "/etc/systemd/system/ipctune-cpu-dma-latency.service"
_WANTED = "/etc/systemd/system/multi-user.target.wants/ipctune-cpu-dma-latency.service"
_WRITTEN = (SYSCTL, TMPFILES, MODULES, MODPROBE, UNIT)


def _aside(path: str) -> str:
    """Where a file is written before it is renamed; no reader of these folders takes that name."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.new"


FILES = (*_WRITTEN, _WANTED, *map(_aside, _WRITTEN))
"""Everything that a commit may leave, also one that was killed half-way. The unit comes before its link."""

TOOLS = "/usr/sbin:/usr/bin:/sbin:/bin"
"""Where systemd's programs are looked for: root runs nothing that the caller's PATH names."""
_PATIENCE = 10.0  # seconds for a unit to start on a loaded machine

_HEADER = "# Written by `ipctune commit`; `ipctune revert` removes it.\n"


@dataclass(frozen=True, slots=True)
class Plan:
    """The files that a commit writes, by path, and what can't be made to last here, in words."""

    files: dict[str, str]
    missing: tuple[str, ...]


def plan_files(kept: Mapping[str, Value], *, systemd: bool) -> Plan:
    """What makes these settings last. `systemd`: whether it runs here; without it only sysctl.d is applied at boot."""
    lines: dict[str, list[str]] = {}
    missing = []
    for name, value in kept.items():
        means = KNOBS[name].lasting
        if means is Lasting.NONE or (not systemd and means is not Lasting.SYSCTL):
            missing.append(f"{KNOBS[name].title}: {_why_missing(KNOBS[name])}")
            continue
        for path, line in _lines(name, value, means):
            lines.setdefault(path, []).append(line)
    files = {path: ("" if path == UNIT else _HEADER) + "".join(text) for path, text in lines.items()}
    return Plan(files, tuple(missing))


def _why_missing(knob: Knob) -> str:
    if knob.lasting is Lasting.NONE and knob.kind is Kind.LEASE:
        return "held by our own process until revert or reboot: nothing conventional can hold it"
    if knob.lasting is Lasting.NONE:
        return "no conventional file sets it at boot: it holds until revert or reboot"
    return f"needs systemd ({knob.lasting}), which does not run here: it holds until revert or reboot"


def _lines(name: str, value: Value, means: Lasting) -> list[tuple[str, str]]:
    if means is Lasting.UNIT:
        return [(UNIT, _unit(int(value["latency_us"])))]
    if means is Lasting.MODULE:
        return [(MODULES, "cpuidle_haltpoll\n"), (MODPROBE, "options cpuidle_haltpoll force=1\n")]
    if means is Lasting.SYSCTL:
        return [(SYSCTL, f"{key} = {text}\n") for key, text in value.items()]
    parts = KNOBS[name].parts()
    files = {key: part.path for key, part in parts.items() if isinstance(part, FilePart) and key in value}
    return [(TMPFILES, f"w {path} - - - - {value[key]}\n") for key, path in files.items()]


def _unit(latency_us: int) -> str:
    octal = "".join(f"\\\\{byte:03o}" for byte in latency_us.to_bytes(4, "little", signed=True))
    return f"""\
# Written by `ipctune commit`; `ipctune revert` removes it.
[Unit]
Description=Wake-up latency request of {latency_us} us (ipctune): every idle vCPU polls

[Service]
ExecStart=/bin/sh -c "exec 3>/dev/cpu_dma_latency && printf '{octal}' >&3 && exec sleep infinity"
Restart=on-failure

[Install]
WantedBy=multi-user.target
"""


def write_files(plan: Plan, root: Path = Path("/")) -> None:
    """Write them durably, and start what has to be held. Raises NotPossible.

    Nothing is left half done then; what can't even be removed is named (see `files_there`).
    """
    try:
        for name, text in plan.files.items():
            _write(root, name, text)
        if UNIT in plan.files and root == Path("/"):
            _systemctl("daemon-reload")
            _systemctl("enable", "--now", "--quiet", Path(UNIT).name)
            _await_holder()
    except (OSError, NotPossible) as error:
        why = error.what if isinstance(error, NotPossible) else f"{error.filename} can't be written: {error.strerror}"
        try:
            remove_files(root)
        except NotPossible as more:
            raise NotPossible(f"{why}; {more.what}", hint=more.hint) from error
        raise NotPossible(why, hint=error.hint if isinstance(error, NotPossible) else "") from error


def files_there(root: Path = Path("/")) -> list[str]:
    """The files of a commit, whosever, that are on the disk."""
    return [name for name in FILES if os.path.lexists(root / name.lstrip("/"))]


def remove_files(root: Path = Path("/")) -> list[str]:
    """Remove what a commit wrote; returns the paths that were there.

    Raises NotPossible, after all that can go is gone, where one can't be removed or the unit's process still runs.
    """
    there = files_there(root)
    has_unit = root == Path("/") and (UNIT in there or _WANTED in there)
    if has_unit:
        _systemctl("disable", "--now", "--quiet", Path(UNIT).name, check=False)
    stuck = [why for name in there if (why := _unlink(root / name.lstrip("/")))]
    if has_unit:
        _systemctl("daemon-reload", check=False)
        _systemctl("reset-failed", "--quiet", Path(UNIT).name, check=False)
        if _systemctl("is-active", "--quiet", Path(UNIT).name, check=False):
            raise NotPossible(f"{Path(UNIT).name} does not stop", hint=f"systemctl kill {Path(UNIT).name}")
    if stuck:
        raise NotPossible(
            f"of a commit, can't be removed: {'; '.join(stuck)}",
            hint="root can, where /etc can be written: ipctune revert, once more",
        )
    return there


def _unlink(path: Path) -> str:
    """Why the file can't be removed; empty where it is gone."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        return f"{path} ({error.strerror})"
    return ""


def tool(name: str) -> str | None:
    """One of the system's own programs, or None; the caller's PATH has no say."""
    return shutil.which(name, path=TOOLS)


def _write(root: Path, name: str, text: str) -> None:
    """Anyone may read these files, and nobody else write them or their folder, whatever our umask."""
    path, aside = root / name.lstrip("/"), root / _aside(name).lstrip("/")
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    aside.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(aside, flags, 0o644), "w") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _await_holder() -> None:
    """Wait until the unit's shell has become `sleep`, which it does once the request is in force.

    systemd calls the unit started as soon as the shell runs: the watchdog must not let go before.
    """
    limit = time.monotonic() + _PATIENCE
    while time.monotonic() < limit and not _systemctl("is-failed", "--quiet", Path(UNIT).name, check=False):
        if _main_program() == "sleep":
            return
        time.sleep(0.02)
    raise NotPossible(f"{Path(UNIT).name} does not hold its request", hint=f"journalctl -u {Path(UNIT).name}")


def _main_program() -> str:
    import subprocess

    command = [tool("systemctl") or "systemctl", "show", "--property=MainPID", "--value", Path(UNIT).name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        return (Path("/proc") / done.stdout.strip() / "comm").read_text().strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _systemctl(*arguments: str, check: bool = True) -> bool:
    """Whether it succeeded. Raises NotPossible with its own words where `check` and it did not."""
    import subprocess  # not at the top: the watchdog stays small

    program = tool("systemctl")
    if program is None:
        if check:
            raise NotPossible("systemctl is not here")
        return False
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        if check:
            raise NotPossible(f"systemctl {arguments[0]}: {error}") from error
        return False
    if check and done.returncode:
        raise NotPossible(f"systemctl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.returncode == 0
