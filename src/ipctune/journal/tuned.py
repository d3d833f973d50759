"""What an active tuned profile sets, after sysctl.d and tmpfiles.d have had their turn.

tuned.conf(5), tuned-profiles(7). Profiles include others; the one that includes wins. With `reapply_sysctl` in
tuned-main.conf(5), which packages ship as on, tuned applies sysctl.d again after its own: then ours wins.
"""

import fnmatch
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Setting", "settings", "would_change"]

_FOLDERS = ("etc/tuned", "etc/tuned/profiles", "usr/lib/tuned", "usr/lib/tuned/profiles")
_RESUME = "/sys/devices/system/cpu/cpu*/power/pm_qos_resume_latency_us"
_NO = ("0", "n", "no", "false", "f")


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of a profile: a sysctl (with dots) or a pattern of paths, its value, and where it stands."""

    key: str
    value: str
    file: Path
    line: int

    def matches(self, key: str) -> bool:
        """Whether the line is about this sysctl or path."""
        return fnmatch.fnmatchcase(key, self.key)


def settings(root: Path) -> list[Setting]:
    """What the active profiles set, those that are overridden within tuned left out."""
    found: dict[str, Setting] = {}
    for profile in _text(root / "etc/tuned/active_profile").split():
        for setting in _profile(root, profile, set()):
            found[setting.key] = setting
    sysctls_win = _reapplies(root)
    return [s for s in found.values() if s.key.startswith("/") or not sysctls_win]


def would_change(theirs: str, ours: str) -> bool:
    """Whether tuned would change our value: `>N` and `<N` raise and lower only, the rest replaces."""
    sign, number = theirs[:1], theirs[1:].strip()
    if sign in ("<", ">") and number.isdigit() and ours.isdigit():
        return int(number) > int(ours) if sign == ">" else int(number) < int(ours)
    return True


def _profile(root: Path, name: str, seen: set[str]) -> Iterator[Setting]:
    path = next((p for f in _FOLDERS if (p := root / f / name / "tuned.conf").is_file()), None)
    if path is None or name in seen:
        return
    seen.add(name)
    lines = list(_options(_text(path)))
    for section, key, value, _ in lines:
        if section == "main" and key == "include":
            for parent in value.replace(",", " ").split():
                yield from _profile(root, parent, seen)
    kinds = {section: value for section, key, value, _ in lines if key == "type"}
    for section, key, value, number in lines:
        name_of = _key(kinds.get(section, section), key)
        if name_of is not None:
            yield Setting(name_of, value.strip("'\""), path, number)


def _key(kind: str, option: str) -> str | None:
    if kind == "sysctl":
        return option.replace("/", ".")
    if kind == "sysfs":
        return option
    return _RESUME if kind == "cpu" and option == "pm_qos_resume_latency_us" else None


def _options(text: str) -> Iterator[tuple[str, str, str, int]]:
    """Section, option, value and line number of each option."""
    section = ""
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1].strip()
        elif not line.startswith(("#", ";")):
            option, sign, value = line.partition("=")
            if sign:
                yield section, option.strip(), value.strip(), number


def _reapplies(root: Path) -> bool:
    """Only where tuned's own file is there to say so: what an unknown version does is not promised."""
    path = root / "etc/tuned/tuned-main.conf"
    said: Mapping[str, str] = {option: value for _, option, value, _ in _options(_text(path))}
    return path.is_file() and said.get("reapply_sysctl", "1").lower() not in _NO


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
