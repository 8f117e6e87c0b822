"""Whose an incident is."""

from __future__ import annotations

from typing import Any

import pytest

from audit.actions import Forbidden, Invalid, Stale
from audit.actor import SYSTEM, Actor, ActorKind
from incidents.actions import (
    AlreadyAcknowledged,
    AlreadyHeld,
    IllegalTransition,
    Inactive,
    acknowledge,
    assign,
    claim,
    put_on_hold,
    resolve,
    start,
)
from incidents.models import Incident
from tests.accounts.factories import TeamFactory, UserFactory
from tests.incidents.factories import AT, IMPORT, IncidentFactory, key, later, person
from tests.incidents.trail import fresh, kinds, last, versions

pytestmark = pytest.mark.django_db


def test_assigning_to_a_team_puts_it_into_its_queue() -> None:
    team = TeamFactory()
    incident = assign(incident=IncidentFactory(assignee=UserFactory()), team=team, by=SYSTEM, at=later(minutes=1))
    assert (incident.state, incident.team_id, incident.assignee_id) == ("assigned", team.pk, None)


def test_assigning_to_a_person_keeps_the_team_and_acknowledges_nothing() -> None:
    team, user = TeamFactory(), UserFactory()
    incident = assign(incident=IncidentFactory(team=team), assignee=user, by=SYSTEM, at=later(minutes=1))
    assert (incident.state, incident.team_id, incident.assignee_id) == ("assigned", team.pk, user.pk)
    assert incident.acknowledged_at is None
    assert last(incident).data == {
        "old_team": team.pk, "team": team.pk, "old_assignee": None, "assignee": user.pk, "cause": "person",
    }  # fmt: skip


def test_changes_of_team_are_counted_from_none_included_and_those_of_people_are_not() -> None:
    one, other = TeamFactory(), TeamFactory()
    incident: Incident = IncidentFactory()
    for team in (one, other, other):
        incident = assign(incident=incident, team=team, assignee=UserFactory(), by=SYSTEM, at=later(minutes=1))
    assert incident.reassignment_count == 2


def test_the_same_team_and_person_again_write_nothing() -> None:
    team, user = TeamFactory(), UserFactory()
    incident = assign(incident=IncidentFactory(), team=team, assignee=user, by=SYSTEM, at=AT)
    again = assign(incident=incident, team=team, assignee=user, by=SYSTEM, at=later(hours=1))
    assert (again.version, versions(incident)) == (2, 2)
    assert kinds(incident) == ["opened", "assigned"]


@pytest.mark.parametrize("field", ["team", "assignee"])
def test_retired_teams_and_people_get_nothing(field: str) -> None:
    row: Any = TeamFactory() if field == "team" else UserFactory()
    row.is_active = False
    with pytest.raises(Inactive) as refusal:
        assign(incident=IncidentFactory(), by=SYSTEM, at=AT, **{field: row})
    assert refusal.value.field == field


def test_assigning_to_nobody_at_all_is_refused() -> None:
    with pytest.raises(Invalid):
        assign(incident=IncidentFactory(), by=SYSTEM, at=AT)


def test_a_resolved_incident_is_not_assigned() -> None:
    incident = resolve(incident=IncidentFactory(), code="fixed", by=SYSTEM, at=AT)
    with pytest.raises(IllegalTransition) as refusal:
        assign(incident=incident, team=TeamFactory(), by=SYSTEM, at=AT)
    assert "reopen" in refusal.value.remedy


def test_claiming_makes_the_person_assignee() -> None:
    agent = person(None, "agent")
    incident = claim(incident=IncidentFactory(), by=agent, at=later(minutes=1))
    assert (incident.state, incident.assignee_id, incident.acknowledged_at) == ("assigned", agent.user_id, None)
    assert kinds(incident) == ["opened", "claimed"]


def test_claiming_what_one_holds_changes_nothing() -> None:
    agent = person(None, "agent")
    incident = claim(incident=IncidentFactory(), by=agent, at=AT)
    assert claim(incident=incident, by=agent, at=later(minutes=5)).version == incident.version


def test_the_second_claimer_is_told_who_has_it() -> None:
    first, second = UserFactory(name="Ines"), UserFactory()
    incident = claim(incident=IncidentFactory(), by=person(first, "agent"), at=AT)
    with pytest.raises(AlreadyHeld) as refusal:
        claim(incident=incident, by=person(second, "agent"), at=AT)
    assert refusal.value.extra["holder"] == "Ines"


