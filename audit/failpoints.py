"""Places where a fault test kills the process; without the variable they cost one dictionary look-up."""

from __future__ import annotations

import os
import signal

VARIABLE = "SERVICEDESK_FAILPOINT"


def failpoint(name: str) -> None:
    """Kills this process as `kill -9` would, if the environment names this place; else does nothing.

    `name@n` dies at the n-th time that the place is reached (counted in this process).
    """
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return
    place, _, nth = wanted.partition("@")
    if place != name:
        return
    _reached[name] = _reached.get(name, 0) + 1
    if _reached[name] >= int(nth or 1):
        os.kill(os.getpid(), signal.SIGKILL)


_reached: dict[str, int] = {}
