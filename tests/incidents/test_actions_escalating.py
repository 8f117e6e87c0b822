"""Escalation to another tier, to somebody above, and by rule; restriction; containment; kinds; the rule for VIPs."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

import incidents.actions
from accounts.models import Team, User
from audit.actions import Forbidden, Invalid
from audit.actor import SYSTEM, Actor
from incidents.actions import (
    IllegalTransition,
    NobodyAbove,
    assign,
    contain,
    escalate,
    escalate_by_rules,
    note_access,
    resolve,
    restrict,
    revise,
    unrestrict,
)
from incidents.models import EscalationRule, Incident, Participant, PriorityMatrix
from tests.accounts.factories import MembershipFactory, TeamFactory, UserFactory
from tests.incidents.factories import AT, IncidentFactory, ServiceFactory, later, person
from tests.incidents.trail import events, fresh, kinds, last, mails

pytestmark = pytest.mark.django_db


@dataclasses.dataclass
class Tiers:
    """A first tier with an agent and its lead, below a second with a lead."""

    second: Team = dataclasses.field(default_factory=lambda: TeamFactory(tier=2))
    boss: User = dataclasses.field(default_factory=lambda: UserFactory(email="boss@example.org", roles=["lead"]))
    lead: User = dataclasses.field(default_factory=lambda: UserFactory(email="lead@example.org", roles=["lead"]))

    def __post_init__(self) -> None:
        self.first: Team = TeamFactory(tier=1, parent=self.second)
        MembershipFactory(user=self.boss, team=self.second, is_lead=True)
        MembershipFactory(user=self.lead, team=self.first, is_lead=True)
        self.agent: Actor = person(None, "agent", teams=(self.first,))
        self.incident: Incident = IncidentFactory(team=self.first, assignee=UserFactory())


def test_a_functional_escalation_goes_to_the_next_tier() -> None:
    at = Tiers()
    moved = escalate(incident=at.incident, how="functional", reason="beyond us", by=at.agent, at=later(hours=1))
    assert (moved.team_id, moved.assignee_id) == (at.second.pk, None)
    assert (moved.escalation_count, moved.escalated_at) == (1, later(hours=1))
    assert kinds(moved)[-2:] == ["assigned", "escalated"]
    assert last(moved).data["how"] == "functional"


def test_the_owner_team_of_the_service_is_the_next_tier_if_it_is_of_a_higher_one() -> None:
    at = Tiers()
    third = TeamFactory(tier=3)
    incident = IncidentFactory(team=at.first, service=ServiceFactory(owner_team=third))
    assert escalate(incident=incident, how="functional", reason="x", by=at.agent, at=AT).team_id == third.pk


def test_a_hierarchical_escalation_tells_the_lead_who_then_watches() -> None:
    at = Tiers()
    told = escalate(incident=at.incident, how="hierarchical", reason="the board asks", by=at.agent, at=AT)
    assert (told.team_id, last(told).data["told"]) == (at.first.pk, [at.lead.pk])
    assert Participant.objects.get(incident=told).user == at.lead
    assert mails(told)[-1].address == "lead@example.org"
    assert "the board asks" in mails(told)[-1].body


def test_a_lead_escalates_to_the_lead_above_and_at_the_top_to_the_incident_managers() -> None:
    at = Tiers()
    lead = person(at.lead, "lead", leads=(at.first,))
    escalate(incident=at.incident, how="hierarchical", reason="x", by=lead, at=AT)
    assert mails(at.incident)[-1].address == "boss@example.org"
    top = IncidentFactory(team=TeamFactory())
    with pytest.raises(NobodyAbove):
        escalate(incident=top, how="hierarchical", reason="x", by=SYSTEM, at=AT)
    carmen = UserFactory(roles=["incident_manager"])
    escalate(incident=top, how="hierarchical", reason="x", by=SYSTEM, at=AT)
    assert last(top).data["told"] == [carmen.pk]


@pytest.mark.parametrize(
    "given",
    [
        {"how": "functional", "reason": ""},
        {"how": "sideways", "reason": "x"},
        {"how": "hierarchical", "reason": "x", "team": "first"},
        {"how": "functional", "reason": "x", "to": "lead"},
        {"how": "functional", "reason": "x", "team": "first"},
    ],
)
def test_what_is_no_escalation_is_refused(given: dict[str, Any]) -> None:
    at = Tiers()
    named = {key: getattr(at, value) for key, value in given.items() if key in ("team", "to")}
    with pytest.raises(Invalid):
        escalate(incident=at.incident, by=at.agent, at=AT, **{**given, **named})
    assert kinds(at.incident) == ["opened"]


def test_what_is_resolved_is_not_escalated_and_a_requester_escalates_nothing() -> None:
    at = Tiers()
    with pytest.raises(Forbidden):
        escalate(incident=at.incident, how="hierarchical", reason="x", by=person(None, "requester"), at=AT)
    resolve(incident=at.incident, code="fixed", by=SYSTEM, at=AT)
    with pytest.raises(IllegalTransition):
        escalate(incident=at.incident, how="hierarchical", reason="x", by=at.agent, at=AT)


def test_the_third_change_of_team_tells_the_lead_once() -> None:
    at = Tiers()
    for number, team in enumerate([at.second, at.first, at.second, at.first], start=1):
        moved = assign(incident=fresh(at.incident), team=team, by=SYSTEM, at=later(hours=number))
        escalate_by_rules(incident=moved, trigger="reassignments", by=SYSTEM, at=later(hours=number))
    told = [one for one in events(at.incident) if one.kind == "incident.escalated"]
    assert [(one.data["cause"], one.data["told"]) for one in told] == [("reassignments", [at.boss.pk])]


def test_a_rule_on_the_priority_holds_from_the_opening() -> None:
    at = Tiers()
    EscalationRule.objects.create(name="P1", trigger="priority", value=1, how="functional", team=at.second)
    incident = IncidentFactory(team=at.first, impact=1, urgency=1)
    assert (fresh(incident).team_id, last(incident).data["cause"]) == (at.second.pk, "priority")
    assert "escalated" not in kinds(IncidentFactory(team=at.first, impact=2, urgency=2))


def test_an_auditors_look_at_a_restricted_incident_is_recorded_and_nobody_elses() -> None:
    incident = restrict(incident=IncidentFactory(team=TeamFactory()), reason="private", by=SYSTEM, at=AT)
    other: Incident = IncidentFactory()
    for role in ("auditor", "incident_manager"):
        note_access(rows=[incident, other], via="page", by=person(None, role), at=later(hours=1))
    assert kinds(incident) == ["opened", "restricted", "restricted_read"]
    assert (kinds(other), last(incident).data) == (["opened"], {"via": "page"})


def test_restricting_takes_a_reason_and_a_right_and_can_be_lifted() -> None:
    team = TeamFactory()
    agent, lead = person(None, "agent", teams=(team,)), person(None, "lead", leads=(team,))
    incident: Incident = IncidentFactory(team=team)
    with pytest.raises(Forbidden):
        restrict(incident=incident, reason="private", by=agent, at=AT)
    with pytest.raises(Invalid):
        restrict(incident=incident, reason=" ", by=lead, at=AT)
    incident = restrict(incident=incident, reason="private", by=lead, at=AT)
    assert incident.is_restricted
    assert not unrestrict(incident=incident, reason="over", by=lead, at=AT).is_restricted


def test_containment_tells_the_blast_radius_and_the_first_moment_counts() -> None:
    incident = contain(incident=IncidentFactory(), note="cut off", users=40, sites=2, by=SYSTEM, at=AT)
    incident = contain(incident=incident, note="counted again", users=55, by=SYSTEM, at=later(hours=1))
    assert (incident.contained_at, incident.affected_users, incident.affected_sites) == (AT, 55, 2)
    assert last(incident).data == {"note": "counted again", "users": 55, "sites": None, "services": None}
    with pytest.raises(Invalid):
        contain(incident=incident, note="x", users=-1, by=SYSTEM, at=AT)


def test_converting_the_kind_keeps_number_and_history() -> None:
    incident = IncidentFactory()
    changed = revise(incident=incident, values={"kind": "question"}, by=SYSTEM, at=AT)
    assert (changed.number, changed.kind) == (incident.number, "question")
    assert [one.data for one in events(changed) if one.kind == "incident.converted"] == [
        {"old": "incident", "new": "question"}
    ]


def test_the_rule_for_vips_follows_the_requester_and_shows() -> None:
    PriorityMatrix.objects.update(is_current=False)
    incidents.actions.change_matrix(
        rows=[[1, 2, 3], [2, 3, 4], [3, 4, 5]], vip_raises_urgency=True, by=person(None, "admin"), at=AT
    )
    incident = IncidentFactory(impact=2, urgency=2)
    raised = revise(incident=incident, values={"requester": UserFactory(is_vip=True)}, by=SYSTEM, at=AT)
    assert (raised.is_vip_raised, raised.priority, raised.impact, raised.urgency) == (True, 2, 2, 2)
    assert incidents.queries.explain_priority(raised)["urgency_in_force"] == 1
    lowered = revise(incident=raised, values={"requester": UserFactory()}, by=SYSTEM, at=AT)
    assert (lowered.is_vip_raised, lowered.priority) == (False, 3)
