"""Which service a process belongs to, read off its control groups: a container, a systemd unit, or neither."""

import json
import re
from collections.abc import Mapping

from ipctune.host.root import Root
from ipctune.host.text import fields
from ipctune.services.model import Service

__all__ = ["container_names", "kept_in_tmp", "service_of", "user_names"]

_ID = r"([0-9a-f]{64})"
# How container managers call their groups: systemd's cgroup driver, cgroupfs, Kubernetes, LXC, machined.
_CONTAINERS = (
    re.compile(rf"(?:docker|libpod|crio|cri-containerd|buildkit)[-/:]{_ID}"),
    re.compile(rf"/kubepods\S*/{_ID}"),
    re.compile(r"/lxc\.payload[./]([^/\s]+)"),
    re.compile(r"/lxc/([^/\s]+)"),
    re.compile(r"/machine\.slice/machine-([^/\s]+)\.scope"),
    re.compile(r"/systemd-nspawn@([^/\s]+)\.service"),
)
_NO_SERVICE = re.compile(r"(session-[^/]*\.scope|user@\d+\.service|init\.scope|user-[^/]*\.slice)")
_DOCKER = "/var/lib/docker/containers"
_PODMAN = "/var/lib/containers/storage/overlay-containers/containers.json"
_ESCAPED = re.compile(r"\\x([0-9a-f]{2})")
_SHORT = 12


def service_of(cgroups: str | None, command: str, names: Mapping[str, str] | None = None) -> Service:
    """The service of a process from its /proc/PID/cgroup (cgroups(7)); `names` are those of containers by id."""
    paths = [line.split(":", 2)[2] for line in (cgroups or "").splitlines() if line.count(":") >= 2]
    for path in paths:
        for pattern in _CONTAINERS:
            found = pattern.search(path)
            if found:
                ident = _plain(found[1])
                return Service((names or {}).get(ident) or _short(ident), "container")
    for path in paths:
        unit = _unit(path)
        if unit:
            return Service(unit, "unit")
    return Service(command, "program")


def container_names(root: Root) -> dict[str, str]:
    """Names by id, as Docker and Podman keep them on disk; empty for those who may not read that."""
    found: dict[str, str] = {}
    for ident in root.names(_DOCKER):
        told = _json(root.text(f"{_DOCKER}/{ident}/config.v2.json"))
        name = told.get("Name") if isinstance(told, dict) else None
        if isinstance(name, str):
            found[ident] = name.lstrip("/")
    told = _json(root.text(_PODMAN))
    for entry in told if isinstance(told, list) else ():
        if isinstance(entry, dict) and entry.get("names") and isinstance(entry.get("id"), str):
            found[entry["id"]] = str(entry["names"][0])
    return found


def user_names(root: Root) -> dict[int, str]:
    """Names by uid (passwd(5))."""
    rows = (row.split(":") for row in (root.text("/etc/passwd") or "").splitlines())
    return {int(row[2]): row[0] for row in rows if len(row) > 3 and row[2].isascii() and row[2].isdigit()}


def kept_in_tmp(root: Root) -> frozenset[str]:
    """Files that the kernel itself uses without a process: behind loop devices, and swap."""
    loops = (root.line(f"/sys/block/{name}/loop/backing_file") for name in root.names("/sys/block", "loop*"))
    swaps = (row[0] for row in fields(root.text("/proc/swaps")))
    return frozenset(path for path in (*loops, *swaps) if path)


def _unit(path: str) -> str | None:
    parts = [part for part in path.split("/") if part.endswith((".service", ".scope", ".socket", ".mount"))]
    named = [part for part in parts if not _NO_SERVICE.fullmatch(part)]
    return _plain(named[-1]) if named else None


def _plain(name: str) -> str:
    """Undo systemd's escapes (systemd-escape(1)), as far as they are one byte each."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), name)


def _short(ident: str) -> str:
    return ident[:_SHORT] if re.fullmatch(_ID, ident) else ident


def _json(text: str | None) -> object:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None
