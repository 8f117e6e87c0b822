"""Major incidents: proposed by anyone, decided in minutes or paged, led, told about, ended by a person."""

from __future__ import annotations

from typing import Any

import pytest

import incidents.actions as verbs
from audit.actions import Forbidden, Invalid
from audit.actor import SYSTEM
from incidents.actions import IllegalTransition, MajorAlready, NoMajor
from incidents.models import Incident, MajorIncident
from incidents.tasks import sweep
from tests.accounts.factories import TeamFactory, UserFactory
from tests.incidents.factories import AT, IncidentFactory, later, person
from tests.incidents.trail import fresh, kinds, last, mails

pytestmark = pytest.mark.django_db


def manager() -> Any:
    return person(UserFactory(), "incident_manager")


def accepted(**given: Any) -> Incident:
    incident = IncidentFactory(**given)
    verbs.propose_major(incident=incident, reason="all tills are down", by=SYSTEM, at=AT)
    verbs.accept_major(incident=fresh(incident), by=manager(), at=later(minutes=5))
    return fresh(incident)


def test_its_requester_proposes_and_a_manager_accepts() -> None:
    incident = IncidentFactory(requester=UserFactory())
    boss = manager()
    mine = person(incident.requester, "requester")
    row = verbs.propose_major(incident=incident, reason="all tills are down", by=mine, at=AT)
    assert row.decide_by_at == later(minutes=10)
    row = verbs.accept_major(incident=fresh(incident), by=boss, at=later(minutes=5))
    assert (row.state, row.commander_id, row.decide_by_at, fresh(incident).is_major) == (
        "accepted", boss.user_id, None, True,
    )  # fmt: skip
    assert kinds(incident)[-2:] == ["major_proposed", "major_accepted"]


def test_who_may_decide() -> None:
    team = TeamFactory()
    incident = IncidentFactory(team=team)
    verbs.propose_major(incident=incident, reason="x", by=SYSTEM, at=AT)
    for by in (person(None, "agent", teams=(team,)), person(None, "admin"), person(None, "lead"), SYSTEM):
        with pytest.raises(Forbidden):
            verbs.accept_major(incident=incident, by=by, at=AT)
    verbs.reject_major(incident=incident, reason="one till", by=person(None, "lead", leads=(team,)), at=AT)
    assert not fresh(incident).is_major


def test_it_is_proposed_once_and_again_after_a_rejection() -> None:
    incident = IncidentFactory()
    verbs.propose_major(incident=incident, reason="x", by=SYSTEM, at=AT)
    with pytest.raises(MajorAlready):
        verbs.propose_major(incident=incident, reason="y", by=SYSTEM, at=AT)
    verbs.reject_major(incident=incident, reason="no", by=manager(), at=AT)
    verbs.propose_major(incident=incident, reason="now it is", by=SYSTEM, at=AT)
    assert MajorIncident.objects.count() == 2


def test_nothing_is_decided_without_a_proposal_and_nothing_proposed_once_resolved() -> None:
    incident = IncidentFactory()
    for verb in (verbs.accept_major, verbs.reject_major, verbs.demote_major):
        with pytest.raises(NoMajor):
            verb(incident=incident, reason="x", by=manager(), at=AT)
    verbs.resolve(incident=incident, code="fixed", by=SYSTEM, at=AT)
    with pytest.raises(IllegalTransition):
        verbs.propose_major(incident=fresh(incident), reason="x", by=SYSTEM, at=AT)


def test_a_proposal_that_nobody_decides_is_overdue_once() -> None:
    incident = IncidentFactory()
    verbs.propose_major(incident=incident, reason="x", by=SYSTEM, at=AT)
    for minutes in (9, 10, 11):
        sweep(later(minutes=minutes))
    assert kinds(incident).count("major_overdue") == 1
    row = verbs.accept_major(incident=fresh(incident), by=manager(), at=later(minutes=12))
    assert row.overdue_at == later(minutes=10)


def test_roles_are_named_and_changed() -> None:
    incident, scribe = accepted(), UserFactory()
    row = verbs.set_major_roles(incident=incident, values={"scribe": scribe}, by=SYSTEM, at=later(hours=1))
    assert row.scribe_id == scribe.pk
    assert last(incident).data["scribe"] == scribe.pk
    with pytest.raises(Invalid):
        verbs.set_major_roles(incident=incident, values={"king": scribe}, by=SYSTEM, at=later(hours=1))


def test_an_update_is_a_public_comment_of_its_own_kind() -> None:
    incident = accepted(requester=UserFactory())
    written = verbs.give_update(incident=incident, body="The network is back.", by=manager(), at=later(hours=1))
    assert written.is_public
    assert kinds(incident)[-2:] == ["commented", "updated"]
    with pytest.raises(NoMajor):
        verbs.give_update(incident=IncidentFactory(), body="x", by=manager(), at=AT)


def test_a_major_never_closes_by_itself() -> None:
    incident = accepted()
    verbs.resolve(incident=incident, code="fixed", by=SYSTEM, at=later(hours=2))
    row = MajorIncident.objects.get()
    assert (fresh(incident).close_due_at, row.closing_owner_id) == (None, row.commander_id)
    assert row.close_on == later(days=7).date()
    sweep(later(days=30))
    assert fresh(incident).state == "resolved"
    assert "closing_due" in kinds(incident)
    assert mails(incident)[-1].address == row.commander.email if row.commander else False


def test_the_closing_is_planned_by_owner_and_day() -> None:
    incident, owner = accepted(), UserFactory()
    row = verbs.plan_closing(
        incident=incident, owner=owner, close_on=later(days=3).date(), by=SYSTEM, at=later(hours=1)
    )
    assert (row.closing_owner_id, row.close_on) == (owner.pk, later(days=3).date())
    with pytest.raises(Invalid):
        verbs.plan_closing(incident=incident, owner=owner, close_on=later(days=-1).date(), by=SYSTEM, at=AT)


def test_demotion_takes_a_reason_and_lets_it_close_again() -> None:
    incident = accepted()
    verbs.resolve(incident=incident, code="fixed", by=SYSTEM, at=later(hours=2))
    with pytest.raises(Invalid):
        verbs.demote_major(incident=fresh(incident), reason=" ", by=manager(), at=later(hours=3))
    verbs.demote_major(incident=fresh(incident), reason="one till", by=manager(), at=later(hours=3))
    again = fresh(incident)
    assert (again.is_major, again.close_due_at is not None) == (False, True)
