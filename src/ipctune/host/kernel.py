"""The distribution and the running kernel."""

from ipctune.host.boot_parameters import parse
from ipctune.host.core import Facts
from ipctune.host.model import Kernel, OsRelease
from ipctune.host.root import Root
from ipctune.host.scrub import clean
from ipctune.host.text import number, pairs

__all__ = ["read_kernel", "read_os", "version_of"]


def read_os(root: Root) -> OsRelease:
    """The distribution, from os-release(5)."""
    text = root.text("/etc/os-release") or root.text("/usr/lib/os-release")
    told = {key: value.strip("\"'") for key, value in pairs(text, "=").items()}
    name = " ".join(part for part in (told.get("NAME"), told.get("VERSION_ID")) if part)
    return OsRelease(told.get("ID"), told.get("VERSION_ID"), name or "unknown distribution")


def read_kernel(root: Root, facts: Facts) -> Kernel:
    """The running kernel, and what its boot command line says."""
    release = root.line("/proc/sys/kernel/osrelease") or "unknown"
    return Kernel(
        release=release[:80],
        version=version_of(release),
        build=clean(root.line("/proc/sys/kernel/version") or "")[:120],
        machine=facts.value(str, "observed", "machine") or _machine(root),
        boot=parse(root.text("/proc/cmdline")),
        tainted=number(root.text("/proc/sys/kernel/tainted")),
    )


def version_of(release: str) -> tuple[int, ...]:
    """(6, 8, 0) for `6.8.0-45-generic`; (0,) where it doesn't start with a number."""
    parts: list[int] = []
    for part in release.partition("-")[0].partition("+")[0].split(".", 3)[:3]:
        digits = part[: next((i for i, c in enumerate(part) if c not in "0123456789"), len(part))]
        value = number(digits)
        if value is None:
            break
        parts.append(value)
    return tuple(parts) or (0,)


def _machine(root: Root) -> str:
    """The architecture, from how /proc/cpuinfo looks: for trees without facts."""
    text = root.text("/proc/cpuinfo", 1 << 14) or ""
    if "CPU implementer" in text:
        return "aarch64"
    return "x86_64" if "vendor_id" in text else "unknown"
