"""What `tune --markdown` prints: the page, with the names of this machine's users left out."""

import os
import pwd
from pathlib import Path

from ipctune.host.model import Host
from ipctune.report.page import render_page
from ipctune.tune.model import TuneResult

__all__ = ["print_page", "users_here"]

_FIRST_USER, _LAST_USER = 1000, 60_000
_SHORTEST = 3
_CALLERS = ("SUDO_USER", "LOGNAME", "USER")


def print_page(result: TuneResult, host: Host) -> None:
    """The page alone on standard output."""
    print(render_page(result, host, users_here()), flush=True)


def users_here() -> frozenset[str]:
    """Names and home folders of people's accounts (uid 1000 to 60000, login.defs(5)), and of whoever calls.

    Accounts of programs, such as redis, name no person. Names of two letters would tear words apart.
    """
    people = [one for one in pwd.getpwall() if _FIRST_USER <= one.pw_uid <= _LAST_USER]
    names = {one.pw_name for one in people} | {os.environ.get(name, "") for name in _CALLERS}
    homes = {one.pw_dir for one in people if one.pw_dir.count("/") > 1} | {str(Path.home())}
    return frozenset(name for name in names - {"root"} if len(name) >= _SHORTEST) | (homes - {"/", "/root"})
