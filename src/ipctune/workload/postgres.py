"""PostgreSQL: a cluster of its own on a Unix socket, driven by pgbench, select-only, prepared by nobody.

pgbench paces itself too: `--rate` draws Poisson arrivals, and its log gives each transaction's time from the intended
start (pgbench's documentation, "Per-Transaction Logging": with --rate the time includes the schedule lag).
"""

import os
import re
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ipctune.errors import WorkloadFailed
from ipctune.workload.client import Address, bucket
from ipctune.workload.loads import DEFAULT_RATE, Pace, closed, closed_load, from_buckets, open_load
from ipctune.workload.model import Load, Sample
from ipctune.workload.served import Served
from ipctune.workload.server import Server, free_port, program, unprivileged

__all__ = ["SATURATING", "Postgres", "parse_log", "parse_tps"]

SATURATING = 16
"""Connections: each is a process of the server, and these keep more vCPUs busy than most guests have."""
_PACKAGES = ("postgresql postgresql-contrib", "postgresql-server postgresql-contrib")
_TIMEOUT = 60.0
_SETTINGS = {
    "max_connections": "400",
    "shared_buffers": "16MB",
    "dynamic_shared_memory_type": "mmap",  # files in its folder: nothing in /dev/shm
    "autovacuum": "off",  # it would run in some blocks and not in others
    "unix_socket_permissions": "0700",
    "logging_collector": "off",
}
_TPS = re.compile(r"^tps = (\d{1,12}(?:\.\d{1,12})?) \(", re.MULTILINE)
_PROCESSED = re.compile(r"^number of transactions actually processed: (\d{1,12})", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: (\d{1,12})", re.MULTILINE)


def parse_tps(output: str) -> tuple[float, int]:
    """Transactions a second (the time to connect left out) and their number, from pgbench's summary.

    Raises WorkloadFailed where they are missing, or transactions failed.
    """
    tps, processed, failed = _TPS.findall(output), _PROCESSED.search(output), _FAILED.search(output)
    if failed and int(failed[1]):
        raise WorkloadFailed(f"pgbench: {failed[1][:20]} transactions failed")
    if not tps or processed is None or not float(tps[-1]):
        raise WorkloadFailed("pgbench printed no transactions per second")
    return float(tps[-1]), int(processed[1])


def parse_log(text: str) -> Iterator[int]:
    """The time of each transaction in µs from a log of pgbench: the third column.

    Raises WorkloadFailed where a line is no line of such a log, or a transaction failed or was skipped.
    """
    for line in text.splitlines():
        words = line.split()
        if len(words) < 6 or not (words[2].isascii() and words[2].isdigit() and len(words[2]) < 16):
            raise WorkloadFailed(f"pgbench logged no time: {line[:80]!r}")
        yield int(words[2])


class Postgres(Served):
    """`tcp` puts the loads on a loopback TCP port instead of the Unix socket; the server has both."""

    name = "postgres"

    def __init__(self, rate: float = DEFAULT_RATE, *, tcp: bool = False) -> None:
        super().__init__(Server("postgres", unprivileged("postgres")))
        self.closed_loads = (closed_load(1), closed_load(SATURATING))
        self.loads = (open_load(rate), *self.closed_loads)
        self._pace = Pace(first=500)
        self._tcp = tcp
        self.port = 0

    def address(self, *, tcp: bool) -> Address:
        """Where it listens."""
        return ("127.0.0.1", self.port) if tcp else str(self._server.folder / f".s.PGSQL.{self.port}")

    def sample(self, load: Load, seconds: float, seed: int) -> Sample:
        """One block. Raises WorkloadFailed."""
        return self.over(load, seconds, seed, tcp=self._tcp)

    def over(self, load: Load, seconds: float, seed: int, *, tcp: bool) -> Sample:
        """One block over TCP or the Unix socket."""
        if load.rate:
            return self._open(load, seconds, seed, tcp)
        if not self._pace.known(load):
            self._closed(load, seconds, seed, tcp)
        return self._closed(load, seconds, seed, tcp)

    def _client(self, load: Load, count: int, seed: int, tcp: bool) -> list[str]:
        each = max(1, round(count / load.connections))
        threads = min(load.connections, os.cpu_count() or 1)
        host = "127.0.0.1" if tcp else str(self._server.folder)
        where = ["-h", host, "-p", str(self.port), "-U", "ipctune", "-n", "-S"]
        much = ["-c", str(load.connections), "-j", str(threads), "-t", str(each), f"--random-seed={seed}"]
        return [self._programs["pgbench"], *where, *much, "postgres"]

    def _closed(self, load: Load, seconds: float, seed: int, tcp: bool) -> Sample:
        run = self._server.run(self._client(load, self._pace.count(load, seconds), seed, tcp), _TIMEOUT)
        tps, processed = parse_tps(run.output)
        self._pace.saw(load, tps)
        return closed(load, tps, processed, run.cost)

    def _open(self, load: Load, seconds: float, seed: int, tcp: bool) -> Sample:
        client = self._client(load, max(1, round(load.rate * seconds)), seed, tcp)
        paced = [*client[:-1], f"--rate={load.rate:.9g}", "--log", "--log-prefix=log", client[-1]]
        run = self._server.run(paced, 10 * seconds + _TIMEOUT)
        parse_tps(run.output)
        counts: Counter[int] = Counter()
        for log in sorted(self._server.folder.glob("log.*")):
            counts.update(bucket(us * 1000) for us in parse_log(_text(log)))
            log.unlink()
        return from_buckets(tuple(sorted(counts.items())), run.cost)

    def _find(self) -> None:
        where, names = _folders(), ("initdb", "postgres", "pgbench", "pg_isready")
        self._programs = {name: program(name, *_PACKAGES, where) for name in names}

    def _start(self) -> None:
        self._server.socket(".s.PGSQL.65535.lock")
        self.port, data = free_port(), str(self._server.folder / "cluster")
        cluster = ["-D", data, "-U", "ipctune", "-A", "trust", "--no-sync", "--no-locale", "-E", "UTF8"]
        self._server.run([self._programs["initdb"], *cluster], _TIMEOUT)
        settings = {**_SETTINGS, "unix_socket_directories": str(self._server.folder), "listen_addresses": "127.0.0.1"}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        # SIGQUIT is its immediate shutdown: it ends its processes and removes its System V segment.
        self._pid = self._server.serve(
            [self._programs["postgres"], "-D", data, "-p", str(self.port), *options],
            self._ready,
            stop=signal.SIGQUIT,
        )
        fill = [
            self._programs["pgbench"],
            "-h",
            str(self._server.folder),
            "-p",
            str(self.port),
            "-U",
            "ipctune",
            "-i",
            "-q",
        ]
        self._server.run([*fill, "--unlogged-tables", "postgres"], _TIMEOUT)

    def _ready(self) -> bool:
        try:
            where = ["-h", str(self._server.folder), "-p", str(self.port), "-q"]
            self._server.run([self._programs["pg_isready"], *where], 5.0)
        except WorkloadFailed:
            return False
        return True


def _folders() -> list[str]:
    """Where Debian keeps the programs of each version, the newest first."""
    found = Path("/usr/lib/postgresql").glob("*/bin")
    return [str(path) for path in sorted(found, key=lambda path: (len(path.parent.name), path.parent.name))][::-1]


def _text(path: Path) -> str:
    """What a file in the server's folder says, never through a link that it may have put there."""
    with os.fdopen(
        os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), encoding="ascii", errors="replace"
    ) as file:
        return file.read()
