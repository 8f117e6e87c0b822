"""Properties of business time for any zone and calendar, and agreement with the naive reference."""

import zoneinfo
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sla.businesstime import (
    Windows,
    WorkCalendar,
    add,
    add_days,
    add_days_end_of_day,
    between,
    is_open,
    next_open,
    previous_close,
    spans,
)
from tests.sla import naive_businesstime as naive

Pauses = list[tuple[datetime, datetime]]

# Instants at which something odd happens to the zone's clock.
ODD = [
    ("Europe/Berlin", datetime(2024, 3, 31, 1, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2024, 10, 27, 1, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2024, 4, 6, 15, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2024, 10, 5, 15, 30, tzinfo=UTC)),
    ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),
    ("Africa/Casablanca", datetime(2024, 3, 10, 2, tzinfo=UTC)),
    ("Africa/Casablanca", datetime(2024, 4, 14, 2, tzinfo=UTC)),
    ("Antarctica/Troll", datetime(2024, 3, 31, 1, tzinfo=UTC)),
    ("America/Sao_Paulo", datetime(2018, 2, 18, 2, tzinfo=UTC)),
    ("America/Havana", datetime(2024, 11, 3, 5, tzinfo=UTC)),
    ("Asia/Gaza", datetime(2040, 10, 20, tzinfo=UTC)),
    ("Africa/Freetown", datetime(1939, 9, 1, tzinfo=UTC)),
    ("America/Juneau", datetime(1867, 10, 19, tzinfo=UTC)),
    ("UTC", datetime(2024, 2, 29, tzinfo=UTC)),
]
ZONES = sorted(zoneinfo.available_timezones())
EDGES = st.integers(0, 96).map(lambda quarter: quarter * 900) | st.integers(0, 86_400)
PLACES = st.sampled_from(ODD) | st.tuples(
    st.sampled_from(ZONES),
    st.datetimes(datetime(1850, 1, 1), datetime(2200, 1, 1)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC)),
)
BUDGETS = st.integers(0, 40 * 3600) | st.integers(0, 40).map(lambda quarters: quarters * 900)


@st.composite
def day_windows(draw: st.DrawFn) -> Windows:
    edges = sorted(draw(st.sets(EDGES, max_size=6)))
    return tuple(zip(edges[::2], edges[1::2], strict=False))


def near(odd: datetime) -> st.SearchStrategy[datetime]:
    return st.integers(-300_000, 300_000).map(lambda seconds: odd + timedelta(seconds=seconds))


@st.composite
def situations(draw: st.DrawFn) -> tuple[WorkCalendar, datetime, datetime, Pauses]:
    """A calendar, two instants and pauses, all within days of an odd instant."""
    zone, odd = draw(PLACES)
    week = draw(st.lists(day_windows(), min_size=7, max_size=7))
    open_day = draw(st.integers(0, 6))
    week[open_day] = week[open_day] or ((32_400, 61_200),)
    days = st.integers(-9, 9).map(lambda n: (odd + timedelta(days=n)).date())
    holidays = draw(st.frozensets(days, max_size=4))
    yearly = frozenset((day.month, day.day) for day in draw(st.frozensets(days, max_size=3)))
    special = draw(st.dictionaries(days, day_windows(), max_size=3))
    pauses = draw(st.lists(st.tuples(near(odd), near(odd)), max_size=3))
    return WorkCalendar(zone, tuple(week), holidays, yearly, special), draw(near(odd)), draw(near(odd)), pauses


@given(situations())
def test_the_seconds_between_agree_with_the_reference(
    situation: tuple[WorkCalendar, datetime, datetime, Pauses],
) -> None:
    calendar, start, stop, pauses = situation
    assert between(calendar, start, stop, pauses) == naive.between(calendar, start, stop, pauses)


@given(situations(), BUDGETS)
def test_a_budget_ends_where_the_reference_says(
    situation: tuple[WorkCalendar, datetime, datetime, Pauses], seconds: int
) -> None:
    calendar, start, _, pauses = situation
    assert add(calendar, start, seconds, pauses) == naive.add(calendar, start, seconds, pauses)
    assert add(calendar, start, -seconds, pauses) == naive.add(calendar, start, -seconds, pauses)


