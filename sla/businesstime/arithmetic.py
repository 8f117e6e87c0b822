"""Budgets, ranges, working days and spans of a calendar, to the second.

Between two changes of the offset local time is linear, so working seconds are a difference of two prefix sums of the
calendar: the cost follows the clock changes met, not the days.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from sla.businesstime.wallclock import (
    DAY,
    END,
    FIRST,
    first_tick,
    instant_of,
    local_of,
    stretches,
    stretches_back,
    tick_of,
)
from sla.businesstime.workcalendar import WorkCalendar, exhausted

Pauses = Iterable[tuple[datetime, datetime]]


class Reason(StrEnum):
    """Why a span counts or does not."""

    OPEN = "open"
    CLOSED = "closed"
    HOLIDAY = "holiday"
    SPECIAL = "special"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time with one reason; `on` is the date of the holiday or special opening."""

    start: datetime
    stop: datetime
    counted: bool
    reason: Reason
    on: date | None = None

    @property
    def seconds(self) -> int:
        return (self.stop - self.start) // timedelta(seconds=1)


def add(cal: WorkCalendar, start: datetime, seconds: int, pauses: Pauses = ()) -> datetime:
    """The first instant at which so many working seconds have passed; a negative number goes back from `start`.

    Zero gives `start`. Backwards it is the last such instant: a budget that reaches back to opening time is there.
    """
    tick = tick_of(start)
    if seconds > 0:
        for low, high in _merged(pauses):
            if high <= tick:
                continue
            free = _open_seconds(cal, tick, low)
            if free >= seconds:
                break
            seconds, tick = seconds - free, high
        return instant_of(_reach(cal, tick, seconds))
    if seconds < 0:
        for low, high in reversed(_merged(pauses)):
            if low >= tick:
                continue
            free = _open_seconds(cal, high, tick)
            if free >= -seconds:
                break
            seconds, tick = seconds + free, low
        return instant_of(_reach_back(cal, tick, -seconds))
    return instant_of(tick)


def between(cal: WorkCalendar, start: datetime, stop: datetime, pauses: Pauses = ()) -> int:
    """Working seconds from start to stop without those inside a pause; a reversed range (or pause) is 0."""
    low, high = tick_of(start), tick_of(stop)
    paused = sum(_open_seconds(cal, max(low, begin), min(high, end)) for begin, end in _merged(pauses))
    return _open_seconds(cal, low, high) - paused


