"""Findings about what this process is shut in: a container, WSL, a user namespace."""

from collections.abc import Iterator

from ipctune.host.finding import Finding
from ipctune.host.model import Host

__all__ = ["container_findings"]

_COMPOSE = "set limits where the container is started (compose: sysctls, shm_size, ulimits)"
_WHERE_STARTED = {"docker": _COMPOSE, "podman": _COMPOSE, "kubernetes": "set limits in the pod's securityContext"}


def container_findings(host: Host) -> Iterator[Finding]:
    """What a container means for settings, and where they belong instead."""
    yield from _shut_in(host)
    yield from _user_namespace(host)


def _shut_in(host: Host) -> Iterator[Finding]:
    name = host.container.name
    if name == "wsl":
        yield _wsl()
    if name is None or name == "wsl":
        return
    yield Finding(
        "container",
        "know",
        "container",
        f"inside a container ({name}): its limits are its own",
        "sysctls set on the host do not reach its IPC and network namespaces; idle and boot settings are the host's",
        _WHERE_STARTED.get(name, "set limits in the configuration of the container's manager, or ask the provider"),
        45,
    )


def _wsl() -> Finding:
    """Source: Microsoft's "Advanced settings configuration in WSL"."""
    return Finding(
        "wsl",
        "know",
        "WSL",
        "a virtual machine that Windows starts and stops",
        "it stops when nothing runs in it: settings made here are gone then, like after a reboot",
        "sysctl.d is read only with systemd=true in /etc/wsl.conf; memory, processors and kernelCommandLine= "
        "stand in .wslconfig on the Windows side",
        45,
    )


def _user_namespace(host: Host) -> Iterator[Finding]:
    if host.privileges.root and host.privileges.initial_user_namespace is False:
        yield Finding(
            "user-namespace",
            "know",
            "privileges",
            "root in a user namespace of its own: another user outside it",
            "settings of the whole machine refuse this root; those of its own IPC and network namespaces may take it",
            "run it outside, as the machine's root, for anything host-wide",
            31,
        )
