"""redis: a server of its own on a Unix socket, driven by redis-benchmark, and in open loop by our client.

Requests are GETs of a key of 64 bytes; nothing is written to a disk.
"""

import re

from ipctune.errors import WorkloadFailed
from ipctune.workload.client import Address, Aim
from ipctune.workload.loads import DEFAULT_RATE, Pace, closed, closed_load, open_load, opened
from ipctune.workload.model import Load, Sample
from ipctune.workload.served import Served
from ipctune.workload.server import Server, accepts, free_port, program, unprivileged

__all__ = ["SATURATING", "Redis", "parse_benchmark"]

SATURATING = 50
"""Connections that keep redis' one thread busy: redis-benchmark's default."""
_PACKAGES = ("redis-server redis-tools", "redis")
_TIMEOUT = 60.0
_ROW = re.compile(r'^"[^"\n]*","(\d{1,12}(?:\.\d{1,12})?)",', re.MULTILINE)


def parse_benchmark(output: str) -> float:
    """Requests a second from `redis-benchmark --csv`: the last row with a number in the column `rps`.

    Raises WorkloadFailed where there is none.
    """
    rates = [float(text) for text in _ROW.findall(output)]
    if not rates or rates[-1] <= 0:
        raise WorkloadFailed("redis-benchmark printed no requests per second")
    return rates[-1]


class Redis(Served):
    """`tcp` puts the loads on a loopback TCP port instead of the Unix socket; the server has both."""

    name = "redis"

    def __init__(self, rate: float = DEFAULT_RATE, *, tcp: bool = False) -> None:
        super().__init__(Server("redis", unprivileged("redis")))
        self.closed_loads = (closed_load(1), closed_load(SATURATING))
        self.loads = (open_load(rate), *self.closed_loads)
        self._pace = Pace(first=1000)
        self._tcp = tcp
        self.unix, self.port = "", 0

    def address(self, *, tcp: bool) -> Address:
        """Where it listens."""
        return ("127.0.0.1", self.port) if tcp else self.unix

    def sample(self, load: Load, seconds: float, seed: int) -> Sample:
        """One block. Raises WorkloadFailed."""
        return self.over(load, seconds, seed, tcp=self._tcp)

    def over(self, load: Load, seconds: float, seed: int, *, tcp: bool) -> Sample:
        """One block over TCP or the Unix socket."""
        if load.rate:
            aim = Aim("redis-get", self.address(tcp=tcp), load.rate, seconds, seed, load.connections)
            return opened(self._server.drive(aim))
        if not self._pace.known(load):
            self._closed(load, seconds, tcp)
        return self._closed(load, seconds, tcp)

    def _closed(self, load: Load, seconds: float, tcp: bool) -> Sample:
        count = self._pace.count(load, seconds)
        where = ["-h", "127.0.0.1", "-p", str(self.port)] if tcp else ["-s", self.unix]
        options = ["-c", str(load.connections), "-n", str(count), "--csv"]
        run = self._server.run([self._benchmark, *where, *options, "GET", "ipctune"], _TIMEOUT)
        rate = parse_benchmark(run.output)
        self._pace.saw(load, rate)
        return closed(load, rate, count, run.cost)

    def _find(self) -> None:
        self._redis = program("redis-server", *_PACKAGES)
        self._benchmark = program("redis-benchmark", *_PACKAGES)

    def _start(self) -> None:
        self.unix, self.port = self._server.socket("s"), free_port()
        lines = ["--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", self.unix, "--unixsocketperm", "700"]
        kept = ["--save", "", "--appendonly", "no", "--daemonize", "no", "--dir", str(self._server.folder)]
        self._pid = self._server.serve([self._redis, *lines, *kept], lambda: accepts(self.unix))
        where = ["-s", self.unix, "-c", "1", "-n", "1", "--csv"]
        self._server.run([self._benchmark, *where, "SET", "ipctune", "x" * 64], _TIMEOUT)
