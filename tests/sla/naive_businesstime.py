"""The rules of business time once more, without arithmetic: cut time at every edge, ask each piece whether it counts.

Nothing of the module under test is used but the plain fields of the calendar; zoneinfo is asked for every instant.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from sla.businesstime import WorkCalendar

Pauses = Sequence[tuple[datetime, datetime]]
SECOND, DAY, CHUNK = timedelta(seconds=1), timedelta(days=1), timedelta(days=8)


def windows(cal: WorkCalendar, day: date) -> tuple[tuple[int, int], ...]:
    if day in cal.special:
        return cal.special[day]
    if day in cal.holidays or (day.month, day.day) in cal.yearly_holidays:
        return ()
    return cal.week[day.weekday()]


def is_open(cal: WorkCalendar, at: datetime) -> bool:
    local = at.astimezone(ZoneInfo(cal.zone))
    second = local.hour * 3600 + local.minute * 60 + local.second
    return any(start <= second < end for start, end in windows(cal, local.date()))


def offset_changes(zone: str, start: datetime, stop: datetime) -> Iterator[datetime]:
    info, step = ZoneInfo(zone), timedelta(hours=6)
    while start < stop:
        before, after = start.astimezone(info).utcoffset(), (start + step).astimezone(info).utcoffset()
        if before != after:
            seconds = range(step // SECOND + 1)
            yield start + SECOND * bisect_left(
                seconds, True, key=lambda n: (start + SECOND * n).astimezone(info).utcoffset() == after
            )
        start += step


def pieces(cal: WorkCalendar, start: datetime, stop: datetime, pauses: Pauses = ()) -> list[tuple[datetime, datetime]]:
    """The counted pieces of a range, in order; neighbours may touch."""
    info = ZoneInfo(cal.zone)
    edges = {start, stop, *offset_changes(cal.zone, start - DAY, stop + DAY)}
    edges |= {edge for pause in pauses for edge in pause}
    day = (start - 2 * DAY).date()
    while day <= (stop + 2 * DAY).date():
        midnight = datetime(day.year, day.month, day.day)
        for second in {0, *(edge for window in windows(cal, day) for edge in window)}:
            wall = midnight + SECOND * second
            edges |= {wall.replace(tzinfo=info, fold=fold).astimezone(UTC) for fold in (0, 1)}
        day += DAY
    inside = sorted(edge for edge in edges if start <= edge <= stop)
    return [
        (low, high)
        for low, high in pairwise(inside)
        if is_open(cal, low) and not any(begin <= low < end for begin, end in pauses)
    ]


def between(cal: WorkCalendar, start: datetime, stop: datetime, pauses: Pauses = ()) -> int:
    return sum((high - low) // SECOND for low, high in pieces(cal, start, stop, pauses)) if start < stop else 0


def add(cal: WorkCalendar, start: datetime, seconds: int, pauses: Pauses = ()) -> datetime:
    if seconds < 0:
        return _subtract(cal, start, -seconds, pauses)
    at = start
    while seconds:
        for low, high in pieces(cal, at, at + CHUNK, pauses):
            if (high - low) // SECOND >= seconds:
                return low + SECOND * seconds
            seconds -= (high - low) // SECOND
        at += CHUNK
    return start


def _subtract(cal: WorkCalendar, start: datetime, seconds: int, pauses: Pauses) -> datetime:
    at = start
    while True:
        for low, high in reversed(pieces(cal, at - CHUNK, at, pauses)):
            if (high - low) // SECOND >= seconds:
                return high - SECOND * seconds
            seconds -= (high - low) // SECOND
        at -= CHUNK


def next_open(cal: WorkCalendar, at: datetime) -> datetime:
    while True:
        for low, _ in pieces(cal, at, at + CHUNK):
            return low
        at += CHUNK


def previous_close(cal: WorkCalendar, at: datetime) -> datetime:
    while True:
        for _, high in reversed(pieces(cal, at - CHUNK, at)):
            return high
        at -= CHUNK


def first_instant(zone: str, wall: datetime) -> datetime:
    """The first instant whose local time is this one or, in a gap, later."""
    info = ZoneInfo(zone)
    at = wall.replace(tzinfo=info, fold=0).astimezone(UTC)
    if at.astimezone(info).replace(tzinfo=None) == wall:
        return at
    return next(
        change
        for change in offset_changes(zone, at - 2 * DAY, at + DAY)
        if change.astimezone(info).replace(tzinfo=None) > wall
    )


def is_working_day(cal: WorkCalendar, day: date) -> bool:
    noon = first_instant(cal.zone, datetime(day.year, day.month, day.day, 12))
    exists = noon.astimezone(ZoneInfo(cal.zone)).date() == day
    return exists and bool(windows(cal, day))


def step_days(cal: WorkCalendar, day: date, days: int) -> date:
    while days:
        day += DAY if days > 0 else -DAY
        if is_working_day(cal, day):
            days += -1 if days > 0 else 1
    return day


def close_of(cal: WorkCalendar, day: date) -> datetime:
    info, noon = ZoneInfo(cal.zone), datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    ends = [high for low, high in pieces(cal, noon - 2 * DAY, noon + 2 * DAY) if low.astimezone(info).date() == day]
    return ends[-1]


def add_days(cal: WorkCalendar, start: datetime, days: int) -> datetime:
    info = ZoneInfo(cal.zone)
    local = start.astimezone(info)
    day, clock = local.date(), local.hour * 3600 + local.minute * 60 + local.second
    if not is_working_day(cal, day):
        start = next_open(cal, start) if days >= 0 else previous_close(cal, start)
        local = (start if days >= 0 else start - SECOND).astimezone(info)
        day, clock = local.date(), local.hour * 3600 + local.minute * 60 + local.second + (days < 0)
    if not days:
        return start
    day = step_days(cal, day, days)
    if days > 0 and clock >= windows(cal, day)[-1][1]:
        return close_of(cal, day)
    if days < 0:
        clock = max(clock, windows(cal, day)[0][0])
    return first_instant(cal.zone, datetime(day.year, day.month, day.day) + SECOND * clock)


def add_days_end_of_day(cal: WorkCalendar, start: datetime, days: int) -> datetime:
    day = start.astimezone(ZoneInfo(cal.zone)).date()
    while not is_working_day(cal, day):
        day += DAY
    day = step_days(cal, day, days)
    if not days and close_of(cal, day) < start:
        day = step_days(cal, day, 1)
    return close_of(cal, day)
