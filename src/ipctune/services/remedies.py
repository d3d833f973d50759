"""The line of configuration that moves a limit, for the programs and managers that most machines run."""

from dataclasses import dataclass

from ipctune.services.model import Holder, Use

__all__ = ["backlog_line", "ceiling_line", "restart", "rlimit_line", "shm_line", "suggested", "sysctl_line"]

_LEAST_BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class _Backlog:
    """How a program is told its backlog: the line, and what it takes; `{n}` is the number."""

    line: str
    takes: str = "restart"


# By the start of the program's name; from each program's own documentation.
_BACKLOGS: dict[str, _Backlog] = {
    "php-fpm": _Backlog("the pool's file (www.conf): listen.backlog = {n}"),
    "nginx": _Backlog("nginx: listen … backlog={n};", "reload"),
    "redis": _Backlog("redis.conf: tcp-backlog {n}  (it holds for the Unix socket too)"),
    "valkey": _Backlog("valkey.conf: tcp-backlog {n}  (it holds for the Unix socket too)"),
    "postgres": _Backlog("postgresql.conf: max_connections (the backlog is twice that), or pgbouncer in front of it"),
    "pgbouncer": _Backlog("pgbouncer.ini: listen_backlog = {n}"),
    "mysqld": _Backlog("my.cnf [mysqld]: back_log = {n}"),
    "mariadbd": _Backlog("my.cnf [mysqld]: back_log = {n}"),
    "gunicorn": _Backlog("gunicorn: --backlog {n}"),
    "uwsgi": _Backlog("uwsgi: listen = {n}  (100 by default)"),
    "uvicorn": _Backlog("uvicorn: --backlog {n}"),
    "puma": _Backlog("puma: bind 'unix:///…?backlog={n}'"),
    "unicorn": _Backlog("unicorn: listen …, backlog: {n}"),
    "apache2": _Backlog("ListenBacklog {n}"),
    "httpd": _Backlog("ListenBacklog {n}"),
    "haproxy": _Backlog("haproxy: bind … backlog {n}", "reload"),
    "memcached": _Backlog("memcached: -b {n}"),
    "mongod": _Backlog("mongod.conf: net.listenBacklog: {n}"),
    "node": _Backlog("server.listen({{ port, backlog: {n} }})"),
    "dockerd": _Backlog("the socket unit of the engine: Backlog={n}"),
    "systemd": _Backlog("systemctl edit NAME.socket: [Socket] Backlog={n}", "restart of that .socket unit"),
}
_ULIMITS = {"RLIMIT_NOFILE": "nofile", "RLIMIT_MEMLOCK": "memlock", "RLIMIT_MSGQUEUE": "msgqueue"}
_OWN_LINES = {"nginx": "nginx.conf: worker_rlimit_nofile {n};  (reload)"}


def suggested(peak: int, least: int = _LEAST_BACKLOG) -> int:
    """A value with room: the power of two that is at least twice the peak."""
    return max(least, 1 << (2 * max(peak, 1) - 1).bit_length())


def restart(holder: Holder | None, takes: str = "restart") -> str:
    """The command that makes a change count."""
    if holder is None:
        return f"then {takes} the program that listens"
    name = holder.service.name
    if holder.service.kind == "unit" and takes in ("restart", "reload"):
        return f"then systemctl {takes} {name.removesuffix('.service')}"
    if holder.service.kind == "container":
        return f"then {takes} the container {name}"
    return f"then {takes} {holder.program}" if takes in ("restart", "reload") else f"then a {takes}"


def backlog_line(use: Use, somaxconn: int | None) -> str:
    """What to change so that the listener's queue is longer, and what somaxconn has to do with it."""
    wanted = suggested(max(use.peak or 0, use.value or 0))
    known = _known(use.holder)
    line = known.line.format(n=wanted) if known else f"the program's own setting for listen(): backlog {wanted}"
    does = restart(use.holder, known.takes if known else "restart")
    if somaxconn is None:
        return f"{line}, {does}"
    if somaxconn < wanted:
        return f"{sysctl_line('net.core.somaxconn', wanted, use)}; {line}, {does}"
    return f"{line}, {does}; raising somaxconn would do nothing: it is {somaxconn}"


def rlimit_line(use: Use) -> str:
    """How a service, a container or a program gets a higher resource limit."""
    wanted, short = suggested(use.peak or use.use or 0), use.limit.removeprefix("RLIMIT_")
    holder = use.holder
    own = _OWN_LINES.get(holder.program) if holder and use.limit == "RLIMIT_NOFILE" else None
    if own:
        return own.format(n=wanted)
    if holder is not None and holder.service.kind == "unit" and not holder.service.name.endswith(".scope"):
        unit = holder.service.name.removesuffix(".service")
        return f"systemctl edit {unit}: [Service] Limit{short}={wanted}, {restart(holder)}"
    if holder is not None and holder.service.kind == "container":
        return f"compose: ulimits: {_ULIMITS[use.limit]}: {wanted}, then a new container"
    return (
        f"/etc/security/limits.d: `{_user(use)} - {_ULIMITS[use.limit]} {_limits_unit(use, wanted)}`, then a new login"
    )


def shm_line(use: Use) -> str:
    """How /dev/shm grows: of a container where that is configured, else by remounting, at once."""
    wanted = suggested(max(use.use or 0, use.value or 0) * 3 // 4, 1 << 28)
    if use.limit == "/dev/shm inodes":
        return f"remove what is left over in /dev/shm, or mount -o remount,nr_inodes={wanted} /dev/shm"
    if use.holder is not None and use.holder.service.kind == "container":
        return (
            f"compose: shm_size: {wanted >> 20}m (docker run --shm-size={wanted >> 20}m), then a new container; "
            "the host's /dev/shm does not help"
        )
    if use.place:
        return f"where that namespace is made: a tmpfs with size={wanted >> 20}m"
    return f"mount -o remount,size={wanted >> 20}m /dev/shm, at once (memory is taken as it is used)"


def sysctl_line(key: str, value: int | str, use: Use) -> str:
    """Where a sysctl of a namespace is set: on the host, or in the container's own configuration."""
    if not use.place:
        return f'sysctl -w {key}="{value}"' if isinstance(value, str) else f"sysctl -w {key}={value}"
    if use.holder is not None and use.holder.service.kind == "container":
        return f'compose: sysctls: {key}: "{value}" (docker run --sysctl {key}="{value}"), then a new container'
    return f'in its own namespace ({use.place}): sysctl -w {key}="{value}"'


def ceiling_line(use: Use) -> str:
    """A sysctl that is to be raised, with room; the four of kernel.sem keep their other values."""
    wanted = suggested(max(use.use or 0, use.value or 0), 1)
    if use.limit.startswith("kernel.sem."):
        return f"{use.limit.rpartition('.')[2]} (of the four in kernel.sem) to {wanted}: sysctl kernel.sem"
    return sysctl_line(use.limit, wanted, use)


def _known(holder: Holder | None) -> _Backlog | None:
    if holder is None:
        return None
    return next((one for name, one in _BACKLOGS.items() if holder.program.startswith(name)), None)


def _user(use: Use) -> str:
    return use.what.partition(",")[0].removeprefix("uid ") if use.what.startswith("uid ") else "USER"


def _limits_unit(use: Use, wanted: int) -> int:
    """limits.conf(5) counts locked memory in KiB, the rest as setrlimit(2) does."""
    return wanted >> 10 if use.limit == "RLIMIT_MEMLOCK" else wanted
