"""nginx before an upstream that it reaches both over loopback TCP and over a Unix socket: HTTP or php-fpm.

wrk asks nginx over connections that stay; nginx asks the upstream over a new one for each request, which is what it
does unless its configuration says `keepalive`.
"""

from pathlib import Path

from ipctune.workload.client import Address
from ipctune.workload.loads import closed, closed_load
from ipctune.workload.model import Load, Sample
from ipctune.workload.nginx import NGINX_PACKAGES, WRK_PACKAGES, configuration, parse_wrk, wrk_command
from ipctune.workload.served import Served
from ipctune.workload.server import Server, accepts, free_port, program, unprivileged

__all__ = ["Upstream"]

_SATURATING = 20
_PHP_PACKAGES = ("php-fpm", "php-fpm")
_PHP = "<?php echo str_repeat('x', 64);\n"
_FASTCGI = (
    "fastcgi_param REQUEST_METHOD $request_method; fastcgi_param QUERY_STRING ''; "
    "fastcgi_param SCRIPT_FILENAME {script}; fastcgi_pass {to};"
)


class Upstream(Served):
    """Both are servers of our own; `service` is nginx (an HTTP upstream) or php-fpm."""

    def __init__(self, service: str) -> None:
        super().__init__(Server(service, unprivileged("www-data", "nginx")))
        self.name = service
        self.closed_loads = (closed_load(1), closed_load(_SATURATING))
        self._ports = (0, 0)

    def address(self, *, tcp: bool) -> Address:
        """Where the upstream listens."""
        return ("127.0.0.1", self._ports[1]) if tcp else self._server.socket("s")

    def over(self, load: Load, seconds: float, seed: int, *, tcp: bool) -> Sample:
        """One block of wrk against nginx, which reaches its upstream in that way. Raises WorkloadFailed."""
        url = f"http://127.0.0.1:{self._ports[0]}/{'tcp' if tcp else 'unix'}"
        run = self._server.run(wrk_command(self._wrk, load.connections, seconds, url), 60.0)
        rate, requests = parse_wrk(run.output)
        return closed(load, rate, requests, run.cost)

    def _find(self) -> None:
        self._nginx = program("nginx", *NGINX_PACKAGES)
        self._wrk = program("wrk", *WRK_PACKAGES)
        self._php = _php() if self.name == "php-fpm" else ""

    def _start(self) -> None:
        """The upstream first, and nginx before it."""
        self._ports = (free_port(), free_port())
        if self._php:
            self._start_php()
        else:
            self._start_http()
        self._start_front()

    def _start_http(self) -> None:
        listen = f"listen 127.0.0.1:{self._ports[1]}; listen unix:{self._server.socket('s')};"
        body = "x" * 63 + "\\n"
        self._pid = self._serve("upstream.conf", f'server {{ {listen} location / {{ return 200 "{body}"; }} }}')

    def _start_php(self) -> None:
        self._server.write("hello.php", _PHP)
        pools = "".join(
            f"[{name}]\nlisten = {listen}\npm = static\npm.max_children = 4\n"
            for name, listen in (("tcp", f"127.0.0.1:{self._ports[1]}"), ("unix", self._server.socket("s")))
        )
        self._server.write("fpm.conf", f"[global]\nerror_log = fpm.log\ndaemonize = no\n{pools}")
        command = [self._php, "-F", "-n", "-p", str(self._server.folder), "-y", str(self._server.folder / "fpm.conf")]
        self._pid = self._server.serve(command, self._ready)

    def _start_front(self) -> None:
        ways = (("tcp", f"127.0.0.1:{self._ports[1]}"), ("unix", f"unix:{self._server.socket('s')}"))
        if self.name == "php-fpm":
            script = self._server.folder / "hello.php"
            places = [f"location /{name} {{ {_FASTCGI.format(script=script, to=to)} }}" for name, to in ways]
        else:
            places = [f"location /{name} {{ proxy_pass http://{to}:/; }}" for name, to in ways]
            places[0] = places[0].replace(":/;", "/;")
        self._serve("front.conf", f"server {{ listen 127.0.0.1:{self._ports[0]}; {' '.join(places)} }}")

    def _serve(self, name: str, block: str) -> int:
        self._server.write(name, configuration(block).replace("pid nginx.pid", f"pid {name}.pid"))
        command = [self._nginx, "-p", f"{self._server.folder}/", "-e", "stderr", "-c", name]
        ready = (lambda: accepts(("127.0.0.1", self._ports[0]))) if name == "front.conf" else self._ready
        return self._server.serve(command, ready)

    def _ready(self) -> bool:
        return accepts(self.address(tcp=True)) and accepts(self.address(tcp=False))


def _php() -> str:
    """Debian gives the program its version."""
    found = sorted(path.name for path in Path("/usr/sbin").glob("php-fpm*"))
    return program(found[-1] if found else "php-fpm", *_PHP_PACKAGES)
