"""A proposed major incident pages until somebody decides, and its updates have a clock of their own."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

import incidents.actions as verbs
import incidents.tasks
import sla.tasks
from audit.actor import SYSTEM
from incidents.models import Incident
from notify.models import Message
from oncall.models import Page
from sla.models import Clock
from tests.accounts.factories import UserFactory
from tests.incidents.factories import AT, IncidentFactory, later, person
from tests.oncall.factories import EscalationPolicyFactory

pytestmark = pytest.mark.django_db


def fresh(incident: Incident) -> Incident:
    return Incident.objects.get(pk=incident.pk)


def proposed() -> Incident:
    incident: Any = IncidentFactory()
    verbs.propose_major(incident=incident, reason="all tills", by=SYSTEM, at=AT)
    incidents.tasks.sweep(later(minutes=10))
    return fresh(incident)


def update_clocks(incident: Incident) -> list[tuple[str, dt.datetime | None]]:
    rows = Clock.objects.filter(incident=incident, target="update").order_by("cycle")
    return [(one.state, one.due_at) for one in rows]


def test_the_policy_for_majors_is_paged_until_somebody_decides(settings: Any) -> None:
    settings.SERVICEDESK_MAJOR_POLICY = EscalationPolicyFactory(name="Majors").name
    incident = proposed()
    page = Page.objects.get(incident=incident)
    assert (page.policy_name, page.state) == ("Majors", "running")
    verbs.reject_major(
        incident=incident, reason="one till", by=person(UserFactory(), "incident_manager"), at=later(minutes=11)
    )
    assert Page.objects.get(incident=incident).state == "resolved"


def test_without_a_policy_who_decides_gets_a_mail() -> None:
    boss = UserFactory(roles=["incident_manager"])
    incident = proposed()
    assert Message.objects.filter(topic=f"incident:{incident.pk}", address=boss.email).exists()


def test_each_update_keeps_the_promise_and_begins_it_anew() -> None:
    boss = person(UserFactory(), "incident_manager")
    incident = proposed()
    verbs.accept_major(incident=incident, by=boss, at=later(minutes=10))
    assert update_clocks(incident) == [("running", later(minutes=40))]
    verbs.give_update(incident=fresh(incident), body="We know why.", by=boss, at=later(minutes=30))
    assert update_clocks(incident) == [("met", later(minutes=40)), ("running", later(minutes=60))]
    sla.tasks.sweep(later(minutes=61))
    verbs.give_update(incident=fresh(incident), body="Sorry.", by=boss, at=later(minutes=70))
    assert [state for state, _ in update_clocks(incident)] == ["met", "breached", "running"]


def test_the_promise_ends_with_resolution_and_demotion() -> None:
    boss = person(UserFactory(), "incident_manager")
    incident = proposed()
    verbs.accept_major(incident=incident, by=boss, at=later(minutes=10))
    verbs.resolve(incident=fresh(incident), code="fixed", by=boss, at=later(minutes=20))
    assert [state for state, _ in update_clocks(incident)] == ["met"]
    verbs.reopen(incident=fresh(incident), by=boss, at=later(minutes=30))
    assert [state for state, _ in update_clocks(incident)] == ["met", "running"]
    verbs.demote_major(incident=fresh(incident), reason="one till", by=boss, at=later(minutes=40))
    assert [state for state, _ in update_clocks(incident)] == ["met", "cancelled"]
