"""The zone's wall clock as arithmetic: ticks of UTC, ticks of local time, and the stretches with one offset.

A tick is a second counted from the imaginary midnight of ordinal day 0, of UTC or of a local clock; integers know no
overflow and no ambiguity. Where the offset changes is found by probing, once for each zone and year, never by walking
days. The years 1 and 9999 are outside, so that a local time always is a date: OutOfRange.
"""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAY = 86_400
FIRST_DAY, LAST_DAY = date(2, 1, 1).toordinal(), date(9998, 12, 31).toordinal()
FIRST, END = FIRST_DAY * DAY, (LAST_DAY + 1) * DAY

# The shortest known time between two changes of a zone is four days (Freetown 1939): one step meets at most one.
_STEP = 3 * DAY


class UnknownZone(ValueError):
    """No time zone has this name; the message names a remedy."""


class OutOfRange(ValueError):
    """An instant lies in or beyond the years 1 or 9999, or a calendar has no working time left before them."""


def first_instant(zone: str, wall: datetime) -> datetime:
    """The first instant at which the zone's clock shows this local time; in a gap, the first instant after it."""
    return instant_of(first_tick(zone, _wall_tick(zone, wall)))


def last_instant(zone: str, wall: datetime) -> datetime:
    """The last instant at which the zone's clock shows this local time; in a gap, the first instant after it."""
    local = _wall_tick(zone, wall)
    tick = first_tick(zone, local)
    for low, high, offset in stretches(zone, tick, tick + 2 * DAY):
        if low + offset <= local < high + offset:
            tick = local - offset
    return instant_of(tick)


def tick_of(at: datetime) -> int:
    if at.utcoffset() is None:
        raise ValueError(f"{at.isoformat()} has no zone; pass an aware instant.")
    if not 1 < at.year < 9999:
        raise OutOfRange(f"{at.isoformat()} is outside the years 2 to 9998; correct the date.")
    utc = at.astimezone(UTC)
    tick = utc.toordinal() * DAY + utc.hour * 3600 + utc.minute * 60 + utc.second
    if not FIRST <= tick < END:
        raise OutOfRange(f"{at.isoformat()} is outside the years 2 to 9998 of UTC; correct the date.")
    return tick


def _wall_tick(zone: str, wall: datetime) -> int:
    check_zone(zone)
    if wall.tzinfo is not None:
        raise ValueError(f"{wall.isoformat()} has a zone; pass the local time without one.")
    return tick_of(wall.replace(tzinfo=UTC))


def instant_of(tick: int) -> datetime:
    day, second = divmod(tick, DAY)
    minute, second = divmod(second, 60)
    at = date.fromordinal(day)
    return datetime(at.year, at.month, at.day, minute // 60, minute % 60, second, tzinfo=UTC)


def stretches(zone: str, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """Cut a range of UTC ticks where the zone's offset (or the year) changes: (start, stop, offset)."""
    if start >= stop:
        return
    for year in range(date.fromordinal(start // DAY).year, date.fromordinal((stop - 1) // DAY).year + 1):
        for low, high, offset in _year_stretches(zone, year):
            if high > start and low < stop:
                yield max(low, start), min(high, stop), offset


def stretches_back(zone: str, stop: int) -> Iterator[tuple[int, int, int]]:
    """All stretches before a tick, the latest first."""
    for year in range(date.fromordinal(stop // DAY).year, 1, -1):
        for low, high, offset in reversed(_year_stretches(zone, year)):
            if low < stop:
                yield low, min(high, stop), offset


@lru_cache(maxsize=16_384)
def _year_stretches(zone: str, year: int) -> tuple[tuple[int, int, int], ...]:
    if year >= 2500:
        # Far years follow a yearly rule, and the Gregorian calendar repeats every 400 years.
        shift = (year - 2100) // 400 * 146_097 * DAY
        near = _year_stretches(zone, 2100 + (year - 2100) % 400)
        return tuple((low + shift, high + shift, offset) for low, high, offset in near)
    info = ZoneInfo(zone)
    start, end = date(year, 1, 1).toordinal() * DAY, date(year + 1, 1, 1).toordinal() * DAY
    offset, passed = _offset(info, start), start
    stretches = []
    for probe in (*range(start + _STEP, end - 1, _STEP), end - 1):
        found = _offset(info, probe)
        if found != offset:
            around = range(max(passed, probe - _STEP), probe + 1)
            change = around[bisect_left(around, True, key=lambda tick: _offset(info, tick) == found)]
            stretches.append((passed, change, offset))
            offset, passed = found, change
    return (*stretches, (passed, end, offset))


def _offset(info: ZoneInfo, tick: int) -> int:
    offset = instant_of(tick).astimezone(info).utcoffset() or timedelta()
    return offset.days * DAY + offset.seconds


def local_of(zone: str, tick: int) -> int:
    return next(tick + offset for _, _, offset in stretches(zone, tick, tick + 1))


def first_tick(zone: str, local: int) -> int:
    """The first tick at which the clock has reached this local one: nothing lies further than two days from UTC."""
    for low, high, offset in stretches(zone, max(FIRST, local - 2 * DAY), min(END, local + 2 * DAY)):
        if local - offset < high:
            return max(low, local - offset)
    raise OutOfRange("The local time lies outside the years 2 to 9998; correct the date.")


@lru_cache(maxsize=1024)
def skipped_days(zone: str) -> tuple[int, ...]:
    """Local dates that never were, where a zone crossed the date line (1844 to 2011)."""
    info, skipped = ZoneInfo(zone), list[int]()
    offsets = [_offset(info, date(year, 1, 1).toordinal() * DAY) for year in range(1840, 2032)]
    for index, (old, new) in enumerate(pairwise(offsets)):
        if new - old > DAY // 2:
            for (_, change, before), (_, _, after) in pairwise(
                _year_stretches(zone, 1840 + index) + _year_stretches(zone, 1841 + index)[:1]
            ):
                skipped += range(-(-(change + before) // DAY), (change + after) // DAY)
    return tuple(skipped)


@lru_cache(maxsize=1024)
def check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError, AttributeError) as error:
        raise UnknownZone(f"Unknown time zone {zone!r}; use an IANA name such as Europe/Berlin.") from error