def test_what_a_deactivated_person_holds_can_be_claimed() -> None:
    gone = UserFactory()
    incident = claim(incident=IncidentFactory(), by=person(gone, "agent"), at=AT)
    gone.is_active = False
    gone.save()
    agent = person(None, "incident_manager")
    assert claim(incident=incident, by=agent, at=AT).assignee_id == agent.user_id


def test_starting_moves_to_in_progress_without_acknowledging() -> None:
    agent = person(None, "agent")
    incident = start(incident=IncidentFactory(), by=agent, at=AT)
    assert (incident.state, incident.assignee_id, incident.acknowledged_at) == ("in_progress", agent.user_id, None)
    with pytest.raises(IllegalTransition):
        start(incident=incident, by=agent, at=AT)


def test_acknowledging_begins_work_and_takes_the_unowned() -> None:
    agent = person(None, "agent")
    incident = acknowledge(incident=IncidentFactory(), by=agent, at=later(minutes=3))
    assert (incident.state, incident.assignee_id) == ("in_progress", agent.user_id)
    assert (incident.acknowledged_at, incident.acknowledged_by_id) == (later(minutes=3), agent.user_id)
    assert incident.first_response_at is None


def test_acknowledging_leaves_the_assignee() -> None:
    holder = UserFactory()
    incident = acknowledge(incident=IncidentFactory(assignee=holder), by=person(None, "incident_manager"), at=AT)
    assert incident.assignee_id == holder.pk


def test_acknowledging_an_alert_is_its_first_response() -> None:
    incident = acknowledge(incident=IncidentFactory(channel="alert"), by=person(None, "agent"), at=later(minutes=3))
    assert incident.first_response_at == later(minutes=3)
    assert last(incident).data["is_first_response"] is True


def test_the_same_person_acknowledging_again_gets_the_same_result() -> None:
    agent = person(None, "agent")
    incident = acknowledge(incident=IncidentFactory(), by=agent, at=AT)
    again = acknowledge(incident=incident, by=agent, at=later(hours=1))
    assert (again.acknowledged_at, again.version) == (AT, incident.version)
    assert kinds(incident) == ["opened", "acknowledged"]


def test_the_second_to_acknowledge_is_told_who_has_it_since_when() -> None:
    wen = UserFactory(name="Wen")
    incident = acknowledge(incident=IncidentFactory(), by=person(wen, "agent"), at=AT)
    with pytest.raises(AlreadyAcknowledged) as refusal:
        acknowledge(incident=incident, by=person(None, "incident_manager"), at=later(minutes=1))
    assert refusal.value.extra == {"holder": "Wen", "since": AT.isoformat()}
    assert "Wen" in refusal.value.detail


@pytest.mark.parametrize("by", [SYSTEM, IMPORT, key("*:write"), Actor(kind=ActorKind.MAIL, id="m", label="m")])
def test_only_a_named_person_acknowledges(by: Actor) -> None:
    incident: Incident = IncidentFactory()
    with pytest.raises(Forbidden):
        acknowledge(incident=incident, by=by, at=AT)
    assert fresh(incident).acknowledged_at is None


def test_acknowledging_on_hold_keeps_the_hold() -> None:
    held = put_on_hold(incident=IncidentFactory(), hold_reason="awaiting_vendor", until=later(days=1), by=SYSTEM, at=AT)
    incident = acknowledge(incident=held, by=person(None, "agent"), at=later(minutes=1))
    assert (incident.state, incident.acknowledged_at) == ("on_hold", later(minutes=1))


def test_a_resolved_incident_is_not_acknowledged() -> None:
    incident = resolve(incident=IncidentFactory(), code="recovered", by=SYSTEM, at=AT)
    with pytest.raises(IllegalTransition):
        acknowledge(incident=incident, by=person(None, "agent"), at=AT)


def test_a_change_made_on_an_older_version_is_refused() -> None:
    incident: Incident = IncidentFactory()
    start(incident=incident, by=SYSTEM, at=AT)
    with pytest.raises(Stale):
        assign(incident=incident, team=TeamFactory(), by=SYSTEM, at=AT, expected_version=1)


@pytest.mark.parametrize("verb", [claim, start, acknowledge])
def test_a_verb_takes_few_statements(verb: Any, django_assert_max_num_queries: Any) -> None:
    incident: Incident = IncidentFactory()
    agent = person(None, "agent")
    with django_assert_max_num_queries(7):
        verb(incident=incident, by=agent, at=AT)
