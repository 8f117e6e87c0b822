"""Rotations by example: clock changes, months, what stands alone, and what is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from oncall.rotation import (
    InvalidRotation,
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
from sla.businesstime import OutOfRange

HOUR, DAY = 3600, 86_400
BERLIN = ZoneInfo("Europe/Berlin")


def rotation(start: str, kind: Kind = Kind.DAILY, people: str = "AB", **more: Any) -> Rotation:
    return Rotation("Europe/Berlin", datetime.fromisoformat(start), kind, 1, tuple(people), **more)


def berlin(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).astimezone(UTC)


def test_a_hand_over_at_a_time_that_comes_twice_is_the_first() -> None:
    shift = shift_at(rotation("2024-10-01 02:30"), berlin("2024-10-27 02:30", fold=1))
    assert shift is not None
    assert (shift.start, shift.stop) == (berlin("2024-10-27 02:30"), berlin("2024-10-28 02:30"))
    assert shift.on == ("A",)


def test_a_hand_over_at_a_time_that_does_not_exist_is_the_first_after_it() -> None:
    found = handoffs(rotation("2024-03-01 02:30"), berlin("2024-03-30 12:00"), berlin("2024-04-01 01:00"))
    assert list(found) == [berlin("2024-03-30 02:30"), berlin("2024-03-31 03:00"), berlin("2024-04-01 02:30")]


def test_a_turn_that_falls_wholly_into_a_gap_is_nobodys() -> None:
    hourly = rotation("2024-03-31 00:00", Kind.HOURLY, "ABCD")
    walk = [shift.on[0] for shift in shifts(hourly, berlin("2024-03-31 00:00"), berlin("2024-03-31 05:00"))]
    assert walk == ["A", "B", "D", "A"]


def test_a_rotation_goes_on_before_its_start() -> None:
    weekly = rotation("2024-06-03 09:00", Kind.WEEKLY, "ABC")
    assert on_call_at([Layer(weekly)], [], berlin("2024-05-27 12:00")) == ("C",)


def test_a_monthly_rotation_on_the_31st_hands_over_on_the_last_day_of_a_shorter_month() -> None:
    found = handoffs(rotation("2024-01-31 09:00", Kind.MONTHLY), berlin("2024-02-10 00:00"), berlin("2024-04-01 00:00"))
    days = [f"{at.astimezone(BERLIN):%m-%d}" for at in found]
    assert days == ["01-31", "02-29", "03-31", "04-30"]


def test_two_at_once_hand_over_to_the_next_two() -> None:
    pairs = rotation("2024-06-03 09:00", Kind.DAILY, "ABCD", n_on_at_once=2)
    walk = shifts(pairs, berlin("2024-06-03 10:00"), berlin("2024-06-05 10:00"))
    assert [shift.on for shift in walk] == [("A", "B"), ("C", "D"), ("A", "B")]


def test_a_restriction_ends_at_the_last_occurrence_and_leaves_no_hour_out() -> None:
    saturday_night = (5 * DAY + 20 * HOUR, 6 * DAY + 2 * HOUR + 1800)
    nights = rotation("2024-10-21 09:00", Kind.WEEKLY, restrictions=(saturday_night,))
    shift = shift_at(nights, berlin("2024-10-26 22:00"))
    assert shift is not None
    assert (shift.start, shift.stop) == (berlin("2024-10-26 20:00"), berlin("2024-10-27 02:30", fold=1))


def test_a_restriction_that_ends_at_the_hand_over_ends_with_it() -> None:
    nights = tuple((day * DAY + 20 * HOUR, day * DAY + 26 * HOUR + 1800) for day in range(7))
    found = shifts(
        rotation("2024-10-01 02:30", restrictions=nights), berlin("2024-10-26 12:00"), berlin("2024-10-27 12:00")
    )
    assert [(shift.start, shift.stop) for shift in found] == [(berlin("2024-10-26 20:00"), berlin("2024-10-27 02:30"))]


def test_restrictions_that_touch_around_the_week_are_no_restriction() -> None:
    halves = ((2 * DAY, 5 * DAY), (5 * DAY, 9 * DAY))
    assert rotation("2024-06-03 09:00", restrictions=halves).restrictions == ()


def test_a_local_override_reaches_from_the_first_to_the_last_occurrence() -> None:
    moment = datetime.fromisoformat("2024-10-27 02:30")
    override = Override.local("Europe/Berlin", moment, moment, "X")
    assert (override.start, override.stop) == (berlin("2024-10-27 02:30"), berlin("2024-10-27 02:30", fold=1))


def test_the_highest_layer_that_is_set_counts_and_overrides_stand_above() -> None:
    office = tuple((day * DAY + 9 * HOUR, day * DAY + 17 * HOUR) for day in range(5))
    layers = [
        Layer(rotation("2024-06-03 00:00", people="A")),
        Layer(rotation("2024-06-03 00:00", people="B", restrictions=office), priority=1),
    ]
    overrides = [Override(berlin("2024-06-03 16:00"), berlin("2024-06-03 18:00"), "C")]
    rows = final_row(layers, overrides, berlin("2024-06-03 00:00"), berlin("2024-06-04 00:00"))
    hours = [(row.start.astimezone(BERLIN).hour, (row.stop - row.start) / timedelta(hours=1), row.who) for row in rows]
    assert hours == [(0, 9, "A"), (9, 7, "B"), (16, 2, "C"), (18, 6, "A")]


def test_a_layer_that_has_ended_leaves_a_gap() -> None:
    layer = Layer(rotation("2024-06-03 00:00"), until=berlin("2024-06-03 12:00"))
    start, stop = berlin("2024-06-03 00:00"), berlin("2024-06-04 00:00")
    assert gaps(final_row([layer], [], start, stop), start, stop) == [(berlin("2024-06-03 12:00"), stop)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"zone": "Mars/Olympus"}, "Unknown time zone 'Mars/Olympus'"),
        ({"participants": ()}, "no participants"),
        ({"shift_length": 0}, "never ends"),
        ({"kind": "yearly"}, "Unknown kind 'yearly'"),
        ({"n_on_at_once": 3}, "3 on call at once of 2 participants"),
        ({"start": datetime(2024, 1, 1, tzinfo=UTC)}, "without one"),
        ({"restrictions": ((5, 5),)}, "no part of a week"),
    ],
)
def test_an_unusable_rotation_is_refused_with_its_cause(change: dict[str, Any], message: str) -> None:
    usable: dict[str, Any] = {
        "zone": "UTC",
        "start": datetime(2024, 1, 1),
        "kind": Kind.DAILY,
        "shift_length": 1,
        "participants": ("A", "B"),
    }
    with pytest.raises(InvalidRotation, match=message):
        Rotation(**usable | change)


def test_an_override_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(InvalidRotation, match="does not end after it starts"):
        Override(berlin("2024-06-03 12:00"), berlin("2024-06-03 12:00"), "A")


def test_the_ends_of_time_are_refused_clearly() -> None:
    for at in (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
        with pytest.raises(OutOfRange, match="outside the years 2 to 9998"):
            shift_at(rotation("2024-06-03 00:00"), at)
