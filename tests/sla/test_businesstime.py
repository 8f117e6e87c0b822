"""Business time by example: the rules a reader would ask about, and what is refused."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest

from sla.businesstime import (
    WALL_CLOCK,
    InvalidCalendar,
    OutOfRange,
    Reason,
    WorkCalendar,
    add,
    add_days,
    add_days_end_of_day,
    between,
    is_open,
    next_open,
    previous_close,
    spans,
    wallclock,
)
from tests.sla import naive_businesstime as naive

HOUR, DAY = 3600, 86_400
OFFICE = ((9 * HOUR, 12 * HOUR), (13 * HOUR, 17 * HOUR))
BERLIN = WorkCalendar(
    "Europe/Berlin",
    (OFFICE,) * 5 + ((), ()),
    holidays=frozenset({date(2024, 5, 20)}),
    yearly_holidays=frozenset({(5, 1), (12, 25)}),
    special={date(2024, 12, 24): ((9 * HOUR, 12 * HOUR),), date(2024, 5, 18): ((10 * HOUR, 14 * HOUR),)},
)


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)


@pytest.mark.parametrize(
    ("start", "seconds", "end"),
    [
        ("2024-04-29 09:00", 3 * HOUR, "2024-04-29 12:00"),  # ends at closing: due at closing
        ("2024-04-29 09:00", 3 * HOUR + 1, "2024-04-29 13:00:01"),
        ("2024-04-30 16:00", 2 * HOUR, "2024-05-02 10:00"),  # over a yearly holiday
        ("2024-05-17 16:00", 6 * HOUR, "2024-05-21 10:00"),  # a special Saturday, then a holiday Monday
        ("2024-04-29 10:00", -2 * HOUR, "2024-04-26 16:00"),
        ("2024-04-29 10:00", -HOUR, "2024-04-29 09:00"),  # back to opening time: there
        ("2024-04-28 10:00", 0, "2024-04-28 10:00"),
    ],
)
def test_a_budget_is_used_up_in_open_time_only(start: str, seconds: int, end: str) -> None:
    assert add(BERLIN, berlin(start), seconds) == berlin(end)


def test_a_reversed_range_is_zero() -> None:
    assert between(BERLIN, berlin("2024-04-30 16:00"), berlin("2024-04-29 09:00")) == 0


@pytest.mark.parametrize(("day", "hours"), [("2024-03-31", 23), ("2024-10-27", 25), ("2024-10-28", 24)])
def test_a_day_of_a_clock_change_counts_the_hours_it_has(day: str, hours: int) -> None:
    always = WorkCalendar("Europe/Berlin", (((0, DAY),),) * 7)
    midnight = datetime.fromisoformat(day)
    seconds = between(always, berlin(str(midnight)), berlin(str(midnight + timedelta(days=1))))
    assert seconds == hours * HOUR


def test_a_window_in_the_repeated_hour_is_open_twice_and_in_the_skipped_hour_never() -> None:
    night = WorkCalendar("Europe/Berlin", (((2 * HOUR, 3 * HOUR),),) * 7)
    assert between(night, berlin("2024-10-27 00:00"), berlin("2024-10-28 00:00")) == 2 * HOUR
    assert between(night, berlin("2024-03-31 00:00"), berlin("2024-04-01 00:00")) == 0


def test_pauses_are_not_counted_and_may_overlap_each_other_and_closed_time() -> None:
    pauses = [
        (berlin("2024-04-29 10:00"), berlin("2024-04-29 11:00")),
        (berlin("2024-04-29 10:30"), berlin("2024-04-29 11:30")),
        (berlin("2024-04-29 16:00"), berlin("2024-04-30 09:30")),
        (berlin("2024-04-30 10:00"), berlin("2024-04-30 09:00")),  # reversed: nothing
    ]
    start, end = berlin("2024-04-29 09:00"), berlin("2024-04-30 10:00")
    assert between(BERLIN, start, end, pauses) == 5 * HOUR
    assert add(BERLIN, start, 5 * HOUR, pauses) == end
    assert add(BERLIN, end, -5 * HOUR, pauses) == start


def test_microseconds_are_cut_off() -> None:
    start = berlin("2024-04-29 09:00") + timedelta(microseconds=999_999)
    assert add(BERLIN, start, 60) == berlin("2024-04-29 09:01")
    assert between(BERLIN, start, start + timedelta(microseconds=1)) == 1


def test_opening_time_is_open_and_closing_time_is_not() -> None:
    assert is_open(BERLIN, berlin("2024-04-29 09:00"))
    assert not is_open(BERLIN, berlin("2024-04-29 12:00"))
    assert next_open(BERLIN, berlin("2024-04-29 12:00")) == berlin("2024-04-29 13:00")
    assert next_open(BERLIN, berlin("2024-04-29 13:00")) == berlin("2024-04-29 13:00")
    assert previous_close(BERLIN, berlin("2024-04-29 13:00")) == berlin("2024-04-29 12:00")
    assert previous_close(BERLIN, berlin("2024-04-29 12:00")) == berlin("2024-04-29 12:00")


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        ("2024-04-29 10:15", 1, "2024-04-30 10:15"),
        ("2024-04-30 10:15", 1, "2024-05-02 10:15"),
        ("2024-04-27 10:15", 1, "2024-04-30 09:00"),  # a Saturday counts from Monday's opening
        ("2024-12-23 15:00", 1, "2024-12-24 12:00"),  # the day closes earlier
        ("2024-05-02 10:15", -1, "2024-04-30 10:15"),
        ("2024-04-28 10:15", -1, "2024-04-25 17:00"),  # a Sunday counts back from Friday's closing
        ("2024-04-27 10:15", 0, "2024-04-29 09:00"),
        ("2024-04-29 18:00", 0, "2024-04-29 18:00"),
    ],
)
def test_working_days_keep_the_clock_time(start: str, days: int, end: str) -> None:
    assert add_days(BERLIN, berlin(start), days) == berlin(end)


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        ("2024-04-29 10:15", 1, "2024-04-30 17:00"),
        ("2024-04-29 10:15", 0, "2024-04-29 17:00"),
        ("2024-04-29 18:00", 0, "2024-04-30 17:00"),
        ("2024-04-27 10:15", 1, "2024-04-30 17:00"),
        ("2024-12-23 18:00", 1, "2024-12-24 12:00"),
    ],
)
def test_end_of_day_is_the_closing_of_the_last_window(start: str, days: int, end: str) -> None:
    assert add_days_end_of_day(BERLIN, berlin(start), days) == berlin(end)


def test_a_date_that_the_zone_skipped_is_no_working_day() -> None:
    apia = WorkCalendar("Pacific/Apia", (OFFICE,) * 7)
    start = datetime(2011, 12, 29, 10, tzinfo=ZoneInfo("Pacific/Apia"))
    assert add_days(apia, start, 1) == datetime(2011, 12, 31, 10, tzinfo=ZoneInfo("Pacific/Apia"))


def test_the_walk_names_its_reasons() -> None:
    pause = (berlin("2024-05-17 13:00"), berlin("2024-05-17 14:00"))
    walk = spans(BERLIN, berlin("2024-05-17 12:00"), berlin("2024-05-21 10:00"), [pause])
    assert [(span.seconds / HOUR, span.counted, span.reason, span.on) for span in walk] == [
        (1, False, Reason.CLOSED, None),
        (1, False, Reason.PAUSED, None),
        (3, True, Reason.OPEN, None),
        (7, False, Reason.CLOSED, None),
        (10, False, Reason.SPECIAL, date(2024, 5, 18)),
        (4, True, Reason.SPECIAL, date(2024, 5, 18)),
        (10, False, Reason.SPECIAL, date(2024, 5, 18)),
        (24, False, Reason.CLOSED, None),
        (24, False, Reason.HOLIDAY, date(2024, 5, 20)),
        (9, False, Reason.CLOSED, None),
        (1, True, Reason.OPEN, None),
    ]


def test_the_wall_clock_counts_every_second() -> None:
    start = datetime(2024, 2, 28, 23, tzinfo=UTC)
    assert add(WALL_CLOCK, start, 72 * HOUR) == start + timedelta(hours=72)


def test_ten_years_are_exact() -> None:
    start = berlin("2024-01-02 09:00")
    end = add(BERLIN, start, 2500 * 7 * HOUR)
    assert end == naive.add(BERLIN, start, 2500 * 7 * HOUR)
    assert between(BERLIN, start, end) == 2500 * 7 * HOUR


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"zone": "Mars/Olympus"}, "Unknown time zone 'Mars/Olympus'"),
        ({"week": {"mon": [["09:00", "08:00"]]}}, "mon: 09:00-08:00 does not end after it starts"),
        ({"week": {"mon": [["09:00", "12:00"], ["11:00", "13:00"]]}}, "mon: two windows overlap at 11:00"),
        ({"week": {}}, "no open hour"),
        ({"week": {"monday": []}}, "Unknown weekday 'monday'"),
        ({"week": {"mon": [["9", "x"]]}}, "not readable"),
        ({"week": {"mon": [["09:60", "11:00"]]}}, "no time of day"),
        ({"week": {"mon": [["09:00", "25:00"]]}}, "split a window that passes midnight"),
        ({"holidays": ["--02-30"]}, "--02-30 is no day of the year"),
        ({"holidays": ["2024-13-01"]}, "not readable"),
    ],
)
def test_an_unusable_calendar_is_refused_with_its_cause(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidCalendar, match=message):
        WorkCalendar.from_json({"zone": "Europe/Berlin", "week": {"mon": [["09:00", "17:00"]]}} | change)


def test_a_calendar_closed_by_yearly_holidays_alone_is_refused() -> None:
    every_day = frozenset(((start := date(2000, 1, 1) + timedelta(days=n)).month, start.day) for n in range(366))
    with pytest.raises(InvalidCalendar, match="no open hour"):
        WorkCalendar("UTC", (OFFICE,) * 7, yearly_holidays=every_day)


def test_the_ends_of_time_are_refused_clearly() -> None:
    for at in (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
        with pytest.raises(OutOfRange, match="outside the years 2 to 9998"):
            add(BERLIN, at, 60)
    with pytest.raises(OutOfRange, match="too few open hours"):
        add(BERLIN, berlin("2024-01-01 00:00"), 10**12)
    with pytest.raises(OutOfRange, match="too few open hours"):
        add(BERLIN, berlin("2024-01-01 00:00"), -(10**12))
    with pytest.raises(OutOfRange, match="too few open hours"):
        add_days(BERLIN, berlin("2024-01-01 00:00"), 10**9)


def test_a_calendar_of_special_openings_ends_with_them() -> None:
    fair = WorkCalendar("Europe/Berlin", ((),) * 7, special={date(2024, 5, 18): OFFICE})
    assert add(fair, berlin("2024-01-01 00:00"), HOUR) == berlin("2024-05-18 10:00")
    with pytest.raises(OutOfRange, match="too few open hours"):
        next_open(fair, berlin("2024-05-19 00:00"))


def test_an_instant_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no zone"):
        is_open(BERLIN, datetime(2024, 1, 1))


def test_no_zone_changes_its_offset_twice_within_the_probing_step() -> None:
    """The step is three days; probing each year of a century twice as finely must find the same changes."""
    for zone in sorted(available_timezones())[::7]:
        info = ZoneInfo(zone)
        for year in (1940, 1945, 2000, 2024, 2040):
            start = datetime(year, 1, 1, tzinfo=UTC)
            finer = [(start + timedelta(hours=18 * n)).astimezone(info).utcoffset() for n in range(480)]
            changes = sum(one != other for one, other in pairwise(finer))
            tick = wallclock.tick_of(start)
            offsets = [offset for _, _, offset in wallclock.stretches(zone, tick, tick + 479 * 18 * HOUR)]
            assert changes == sum(one != other for one, other in pairwise(offsets)), (zone, year)
