"""A small Debian 12 with systemd, booted in systemd-nspawn in about a second: what logins, PID 1 and boots do.

The tree is made once by mmdebstrap and kept in the user's cache. A machine is a throw-away layer over it, in a mount
namespace and in control groups of its own: nothing stays, and it dies with us. It sees its own network and IPC
settings; /proc/sys is read-only but for net.*, and /sys is: what it sets of the host would be the host's.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["Booted", "machine", "tree"]

_SOURCE = Path(__file__).resolve().parents[2] / "src"
_PACKAGES = "systemd,systemd-sysv,dbus,procps,kmod,libpam-systemd,util-linux,strace,python3-click"
_EDITION = "1"  # of the tree: another number, and it is made anew
_NSPAWN = shutil.which("systemd-nspawn") or "systemd-nspawn"  # set-up may have put it aside
_PATIENCE = 60.0  # seconds for anything, on a loaded machine
_HALT = signal.SIGRTMIN + 4  # systemd(1): halts, and so ends the container
_PARAMETERS = (
    "guest_halt_poll_ns",
    "guest_halt_poll_grow_start",
    "guest_halt_poll_grow",
    "guest_halt_poll_shrink",
    "guest_halt_poll_allow_shrink",
)


def tree() -> Path:
    """The Debian tree, made where it is missing. A missing mmdebstrap or network is a failure, not a skip."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ipctune-tests"
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = cache / f"bookworm-{_EDITION}"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests side by side want it once
        if not (made / "etc/debian_version").exists():
            _make(made)
    return made


