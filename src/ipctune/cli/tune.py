"""`ipctune tune`: the main job."""

import sys
from typing import Literal

import click

from ipctune.cli.params import DURATION, SIZE
from ipctune.errors import Exit, WrongUse

__all__ = ["command"]


@click.command("tune", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--goal",
    type=click.Choice(["balanced", "latency", "throughput", "cpu"]),
    default="balanced",
    show_default=True,
    help="What a change is kept for: latency × price, latency alone, messages/s, or CPU a message.",
)
@click.option(
    "--time",
    "seconds",
    type=DURATION,
    default="3m",
    show_default=True,
    help="Length of the run, 78s (--command: 44s) to 24h.",
)
@click.option(
    "--mechanism", default="pipe", show_default=True, help="What the pair talks through; see `ipctune bench`."
)
@click.option(
    "--pattern",
    type=click.Choice(["ping-pong", "stream"]),
    default="ping-pong",
    show_default=True,
    help="A reply to each message, or one way only.",
)
@click.option("--size", type=SIZE, default="64", show_default=True, help="Bytes of a message, such as 64 or 4K.")
@click.option("--capacity", type=SIZE, default=None, help="Size of the pipe, socket buffer or queue, such as 64K.")
@click.option(
    "--rate",
    type=click.FloatRange(1, 1e6),
    default=1000.0,
    show_default=True,
    help="Messages/s of the load that is not flat out.",
)
@click.option(
    "--workload",
    metavar="NAME|FILE",
    default=None,
    help="Measure a real server of its own instead: redis, postgres, nginx, perf-pipe, hackbench, or ./mine.toml.",
)
@click.option(
    "--command", "line", metavar="CMD", default=None, help="Measure this command (sh -c) instead of the built-in pair."
)
@click.option(
    "--metric",
    metavar="REGEX|json:PATH",
    default=None,
    help="Its figure: the first group of the last match in its output, or a value in the last JSON that it prints. "
    "Higher is better.",
)
@click.option("--lower-is-better", is_flag=True, help="… unless this is given.")
@click.option("--private", is_flag=True, help="Run it in IPC and network namespaces of its own (lo alone is up).")
@click.option("--prepare", metavar="CMD", default=None, help="Run before each run of the command, not timed.")
@click.option("--cleanup", metavar="CMD", default=None, help="Run after each run of the command, not timed.")
@click.option(
    "--timeout",
    type=DURATION,
    default=None,
    help="Longest run, and longest --prepare and --cleanup. Default: ten times the first run, at least 10s.",
)
@click.option(
    "--attach",
    metavar="PID|UNIT",
    default=None,
    help="Measure a live service under its own traffic, by eBPF: what its threads wait until they run, messages/s.",
)
@click.option(
    "--target",
    type=click.IntRange(1, 1 << 22),
    metavar="PID",
    default=None,
    help="A service's main process: try its pipes, Unix sockets and queues, raise limits of its namespaces.",
)
@click.option(
    "--refused",
    metavar="LIMIT=N",
    multiple=True,
    help="A refusal that --target met, such as kernel.msgmni=4000. May be repeated.",
)
@click.option(
    "--only",
    metavar="KNOB",
    multiple=True,
    help="Try only this setting, evidence or not (names: docs/reference.md). May be repeated.",
)
@click.option("--without", metavar="KNOB", multiple=True, help="Leave this setting out. May be repeated.")
@click.option(
    "--max-cpu", type=click.FloatRange(0), default=0.1, show_default=True, help="vCPUs that `balanced` may pay."
)
@click.option(
    "--max-idle-cpu", type=click.FloatRange(0), default=0.02, show_default=True, help="vCPUs that may poll while idle."
)
@click.option(
    "--hold", type=DURATION, default="10m", show_default=True, help="How long what is kept stays without a commit."
)
@click.option(
    "--commit", "make_last", is_flag=True, help="Make what is kept last at once (without a terminal: with --yes)."
)
@click.option("--anyway", is_flag=True, help="Go on also where something else than IPC holds the machine back.")
@click.option(
    "--no-guard",
    is_flag=True,
    help="Neither pause nor stop where other programs come short: nobody minds.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Measure, show the plan and why the rest is not tried, and stop.")
@click.option("--wait", is_flag=True, help="Wait for another ipctune to end.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=None, help="Repeat the order of an earlier run.")
@click.option("--pairs", type=click.IntRange(1, 1000), default=40, hidden=True)
@click.option("--block", type=click.FloatRange(0.01, 10), default=0.3, hidden=True)
@click.option("--rest", type=click.FloatRange(0, 10), default=0.2, hidden=True)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON (schema: docs/tune.schema.json).")
@click.option("--markdown", is_flag=True, help="Print a page for a ticket or a wiki: no host, no user, no address.")
def command(
    make_last: bool, yes: bool, dry_run: bool, wait: bool, as_json: bool, markdown: bool, **options: object
) -> int:
    """Find the bottleneck, try what fits, prove it, keep it for 10 minutes.

    First it watches your programs for 10 s: where steal, swap, a disk or a full vCPU
    holds them back more than IPC can, it says so and stops.

    \b
    Touches: what the plan lists, which it shows before the first write. Everything
             comes back by itself: on Ctrl-C, when it is killed, after --hold.
    Needs:   root for settings of the machine; without it, advice for programs.

    Your services come first: where your programs come short of CPU or memory it does
    not start, pauses, or stops and takes everything back (exit code 3).

    With a terminal it asks before it starts; without one it prints the plan and goes on.
    With --target what belongs to that process is tried on --command or --workload, and
    limits of its namespaces are raised where they are nearly used up; docs/target.md.
    With --attach nothing is driven: the traffic that a service has decides, and where that
    changes meanwhile the answer is undecided.
    With --command it runs that before the plan, a few times; nothing is set, and the
    watch of your programs only informs.
    """
    if make_last and not yes and not sys.stdin.isatty():
        raise WrongUse(
            "--commit without a terminal needs --yes", hint="leave --commit out: what is kept goes back by itself"
        )
    if as_json and markdown:
        raise WrongUse("--json and --markdown are two forms of the result", hint="leave one out")
    from ipctune.cli.tuning import run_tune

    form: Literal["text", "json", "markdown"] = "json" if as_json else "markdown" if markdown else "text"
    return int(run_tune(options, make_last=make_last, yes=yes, dry_run=dry_run, wait=wait, form=form) or Exit.DONE)
