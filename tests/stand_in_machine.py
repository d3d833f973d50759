"""A machine for set-up to run on: a small clone, and stand-ins for the package managers, Python and the compiler.

PATH holds the stand-ins and links to the few real tools that the scripts use, so what is not stood in is absent.
"""

import os
import pty
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Answer", "Machine", "machine", "not_root"]

_REPOSITORY = Path(__file__).resolve().parents[1]
_TOOLS = (
    *("awk", "cat", "chmod", "cksum", "cp", "dirname", "env", "find", "flock", "fold", "grep", "head", "id", "mkdir"),
    *("mv", "readlink", "rm", "sed", "sh", "sort", "tail", "tr", "ip", "ipcs", "ps", "strace", "unshare"),
    "systemd-nspawn",
)

# The interpreter: `venv` works once the file venv-works is there; it makes an environment with the stand-in below.
_PYTHON = """#!/bin/sh
stand=@STAND@
case "$*" in
    *'-c import venv, ensurepip') [ -e "$stand/venv-works" ] ;;
    *sys.version_info\\[:2\\]*) case "$*" in *'(3, 11)'*) exit 0 ;; esac; exit 1 ;;
    *'-m venv '*)
        echo "venv" >>"$stand/log"
        for folder in "$@"; do :; done
        mkdir -p "$folder/bin" && cp "$stand/environment-python" "$folder/bin/python" ;;
    *runpy*) shift 3; echo "plain: $*" ;;
esac
"""

# The environment's interpreter: plays pip, and says how `ipctune` was called.
_ENVIRONMENT_PYTHON = """#!/bin/sh
stand=@STAND@ bin=${0%/*}
case "$*" in
    *'-m pip '*' wheel '*)
        echo "pip wheel $*" >>"$stand/log"
        [ ! -e "$stand/wheel-waits" ] || cat "$stand/wheel-waits" >/dev/null
        [ ! -e "$stand/wheel-fails" ] || { echo "error: no compiler"; exit 1; }
        while [ "$1" != --wheel-dir ]; do shift; done
        mkdir -p "$2" && : >"$2/ipctune-0-py3.whl" ;;
    *'-m pip '*--force-reinstall*)
        echo "pip install ipctune" >>"$stand/log"
        [ ! -e "$stand/install-dies" ] || kill -9 "$PPID"
        printf '#!/bin/sh\\n' >"$bin/ipctune-core" && chmod +x "$bin/ipctune-core" ;;
    *'-m pip '*)
        echo "pip install requirements" >>"$stand/log"
        [ ! -e "$stand/no-network" ] || { echo "could not fetch"; exit 1; } ;;
    *'-m ipctune'*) shift 3; echo "ipctune: $*" ;;
    *'-m pytest'*) shift 2; echo "pytest: $*" ;;
    '-I - '*) cat >/dev/null; echo "click for $4" ;;
esac
"""

# Records how it was called and in which surroundings; what it would do stands in files.
_APT_GET = """#!/bin/sh
stand=@STAND@
echo "apt-get $*" >>"$stand/log"
echo "NEEDRESTART_MODE=$NEEDRESTART_MODE NEEDRESTART_SUSPEND=$NEEDRESTART_SUSPEND" \\
    "DEBIAN_FRONTEND=$DEBIAN_FRONTEND" >>"$stand/surroundings"
case " $* " in
    *' update '*) : >"$stand/lists" ;;
    *' -s '*)
        case "$*" in
            *-dev=*) [ -e "$stand/plan-pinned" ] || exit 100; cat "$stand/plan-pinned" ;;
            *) cat "$stand/plan" ;;
        esac ;;
    *' --print-uris '*) echo "Need to get 12.3 MB of archives." ;;
    *' --download-only '*) [ ! -e "$stand/lists-are-old" ] || { rm "$stand/lists-are-old"; exit 100; } ;;
    *' install '*)
        : >"$stand/compiles"; : >"$stand/venv-works"
        [ -z "$IPCTUNE_POLICY_FILE" ] || cat "$IPCTUNE_POLICY_FILE" >"$stand/policy" 2>/dev/null
        [ ! -e "$stand/apt-fails" ] || exit 100 ;;
esac
"""

