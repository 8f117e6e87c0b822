"""What an incident is and how much it matters."""

from __future__ import annotations

from typing import Any

import pytest

from audit.actions import Forbidden, Invalid, Stale
from audit.actor import SYSTEM
from incidents.actions import (
    IllegalTransition,
    Inactive,
    TimesOutOfOrder,
    cancel,
    change_matrix,
    expire_override,
    override_priority,
    raise_priority_by_system,
    recategorise,
    resolve,
    revise,
    set_priority_inputs,
)
from incidents.models import Incident, PriorityMatrix
from tests.accounts.factories import TeamFactory, UserFactory
from tests.incidents.factories import AT, CategoryFactory, IncidentFactory, ServiceFactory, later, person
from tests.incidents.trail import events, kinds, last, versions

pytestmark = pytest.mark.django_db


def test_other_inputs_derive_another_priority() -> None:
    incident = set_priority_inputs(incident=IncidentFactory(), impact=1, urgency=2, by=SYSTEM, at=AT)
    assert (incident.priority, last(incident).data) == (2, {"old": 5, "new": 2, "cause": "inputs"})


def test_inputs_outside_the_matrix_are_refused() -> None:
    with pytest.raises(Invalid) as refusal:
        set_priority_inputs(incident=IncidentFactory(), impact=7, by=SYSTEM, at=AT)
    assert refusal.value.field == "impact"


def test_an_incident_keeps_the_matrix_that_judged_it() -> None:
    incident: Incident = IncidentFactory(impact=1, urgency=1)
    change_matrix(rows=[[2, 2], [3, 3]], by=person(None, "admin"), at=AT)
    assert set_priority_inputs(incident=incident, urgency=3, by=SYSTEM, at=AT).priority == 3
    assert IncidentFactory(impact=1, urgency=1).priority == 2


def test_an_override_takes_a_reason_and_stands_above_the_inputs() -> None:
    lead_team = TeamFactory()
    lead = person(None, "lead", leads=(lead_team,))
    incident: Incident = IncidentFactory(team=lead_team)
    with pytest.raises(Invalid):
        override_priority(incident=incident, priority=1, reason=" ", by=lead, at=AT)
    incident = override_priority(incident=incident, priority=1, reason="the board is watching", by=lead, at=AT)
    assert (incident.priority, incident.priority_override) == (1, 1)
    incident = set_priority_inputs(incident=incident, impact=2, urgency=2, by=SYSTEM, at=AT)
    assert incident.priority == 1
    incident = override_priority(incident=incident, priority=None, reason="the board went home", by=lead, at=AT)
    assert (incident.priority, incident.priority_override, incident.priority_override_reason) == (3, None, "")
    assert [one.data["cause"] for one in events(incident, "incident.priority_changed")] == [
        "override", "inputs", "override_lifted",
    ]  # fmt: skip


@pytest.mark.parametrize("priority", [0, 6, -1, True])
def test_an_override_outside_the_priorities_is_refused(priority: int) -> None:
    with pytest.raises(Invalid):
        override_priority(incident=IncidentFactory(), priority=priority, reason="x", by=SYSTEM, at=AT)


def test_an_override_in_the_past_is_refused() -> None:
    with pytest.raises(Invalid) as refusal:
        override_priority(incident=IncidentFactory(), priority=1, reason="x", until=AT, by=SYSTEM, at=AT)
    assert refusal.value.field == "until"


def test_an_override_ends_at_its_time_and_not_before() -> None:
    incident = override_priority(
        incident=IncidentFactory(), priority=1, reason="fair", until=later(days=1), by=SYSTEM, at=AT
    )
    assert expire_override(incident=incident, by=SYSTEM, at=later(hours=23)).priority == 1
    assert expire_override(incident=incident, by=SYSTEM, at=later(days=1)).priority == 5


def test_an_ended_incident_is_not_overridden() -> None:
    incident = resolve(incident=IncidentFactory(), code="fixed", by=SYSTEM, at=AT)
    with pytest.raises(IllegalTransition):
        override_priority(incident=incident, priority=1, reason="x", by=SYSTEM, at=AT)


