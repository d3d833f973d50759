"""A recording of a machine: what was read, packed as a tree that `--root` takes, secrets and addresses left out."""

import errno
import io
import json
import os
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

from ipctune.errors import NotPossible
from ipctune.host.boot_parameters import parse
from ipctune.host.core import FACTS
from ipctune.host.root import Root
from ipctune.host.scrub import clean, settings_only

__all__ = ["record", "recorded_files"]

_STATUS = ("Name", "Pid:", "Uid", "VmSize", "VmLck", "Cap", "NoNewPrivs", "Seccomp", "Cpus_allowed_list")
_MOUNTS = ("proc", "sysfs", "tmpfs", "cgroup", "cgroup2", "mqueue", "hugetlbfs", "overlay", "aufs", "fuse.lxcfs")
_OS = ("NAME", "ID", "VERSION_ID", "PRETTY_NAME")
_LINKS = re.compile(r"pipe:\[\d+\]|socket:\[\d+\]|pid:\[\d+\]|anon_inode:.*|/dev/cpu_dma_latency")
_ABSENT = (errno.ENOENT, errno.ENOTDIR)


def record(root: Root, path: Path) -> int:
    """Pack everything that `root` has read so far into the tar.gz `path` (mode 0600); how many files.

    Raises NotPossible where it can't be written.
    """
    files, links = recorded_files(root)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(path, flags, 0o600), "wb") as out:
            os.fchmod(out.fileno(), 0o600)
            with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
                _pack(archive, files, links)
    except OSError as error:
        raise NotPossible(f"{path} can't be written: {error.strerror or error}", hint="name another file") from error
    return len(files) + len(links)


def recorded_files(root: Root) -> tuple[dict[str, bytes], dict[str, str]]:
    """Files and links of the recording, by absolute path."""
    hostname = root.line("/proc/sys/kernel/hostname")
    files = {
        _path(path, hostname): _content(path, data.decode("utf-8", "replace"), hostname).encode()
        for path, data in root.reads.items()
        if path != FACTS
    }
    files = {path: data for path, data in files.items() if not _kernel_thread(path, data)}
    links = {path: target if _LINKS.fullmatch(target) else "left-out" for path, target in root.links.items()}
    _add_names(root, files, links, hostname)
    unreadable = {_path(path, hostname): code for path, code in root.errors.items() if code not in _ABSENT}
    told = {**root.told, "unreadable": unreadable}
    files[FACTS] = json.dumps(told, indent=1, sort_keys=True).encode()
    return files, links


def _add_names(root: Root, files: dict[str, bytes], links: dict[str, str], hostname: str | None) -> None:
    """Names that were listed and never read become empty files, so that a listing comes out the same."""
    have = {*files, *links}
    folders = {parent for path in have for parent in _parents(path)}
    for folder, names in root.lists.items():
        for name in _shown(folder, names):
            path = _path(f"{folder.rstrip('/')}/{name}", hostname)
            if path not in have and path not in folders:
                files[path] = b""


def _shown(folder: str, names: tuple[str, ...]) -> list[str]:
    """The names to keep: of queues how many they are, of processes those whose files are kept."""
    if folder == "/dev/mqueue":
        return [f"queue-{i}" for i, _ in enumerate(names)]
    return [name for name in names if folder != "/proc" or not name.isdigit()]


def _kernel_thread(path: str, status: bytes) -> bool:
    """Whether this is the status of a process without memory: it says nothing that we use."""
    return bool(re.fullmatch(r"/proc/\d+/status", path)) and b"VmSize" not in status


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(2, len(parts))]


def _path(path: str, hostname: str | None) -> str:
    """Ids in the names of control groups, whose paths are in the content of other files too."""
    return clean(path, hostname) if path.startswith("/sys/fs/cgroup/") else path


def _content(path: str, text: str, hostname: str | None) -> str:
    if path.startswith("/proc/") and path.endswith("/status"):
        return _lines(text, lambda line: line.startswith(_STATUS))
    if path.endswith((".conf", "/active_profile")):
        return _settings(path, text)
    special = _SPECIAL.get(path)
    if special is not None:
        return special(text)
    if path.startswith(("/lib/modules/", "/usr/lib/modules/", "/proc/sys/kernel/osrelease")):
        return text
    named = hostname if path.endswith("/cgroup") or "/dmi/" in path else None
    return clean(text, named)


def _settings(path: str, text: str) -> str:
    if path.endswith("/tuned.conf"):
        keep = ("[", "include", "kernel", "vm", "fs", "net")
        return "".join((line if line.startswith(keep) else "") + "\n" for line in text.splitlines())
    return text if path.endswith("/active_profile") else settings_only(text)


def _cmdline(text: str) -> str:
    """The parameters as the model has them, which is without secrets."""
    words = ((one.name, one.value) for one in parse(text))
    quoted = (name if value is None else f"{name}={_quote(value)}" for name, value in words)
    return " ".join(quoted) + "\n"


def _quote(value: str) -> str:
    return f'"{value}"' if " " in value else value


def _lines(text: str, keep: Callable[[str], bool]) -> str:
    return "".join(line + "\n" for line in text.splitlines() if keep(line))


def _mount_kept(line: str) -> bool:
    """The root and the kernel's own file systems; other mount points are paths of the owner's."""
    words = line.split()
    if len(words) < 4:
        return False
    return words[1] == "/" or (words[2] in _MOUNTS and words[1].startswith(("/proc", "/sys", "/dev/")))


def _mounts(text: str) -> str:
    kept = (line.split() for line in text.splitlines() if _mount_kept(line))
    return "".join(f"device {row[1]} {row[2]} {_options(row)} 0 0\n" for row in kept)


def _options(row: list[str]) -> str:
    """Of an overlay's options, which hold paths of images, only whether it can be written."""
    plain = [word for word in row[3].split(",") if "=" not in word or row[2] == "cgroup"]
    return ",".join(plain)


def _container_only(text: str) -> str:
    return "\0".join(entry for entry in text.split("\0") if entry.startswith("container="))


_SPECIAL: dict[str, Callable[[str], str]] = {
    "/proc/cmdline": _cmdline,
    "/proc/self/mounts": _mounts,
    "/proc/1/environ": _container_only,
    "/proc/stat": lambda text: _lines(text, lambda line: line.startswith("cpu")),
    "/proc/sys/kernel/hostname": lambda text: "recorded\n",
    "/proc/sys/kernel/random/boot_id": lambda text: "00000000-0000-0000-0000-000000000000\n",
    "/etc/os-release": lambda text: _lines(text, lambda line: line.partition("=")[0] in _OS),
    "/usr/lib/os-release": lambda text: _lines(text, lambda line: line.partition("=")[0] in _OS),
}


def _pack(archive: tarfile.TarFile, files: dict[str, bytes], links: dict[str, str]) -> None:
    paths = sorted({*files, *links})
    for folder in sorted({parent for path in paths for parent in _parents(path)}):
        archive.addfile(_member(folder, tarfile.DIRTYPE, 0o700))
    for path in paths:
        if path in links:
            member = _member(path, tarfile.SYMTYPE, 0o600)
            member.linkname = links[path]
            archive.addfile(member)
        else:
            member = _member(path, tarfile.REGTYPE, 0o600)
            member.size = len(files[path])
            archive.addfile(member, io.BytesIO(files[path]))


def _member(path: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path.lstrip("/"))
    member.type, member.mode = kind, mode
    return member