@given(situations())
def test_openings_and_closings_are_those_of_the_reference(
    situation: tuple[WorkCalendar, datetime, datetime, Pauses],
) -> None:
    calendar, at, _, _ = situation
    assert is_open(calendar, at) == naive.is_open(calendar, at)
    assert next_open(calendar, at) == naive.next_open(calendar, at)
    assert previous_close(calendar, at) == naive.previous_close(calendar, at)


@given(situations(), st.integers(-6, 12))
def test_working_days_are_those_of_the_reference(
    situation: tuple[WorkCalendar, datetime, datetime, Pauses], days: int
) -> None:
    calendar, start, _, _ = situation
    assert add_days(calendar, start, days) == naive.add_days(calendar, start, days)
    assert add_days_end_of_day(calendar, start, abs(days)) == naive.add_days_end_of_day(calendar, start, abs(days))


@given(situations(), st.integers(1, 10**8))
def test_adding_and_measuring_are_inverse_over_years(
    situation: tuple[WorkCalendar, datetime, datetime, Pauses], seconds: int
) -> None:
    calendar, start, _, pauses = situation
    end = add(calendar, start, seconds, pauses)
    assert between(calendar, start, end, pauses) == seconds
    assert between(calendar, start, end - timedelta(seconds=1), pauses) == seconds - 1
    begin = add(calendar, start, -seconds, pauses)
    assert between(calendar, begin, start, pauses) == seconds
    assert between(calendar, begin + timedelta(seconds=1), start, pauses) == seconds - 1


@given(situations(), BUDGETS, BUDGETS)
def test_budgets_add_up_and_keep_their_order(
    situation: tuple[WorkCalendar, datetime, datetime, Pauses], one: int, other: int
) -> None:
    calendar, start, _, pauses = situation
    both = add(calendar, start, one + other, pauses)
    assert add(calendar, add(calendar, start, one, pauses), other, pauses) == both
    assert add(calendar, start, one, pauses) <= both


@given(situations(), near(datetime(2024, 3, 31, tzinfo=UTC)))
def test_ranges_add_up_and_a_later_start_is_never_due_earlier(
    situation: tuple[WorkCalendar, datetime, datetime, Pauses], other: datetime
) -> None:
    calendar, start, stop, pauses = situation
    low, middle, high = sorted((start, stop, other))
    halves = between(calendar, low, middle, pauses) + between(calendar, middle, high, pauses)
    assert between(calendar, low, high, pauses) == halves
    assert add(calendar, low, 7200, pauses) <= add(calendar, middle, 7200, pauses)


@given(situations())
def test_spans_have_no_gap_and_add_up(situation: tuple[WorkCalendar, datetime, datetime, Pauses]) -> None:
    calendar, start, stop, pauses = situation
    walk = list(spans(calendar, start, stop, pauses))
    edges = [start, *(span.stop for span in walk)] if start < stop else []
    assert [span.start for span in walk] == edges[:-1]
    assert edges[-1:] == ([stop] if start < stop else [])
    assert sum(span.seconds for span in walk if span.counted) == between(calendar, start, stop, pauses)


@given(situations())
def test_the_stored_form_gives_the_same_calendar(situation: tuple[WorkCalendar, datetime, datetime, Pauses]) -> None:
    calendar = situation[0]
    assert WorkCalendar.from_json(calendar.to_json()) == calendar


@given(st.frozensets(st.dates(date(2000, 1, 1), date(2000, 12, 31)), max_size=40), st.integers(3, 9990))
def test_yearly_holidays_are_closed_in_every_year(days: frozenset[date], year: int) -> None:
    all_day = (((0, 86_400),),) * 7
    yearly = frozenset((day.month, day.day) for day in days)
    start, stop = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 5, 1, 1, tzinfo=UTC)
    total = (stop - start).days
    closed = sum(((start + timedelta(days=n)).month, (start + timedelta(days=n)).day) in yearly for n in range(total))
    assert between(WorkCalendar("UTC", all_day, yearly_holidays=yearly), start, stop) == (total - closed) * 86_400
