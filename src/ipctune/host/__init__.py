"""What machine is this? Facts, read once below one root folder, and what they mean.

Standard library only: looking has to work where nothing can be installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipctune.host.model import Host
    from ipctune.host.root import Root

__all__ = ["read_host"]


def read_host(root: Root | None = None, *, quick: bool = False) -> Host:
    """Read this machine, or the recorded one behind `root`. Changes nothing.

    `quick` leaves out the second look at steal and sysstat's history.

    The parts are imported here, so that `ipctune.host.state` alone stays cheap.
    """
    from ipctune.host.read import read

    return read(root, quick=quick)
