"""Somebody leaves: what they held goes back to the queues, with its clocks."""

from __future__ import annotations

import pytest

import accounts.actions
from accounts.models import User
from audit.actor import SYSTEM
from audit.models import Delivery
from incidents.actions import comment, hand_back, put_on_hold, reopen, resolve
from sla.models import Clock
from tests.accounts.factories import TeamFactory, UserFactory
from tests.incidents.factories import IncidentFactory, ServiceFactory, later, person
from tests.incidents.trail import fresh, kinds, last

pytestmark = pytest.mark.django_db


def leave(user: User) -> None:
    accounts.actions.deactivate_user(user=user, by=SYSTEM, at=later(hours=2))
    assert not Delivery.objects.exists()


def test_what_a_leaver_held_waits_in_the_teams_queue_under_a_running_own_clock() -> None:
    leaver, team = UserFactory(), TeamFactory()
    incident = IncidentFactory(team=team, assignee=leaver)
    waiting = IncidentFactory(team=team, assignee=leaver)
    put_on_hold(
        incident=waiting, hold_reason="awaiting_vendor", until=later(days=3), by=SYSTEM, at=later(minutes=5)
    )  # fmt: skip
    leave(leaver)
    for one, state in ((incident, "assigned"), (waiting, "on_hold")):
        found = fresh(one)
        assert (found.state, found.team_id, found.assignee_id) == (state, team.pk, None)
        assert (last(one).kind, last(one).data["cause"]) == ("incident.assigned", "leaver")
        assert Clock.objects.get(incident=one, target="own").state == "running"


def test_work_without_a_team_goes_to_the_services_owner_else_to_triage() -> None:
    leaver, triage = UserFactory(), TeamFactory(is_triage=True)
    service = ServiceFactory()
    theirs = IncidentFactory(assignee=leaver)
    nobodys = IncidentFactory(assignee=leaver)
    type(theirs).objects.filter(pk=theirs.pk).update(service=service)
    leave(leaver)
    assert fresh(theirs).team_id == service.owner_team_id
    assert fresh(nobodys).team_id == triage.pk


def test_what_is_over_and_what_others_hold_stays() -> None:
    leaver, other = UserFactory(), UserFactory()
    done = resolve(incident=IncidentFactory(assignee=leaver), code="fixed", by=SYSTEM, at=later(minutes=5))
    kept = IncidentFactory(assignee=other)
    leave(leaver)
    assert fresh(done).assignee_id == leaver.pk
    assert fresh(kept).assignee_id == other.pk
    assert kinds(kept) == ["opened"]


def test_a_late_delivery_takes_nothing_from_somebody_who_came_back() -> None:
    back = UserFactory()
    incident = IncidentFactory(assignee=back)
    assert hand_back(user=back, by=SYSTEM, at=later(hours=3)) == []
    assert fresh(incident).assignee_id == back.pk


def test_what_is_reopened_after_its_owner_left_has_an_own_clock_again() -> None:
    leaver, team = UserFactory(), TeamFactory()
    incident = IncidentFactory(team=team, assignee=leaver)
    resolve(incident=incident, code="fixed", by=SYSTEM, at=later(minutes=5))
    leave(leaver)
    reopen(incident=incident, by=SYSTEM, at=later(hours=4))
    assert (fresh(incident).assignee_id, last(incident).data["assignee"]) == (None, None)
    assert Clock.objects.get(incident=incident, target="own", state="running").started_at == later(hours=4)


def test_what_the_requester_takes_up_again_after_its_owner_left_has_one_too() -> None:
    leaver, team, requester = UserFactory(), TeamFactory(), UserFactory()
    incident = IncidentFactory(team=team, assignee=leaver, requester=requester)
    resolve(incident=incident, code="no_answer", by=SYSTEM, at=later(minutes=5))
    leave(leaver)
    asker = person(requester, "requester")
    comment(incident=incident, body="I am back.", is_public=True, by=asker, at=later(hours=4))
    assert (fresh(incident).state, fresh(incident).assignee_id) == ("in_progress", None)
    assert Clock.objects.get(incident=incident, target="own", state="running").started_at == later(hours=4)
