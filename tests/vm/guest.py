"""Stock Debian kernels in QEMU, without hardware virtualisation: fifteen times slower, so they prove that it is right.

A guest has everything in its initial RAM file system, a small Debian 12 with Python and what a test adds, and so needs
no module and no disk. Kernels and the tree are made once by mmdebstrap and kept in the user's cache. A test is a Python
program that prints one object of JSON; then the guest is switched off.
"""

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["KERNELS", "run_in_guest"]

KERNELS = {"6.1": "bookworm", "6.12": "trixie"}
"""Stock kernels by the Debian release whose cloud image they are."""
_ROOT = Path(__file__).resolve().parents[2]
_EDITION = "1"  # of the tree: another number, and it is made anew
_PATIENCE = 300.0
_SUPERFLUOUS = (
    *("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/i18n", "usr/lib/x86_64-linux-gnu/gconv"),
    *(
        "usr/share/perl",
        "usr/lib/x86_64-linux-gnu/perl-base",
        "var/lib/apt",
        "var/cache",
        "var/lib/dpkg",
        "usr/lib/apt",
    ),
    *("usr/share/zoneinfo", "usr/lib/python3.11/test", "usr/lib/python3.11/idlelib", "usr/bin/perl"),
)
_INIT = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mount -t tmpfs tmp /tmp
ip link set lo up 2>/dev/null
echo 'begin of output'
PYTHONPATH=/ipctune PYTHONDONTWRITEBYTECODE=1 python3 /test.py 2>&1
echo 'end of output'
python3 -c 'import ctypes; ctypes.CDLL(None).reboot(0x4321fedc)'
"""


def run_in_guest(kernel: str, program: str, *, vcpus: int = 2, core: Path | None = None) -> Any:
    """What the program printed in a guest with that kernel, decoded; a guest that does not say it fails the test.

    `core` is the measuring core, which is found there as /core.
    """
    with tempfile.TemporaryDirectory(prefix="ipctune-vm-") as folder:
        added = Path(folder) / "added"
        _write(added, {"init": _INIT, "test.py": program})
        (added / "init").chmod(0o755)
        if core is not None:
            shutil.copy2(core, added / "core")
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(_ROOT / "src" / "ipctune", added / "ipctune" / "ipctune", ignore=ignored)
        initial = Path(folder) / "initrd"
        with initial.open("wb") as file:
            file.write(_tree().read_bytes())
            file.write(_cpio(added))
        said = _boot(_kernel(kernel), initial, vcpus)
    _, begun, rest = said.partition("begin of output")
    text, ended, _ = rest.partition("end of output")
    assert begun, f"the guest did not start: {said[-2000:]}"
    assert ended, f"the guest did not come to its end: {rest[-2000:]}"
    lines = [line for line in text.splitlines() if line.startswith("{")]
    assert lines, f"the program said nothing that can be read: {text[-2000:]}"
    return json.loads(lines[-1])


def _boot(kernel: Path, initial: Path, vcpus: int) -> str:
    qemu = shutil.which("qemu-system-x86_64")
    assert qemu is not None, "qemu-system-x86_64 is missing: ./test --vm installs it"
    command = [qemu, "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", str(vcpus), "-m", "1024", "-nodefaults"]
    command += ["-no-reboot", "-display", "none", "-serial", "stdio", "-kernel", str(kernel), "-initrd", str(initial)]
    command += ["-append", "console=ttyS0 quiet panic=-1 rdinit=/init"]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_PATIENCE,
        check=False,
    )
    return done.stdout + done.stderr


def _write(folder: Path, files: Mapping[str, str]) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def _cpio(folder: Path) -> bytes:
    names = [".", *sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))]
    done = subprocess.run(
        ["cpio", "--create", "--format=newc", "--quiet"],
        cwd=folder,
        input="\n".join(names).encode(),
        capture_output=True,
        check=True,
    )
    return done.stdout


def _cache() -> Path:
    found = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ipctune-tests"
    found.mkdir(mode=0o700, parents=True, exist_ok=True)
    return found


def _debootstrap(*words: str, suite: str, target: Path) -> None:
    mirror = f"deb http://deb.debian.org/debian {suite} main"
    command = ["mmdebstrap", *words, "--architectures=amd64", suite, str(target), mirror]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, f"no tree for the guest: {done.stderr[-2000:]}"


def _tree() -> Path:
    """The Debian tree as an archive of the kind that a kernel unpacks."""
    made = _cache() / f"guest-{_EDITION}.cpio"
    with (_cache() / "guest.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            with tempfile.TemporaryDirectory(prefix="ipctune-vm-") as folder:
                root = Path(folder) / "root"
                _debootstrap("--variant=minbase", "--include=python3,iproute2", suite="bookworm", target=root)
                for name in _SUPERFLUOUS:
                    path = root / name
                    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
                unfinished = made.with_suffix(".new")
                unfinished.write_bytes(_cpio(root))
                unfinished.rename(made)
    return made


def _kernel(name: str) -> Path:
    """The image of a stock kernel: its package is unpacked, not installed."""
    made = _cache() / f"vmlinuz-{name}"
    with (_cache() / "guest.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            with tempfile.TemporaryDirectory(prefix="ipctune-vm-") as folder:
                root = Path(folder) / "root"
                words = ("--variant=extract", "--include=linux-image-cloud-amd64")
                _debootstrap(*words, suite=KERNELS[name], target=root)
                (image,) = (root / "boot").glob("vmlinuz-*")
                shutil.copyfile(image, made.with_suffix(".new"))
                made.with_suffix(".new").rename(made)
    return made
