"""The watchdog finds each kind of neglect, and after any life of an incident it finds none."""

from __future__ import annotations

import datetime as dt
import io
import random
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

import accounts.actions
import audit.tasks
import incidents.actions as verbs
import incidents.tasks
import oncall.tasks
import sla.tasks
from accounts.models import User
from accounts.queries import actor_for
from audit.actions import ActionRefused
from audit.actor import SYSTEM
from audit.models import Delivery, Event
from incidents.models import OPEN_STATES, Incident
from servicedesk.watchdog import violations
from sla.models import Clock
from tests.accounts.factories import MembershipFactory, TeamFactory, UserFactory
from tests.incidents.factories import AT, IMPORT, IncidentFactory, later
from tests.oncall.factories import desk

pytestmark = pytest.mark.django_db

OWNED_BUT_FORGOTTEN = "it has an owner, but no clock or reminder to come"
QUEUED_BUT_FORGOTTEN = "it waits in a team's queue without a running own clock"


def found(at: dt.datetime = AT) -> dict[str, str]:
    return {one["reference"]: one["why"] for one in violations(at)}


def forget(incident: Incident) -> None:
    """As if every handler and reminder had been lost."""
    Clock.objects.filter(incident=incident).update(next_threshold_at=None)
    Incident.objects.filter(pk=incident.pk).update(idle_at=None)


def test_what_was_just_opened_is_looked_after() -> None:
    IncidentFactory(team=TeamFactory())
    IncidentFactory(team=TeamFactory(), assignee=UserFactory())
    assert found() == {}


def test_an_owner_without_clock_and_reminder_is_found() -> None:
    incident = IncidentFactory(team=TeamFactory(), assignee=UserFactory())
    forget(incident)
    assert found() == {incident.reference: OWNED_BUT_FORGOTTEN}


def test_a_queue_without_own_clock_is_found() -> None:
    incident = IncidentFactory(team=TeamFactory())
    Clock.objects.filter(incident=incident, target="own").update(next_threshold_at=None)
    assert found() == {incident.reference: QUEUED_BUT_FORGOTTEN}


def test_a_deactivated_owner_is_found() -> None:
    owner = UserFactory()
    incident = IncidentFactory(team=TeamFactory(), assignee=owner)
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert found() == {incident.reference: "its owner is deactivated"}


def test_what_is_nobodys_is_found() -> None:
    incident = IncidentFactory()
    assert found() == {incident.reference: "it has neither owner nor team"}


def test_a_hold_is_enough_until_its_wake_up_is_missed() -> None:
    incident = IncidentFactory(team=TeamFactory())
    verbs.put_on_hold(incident=incident, hold_reason="awaiting_vendor", until=later(hours=1), by=SYSTEM, at=AT)
    forget(incident)
    assert found() == found(later(hours=1, seconds=59)) == {}
    assert found(later(hours=1, seconds=61)) == {incident.reference: "on hold without a wake-up to come"}


def test_sweeps_that_stand_still_are_found_after_a_minute() -> None:
    incident = IncidentFactory(team=TeamFactory())
    due = Clock.objects.get(incident=incident, target="own").next_threshold_at
    assert due is not None
    assert found(due + dt.timedelta(seconds=59)) == {}
    assert found(due + dt.timedelta(seconds=61)) == {incident.reference: QUEUED_BUT_FORGOTTEN}
    sla.tasks.sweep(at=due + dt.timedelta(seconds=61))
    assert found(due + dt.timedelta(seconds=61)) == {}


def test_an_escalation_to_come_is_enough() -> None:
    at = desk()
    incident = at.open()
    forget(incident)
    at.pass_time()
    assert found(at.at) == {}
    assert found(at.at + dt.timedelta(minutes=10)) == {incident.reference: QUEUED_BUT_FORGOTTEN}


def test_a_delivery_is_waited_for_one_minute() -> None:
    incident = IncidentFactory(team=TeamFactory())
    forget(incident)
    event = Event.objects.filter(about_id=incident.pk).latest("id")
    Delivery.objects.create(event=event, handler="sla.handlers.retime", next_attempt_at=AT)
    now = timezone.now()
    assert found(now) == {}
    assert found(now + dt.timedelta(seconds=61)) == {incident.reference: QUEUED_BUT_FORGOTTEN}


