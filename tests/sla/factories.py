"""Calendars and policies as an admin saves them (with their versions), and people who work on incidents."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any

import factory
from factory.django import DjangoModelFactory

from accounts.models import Team, User
from accounts.queries import actor_for
from audit.actions import create_config
from audit.actor import Actor, ActorKind
from incidents import actions as incidents
from incidents.models import Incident
from sla.models import Calendar, Clock, SlaPolicy
from tests.accounts.factories import MembershipFactory, TeamFactory, UserFactory

ADMIN = Actor(kind=ActorKind.PERSON, id="admin", label="Admin", roles=frozenset({"admin"}))
SPLIT_DAYS = {day: [["09:00", "14:00"], ["15:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
ALWAYS = {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
LONG_AGO = datetime.fromisoformat("2026-01-01T00:00:00+00:00")


class _Saved(DjangoModelFactory[Any]):
    class Meta:
        abstract = True

    @classmethod
    def _create(cls, model_class: type[Any], *args: Any, **kwargs: Any) -> Any:
        return create_config(model=model_class, values=kwargs, by=ADMIN, at=LONG_AGO)


class CalendarFactory(_Saved):
    class Meta:
        model = Calendar

    name = factory.Sequence(lambda n: f"Calendar {n}")
    zone = "UTC"
    week = ALWAYS


class SlaPolicyFactory(_Saved):
    class Meta:
        model = SlaPolicy

    name = factory.Sequence(lambda n: f"Policy {n}")
    position = factory.Sequence(lambda n: 1000 + n)
    calendar = factory.SubFactory(CalendarFactory)
    targets = {"resolve": {str(priority): 3600 for priority in range(1, 6)}}
    thresholds = [{"percent": 50, "actions": []}, {"percent": 100, "actions": []}]
    on_breach: list[Any] = []


def without_policies() -> None:
    """Retires the shipped policies, so that a test states all of its own."""
    SlaPolicy.objects.update(is_active=False)
    from sla import queries

    queries._cache.stamp = ()


@dataclasses.dataclass
class Desk:
    """A team with an agent and its lead, a requester, and a shorthand for what they do to one incident."""

    team: Team
    agent: User
    lead: User
    requester: User
    incident: Incident = dataclasses.field(init=False)

    def open(self, at: datetime, by: User | None = None, **more: Any) -> Incident:
        values = {"title": "Printer", "impact": 2, "urgency": 2, "team": self.team, "requester": self.requester, **more}
        self.incident = incidents.open_incident(by=actor_for(by or self.agent), at=at, **values)
        return self.incident

    def do(self, verb: str, at: datetime, by: User | None = None, **more: Any) -> None:
        getattr(incidents, verb)(incident=self.incident, by=actor_for(by or self.agent), at=at, **more)
        self.incident = Incident.objects.get(pk=self.incident.pk)

    def hold(self, at: datetime, reason: str = "awaiting_requester") -> None:
        self.do("put_on_hold", at, hold_reason=reason, until=at + timedelta(days=30))

    def resolve(self, at: datetime) -> None:
        self.do("resolve", at, code="fixed", cause="software", notes="done")

    def reopen(self, at: datetime) -> None:
        self.do("reopen", at, reason="not fixed")

    def clock(self, target: str = "resolve", cycle: int | None = None) -> Clock:
        clocks = Clock.objects.filter(incident=self.incident, target=target).order_by("cycle")
        return clocks.get(cycle=cycle) if cycle else list(clocks)[-1]


def make_desk() -> Desk:
    team = TeamFactory()
    agent, lead = UserFactory(roles=["agent"]), UserFactory(roles=["lead"])
    MembershipFactory(user=agent, team=team)
    MembershipFactory(user=lead, team=team, is_lead=True)
    return Desk(team=team, agent=agent, lead=lead, requester=UserFactory(roles=["requester"]))
