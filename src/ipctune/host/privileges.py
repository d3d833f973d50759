"""What this process may do: user, capabilities, security modules, lockdown."""

from ipctune.host.memory import chosen
from ipctune.host.model import Privileges
from ipctune.host.root import Root
from ipctune.host.text import fields, number, pairs

__all__ = ["capabilities", "read_privileges"]

# The bit numbers are those of include/uapi/linux/capability.h.
_NAMES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
)


def read_privileges(root: Root) -> Privileges:
    """The privileges of this process, from /proc/self/status and the kernel's security files."""
    status = pairs(root.text("/proc/self/status"))
    users = status.get("Uid", "").split()
    euid = number(users[1]) if len(users) > 1 else None
    lsm = root.line("/sys/kernel/security/lsm")
    no_new = number(status.get("NoNewPrivs"))
    return Privileges(
        euid=euid,
        caps=capabilities(status.get("CapEff")),
        bounding=capabilities(status.get("CapBnd")),
        lsm=tuple(lsm.split(",")) if lsm else (),
        lockdown=chosen(root.text("/sys/kernel/security/lockdown")),
        no_new_privileges=None if no_new is None else no_new == 1,
        seccomp=number(status.get("Seccomp")),
        user_namespaces=_user_namespaces(root),
        unprivileged_bpf=number(root.text("/proc/sys/kernel/unprivileged_bpf_disabled")),
        initial_user_namespace=_initial(root),
        sysctl_writable=None if euid is None else euid == 0 and not _read_only(root),
    )


def capabilities(text: str | None) -> frozenset[str]:
    """The names of a mask in hex, as in CapEff (capabilities(7))."""
    try:
        mask = int((text or "")[:16].strip() or "0", 16)
    except ValueError:
        mask = 0
    return frozenset(f"CAP_{name}" for bit, name in enumerate(_NAMES) if mask >> bit & 1)


def _user_namespaces(root: Root) -> bool | None:
    """Whether a user without privileges can make a user namespace (and an IPC namespace in it)."""
    most = number(root.text("/proc/sys/user/max_user_namespaces"))
    if most is None:
        return None
    debian = number(root.text("/proc/sys/kernel/unprivileged_userns_clone"))
    ubuntu = number(root.text("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"))
    return most > 0 and debian != 0 and ubuntu in (None, 0)


def _initial(root: Root) -> bool | None:
    row = next(fields(root.text("/proc/self/uid_map")), None)
    return None if row is None else row == ["0", "0", "4294967295"]


def _read_only(root: Root) -> bool:
    """Whether /proc/sys is mounted read-only, as container managers do."""
    last: list[str] = []
    for row in fields(root.text("/proc/self/mounts")):
        if len(row) > 3 and row[1] in ("/proc", "/proc/sys"):
            last = row[3].split(",") if row[1] == "/proc/sys" or not last else last
    return "ro" in last
