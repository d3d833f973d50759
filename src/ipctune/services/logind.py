"""Whether logind removes a user's IPC objects when the user's last login ends (logind.conf(5), RemoveIPC=)."""

from ipctune.host.root import Root
from ipctune.services.processes import Process, Processes

__all__ = ["at_risk", "removes_ipc"]

_FOLDERS = ("/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd", "/lib/systemd")
_YES = ("yes", "true", "1", "on", "y", "t")
_FIRST_LOGIN = 1000  # uids below are system users (SYS_UID_MAX), whose objects logind leaves alone
_NOBODY = 65534


def removes_ipc(root: Root) -> bool:
    """Upstream's default is yes. The last word has the drop-in whose name sorts last, wherever it lies."""
    value = _value(next((text for folder in _FOLDERS if (text := root.text(f"{folder}/logind.conf"))), ""))
    dropped: dict[str, str] = {}
    for folder in reversed(_FOLDERS):
        for name in root.names(f"{folder}/logind.conf.d", "*.conf"):
            dropped[name] = f"{folder}/logind.conf.d/{name}"
    for name in sorted(dropped):
        value = _value(root.text(dropped[name])) or value
    return value is None or value.lower() in _YES


def at_risk(root: Root, processes: Processes) -> list[Process]:
    """Processes of system services and containers' hosts that run under a login's uid while logind removes IPC.

    Containers have an IPC namespace of their own as a rule, which logind does not look into: only ours counts.
    """
    running = any(process.program.startswith("systemd-logind") for process in processes.all)
    if not running or not removes_ipc(root):
        return []
    ours = (one for one in processes.all if one.spaces.get("ipc") == processes.own.get("ipc"))
    return [one for one in ours if _service(root, one) and one.uid >= _FIRST_LOGIN and one.uid != _NOBODY]


def _service(root: Root, process: Process) -> bool:
    """A system unit, not one of the user's own manager, which ends with the last login anyway."""
    cgroups = root.text(f"/proc/{process.pid}/cgroup") or ""
    return process.service.kind == "unit" and "/user.slice/" not in cgroups and "/user@" not in cgroups


def _value(text: str | None) -> str | None:
    found = [line.partition("=")[2].strip() for line in (text or "").splitlines() if _is(line)]
    return found[-1] if found and found[-1] else None


def _is(line: str) -> bool:
    return line.partition("=")[0].strip() == "RemoveIPC" and not line.lstrip().startswith(("#", ";"))
