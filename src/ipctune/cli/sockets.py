"""`ipctune sockets`: TCP or a Unix socket, for a server of the user's kind."""

import json
import secrets
import sys

import click

from ipctune.errors import Exit

__all__ = ["command"]


@click.command(short_help="TCP or a Unix socket, for redis, postgres, nginx, php-fpm?")
@click.argument("service", type=click.Choice(["redis", "postgres", "nginx", "php-fpm"]))
@click.option("--pairs", type=click.IntRange(6, 200), default=10, show_default=True, help="Pairs of blocks a load.")
@click.option("--burst", type=click.IntRange(1, 20000), default=1000, show_default=True, help="Connects at once.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
@click.option("--seed", type=click.IntRange(min=0), help="Repeat the order of the blocks.")
def command(*, service: str, pairs: int, burst: int, as_json: bool, seed: int | None) -> int:
    """Measure a server of our own over loopback TCP and over a Unix socket, in turn, and say what to change.

    \b
    Touches: nothing of yours: its own server, in a folder in TMPDIR that goes when it ends.
             Keeps two vCPUs busy meanwhile.
    Needs:   the server and its client installed (redis-benchmark, pgbench, wrk); no root.

    nginx and php-fpm are measured as upstreams: what is compared is the way from nginx to them. Takes
    about 20 s, nginx and php-fpm a minute.
    """
    from ipctune.cli.measuring import alone
    from ipctune.cli.progress import Progress
    from ipctune.host.plain import plain
    from ipctune.report.sockets import render
    from ipctune.report.style import Style
    from ipctune.workload.tcp_or_unix import compare

    with alone(), Progress() as progress:
        progress.stage(service, 4.5 * pairs if service in ("nginx", "php-fpm") else 1.8 * pairs)
        found = compare(
            service,
            secrets.randbelow(1 << 31) if seed is None else seed,
            pairs=pairs,
            connects=burst,
            tick=lambda: progress.tick(""),
        )
    click.echo(json.dumps(plain(found), indent=2) if as_json else render(found, Style.auto(sys.stdout)))
    return Exit.DONE
