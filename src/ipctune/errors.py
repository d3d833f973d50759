"""Errors that a user is meant to read: what happened, and what to do about it.

Every room may raise them; only `cli` prints them and turns them into exit codes.
"""

from enum import IntEnum

__all__ = ["EXIT_CODES", "Exit", "IpctuneError", "NotPossible", "WorkloadFailed", "WrongUse"]


class Exit(IntEnum):
    """The program's exit codes, the same for every command."""

    DONE = 0
    CHECK_FAILED = 1
    WRONG_USE = 2
    NOT_POSSIBLE = 3
    INTERNAL = 70
    INTERRUPTED = 130


EXIT_CODES = """Exit codes:
  0    done, whatever was found
  1    only where a check asks for it (--check)
  2    wrong use
  3    not possible here or now (privileges, kernel, another run,
       nothing active, other programs come short, a command that fails)
  70   internal error
  130  ended by Ctrl-C"""
"""The end of every help page."""


class IpctuneError(Exception):
    """Something the user can act on: `what` happened, and a `hint` of what to do."""

    exit_code = Exit.INTERNAL

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


class WrongUse(IpctuneError):
    """The command was called with something it can't take."""

    exit_code = Exit.WRONG_USE


class NotPossible(IpctuneError):
    """The machine, its kernel or our privileges don't allow it."""

    exit_code = Exit.NOT_POSSIBLE


class WorkloadFailed(IpctuneError):
    """The user's own workload fails, hangs or gives no measurement: no setting's fault, so it ends the run."""

    exit_code = Exit.NOT_POSSIBLE