def is_open(cal: WorkCalendar, at: datetime) -> bool:
    """Whether the second that begins at this instant counts: opening time does, closing time does not."""
    local = local_of(cal.zone, tick_of(at))
    return any(start <= local % DAY < end for start, end in cal.windows(local // DAY))


def next_open(cal: WorkCalendar, at: datetime) -> datetime:
    """The instant itself if it is open, else the next opening."""
    for low, high, offset in _ahead(cal, tick_of(at), 1):
        passed = cal.seconds_before(low + offset)
        if cal.seconds_before(high + offset) > passed:
            return instant_of(cal.last_with(passed, low + offset, high + offset) - offset)
    raise exhausted()


def previous_close(cal: WorkCalendar, at: datetime) -> datetime:
    """The instant itself if the second before it is open, else the last closing before it."""
    return instant_of(_close_before(cal, tick_of(at)))


def add_days(cal: WorkCalendar, start: datetime, days: int) -> datetime:
    """The same clock time so many working days later (or earlier, if negative).

    A closed date counts from the next opening (backwards: from the closing before). A clock time after the day's
    last window becomes its closing (backwards: before the first, its opening): nobody works in between, so this
    takes no second away. A clock time that comes twice is its first occurrence, one that does not exist the first
    instant after the gap, as in a hand-over.
    """
    tick = tick_of(start)
    day, clock = divmod(local_of(cal.zone, tick), DAY)
    if not cal.windows(day):
        tick = tick_of(next_open(cal, start)) if days >= 0 else _close_before(cal, tick)
        # One second back: a closing at 24:00 belongs to the day that it ends.
        day, clock = divmod(local_of(cal.zone, tick - (days < 0)), DAY)
        clock += days < 0
    if not days:
        return instant_of(tick)
    day = cal.working_day(day, days)
    windows = cal.windows(day)
    if days > 0 and clock >= windows[-1][1]:
        return instant_of(_close_of(cal, day))
    return instant_of(first_tick(cal.zone, day * DAY + (clock if days > 0 else max(clock, windows[0][0]))))


def add_days_end_of_day(cal: WorkCalendar, start: datetime, days: int) -> datetime:
    """The closing time of the day so many working days later.

    A closed date counts from the next working day; with 0 days, so does a day that has closed already: a promise is
    never due before it was made.
    """
    tick = tick_of(start)
    day = local_of(cal.zone, tick) // DAY
    if not cal.windows(day):
        day = cal.working_day(day, 0)
    if days:
        day = cal.working_day(day, days)
    elif _close_of(cal, day) < tick:
        day = cal.working_day(day, 1)
    return instant_of(_close_of(cal, day))


def spans(cal: WorkCalendar, start: datetime, stop: datetime, pauses: Pauses = ()) -> Iterator[Span]:
    """Explain a range, lazily: spans without a gap from start to stop; the counted ones add up to `between`."""
    held: Span | None = None
    for low, high, counted, reason, on in _cut(_pieces(cal, tick_of(start), tick_of(stop)), _merged(pauses)):
        if held and (held.counted, held.reason, held.on) == (counted, reason, on):
            held = Span(held.start, instant_of(high), counted, reason, on)
        else:
            if held:
                yield held
            held = Span(instant_of(low), instant_of(high), counted, reason, on)
    if held:
        yield held


_Piece = tuple[int, int, bool, Reason, date | None]


def _pieces(cal: WorkCalendar, start: int, stop: int) -> Iterator[_Piece]:
    for low, high, offset in stretches(cal.zone, start, stop):
        for day in range((low + offset) // DAY, (high + offset - 1) // DAY + 1):
            for begin, end, counted, reason, on in _day_pieces(cal, day):
                begin, end = max(begin - offset, low), min(end - offset, high)
                if begin < end:
                    yield begin, end, counted, reason, on


def _day_pieces(cal: WorkCalendar, day: int) -> Iterator[_Piece]:
    """The pieces of one local day, in local ticks."""
    on: date | None = date.fromordinal(day)
    opened, closed = Reason.OPEN, Reason.CLOSED
    if on in cal.special:
        opened = closed = Reason.SPECIAL
    elif on in cal.holidays or (on and cal.is_yearly(on)):
        closed = Reason.HOLIDAY
    else:
        on = None
    passed = day * DAY
    for start, end in cal.windows(day):
        yield passed, day * DAY + start, False, closed, on
        yield day * DAY + start, day * DAY + end, True, opened, on
        passed = day * DAY + end
    yield passed, (day + 1) * DAY, False, closed, on


def _cut(pieces: Iterable[_Piece], pauses: Sequence[tuple[int, int]]) -> Iterator[_Piece]:
    """Take the pauses out of the counted pieces; closed time stays closed, whether somebody waits or not."""
    for low, high, counted, reason, on in pieces:
        first = bisect_right(pauses, low, key=lambda pause: pause[1]) if counted else len(pauses)
        for begin, end in pauses[first:]:
            if begin >= high:
                break
            begin, end = max(begin, low), min(end, high)
            if low < begin:
                yield low, begin, counted, reason, on
            yield begin, end, False, Reason.PAUSED, None
            low = end
        if low < high:
            yield low, high, counted, reason, on


def _merged(pauses: Pauses) -> list[tuple[int, int]]:
    """Sorted spans that do not touch; empty and reversed ones are gone."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted((tick_of(start), tick_of(stop)) for start, stop in pauses):
        if merged and low <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(high, merged[-1][1])
        elif low < high:
            merged.append((low, high))
    return merged


def _open_seconds(cal: WorkCalendar, start: int, stop: int) -> int:
    return sum(
        cal.seconds_before(high + offset) - cal.seconds_before(low + offset)
        for low, high, offset in stretches(cal.zone, start, stop)
    )


def _reach(cal: WorkCalendar, tick: int, seconds: int) -> int:
    for low, high, offset in _ahead(cal, tick, seconds):
        passed = cal.seconds_before(low + offset)
        free = cal.seconds_before(high + offset) - passed
        if free >= seconds:
            return cal.first_with(passed + seconds, low + offset, high + offset) - offset
        seconds -= free
    raise exhausted()


def _reach_back(cal: WorkCalendar, tick: int, seconds: int) -> int:
    for low, high, offset in _behind(cal, tick, seconds):
        passed = cal.seconds_before(high + offset)
        free = passed - cal.seconds_before(low + offset)
        if free >= seconds:
            return cal.last_with(passed - seconds, low + offset, high + offset) - offset
        seconds -= free
    raise exhausted()


def _close_before(cal: WorkCalendar, tick: int) -> int:
    for low, high, offset in _behind(cal, tick, 1):
        passed = cal.seconds_before(high + offset)
        if passed > cal.seconds_before(low + offset):
            return cal.first_with(passed, low + offset, high + offset) - offset
    raise exhausted()


def _close_of(cal: WorkCalendar, day: int) -> int:
    """The end of the last open second of a working day."""
    return _close_before(cal, first_tick(cal.zone, (day + 1) * DAY))


def _ahead(cal: WorkCalendar, tick: int, seconds: int) -> Iterator[tuple[int, int, int]]:
    """All stretches from here on; a hopeless search is refused at once (no local second comes more than twice)."""
    if 2 * (cal.seconds_before(END + DAY) - cal.seconds_before(tick - DAY)) < seconds:
        raise exhausted()
    yield from stretches(cal.zone, tick, END)


def _behind(cal: WorkCalendar, tick: int, seconds: int) -> Iterator[tuple[int, int, int]]:
    """The same backwards, the latest stretch first."""
    if 2 * (cal.seconds_before(tick + DAY) - cal.seconds_before(FIRST - DAY)) < seconds:
        raise exhausted()
    yield from stretches_back(cal.zone, tick)
