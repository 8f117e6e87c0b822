"""Which names of the time zone database a person may choose: places and UTC, not the database's own bookkeeping."""

from __future__ import annotations

import functools
import zoneinfo

#: Names that mean another zone on each machine, or none at all.
_NO_PLACES = frozenset({"localtime", "posixrules", "Factory"})
#: Copies of every zone, with and without leap seconds, that some systems install beside the real ones.
_COPIES = ("posix/", "right/")


@functools.cache
def zones() -> frozenset[str]:
    """The zones of this machine's database that mean the same everywhere."""
    return frozenset(
        name for name in zoneinfo.available_timezones() if name not in _NO_PLACES and not name.startswith(_COPIES)
    )


def is_zone(name: object) -> bool:
    return isinstance(name, str) and name in zones()
