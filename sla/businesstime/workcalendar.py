"""The working calendar as a value: opening hours of a week, holidays, special openings, and sums over their seconds.

Sums are prefix sums over local days, whole weeks first: less the yearly holidays (the Gregorian calendar repeats after
400 years), plus corrections for single dates. So a sum over ten years costs what a sum over a week costs.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import accumulate, pairwise
from typing import Any, Self

from sla.businesstime.wallclock import DAY, FIRST_DAY, LAST_DAY, OutOfRange, UnknownZone, check_zone, skipped_days

Windows = tuple[tuple[int, int], ...]

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class InvalidCalendar(ValueError):
    """The calendar cannot be used; the message says why and what to change."""


def _year_kind(year: int) -> int:
    """Years of one kind have the same weekdays: 7 weekdays of 1 January, leap or not."""
    first = date(year, 1, 1)
    return first.weekday() * 2 + (date(year + 1, 1, 1).toordinal() - first.toordinal() - 365)


_KINDS = tuple(_year_kind(year) for year in range(1, 401))
_SAMPLES = {kind: year for year, kind in enumerate(_KINDS, start=1)}


class _DaySums:
    """Sum of one value of each day (working seconds, or 1 for a working day) over all days before a given one."""

    __slots__ = ("_by_kind", "_by_year", "_corrections", "_dates", "_week", "_yearly")

    def __init__(self, week: Sequence[int], yearly: Iterable[tuple[int, int]], exact: Mapping[int, int]) -> None:
        self._week = tuple(accumulate(week, initial=0))
        self._yearly = sorted(yearly)
        self._by_kind = [self._lost_in(_SAMPLES[kind], week) for kind in range(14)] if self._yearly else []
        lost = (self._by_kind[kind][1][-1] for kind in _KINDS) if self._yearly else (0 for _ in _KINDS)
        self._by_year = tuple(accumulate(lost, initial=0))
        self._dates: list[int] = []
        self._corrections = [0]
        days = sorted(exact)
        corrections = [exact[day] - (self.before(day + 1) - self.before(day)) for day in days]
        self._dates, self._corrections = days, list(accumulate(corrections, initial=0))

    def _lost_in(self, year: int, week: Sequence[int]) -> tuple[list[int], list[int]]:
        """Days of the year that are yearly holidays, and what the first n of them take from the week."""
        leap = _year_kind(year) % 2
        days = [date(year, month, day) for month, day in self._yearly if leap or (month, day) != (2, 29)]
        first = date(year, 1, 1).toordinal()
        return [day.toordinal() - first for day in days], list(
            accumulate((week[day.weekday()] for day in days), initial=0)
        )

    def per_cycle(self) -> int:
        """The sum over 400 years, single dates left out."""
        return 20_871 * self._week[7] - self._by_year[400]

    def before(self, day: int) -> int:
        weeks, rest = divmod(day - 1, 7)
        total = weeks * self._week[7] + self._week[rest]
        if self._yearly:
            year = date.fromordinal(day).year
            cycles, index = divmod(year - 1, 400)
            days, lost = self._by_kind[_KINDS[index]]
            in_year = lost[bisect_left(days, day - date(year, 1, 1).toordinal())]
            total -= cycles * self._by_year[400] + self._by_year[index] + in_year
        return total + self._corrections[bisect_left(self._dates, day)]


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """Opening hours as a value: windows are (start, end) in seconds of the local day, 86400 being the next midnight.

    A special opening replaces all windows of its date, on a holiday too (somebody opened it on purpose); without
    windows it is a closed day. A date that the zone skipped (Apia, 30 December 2011) is no working day.
    """

    zone: str
    week: tuple[Windows, ...]
    holidays: frozenset[date] = frozenset()
    yearly_holidays: frozenset[tuple[int, int]] = frozenset()
    special: Mapping[date, Windows] = field(default_factory=dict, hash=False)
    _exact: dict[int, Windows] = field(init=False, repr=False, compare=False)
    _seconds: _DaySums = field(init=False, repr=False, compare=False)
    _working_days: _DaySums = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            check_zone(self.zone)
        except UnknownZone as error:
            raise InvalidCalendar(str(error)) from error
        if len(self.week) != 7:
            raise InvalidCalendar(f"The week has {len(self.week)} days; give windows for all 7, Monday first.")
        for month, day in self.yearly_holidays:
            _check_yearly(month, day)
        week = tuple(_checked(windows, name) for windows, name in zip(self.week, WEEKDAYS, strict=True))
        special = {day: _checked(windows, day.isoformat()) for day, windows in self.special.items()}
        exact: dict[int, Windows] = {day.toordinal(): () for day in self.holidays}
        exact |= {day.toordinal(): windows for day, windows in special.items()}
        exact |= dict.fromkeys(skipped_days(self.zone), ())
        lengths = {day: _length(windows) for day, windows in exact.items()}
        seconds = _DaySums([_length(windows) for windows in week], self.yearly_holidays, lengths)
        if seconds.per_cycle() <= 0 and not any(special.values()):
            raise InvalidCalendar("The calendar has no open hour, so no clock could end; open at least one window.")
        days = {day: int(length > 0) for day, length in lengths.items()}
        working = _DaySums([int(bool(windows)) for windows in week], self.yearly_holidays, days)
        for name, value in (
            ("week", week),
            ("holidays", frozenset(self.holidays)),
            ("yearly_holidays", frozenset(self.yearly_holidays)),
            ("special", special),
            ("_exact", exact),
            ("_seconds", seconds),
            ("_working_days", working),
        ):
            object.__setattr__(self, name, value)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Build a calendar from the plain form that `to_json` gives; a weekday left out is closed."""
        try:
            week, special = data["week"], data.get("special", {})
            unknown = sorted(set(week) - set(WEEKDAYS))
            if unknown:
                raise InvalidCalendar(f"Unknown weekday {unknown[0]!r}; use {', '.join(WEEKDAYS)}.")
            texts = [str(text) for text in data.get("holidays", ())]
            yearly = [text[2:].split("-") for text in texts if text.startswith("--")]
            return cls(
                zone=data["zone"],
                week=tuple(_windows_from(week.get(name, ())) for name in WEEKDAYS),
                holidays=frozenset(date.fromisoformat(text) for text in texts if not text.startswith("--")),
                yearly_holidays=frozenset((int(month), int(day)) for month, day in yearly),
                special={date.fromisoformat(day): _windows_from(windows) for day, windows in special.items()},
            )
        except InvalidCalendar:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidCalendar(
                f"The calendar is not readable ({type(error).__name__}: {error}); give zone, week "
                '{"mon": [["09:00", "17:00"]]}, holidays ["2024-12-24", "--12-25"] and special {"2024-12-31": []}.'
            ) from error

    def to_json(self) -> dict[str, Any]:
        """The plain form that is stored with a version of the calendar."""
        yearly = [f"--{month:02}-{day:02}" for month, day in sorted(self.yearly_holidays)]
        return {
            "zone": self.zone,
            "week": {name: _windows_text(windows) for name, windows in zip(WEEKDAYS, self.week, strict=True)},
            "holidays": [day.isoformat() for day in sorted(self.holidays)] + yearly,
            "special": {day.isoformat(): _windows_text(self.special[day]) for day in sorted(self.special)},
        }

    def windows_on(self, day: date) -> Windows:
        """The windows of a local date, after holidays and special openings."""
        return self.windows(day.toordinal())

    def windows(self, day: int) -> Windows:
        """The same for an ordinal day."""
        exact = self._exact.get(day)
        if exact is not None:
            return exact
        if self.yearly_holidays and self.is_yearly(date.fromordinal(day)):
            return ()
        return self.week[(day - 1) % 7]

    def is_yearly(self, day: date) -> bool:
        return (day.month, day.day) in self.yearly_holidays

    def working_day(self, day: int, steps: int) -> int:
        """The working day so many steps from this one; from a closed day, step 0 is the next working day."""
        before = self._working_days.before
        days, rank = range(FIRST_DAY, LAST_DAY + 1), before(day) + steps
        found = bisect_right(days, rank, key=before) - 1
        if found < 0 or before(days[found]) < rank or not self.windows(days[found]):
            raise exhausted()
        return days[found]

    def seconds_before(self, local: int) -> int:
        """Working seconds of all local time before this local tick."""
        day, second = divmod(local, DAY)
        total = self._seconds.before(day)
        for start, end in self.windows(day):
            if second <= start:
                break
            total += min(second, end) - start
        return total

    def first_with(self, total: int, low: int, high: int) -> int:
        """The first local tick before which `total` seconds lie; it is after low and not after high."""
        first = low // DAY + 1
        day = first - 1 + bisect_left(range(first, high // DAY + 1), total, key=self._seconds.before)
        rest = total - self._seconds.before(day)
        for start, end in self.windows(day):
            if rest <= end - start:
                return day * DAY + start + rest
            rest -= end - start
        raise AssertionError("the stretch holds fewer seconds than its sums say")

    def last_with(self, total: int, low: int, high: int) -> int:
        """The last local tick before which no more than `total` seconds lie; it is not before low, and before high."""
        first = low // DAY + 1
        day = first - 1 + bisect_right(range(first, high // DAY + 1), total, key=self._seconds.before)
        rest = total - self._seconds.before(day)
        for start, end in self.windows(day):
            if rest < end - start:
                return day * DAY + start + rest
            rest -= end - start
        raise AssertionError("the stretch holds fewer seconds than its sums say")


def exhausted() -> OutOfRange:
    return OutOfRange("The calendar has too few open hours in the years 2 to 9998; lower the target or open windows.")


def _check_yearly(month: int, day: int) -> None:
    try:
        date(2000, month, day)
    except ValueError as error:
        raise InvalidCalendar(f"--{month:02}-{day:02} is no day of the year; correct the yearly holiday.") from error


def _length(windows: Windows) -> int:
    return sum(end - start for start, end in windows)


def _checked(windows: Windows, name: str) -> Windows:
    """The windows of one day in order; touching ones are allowed."""
    ordered = tuple(sorted((start, end) for start, end in windows))
    for start, end in ordered:
        if not 0 <= start < end <= DAY:
            raise InvalidCalendar(
                f"{name}: {_clock_text(start)}-{_clock_text(end)} does not end after it starts within the day; "
                "split a window that passes midnight at 24:00."
            )
    for (_, end), (start, _) in pairwise(ordered):
        if start < end:
            raise InvalidCalendar(f"{name}: two windows overlap at {_clock_text(start)}; join or shorten them.")
    return ordered


def _windows_from(texts: Iterable[Sequence[str]]) -> Windows:
    return tuple((_clock_from(start), _clock_from(end)) for start, end in texts)


def _clock_from(text: str) -> int:
    hours, minutes, seconds = (*(int(part) for part in text.split(":")), 0, 0)[:3]
    if not (0 <= minutes < 60 and 0 <= seconds < 60):
        raise ValueError(f"{text!r} is no time of day")
    return hours * 3600 + minutes * 60 + seconds


def _windows_text(windows: Windows) -> list[list[str]]:
    return [[_clock_text(start), _clock_text(end)] for start, end in windows]


def _clock_text(second: int) -> str:
    hours, rest = divmod(second, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours:02}:{minutes:02}" + (f":{seconds:02}" if seconds else "")


WALL_CLOCK = WorkCalendar("UTC", (((0, DAY),),) * 7)
