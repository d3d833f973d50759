"""What a run takes from a live service: nginx under an even load, before, during and after `tune`.

    python -m benchmarks.guarded [--rate 1000] [--seconds 30] [--one] [--json] [-- WORDS OF tune …]

Starts an nginx of its own with two workers, one on each of two vCPUs (with --one: both in a cpuset of one vCPU), on a
loopback port with its data in a temporary folder, and an open-loop client in a process of its own that counts answers
and errors, latency from the intended start. In between runs `ipctune tune --time 90s --yes`, or what is given.
Prints errors, p50, p99 and the longest of each phase, and what the run said of itself. Exit 1 where an answer was wrong
or missing. Needs nginx; --one needs root and the cpuset controller of cgroup version 1 or 2.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ipctune.bench.histogram import Histogram
from ipctune.workload.client import Aim, Driver
from ipctune.workload.nginx import configuration
from ipctune.workload.server import accepts, free_port

_CONNECTIONS = 4
_LONGEST = 3600.0  # seconds: until it is told that the run is over
_PHASES = ("before", "during", "after")
_TUNE = ("--time", "90s", "--yes")


def main() -> None:
    """Run the three phases, print their figures."""
    options = _options()
    if options.drive:
        print(json.dumps(_drive(json.loads(options.drive))))
        return
    with (
        tempfile.TemporaryDirectory(prefix="ipctune-guarded-") as folder,
        _nginx(Path(folder), one=options.one) as port,
    ):
        os.environ["IPCTUNE_STATE"] = folder + "/state"
        found, took = _phases(port, options, options.words or _TUNE)
        subprocess.run([sys.executable, "-m", "ipctune", "revert"], check=True, capture_output=True)
    _show(found, took, as_json=options.json)
    sys.exit(any(phase["errors"] for phase in found.values()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rate", type=float, default=1000.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of the phases without a run")
    parser.add_argument("--one", action="store_true", help="nginx in a cpuset of one vCPU")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--drive", help=argparse.SUPPRESS)
    parser.add_argument("words", nargs="*", help="words of `tune`")
    return parser.parse_args()


def _drive(asked: dict[str, float]) -> dict[str, object]:
    """The client: drives until standard input is closed or the seconds are over, in pieces of a second."""
    buckets: dict[int, int] = {}
    errors, end = [], time.monotonic() + asked["seconds"]
    os.set_blocking(0, False)
    while time.monotonic() < end and not (asked["until_told"] and _closed()):
        aim = Aim("http", ("127.0.0.1", int(asked["port"])), asked["rate"], 1.0, time.monotonic_ns(), _CONNECTIONS)
        driver = Driver(aim)
        try:
            driver.start()
            os.eventfd_read(driver.ended)
            errors += [driver.error] if driver.error else []
        except (OSError, ValueError) as error:
            errors.append(str(error))
        for lowest, count in driver.buckets():
            buckets[lowest] = buckets.get(lowest, 0) + count
        driver.close()
    return {"buckets": sorted(buckets.items()), "errors": errors}


def _closed() -> bool:
    try:
        return os.read(0, 1) == b""
    except BlockingIOError:
        return False


@contextmanager
def _client(port: int, rate: float, seconds: float) -> Iterator[subprocess.Popen[str]]:
    asked = json.dumps({"port": port, "rate": rate, "seconds": seconds, "until_told": seconds == _LONGEST})
    command = [sys.executable, "-m", "benchmarks.guarded", "--drive", asked]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def _phases(port: int, options: argparse.Namespace, words: Sequence[str]) -> tuple[dict[str, dict[str, float]], object]:
    found, took = {}, None
    for phase in _PHASES:
        seconds = _LONGEST if phase == "during" else options.seconds
        with _client(port, options.rate, seconds) as client:
            if phase == "during":
                took = _tune(words)
            told, _ = client.communicate()
        found[phase] = _figures(json.loads(told))
    return found, took


def _tune(words: Sequence[str]) -> object:
    done = subprocess.run(
        [sys.executable, "-m", "ipctune", "tune", "--json", *words], check=False, capture_output=True, text=True
    )
    said = json.loads(done.stdout) if done.stdout else {}
    return {
        "exit": done.returncode,
        "took": said.get("took"),
        "kept": said.get("kept"),
        "watch": (said.get("watch") or {}).get("why"),
        "said": done.stderr[-300:] if done.returncode else "",
    }


def _figures(told: dict[str, list[list[int]]]) -> dict[str, float]:
    histogram = Histogram(tuple((lowest, count) for lowest, count in told["buckets"]))
    return {
        "requests": histogram.count,
        "errors": len(told["errors"]),
        "p50_us": histogram.quantile(0.5) / 1000,
        "p99_us": histogram.quantile(0.99) / 1000,
        "longest_us": told["buckets"][-1][0] / 1000,
    }


@contextmanager
def _nginx(folder: Path, *, one: bool) -> Iterator[int]:
    port = free_port()
    folder.chmod(0o755)  # its workers are no root
    (folder / "nginx.conf").write_text(
        configuration(f'server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{"x" * 63}"; }} }}', "2").replace(
            "daemon off;", "daemon off; " + ("" if one else "worker_cpu_affinity 01 10;")
        )
    )
    group = _cpuset() if one else None
    # In the group before nginx is: its workers are born there.
    join = [] if group is None else ["sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh"]
    process = subprocess.Popen(
        [*join, "nginx", "-p", f"{folder}/", "-e", "stderr", "-c", "nginx.conf"],
        stderr=subprocess.DEVNULL,
    )
    try:
        _until_it_answers(process, port)
        yield port
    finally:
        process.terminate()
        process.wait()
        if group is not None:
            group.rmdir()


def _until_it_answers(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(100):
        if process.poll() is not None:
            sys.exit("nginx does not start")
        if accepts(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    sys.exit("nginx does not answer")


def _cpuset() -> Path:
    """A control group of our own with the last vCPU alone."""
    root = next((p for p in (Path("/sys/fs/cgroup/cpuset"), Path("/sys/fs/cgroup")) if p.is_dir()), None)
    if root is None:
        sys.exit("--one needs the cpuset controller")
    group = root / f"ipctune-guarded-{os.getpid()}"
    group.mkdir()
    cpu = max(os.sched_getaffinity(0))
    (group / "cpuset.cpus").write_text(str(cpu))
    (group / "cpuset.mems").write_text("0")
    return group


def _show(found: dict[str, dict[str, float]], took: object, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"phases": found, "run": took}))
        return
    print("| phase | requests | errors | p50 | p99 | longest |\n| --- | --- | --- | --- | --- | --- |")
    for phase, f in found.items():
        figures = " | ".join(f"{f[name]:,.0f} µs" for name in ("p50_us", "p99_us", "longest_us"))
        print(f"| {phase} | {f['requests']:,.0f} | {f['errors']:.0f} | {figures} |")
    print(json.dumps(took, indent=1))


if __name__ == "__main__":
    main()