def test_a_rule_raises_by_a_step_and_never_lowers() -> None:
    incident = raise_priority_by_system(incident=IncidentFactory(), reason="90 %", by=SYSTEM, at=AT)
    assert (incident.priority, incident.priority_override_reason) == (4, "90 %")
    incident = raise_priority_by_system(incident=incident, reason="breach", priority=2, by=SYSTEM, at=AT)
    assert incident.priority == 2
    again = raise_priority_by_system(incident=incident, reason="breach", priority=3, by=SYSTEM, at=AT)
    assert (again.priority, again.version) == (2, incident.version)
    with pytest.raises(Forbidden):
        raise_priority_by_system(incident=incident, reason="me", by=person(None, "admin"), at=AT)


def test_one_revision_is_one_version_with_an_event_for_each_sort() -> None:
    category, service, caller = CategoryFactory(), ServiceFactory(), UserFactory()
    values: dict[str, Any] = {
        "title": "New title", "category": category, "service": service, "impact": 1, "requester": caller,
        "kind": "request", "occurred_at": later(hours=-1),
    }  # fmt: skip
    incident = revise(incident=IncidentFactory(), values=values, by=SYSTEM, at=AT)
    assert (incident.title, incident.category_id, incident.service_id) == ("New title", category.pk, service.pk)
    assert (incident.version, versions(incident)) == (2, 2)
    assert kinds(incident) == ["opened", "details_changed", "converted", "recategorised", "priority_changed"]
    assert events(incident)[2].data == {"old": "incident", "new": "request"}
    assert events(incident)[1].data["fields"] == ["kind", "occurred_at", "requester_id", "title"]


def test_what_stays_equal_writes_nothing() -> None:
    incident: Incident = IncidentFactory(title="Printer")
    assert revise(incident=incident, values={"title": " Printer ", "impact": 3}, by=SYSTEM, at=AT).version == 1
    assert kinds(incident) == ["opened"]


@pytest.mark.parametrize("field", ["state", "priority", "number", "version", "created_at", "resolved_at", "team"])
def test_state_and_derived_fields_are_not_revised(field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        revise(incident=IncidentFactory(), values={field: 1}, by=SYSTEM, at=AT)
    assert refusal.value.field == field


def test_times_stay_in_order() -> None:
    with pytest.raises(TimesOutOfOrder):
        revise(incident=IncidentFactory(), values={"occurred_at": later(hours=1)}, by=SYSTEM, at=later(hours=2))


def test_a_retired_category_is_not_chosen_but_may_stay() -> None:
    category = CategoryFactory()
    incident: Incident = IncidentFactory(category=category)
    category.is_active = False
    category.save()
    assert recategorise(incident=incident, category=category, by=SYSTEM, at=AT).version == 1
    with pytest.raises(Inactive):
        recategorise(incident=IncidentFactory(), category=category, by=SYSTEM, at=AT)


def test_a_cancelled_incident_is_not_revised() -> None:
    incident = cancel(incident=IncidentFactory(), reason="mistake", by=SYSTEM, at=AT)
    with pytest.raises(IllegalTransition):
        revise(incident=incident, values={"title": "x"}, by=SYSTEM, at=AT)


def test_a_change_of_the_matrix_makes_a_new_version() -> None:
    admin = person(None, "admin")
    fresh = change_matrix(rows=[[1, 1, 1, 2], [2, 3, 4, 5]], by=admin, at=AT)
    assert (fresh.number, fresh.is_current, len(fresh.impacts), len(fresh.urgencies)) == (2, True, 2, 4)
    assert PriorityMatrix.objects.filter(is_current=True).get() == fresh
    assert change_matrix(rows=fresh.rows, by=admin, at=AT) == fresh
    with pytest.raises(Stale):
        change_matrix(rows=[[1]], by=admin, at=AT, expected_version=fresh.version + 1)


@pytest.mark.parametrize(
    "rows", [[], [[]], [[1, 2], [3]], [[0]], [[6]], [["1"]], [[True]], "1", [[1] * 11], [[1]] * 11, [1, 2]]
)
def test_what_is_no_matrix_is_refused(rows: Any) -> None:
    with pytest.raises(Invalid) as refusal:
        change_matrix(rows=rows, by=person(None, "admin"), at=AT)
    assert refusal.value.field == "rows"


def test_only_an_admin_changes_the_matrix() -> None:
    with pytest.raises(Forbidden):
        change_matrix(rows=[[1]], by=person(None, "agent", "lead", "manager"), at=AT)
