"""Output that can't be written: whose fault it is, and how the rest of it is dropped. Standard library alone."""

import errno
import os
import sys
from contextlib import suppress
from typing import TextIO

__all__ = ["complain", "drop", "settle", "shows_unicode", "unwritten"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def shows_unicode(stream: TextIO) -> bool:
    """Whether what is written there may hold more than ASCII."""
    return (stream.encoding or "").lower().startswith("utf")


def unwritten(error: OSError) -> str:
    """Why the output can't be written, where that is what `error` says; else nothing.

    What a buffer could not be rid of stays in it, so it fails once more; without a buffer the number has to tell.
    """
    try:
        sys.stdout.flush()
    except OSError as again:
        return again.strerror or str(again)
    return error.strerror or str(error) if error.filename is None and error.errno in _FULL else ""


def drop(stream: TextIO) -> None:
    """Nothing more can be said there, and Python must not try at its end: it would exit with 120."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def settle() -> None:
    """Write what is left, where another exit code than that of a full device is due already."""
    try:
        sys.stdout.flush()
    except OSError:
        drop(sys.stdout)


def complain(what: str, hint: str = "") -> None:
    """A line or two for the user on standard error; where that is full too the exit code has to do."""
    try:
        print("\n  ".join(text for text in (f"ipctune: {what}", hint) if text), file=sys.stderr, flush=True)
    except OSError:
        with suppress(OSError):
            drop(sys.stderr)
