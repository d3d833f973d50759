"""`ipctune services`: the limits of the services on this machine, and who uses IPC now."""

import json
import sys

import click

from ipctune.errors import Exit, WrongUse

__all__ = ["command"]


@click.command("services", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--all", "everything", is_flag=True, help="List every limit, object and pair.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole model (schema: docs/services.schema.json).")
@click.option("--clean-orphans", is_flag=True, help="Remove what nobody uses: shows each command, then asks.")
@click.argument("ids", nargs=-1, metavar="[ID]...")
def command(everything: bool, as_json: bool, clean_orphans: bool, ids: tuple[str, ...]) -> int:
    """Say which limits of your services are near, and who uses IPC now.

    Looks at every unit, container and program in its own namespaces for 1 s: open files, locked memory,
    queues, /dev/shm, pipes, System V objects, listen queues, ports; and who talks to whom.

    \b
    Touches: nothing; --clean-orphans alone removes: semaphore arrays under
             whose owner nothing runs, and files in /dev/shm that no process
             has open or mapped. It shows the exact ipcrm and rm, and asks;
             without a terminal it does nothing unless IDs are given (sem:4).
    Needs:   root, to see others' files, queues and namespaces.
    """
    if clean_orphans:
        if as_json:
            raise WrongUse("--clean-orphans has no --json", hint="ipctune services --json lists orphans")
        return _clean(ids)
    if ids:
        raise WrongUse("IDs go with --clean-orphans")
    from ipctune.host.plain import plain
    from ipctune.report.services import render
    from ipctune.report.style import Style
    from ipctune.services.look import look

    report = look()
    if as_json:
        print(json.dumps(plain(report), indent=2))
    else:
        print(render(report, Style.auto(sys.stdout), everything=everything))
    return Exit.DONE


def _clean(ids: tuple[str, ...]) -> int:
    from ipctune.report.services import render_removals
    from ipctune.services.orphans import chosen, find_orphans, remove

    left_over, blind = find_orphans()
    found = chosen(left_over, ids)
    print(render_removals(found, blind))
    if not found or not _agreed(bool(ids)):
        return Exit.DONE
    left = 0
    for one, why in remove(found):
        print(f"left {one.object.id}: {why}" if why else f"removed {one.object.id}")
        left += bool(why)
    return Exit.NOT_POSSIBLE if left else Exit.DONE


def _agreed(named: bool) -> bool:
    if sys.stdin.isatty():
        return click.confirm("Remove these?", default=False)
    if not named:
        print("no terminal: nothing was removed; name the IDs to remove them")
    return named
