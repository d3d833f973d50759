"""`ipctune graph`: who talks to whom on this machine right now."""

from typing import TYPE_CHECKING, Any

import click

from ipctune.cli.live import CONTEXT, EPILOG, live_options, watch
from ipctune.errors import WrongUse

if TYPE_CHECKING:
    from ipctune.trace.model import Graph
    from ipctune.trace.whom import Whom

__all__ = ["command"]

_DRAWN_S = 10.0


@click.command("graph", epilog=EPILOG, context_settings=CONTEXT)
@live_options
@click.option(
    "--mermaid", "form", flag_value="mermaid", help="A flowchart for Markdown, once; 10 s without --duration."
)
@click.option("--dot", "form", flag_value="dot", help="For Graphviz, once.")
@click.option("--svg", "form", flag_value="svg", help="A picture, once.")
@click.option("--json", "as_json", is_flag=True, help="One object (schema: docs/graph.schema.json).")
def command(form: str | None, **asked: Any) -> int:
    """Say who talks to whom: through what, how much, and who wakes whom.

    Pipes, FIFOs, Unix sockets, connections of this machine to itself and queues are seen by what goes
    through them; eventfds, futexes in shared memory and System V semaphores by the wake-ups they cause.
    `across` is the share of wake-ups that ran on another vCPU than the waker's.

    \b
    Touches: nothing; eBPF programs are in the kernel while it runs.
    Needs:   root (or CAP_BPF and CAP_PERFMON), Linux 5.17 with BTF.
    """
    from ipctune.report.graph import render_graph, to_dot, to_mermaid, to_svg
    from ipctune.trace.graph import Watcher, between

    if form and asked["as_json"]:
        raise WrongUse(f"--json and --{form} are two answers", hint="leave one out")
    if form and asked["interval"]:
        raise WrongUse(f"--{form} is drawn once", hint="leave --interval out")
    if form and asked["duration"] is None:
        asked["duration"] = _DRAWN_S
    forms = {"mermaid": to_mermaid, "dot": to_dot, "svg": to_svg}
    return watch(Watcher, between, render_graph, asked, forms.get(form or ""), (_connections, _between_connections))


def _connections(whom: "Whom") -> Any:
    """What looks at connections takes long to import, and few need it."""
    from ipctune.cli.connections import Connections

    return Connections(whom)


def _between_connections(before: Any, after: Any, why: str) -> "Graph":
    from ipctune.cli.connections import between_connections

    return between_connections(before, after, why)
