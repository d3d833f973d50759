"""What `inspect --markdown` does: a page for the hosting company, with a wake-up measured now."""

from pathlib import Path
from time import localtime, strftime

from ipctune.bench.core import run
from ipctune.bench.spec import Spec
from ipctune.errors import Exit, IpctuneError
from ipctune.host import read_host
from ipctune.host.model import Host
from ipctune.host.recorded import open_recorded
from ipctune.report.ticket import Waking, render

__all__ = ["run_markdown"]

_SECONDS = 0.5
_GAP_NS = 1_000_000


def run_markdown(root: str | None) -> int:
    """Print the page; a recorded machine is not measured."""
    host = read_host(open_recorded(Path(root)) if root else None)
    when = strftime("%Y-%m-%d %H:%M %z", localtime())
    waking, why_not = (None, "this is a recorded machine") if root else _measure(host)
    print(render(host, "a recording" if root else when, waking, why_not))
    return Exit.DONE


def _measure(host: Host) -> tuple[Waking | None, str]:
    """Two blocks on the first two vCPUs that we may use."""
    cpus = host.cpus.allowed[:2]
    if len(cpus) < 2:
        return None, "it takes two vCPUs"
    first, second = cpus
    try:
        idle = run(Spec(cpus=(first, second), gap_ns=_GAP_NS), _SECONDS, 1).p50_ns
        awake = run(Spec(cpus=(first, first)), _SECONDS, 1).p50_ns
    except IpctuneError as error:
        return None, error.what
    if not idle or not awake:
        return None, "no round trip came back"
    return Waking(idle, awake, _SECONDS), ""
