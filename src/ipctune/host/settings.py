"""Files that set sysctls at boot, and tuned's profile: who else owns a key, and what it will be after a reboot.

Order of precedence as sysctl.d(5) has it: by file name whatever the folder, later ones win; then
/etc/sysctl.conf as procps reads it.
"""

from ipctune.host.model import FileSetting
from ipctune.host.root import Root

__all__ = ["parse_settings", "read_settings"]

_FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d")
_PREFIXES = ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.", "fs.pipe-", "fs.file-max", "fs.nr_open")
_MORE = (
    "net.core.",
    "net.unix.",
    "vm.swappiness",
    "vm.dirty_",
    "vm.overcommit_",
    "vm.nr_hugepages",
    "kernel.sched_",
    "kernel.numa_balancing",
    "kernel.unprivileged_",
)
_TUNED = ("/etc/tuned", "/usr/lib/tuned", "/usr/lib/tuned/profiles", "/etc/tuned/profiles")


def read_settings(root: Root) -> tuple[FileSetting, ...]:
    """Lines that set a key of ours, in the order in which they take effect, tuned's last."""
    chosen: dict[str, str] = {}
    for folder in reversed(_FOLDERS):
        chosen.update(dict.fromkeys(root.names(folder, "*.conf"), folder))
    files = [f"{chosen[name]}/{name}" for name in sorted(chosen)]
    found: list[FileSetting] = []
    for path in dict.fromkeys([*files, "/etc/sysctl.conf"]):
        found += parse_settings(root.text(path), path)
    return (*found, *_tuned(root))


def parse_settings(text: str | None, path: str, owner: str = "sysctl") -> list[FileSetting]:
    """The lines of one file that set a key of ours; `/` and `.` both separate."""
    found: list[FileSetting] = []
    for at, line in enumerate((text or "").splitlines(), start=1):
        key, equals, value = line.strip().partition("=")
        name = _key(key.strip())
        if equals and not line.strip().startswith(("#", ";")) and _ours(name):
            found.append(FileSetting(name, value.strip()[:120], path, at, owner))
    return found


def _key(text: str) -> str:
    name = text.removeprefix("-").strip()
    first = min((i for i in (name.find("."), name.find("/")) if i >= 0), default=-1)
    return name.replace("/", ".") if first >= 0 and name[first] == "/" else name


def _ours(name: str) -> bool:
    return name.startswith(_PREFIXES + _MORE)


def _tuned(root: Root) -> list[FileSetting]:
    """The [sysctl] part of tuned's active profile and of those it includes."""
    todo = (root.line("/etc/tuned/active_profile") or "").split()[:8]
    seen: set[str] = set()
    found: list[FileSetting] = []
    while todo and len(seen) < 20:
        profile = todo.pop(0)
        if profile in seen or "/" in profile or profile.startswith("."):
            continue
        seen.add(profile)
        path = next((p for f in _TUNED if root.text(p := f"{f}/{profile}/tuned.conf") is not None), None)
        if path is not None:
            text = root.text(path) or ""
            found = [*parse_settings(_section(text), path, "tuned"), *found]
            todo += _included(text)
    return found


def _section(text: str) -> str:
    """The [sysctl] section; other lines emptied, so that numbers stay."""
    inside, kept = False, []
    for line in text.splitlines():
        if line.strip().startswith("["):
            inside = line.strip().lower() == "[sysctl]"
        kept.append(line if inside else "")
    return "\n".join(kept)


def _included(text: str) -> list[str]:
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and key.strip() == "include":
            return value.replace(",", " ").split()[:8]
    return []
