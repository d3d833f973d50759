"""`ipctune inspect`: what machine is this. Reads, and changes nothing."""

import click

from ipctune.cli.params import DURATION

__all__ = ["command"]


@click.command("inspect", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--all", "everything", is_flag=True, help="Show every limit, boot parameter and piece of evidence.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole model (schema: docs/inspect.schema.json).")
@click.option("--check", is_flag=True, help="Exit 1 if there is something to fix.")
@click.option("--root", metavar="DIR", help="Read a recorded machine: a folder, or a file made by --record.")
@click.option("--record", metavar="FILE", help="Save what was read as tar.gz, without secrets and addresses.")
@click.option("--watch", type=DURATION, help="Watch your programs for that long, such as 10s: is it IPC?")
def command(
    everything: bool, as_json: bool, check: bool, root: str | None, record: str | None, watch: float | None
) -> int:
    """Say what machine this is: platform, idle vCPUs, limits, findings.

    With --watch it says instead whether communication between processes is what holds
    them back, or steal, swap, a disk or a full vCPU, and what waking faster could gain
    at most. It takes a second more, in which it measures what a wake-up costs here.

    \b
    Touches: nothing. With --record, writes that one file.
    Needs:   nothing. Root sees more (files held open by others).
    """
    from ipctune.cli.looking import run_inspect

    return run_inspect(everything=everything, as_json=as_json, check=check, root=root, record=record, watch=watch)
