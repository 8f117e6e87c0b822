"""From events to values: what counts, what is left out and why."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from metrics.fold import Folded, Given, Happened, Value, Why, fold

T = dt.datetime(2026, 3, 9, 9, 0, tzinfo=dt.UTC)


def at(minutes: int) -> dt.datetime:
    return T + dt.timedelta(minutes=minutes)


def happened(kind: str, minutes: int, *, by_person: bool = True, **data: Any) -> Happened:
    name = kind if kind.startswith("page.") else f"incident.{kind}"
    return Happened(name, at(minutes), by_person, data)


def folded(*events: Happened, **given: Any) -> Folded:
    values: dict[str, Any] = {
        "state": "in_progress", "channel": "portal", "cancel_reason": "", "resolution_code": "", "detected_by": "",
        "occurred_at": None, "detected_at": None, "reported_at": T, "is_drill": False, "is_imported": False,
        "is_child": False, "is_recurrence": False, "reassignments": 0,
    }  # fmt: skip
    return fold(Given(**values | given), events, lambda team, moment: {1: 1, 2: 2}.get(team))


PAGED = (happened("opened", 0, by_person=False), happened("page.started", 0), happened("page.notified", 1))


@pytest.mark.parametrize(
    ("events", "state", "expected"),
    [
        ((*PAGED, happened("acknowledged", 5)), "in_progress", Value(240)),
        ((PAGED[0], PAGED[1], happened("claimed", 0), PAGED[2]), "in_progress", Value(0)),
        ((PAGED[0], PAGED[1], happened("acknowledged", 0)), "in_progress", Value(0)),
        (PAGED, "in_progress", Value(None, Why.WAITING)),
        ((*PAGED, happened("resolved", 9)), "resolved", Value(None, Why.NEVER)),
        ((*PAGED, happened("resolved", 9, by_person=False)), "resolved", Value(None, Why.SELF_HEALED)),
        ((PAGED[0], happened("acknowledged", 5)), "in_progress", Value(None, Why.NOT_NOTIFIED)),
        ((*PAGED, happened("started", 3, by_person=False)), "in_progress", Value(None, Why.WAITING)),
    ],
)
def test_time_to_acknowledge(events: tuple[Happened, ...], state: str, expected: Value) -> None:
    assert folded(*events, state=state).values["mtta"] == expected


def test_claimed_before_notified_is_flagged() -> None:
    early = folded(PAGED[0], PAGED[1], happened("claimed", 0), PAGED[2])
    late = folded(*PAGED, happened("acknowledged", 5))
    assert [one.values["claimed_first"].value for one in (early, late)] == [1, 0]


def test_resolved_intervals_do_not_count() -> None:
    events = [happened("opened", 0), happened("resolved", 60), happened("reopened", 100), happened("resolved", 130)]
    found = folded(*events, state="resolved", detected_at=at(-10)).values
    assert [found[name].value for name in ("mttr", "first_resolution", "resolution")] == [6000, 4200, 5400]


def test_an_unknown_time_is_left_out_and_never_zero() -> None:
    found = folded(happened("resolved", 5), state="resolved").values
    assert {found[name] for name in ("mttd", "mttr", "customer_first")} == {Value(None, Why.UNKNOWN)}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"is_drill": True}, Why.DRILL),
        ({"is_child": True}, Why.CHILD),
        ({"state": "cancelled", "cancel_reason": "merged"}, Why.DUPLICATE),
        ({"state": "cancelled", "cancel_reason": "duplicate"}, Why.DUPLICATE),
        ({"state": "cancelled", "cancel_reason": "mistake"}, Why.CANCELLED),
    ],
)
def test_what_is_no_matter_of_its_own_leaves_every_number(given: dict[str, Any], why: Why) -> None:
    found = folded(*PAGED, happened("acknowledged", 5), happened("cancelled", 9), **given)
    assert found.base is why
    assert {one.why for one in found.values.values()} == {why}


BY_PHONE = {"state": "closed", "channel": "phone"}


@pytest.mark.parametrize(
    ("events", "given", "fcr", "flr"),
    [
        ([happened("opened", 0, state="resolved", is_first_contact=True, team=1)], BY_PHONE, 1, 1),
        ([happened("opened", 0, state="new", is_first_contact=True, team=1)], BY_PHONE, 0, 1),
        ([happened("opened", 0, state="resolved", is_first_contact=False, team=2)], BY_PHONE, 0, 0),
        ([happened("opened", 0, state="new", team=1), happened("assigned", 1, team=2)], {"state": "closed"}, 0, 0),
        ([happened("opened", 0, state="new", team=1)], {**BY_PHONE, "channel": "alert"}, Why.ALERT, Why.ALERT),
        ([happened("opened", 0, state="new", team=1)], {**BY_PHONE, "resolution_code": "no_answer"},
         Why.NO_ANSWER, Why.NO_ANSWER),
        ([happened("opened", 0, state="new", team=None)], BY_PHONE, 0, Why.NO_TEAM),
    ],
)  # fmt: skip
def test_first_contact_and_first_line(events: list[Happened], given: dict[str, Any], fcr: Any, flr: Any) -> None:
    found = folded(*events, happened("resolved", 8), **given).values
    said = [one.why if isinstance(want, Why) else one.value for one, want in ((found["fcr"], fcr), (found["flr"], flr))]
    assert said == [fcr, flr]


def test_a_reopened_incident_was_not_solved_at_first_contact() -> None:
    opened = happened("opened", 0, state="resolved", is_first_contact=True, team=1)
    events = [opened, happened("resolved", 0), happened("reopened", 5), happened("resolved", 9)]
    assert folded(*events, **BY_PHONE).values["fcr"] == Value(0)
