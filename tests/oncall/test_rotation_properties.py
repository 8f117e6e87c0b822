"""Properties of rotations in any zone, over ten years and more: no gap that nobody asked for, no double owner."""

import zoneinfo
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from oncall.rotation import (
    WEEK,
    Kind,
    Layer,
    Override,
    Rotation,
    final_row,
    gaps,
    handoffs,
    on_call_at,
    shift_at,
    shifts,
)
from sla.businesstime import first_instant

ODD_ZONES = (
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "America/Sao_Paulo",
    "America/Havana",
    "America/Chicago",
    "UTC",
)
ZONES = st.sampled_from(ODD_ZONES) | st.sampled_from(sorted(zoneinfo.available_timezones()))
STARTS = st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1)).map(lambda at: at.replace(microsecond=0))
HALF_HOURS = STARTS.map(lambda at: at.replace(minute=at.minute // 30 * 30, second=0))
TEN_YEARS = st.integers(-3650, 3650).map(lambda days: timedelta(days=days))
LENGTHS = st.integers(1, 12) | st.sampled_from((24, 36, 168))
SECONDS = st.integers(0, 7 * 48 - 1).map(lambda half_hours: half_hours * 1800)
WINDOWS = st.tuples(SECONDS, st.integers(1, 7 * 48)).map(lambda pair: (pair[0], pair[0] + min(pair[1] * 1800, WEEK)))


@st.composite
def rotations(draw: st.DrawFn, restricted: bool = False) -> Rotation:
    people = tuple(f"P{number}" for number in range(draw(st.integers(1, 6))))
    return Rotation(
        draw(ZONES),
        draw(STARTS | HALF_HOURS),
        draw(st.sampled_from(Kind)),
        draw(LENGTHS),
        people,
        draw(st.integers(1, len(people))),
        tuple(draw(st.lists(WINDOWS, min_size=1, max_size=3))) if restricted else (),
    )


def instant_near(rotation: Rotation, distance: timedelta) -> datetime:
    return (rotation.start + distance).replace(tzinfo=UTC)


@given(rotations(), TEN_YEARS)
def test_every_instant_has_exactly_one_shift(rotation: Rotation, distance: timedelta) -> None:
    at = instant_near(rotation, distance)
    walk = list(islice(shifts(rotation, at, at + timedelta(days=4000)), 40))
    assert walk[0].start <= at < walk[0].stop
    assert all(one.stop == other.start for one, other in pairwise(walk))
    assert all(shift.start < shift.stop and len(shift.on) == rotation.n_on_at_once for shift in walk)


@given(rotations(), TEN_YEARS)
def test_a_shift_found_alone_is_the_shift_found_by_walking(rotation: Rotation, distance: timedelta) -> None:
    at = instant_near(rotation, distance)
    for shift in islice(shifts(rotation, at, at + timedelta(days=4000)), 12):
        middle = shift.start + (shift.stop - shift.start) / 2
        assert shift_at(rotation, shift.start) == shift_at(rotation, middle) == shift
        assert shift_at(rotation, shift.stop - timedelta.resolution) == shift


@given(rotations(), TEN_YEARS)
def test_hand_overs_keep_the_wall_clock_without_drift(rotation: Rotation, distance: timedelta) -> None:
    """Each hand-over shows the start's clock time, unless that time did not exist on its day."""
    start, zone = rotation.start, ZoneInfo(rotation.zone)
    at = instant_near(rotation, distance)
    for handoff in islice(handoffs(rotation, at, at + timedelta(days=4000)), 24):
        wall = handoff.astimezone(zone).replace(tzinfo=None)
        hours = rotation.kind is Kind.HOURLY and rotation.shift_length % 24
        same = (wall - start) % timedelta(hours=1) == timedelta() if hours else wall.time() == start.time()
        second_before = (handoff - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None)
        assert same or wall - second_before > timedelta(seconds=1)
        assert first_instant(rotation.zone, wall) == handoff


@given(rotations(), st.integers(-400, 400))
def test_turns_go_round_in_both_directions(rotation: Rotation, distance: int) -> None:
    at, zone = instant_near(rotation, timedelta(days=distance)), ZoneInfo(rotation.zone)
    people = rotation.participants
    for one, other in pairwise(islice(shifts(rotation, at, at + timedelta(days=4000)), 8)):
        follows = other.on[0] == people[(people.index(one.on[-1]) + 1) % len(people)]
        # A turn that falls wholly into a gap of the clock is skipped.
        assert follows or one.start.astimezone(zone).utcoffset() != other.start.astimezone(zone).utcoffset()


@given(rotations(restricted=True), TEN_YEARS)
def test_restrictions_leave_only_their_hours_and_all_of_them(rotation: Rotation, distance: timedelta) -> None:
    at = instant_near(rotation, distance)
    allowed = [shift for shift in shifts(rotation, at, at + timedelta(days=8)) if shift.stop > at]
    assert all(one.stop <= other.start for one, other in pairwise(allowed))
    for quarter in range(0, 8 * 96, 7):
        moment = at + timedelta(minutes=15) * quarter
        wall = moment.astimezone(ZoneInfo(rotation.zone))
        second = wall.weekday() * 86_400 + wall.hour * 3600 + wall.minute * 60 + wall.second
        inside = not rotation.restrictions or any(
            start <= second < end or start <= second + WEEK < end for start, end in rotation.restrictions
        )
        steady = (moment - timedelta(days=1)).astimezone(wall.tzinfo).utcoffset() == (
            moment + timedelta(days=1)
        ).astimezone(wall.tzinfo).utcoffset()
        on = any(shift.start <= moment < shift.stop for shift in allowed)
        assert on == inside or not steady
        if quarter % 5 == 0:
            assert on == (shift_at(rotation, moment) is not None)


@given(st.lists(st.tuples(rotations(), st.integers(0, 2)), min_size=1, max_size=3), TEN_YEARS)
def test_the_final_row_of_unrestricted_layers_has_no_gap_and_nobody_twice(
    layers: list[tuple[Rotation, int]], distance: timedelta
) -> None:
    start = instant_near(layers[0][0], distance)
    stop = start + timedelta(days=3)
    stack = [Layer(rotation, priority) for rotation, priority in layers]
    rows = final_row(stack, [], start, stop)
    assert gaps(rows, start, stop) == []
    for row in rows:
        others = [other for other in rows if other.who == row.who and other is not row]
        assert all(other.stop <= row.start or other.start >= row.stop for other in others)
    top = max(layer.priority for layer in stack)
    expected = {who for layer in stack if layer.priority == top for who in shift_on(layer.rotation, start)}
    assert set(on_call_at(stack, [], start)) == expected


def shift_on(rotation: Rotation, at: datetime) -> tuple[int | str, ...]:
    shift = shift_at(rotation, at)
    return shift.on if shift else ()


@given(
    rotations(restricted=True),
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 24)), min_size=1, max_size=4),
    TEN_YEARS,
)
def test_the_latest_override_wins_alone(rotation: Rotation, hours: list[tuple[int, int]], distance: timedelta) -> None:
    start = instant_near(rotation, distance)
    overrides = [
        Override(start + timedelta(hours=begin), start + timedelta(hours=begin + length), f"O{place}")
        for place, (begin, length) in enumerate(hours)
    ]
    rows = final_row([Layer(rotation)], overrides, start, start + timedelta(days=4))
    for hour in range(0, 96, 5):
        at = start + timedelta(hours=hour)
        standing_in = [override.who for override in overrides if override.start <= at < override.stop]
        expected = {standing_in[-1]} if standing_in else set(shift_on(rotation, at))
        assert {row.who for row in rows if row.start <= at < row.stop} == expected