_APT_CACHE = """#!/bin/sh
[ -e @STAND@/lists ] || exit 100
case "$2" in python3.1[23]*) exit 100 ;; esac
"""

_DNF = """#!/bin/sh
stand=@STAND@
echo "dnf $*" >>"$stand/log"
case "$*" in
    *--assumeno*) cat "$stand/plan"; exit 1 ;;
    *install*) : >"$stand/compiles"; : >"$stand/venv-works" ;;
esac
"""

_CC = """#!/bin/sh
[ -e @STAND@/compiles ]
"""

_NOT_ROOT = """#!/bin/sh
echo 1000
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a script said and how it ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Machine:
    """A clone with the folder of its stand-ins."""

    clone: Path
    stand: Path

    def flag(self, name: str, text: str = "") -> None:
        """Set what a stand-in looks at."""
        (self.stand / name).write_text(text, encoding="utf-8")

    def clear(self, name: str) -> None:
        """Take a flag back."""
        (self.stand / name).unlink()

    def said(self, name: str = "log") -> list[str]:
        """The lines that stand-ins recorded."""
        file = self.stand / name
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []

    def environment(self, **more: str) -> dict[str, str]:
        """The variables a script runs with."""
        return {
            "PATH": str(self.stand / "bin"),
            "HOME": str(self.stand / "home"),
            "IPCTUNE_PYTHON_DIRS": "",
            "CC": "cc",
            **more,
        }

    def call(self, *words: str, **more: str) -> Answer:
        """Run a script of the clone without a terminal."""
        done = subprocess.run(
            ["/bin/sh", *words],
            cwd=self.clone,
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def call_on_terminal(self, *words: str, types: str) -> Answer:
        """Run a script of the clone on a terminal where a user types `types`."""
        ours, its = pty.openpty()
        os.write(ours, types.encode())
        process = subprocess.Popen(
            ["/bin/sh", *words],
            cwd=self.clone,
            env=self.environment(),
            stdin=its,
            stdout=subprocess.PIPE,
            stderr=its,
            text=True,
        )
        os.close(its)
        out, _ = process.communicate()
        return Answer(process.returncode, out, _drain(ours))


def machine(folder: Path, manager: str = "apt-get") -> Machine:
    """A fresh machine below `folder`: no compiler, a Python 3.11 without venv, apt lists present."""
    stand, clone = folder / "stand", folder / "clone"
    for made in (stand / "bin", stand / "home", clone / "src" / "ipctune", clone / "native"):
        made.mkdir(parents=True)
    for name in ("pyproject.toml", "meson.build", "src/ipctune/a.py", "native/a.c", "native/b.c"):
        (clone / name).write_text("one\n", encoding="utf-8")
    for name in ("run", "test"):
        shutil.copy2(_REPOSITORY / name, clone / name)
    shutil.copytree(_REPOSITORY / "tools" / "setup", clone / "tools" / "setup")
    for name in _TOOLS:
        if found := shutil.which(name):
            (stand / "bin" / name).symlink_to(found)
    result = Machine(clone, stand)
    _stand_in(result, "python3.11", _PYTHON)
    _stand_in(result, "cc", _CC)
    _stand_in(result, "../environment-python", _ENVIRONMENT_PYTHON)
    if manager == "apt-get":
        _stand_in(result, "apt-get", _APT_GET)
        _stand_in(result, "apt-cache", _APT_CACHE)
    elif manager == "dnf":
        _stand_in(result, "dnf", _DNF)
    result.flag("lists")
    result.flag("plan", "Inst gcc (12 Debian:12 [amd64])\nInst libc6-dev (2.36-9 Debian:12 [amd64])\n")
    return result


def not_root(there: Machine) -> None:
    """From now on `id -u` says 1000."""
    (there.stand / "bin" / "id").unlink()
    _stand_in(there, "id", _NOT_ROOT)


def _stand_in(there: Machine, name: str, text: str) -> None:
    file = there.stand / "bin" / name
    file.write_text(text.replace("@STAND@", str(there.stand)), encoding="utf-8")
    file.chmod(0o755)


def _drain(terminal: int) -> str:
    parts = []
    try:
        while part := os.read(terminal, 65536):
            parts.append(part)
    except OSError:  # the other end is closed
        pass
    os.close(terminal)
    return b"".join(parts).decode()