def _make(path: Path) -> None:
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.new")
    command = ["mmdebstrap", "--variant=minbase", f"--include={_PACKAGES}", "bookworm", str(unfinished)]
    mirror = "deb http://deb.debian.org/debian bookworm main"
    done = subprocess.run([*command, mirror], capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, f"no tree for the container: {done.stderr[-2000:]}"
    # The distribution's own settings are global ones of the host, timers of apt only disturb.
    for old in (unfinished / "usr/lib/sysctl.d").glob("*.conf"):
        old.unlink()
    (unfinished / "etc/sysctl.conf").write_text("# nothing\n")
    for unit in ("apt-daily.timer", "apt-daily-upgrade.timer", "systemd-modules-load.service", "console-getty.service"):
        (unfinished / "etc/systemd/system" / unit).symlink_to("/dev/null")
    with suppress(FileExistsError, OSError):
        unfinished.rename(path)
    shutil.rmtree(unfinished, ignore_errors=True)


class Booted:
    """A machine: `run` commands in it, `reboot` it, look at its files below `root`."""

    def __init__(self, folder: Path, holder: int, groups: Sequence[Path]) -> None:
        self._folder, self._holder, self._groups = folder, holder, groups
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader = 0
        self.root = Path(f"/proc/{holder}/root{folder}/root")
        self.lease = folder / "lease"
        self.module = folder / "module/haltpoll/parameters"

    def boot(self) -> None:
        """Boot, and wait until systemd says that it is done."""
        inside = str(self._folder)
        command = [
            *("setpriv", "--pdeathsig", "KILL", "nsenter", f"--mount=/proc/{self._holder}/ns/mnt"),
            *(_NSPAWN, "--quiet", f"--directory={inside}/root", f"--machine=ipctune{os.getpid()}", "--boot"),
            *("--private-network", "--register=no", "--keep-unit", "--console=read-only", "--resolv-conf=off"),
            *(f"--bind-ro={_SOURCE}:/opt/ipctune", f"--bind-ro={Path(__file__).parent}:/opt/tests"),
            *(f"--bind={inside}/module:/sys/module", f"--bind={inside}/lease:/dev/cpu_dma_latency"),
        ]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"}
        with (self._folder / "console").open("wb") as console:
            self._nspawn = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env=environment,
                preexec_fn=self._join_groups,  # noqa: PLW1509 - no threads here
            )
        self._leader = self._await_leader()
        self.wait(
            "test -S /run/dbus/system_bus_socket && systemctl is-system-running --wait | grep -E 'running|degraded'"
        )

    def _join_groups(self) -> None:
        for group in self._groups:
            (group / "cgroup.procs").write_text(str(os.getpid()))

    def _await_leader(self) -> int:
        assert self._nspawn is not None
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children")
        limit = time.monotonic() + _PATIENCE
        while time.monotonic() < limit and self._nspawn.poll() is None:
            for child in children.read_text().split():
                with suppress(OSError):
                    if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                        return int(child)
            time.sleep(0.02)
        raise AssertionError(f"the container did not boot: {(self._folder / 'console').read_text()[-2000:]}")

    def halt(self) -> None:
        """Shut down in order."""
        self._end(_HALT)

    def crash(self) -> None:
        """End everything in it at once, as a reset does."""
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        if self._nspawn is None:
            return
        with suppress(ProcessLookupError):
            if self._leader:
                os.kill(self._leader, number)
        try:
            self._nspawn.wait(20)
        except subprocess.TimeoutExpired:
            self._nspawn.kill()
            self._nspawn.wait()
        self._nspawn, self._leader = None, 0

    def reboot(self, *, crash: bool = False) -> None:
        """Down and up again: another boot id, the same disk."""
        (self.crash if crash else self.halt)()
        self.boot()

    def run(
        self, command: str, *, check: bool = True, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a line of sh in it, as root, outside any session."""
        variables = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": "/opt/ipctune", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            ["nsenter", f"--target={self._leader}", "--all", "sh", "-c", command],
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE,
            env={**variables, **(env or {})},
            stdin=subprocess.DEVNULL,
        )
        assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def text(self, command: str) -> str:
        """What a line of sh prints."""
        return self.run(command).stdout.strip()

    def wait(self, command: str, seconds: float = _PATIENCE) -> None:
        """Until a line of sh succeeds."""
        limit = time.monotonic() + seconds
        while (done := self.run(command, check=False)).returncode:
            assert time.monotonic() < limit, f"never came true: {command}\n{done.stdout}{done.stderr}"
            time.sleep(0.1)


@contextmanager
def machine(folder: Path) -> Iterator[Booted]:
    """A booted machine with its layer in `folder`; stopped, and every mount and group of it gone, at the end."""
    (folder / "module/haltpoll/parameters").mkdir(parents=True)
    for name in _PARAMETERS:
        (folder / "module/haltpoll/parameters" / name).write_text("100000\n")
    (folder / "lease").touch()
    groups = _make_groups()
    layers = f"lowerdir={tree()},upperdir={folder}/layer/up,workdir={folder}/layer/work"
    script = (
        f"mkdir -p {folder}/layer {folder}/root && mount -t tmpfs tmpfs /run"
        f" && mount -t tmpfs tmpfs {folder}/layer && mkdir {folder}/layer/up {folder}/layer/work"
        f" && mount -t overlay overlay -o {layers} {folder}/root && echo ready && exec sleep infinity"
    )
    command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private", "sh", "-c", script]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert holder.stdout is not None
    booted = Booted(folder, holder.pid, groups)
    try:
        assert holder.stdout.readline() == b"ready\n", "the container's file system could not be mounted"
        booted.boot()
        yield booted
    finally:
        booted.crash()
        holder.kill()
        holder.wait()
        holder.stdout.close()
        _remove_groups(groups)


def _make_groups() -> list[Path]:
    """Control groups for it in the hierarchies that systemd manages: cgroup v2, and v1's named one."""
    groups = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, options, *_ = line.split()
        if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options):
            groups.append(Path(where) / f"ipctune-test-{os.getpid()}")
    for group in groups:
        group.mkdir(exist_ok=True)
    return groups


def _remove_groups(groups: Sequence[Path]) -> None:
    limit = time.monotonic() + 5
    for group in groups:
        while group.exists() and time.monotonic() < limit:
            for inner in sorted(group.rglob("*"), reverse=True):
                if inner.is_dir():
                    with suppress(OSError):
                        inner.rmdir()
            with suppress(OSError):
                group.rmdir()
            time.sleep(0.02)