def test_history_that_was_imported_is_nobodys_duty() -> None:
    IncidentFactory(imported=True, by=IMPORT)
    assert found() == {}


def test_the_command_lists_violations_and_fails() -> None:
    incident = IncidentFactory()
    out = io.StringIO()
    with pytest.raises(CommandError, match="nobody and nothing"):
        call_command("watchdog", stdout=out)
    assert f"{incident.reference} new: it has neither owner nor team" in out.getvalue()
    with pytest.raises(CommandError):
        call_command("watchdog", "--json", stdout=(printed := io.StringIO()))
    assert incident.reference in printed.getvalue()


class Life:
    """One incident among two teams and four people, moved by chance; time passes by minutes or days."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.at = AT
        self.teams = [TeamFactory(is_triage=True), TeamFactory()]
        self.people = [UserFactory(roles=["agent", "lead", "incident_manager"]) for _ in range(4)]
        for place, user in enumerate(self.people):
            MembershipFactory(user=user, team=self.teams[place % 2], is_lead=place < 2)
        self.incident = IncidentFactory(
            team=self.chance.choice([None, *self.teams]), impact=2, urgency=self.chance.randint(1, 3)
        )

    def step(self) -> None:
        """A verb, legal or not, or somebody leaves; then time passes, with the sweeps that it wakes."""
        active = [user for user in self.people if User.objects.get(pk=user.pk).is_active]
        by = actor_for(User.objects.get(pk=self.chance.choice(active).pk))
        name, given = self.chance.choice(self.possible(self.chance.choice(active)))
        try:
            if name == "leave":
                if len(active) > 1:
                    leaver = self.chance.choice(active)
                    accounts.actions.deactivate_user(user=leaver, by=SYSTEM, at=self.at)
            else:
                getattr(verbs, name)(incident=self.incident, by=by, at=self.at, **given)
        except ActionRefused:
            pass
        self.at += dt.timedelta(minutes=self.chance.choice([1, 7, 45, 300, 1500, 4000]))
        self.sweep()

    def sweep(self) -> None:
        # A rota may need several looks: what one sweep does makes something due for another.
        for _ in range(3):
            incidents.tasks.sweep(at=self.at)
            sla.tasks.sweep(at=self.at)
            oncall.tasks.sweep(at=self.at)
            audit.tasks.sweep_deliveries(at=self.at)

    def possible(self, user: User) -> list[tuple[str, dict[str, Any]]]:
        chance = self.chance
        until = self.at + dt.timedelta(hours=chance.randint(1, 200))
        return [
            ("assign", {"team": chance.choice([None, *self.teams])}),
            ("assign", {"assignee": user}),
            ("claim", {}),
            ("start", {}),
            ("acknowledge", {}),
            ("put_on_hold", {"hold_reason": "awaiting_requester", "until": until}),
            ("change_hold", {"hold_reason": "awaiting_vendor", "until": until}),
            ("resume", {}),
            ("resolve", {"code": "fixed"}),
            ("reopen", {"reason": "still broken"}),
            ("override_priority", {"priority": chance.randint(1, 5), "reason": "because", "until": until}),
            ("comment", {"body": "A word", "is_public": chance.random() < 0.5}),
            ("leave", {}),
        ]


def live(seed: int) -> None:
    life = Life(seed)
    for number in range(25):
        life.step()
        assert found(life.at) == {}, number
    assert not Delivery.objects.open().exists()


@pytest.mark.parametrize("seed", [0, 6, 9, 11])
def test_no_life_leaves_an_incident_without_care(seed: int) -> None:
    live(seed)


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(100, 200))
def test_no_life_of_a_hundred_leaves_an_incident_without_care(seed: int) -> None:
    live(seed)


def test_the_lives_are_worth_looking_at() -> None:
    life = Life(3)
    seen = set()
    for _ in range(25):
        life.step()
        seen.add(Incident.objects.get(pk=life.incident.pk).state)
    assert len(seen & set(OPEN_STATES)) >= 2
