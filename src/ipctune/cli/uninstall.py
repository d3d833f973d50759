"""`ipctune uninstall`: revert, and leave no file behind."""

import os
import shutil
import sys
from pathlib import Path

import click

from ipctune.errors import Exit, NotPossible, WrongUse
from ipctune.journal.store import Journal

__all__ = ["command"]

_FOLDERS = ("journal", "runs", "partial", "lib-*")
_FILES = ("active.json", "log.jsonl", "undo.sh", "watchdog.json", "watchdog.log", ".*.new", "measuring", "lock")


@click.command("uninstall", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-y", "--yes", is_flag=True, help="Do not ask. Needed without a terminal.")
def command(yes: bool) -> int:
    """Revert, remove every file of ours, and list them.

    \b
    Touches: what ipctune set, the files of a commit, the state folder (with the
             journal and the saved runs), and environments that ./run made in
             the cache. The clone, with its .venv, is yours to remove.
    Needs:   root for what root set.
    """
    from ipctune.journal.lasting import files_there, remove_files
    from ipctune.journal.session import revert
    from ipctune.journal.store import open_journal
    from ipctune.report.undone import render

    journal = open_journal(create=False)
    if not yes:
        if not sys.stdin.isatty():
            raise WrongUse("uninstall without a terminal needs --yes")
        if not click.confirm("Revert everything and remove ipctune's files?", default=False):
            return Exit.DONE
    before, there = files_there(), []
    if journal is not None:
        print(render(revert(journal)))
        there = _remove_state(journal)
    if not os.environ.get("IPCTUNE_STATE"):
        remove_files()  # also those of a commit that no record knows any more
    elif files_there():
        print(f"of a commit that this state folder does not know, left there: {', '.join(files_there())}")
    there = [*(name for name in before if name not in files_there()), *there]
    there += _remove(_cache(), ("env-*",), made_by_us=True)
    for name in there:
        print(f"removed {name}")
    if not there:
        print("there is nothing of ours on this machine")
    return Exit.DONE


def _remove_state(journal: Journal) -> list[str]:
    """Remove what we keep in the state folder, and the folder if nothing else is in it.

    `IPCTUNE_STATE` may name a folder that holds other things too: they are not ours to remove.
    """
    from ipctune.journal.lock import locked

    folder = journal.state.path
    with locked(journal.state):  # whoever came in between has set something: its record must stay
        if journal.entries() or journal.active() is not None:
            raise NotPossible("another ipctune has set something meanwhile", hint="ipctune uninstall, once more")
        removed = [*_remove(folder, _FOLDERS), *_remove(folder, _FILES)]
    if any(folder.iterdir()):
        print(f"{folder} holds files that are not ours: left there")
        return removed
    folder.rmdir()
    return [str(folder)]


def _cache() -> Path:
    """Where ./run makes an environment that can't be in the clone: the same places as in tools/setup/lib.sh."""
    cache = os.environ.get("XDG_CACHE_HOME") or (f"{os.environ['HOME']}/.cache" if os.environ.get("HOME") else "")
    return Path(cache if cache.startswith("/") else "/var/cache") / "ipctune"


def _is_environment(path: Path) -> bool:
    """Made by ./run for this very user; anything else of that name is not ours to remove."""
    ours = not path.is_symlink() and path.is_dir() and path.stat().st_uid == os.geteuid()
    return ours and any((path / name).exists() for name in ("ipctune-stamp", "unfinished", "building", "setup.log"))


def _remove(folder: Path, names: tuple[str, ...], *, made_by_us: bool = False) -> list[str]:
    found = sorted(path for name in names for path in folder.glob(name) if not made_by_us or _is_environment(path))
    for path in found:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    return [str(path) for path in found]
