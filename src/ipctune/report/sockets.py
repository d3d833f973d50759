"""TCP or a Unix socket: what was measured, and what has to change where, in words."""

from ipctune.judge.verdict import Estimate
from ipctune.report.style import Style
from ipctune.report.words import micro, percent
from ipctune.workload.tcp_or_unix import Burst, Compared, Sockets

__all__ = ["LINES", "render"]

LEAST = 0.01
"""Effects below one per cent are no reason to change a configuration."""

LINES: dict[str, tuple[str, ...]] = {
    "redis": (
        "server  redis.conf: unixsocket /run/redis/redis.sock",
        "                    unixsocketperm 770        (port 0 closes TCP, once nobody uses it)",
        "                    tcp-backlog {backlog}           (holds for the Unix socket too)",
        "client  unix:///run/redis/redis.sock in place of redis://127.0.0.1:6379",
        "restart redis-server, then its clients. The client's user has to be in the group redis.",
    ),
    "postgres": (
        "server  postgresql.conf: unix_socket_directories = '/run/postgresql'   (Debian's default)",
        "                         max_connections sets the backlog, twice as long: {half} or more",
        "        pg_hba.conf has to have a line `local` for the database and user",
        "client  host=/run/postgresql in place of host=127.0.0.1 (libpq; a pooler likewise)",
        "restart the client alone where the server listens there already.",
    ),
    "nginx": (
        "upstream  listen on /run/app/app.sock, with a backlog of {backlog}: gunicorn --bind unix:/run/app/app.sock",
        "          --backlog {backlog}; nginx: listen unix:/run/app/app.sock backlog={backlog};",
        "nginx     proxy_pass http://unix:/run/app/app.sock:/;   in place of http://127.0.0.1:PORT",
        "restart   the upstream, then reload nginx. nginx's user (www-data) needs write permission on the socket.",
        "Try `keepalive 16;` in an upstream block first: it spares the connect, whichever the socket.",
    ),
    "php-fpm": (
        "php-fpm  pool.d/www.conf: listen = /run/php/php-fpm.sock",
        "                          listen.backlog = {backlog}",
        "                          listen.owner = www-data   listen.group = www-data   listen.mode = 0660",
        "nginx    fastcgi_pass unix:/run/php/php-fpm.sock;   in place of 127.0.0.1:9000",
        "restart  php-fpm, then reload nginx.",
    ),
}


def render(found: Sockets, style: Style) -> str:
    """The whole page."""
    lines = [style.bold(f"{found.service}: loopback TCP or a Unix socket?"), ""]
    lines += [f"{'a request takes':<24}{'TCP':>10}{'Unix':>10}   {'time':<24}CPU"]
    lines += [_load(one) for one in found.loads]
    if spoiled := sum(one.spoiled for one in found.loads):
        lines.append(style.yellow(f"{spoiled} blocks were disturbed by others"))
    lines += ["", *_bursts(found), "", _verdict(found, style), "", *_change(found)]
    return "\n".join(lines)


def _load(one: Compared) -> str:
    both = f"{micro(one.tcp_ns):>10}{micro(one.unix_ns):>10}"
    return f"{one.load.name:<24}{both}   {_effect(one.time):<24}{_effect(one.cpu)}"


def _effect(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return f"{percent(found.effect)} (too few pairs)"
    low, high = (percent(end).removesuffix(" %") for end in (found.low, found.high))
    return f"{percent(found.effect)} ({low} … {high})"


def _bursts(found: Sockets) -> list[str]:
    connects = found.bursts[0][0].connects
    lines = [f"{connects:,} connects at once".ljust(24) + f"{'TCP':<28}Unix"]
    for tcp, unix in found.bursts:
        when = "busy for 0.3 s" if tcp.busy else "while it answers"
        lines.append(f"{when:<24}{_fate(tcp):<28}{_fate(unix)}")
    return lines


def _fate(burst: Burst) -> str:
    if burst.refused:
        return f"{burst.refused} refused at once"
    return f"{burst.late} waited 0.7 s or more" if burst.late else "all answered"


def _verdict(found: Sockets, style: Style) -> str:
    faster = [one for one in found.loads if _surely(one.time, lower=True)]
    slower = [one for one in found.loads if _surely(one.time, lower=False)]
    if faster and not slower:
        return style.green("The Unix socket is faster " + _where(faster, found) + ".")
    if slower and not faster:
        return style.green("TCP is faster " + _where(slower, found) + ": nothing to change.")
    if faster:
        return f"Mixed: Unix is faster {_where(faster, found)}, TCP {_where(slower, found)}."
    return "No difference that these blocks could show: nothing to change."


def _surely(found: Estimate, *, lower: bool) -> bool:
    end = found.high if lower else found.low
    return end is not None and (end < 0 if lower else end > 0) and abs(found.effect) >= LEAST


def _where(loads: list[Compared], found: Sockets) -> str:
    return "at both loads" if len(loads) == len(found.loads) else " and ".join(one.load.name for one in loads)


def _change(found: Sockets) -> list[str]:
    both = [burst for pair in found.bursts for burst in pair]
    needed = [burst.needed for burst in both if burst.needed is not None]
    backlog = _round_up(max(needed, default=both[0].connects))
    lines = [line.format(backlog=backlog, half=backlog // 2) for line in LINES[found.service]]
    lines = ["What changes, on both sides:", *(f"  {line}" for line in lines), ""]
    if any(burst.refused or burst.late for burst in both):
        lines.append(f"A peak of {both[0].connects:,} connects needs a backlog of {backlog}.")
    else:
        lines.append(f"A peak of {both[0].connects:,} connects fits the backlog that it has here{_present(both)}.")
    lines += [
        "A full Unix socket refuses at once (EAGAIN, in nginx's log `11: Resource temporarily unavailable`),",
        "where TCP asks again after a second.",
    ]
    if backlog > found.somaxconn:
        lines.append(f"net.core.somaxconn is {found.somaxconn} and cuts it: raise that first, then restart the server.")
    lines.append("A Unix socket does not reach from one container into another without a volume that both share.")
    return lines


def _present(bursts: list[Burst]) -> str:
    known = [burst.backlog for burst in bursts if burst.backlog is not None]
    return f" ({min(known):,})" if known else ""


def _round_up(count: int) -> int:
    """The next power of two."""
    return 1 << max(0, count - 1).bit_length()
