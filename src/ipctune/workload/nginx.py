"""nginx: a server of its own on a loopback port, driven by wrk, and in open loop by our client.

Each answer is 64 bytes that the configuration holds, over connections that stay.
"""

import os
import re

from ipctune.errors import WorkloadFailed
from ipctune.workload.client import Aim
from ipctune.workload.loads import DEFAULT_RATE, closed, closed_load, open_load, opened
from ipctune.workload.model import Load, Sample
from ipctune.workload.served import Served
from ipctune.workload.server import Run, Server, accepts, free_port, program, unprivileged

__all__ = ["NGINX_PACKAGES", "SATURATING", "WRK_PACKAGES", "Nginx", "configuration", "parse_wrk", "wrk_command"]

SATURATING = 50
NGINX_PACKAGES = ("nginx-light", "nginx")
WRK_PACKAGES = ("wrk", "wrk")
_ATTEMPTS = 3
_BODY = "x" * 63 + "\\n"
_RATE = re.compile(r"^Requests/sec:\s+(\d{1,12}(?:\.\d{1,12})?)\s*$", re.MULTILINE)
_REQUESTS = re.compile(r"^\s*(\d{1,12}) requests in ", re.MULTILINE)
_TROUBLE = re.compile(r"^\s*(Non-2xx or 3xx responses: \d+|Socket errors: [^\n]*)$", re.MULTILINE)


def parse_wrk(output: str) -> tuple[float, int]:
    """Requests a second and their number from wrk's summary.

    Raises WorkloadFailed where they are missing or wrk counted errors.
    """
    rate, requests, trouble = _RATE.search(output), _REQUESTS.search(output), _TROUBLE.search(output)
    if trouble:
        raise WorkloadFailed(f"wrk: {trouble[1].strip()[:120]}")
    if rate is None or requests is None or not float(rate[1]):
        raise WorkloadFailed("wrk printed no requests per second")
    return float(rate[1]), int(requests[1])


def wrk_command(wrk: str, connections: int, seconds: float, url: str) -> list[str]:
    """wrk takes whole seconds, one at least."""
    threads = min(connections, os.cpu_count() or 1)
    return [wrk, "-c", str(connections), "-t", str(threads), "-d", f"{max(1, round(seconds))}s", url]


def configuration(servers: str, workers: str = "auto") -> str:
    """An nginx.conf with these `server` and `upstream` blocks, everything of it in the working folder."""
    temporary = "".join(
        f"{kind}_temp_path tmp_{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        f"daemon off; worker_processes {workers}; pid nginx.pid; error_log stderr crit;\n"
        "events { worker_connections 4096; }\n"
        f"http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 3600; {temporary}\n{servers}\n}}\n"
    )


class Nginx(Served):
    """wrk can't take a Unix socket, so the loads are on loopback TCP; for upstreams see `ipctune sockets nginx`."""

    name = "nginx"

    def __init__(self, rate: float = DEFAULT_RATE) -> None:
        super().__init__(Server("nginx", unprivileged("www-data", "nginx")))
        self.loads = (open_load(rate), closed_load(1), closed_load(SATURATING))
        self.port = 0

    def sample(self, load: Load, seconds: float, seed: int) -> Sample:
        """One block. Raises WorkloadFailed."""
        if load.rate:
            address = ("127.0.0.1", self.port)
            return opened(self._server.drive(Aim("http", address, load.rate, seconds, seed, load.connections)))
        run = self._closed(load.connections, seconds)
        rate, requests = parse_wrk(run.output)
        return closed(load, rate, requests, run.cost)

    def _closed(self, connections: int, seconds: float) -> Run:
        command = wrk_command(self._wrk, connections, seconds, f"http://127.0.0.1:{self.port}/")
        return self._server.run(command, 10 * seconds + 30)

    def _find(self) -> None:
        self._nginx = program("nginx", *NGINX_PACKAGES)
        self._wrk = program("wrk", *WRK_PACKAGES)

    def _start(self) -> None:
        """Somebody may take the port that was free; then another one is tried."""
        for attempt in range(_ATTEMPTS):
            self.port = free_port()
            block = f'server {{ listen 127.0.0.1:{self.port}; location / {{ return 200 "{_BODY}"; }} }}'
            self._server.write("nginx.conf", configuration(block))
            try:
                prefix = f"{self._server.folder}/"
                command = [self._nginx, "-p", prefix, "-e", "stderr", "-c", "nginx.conf"]
                self._pid = self._server.serve(command, lambda: accepts(("127.0.0.1", self.port)))
                return
            except WorkloadFailed as error:
                if attempt + 1 == _ATTEMPTS or "in use" not in error.hint:
                    raise
