"""One factory for each model of oncall, and a desk that pages: service, policy with levels, people with contacts."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import factory
from factory.django import DjangoModelFactory

import incidents.actions
from accounts.models import User
from accounts.queries import actor_for
from audit.actor import SYSTEM
from incidents.models import Incident, Service
from notify.models import Contact
from oncall import tasks
from oncall.models import (
    BreachRule,
    EscalationPolicy,
    Layer,
    Level,
    LevelTarget,
    Override,
    Page,
    PolicyAssignment,
    RotationMember,
    Schedule,
)
from tests.accounts.factories import TeamFactory, UserFactory
from tests.notify.factories import ContactFactory

AT = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


class ScheduleFactory(DjangoModelFactory[Schedule]):
    class Meta:
        model = Schedule

    name = factory.Sequence(lambda n: f"Schedule {n}")
    zone = "Europe/Madrid"


class LayerFactory(DjangoModelFactory[Layer]):
    class Meta:
        model = Layer

    schedule = factory.SubFactory(ScheduleFactory)
    name = factory.Sequence(lambda n: f"Layer {n}")
    start_on = dt.date(2026, 1, 5)
    handover_time = dt.time(9)


class RotationMemberFactory(DjangoModelFactory[RotationMember]):
    class Meta:
        model = RotationMember

    layer = factory.SubFactory(LayerFactory)
    position = factory.Sequence(lambda n: n + 1)
    user = factory.SubFactory(UserFactory, roles=["responder"])


class OverrideFactory(DjangoModelFactory[Override]):
    class Meta:
        model = Override

    schedule = factory.SubFactory(ScheduleFactory)
    user = factory.SubFactory(UserFactory)
    starts_at = AT
    ends_at = AT + dt.timedelta(hours=8)


class EscalationPolicyFactory(DjangoModelFactory[EscalationPolicy]):
    class Meta:
        model = EscalationPolicy

    name = factory.Sequence(lambda n: f"Policy {n}")
    repeats = 1


class LevelFactory(DjangoModelFactory[Level]):
    class Meta:
        model = Level

    policy = factory.SubFactory(EscalationPolicyFactory)
    position = 1
    delay_s = 300


class LevelTargetFactory(DjangoModelFactory[LevelTarget]):
    class Meta:
        model = LevelTarget

    level = factory.SubFactory(LevelFactory)


class PolicyAssignmentFactory(DjangoModelFactory[PolicyAssignment]):
    class Meta:
        model = PolicyAssignment

    policy = factory.SubFactory(EscalationPolicyFactory)


class BreachRuleFactory(DjangoModelFactory[BreachRule]):
    class Meta:
        model = BreachRule

    name = factory.Sequence(lambda n: f"Rule {n}")


def responder(**given: Any) -> User:
    """Somebody who may respond to pages."""
    return UserFactory(roles=["responder"], **given)


def person(name: str, *, contacts: int = 1, roles: tuple[str, ...] = ("responder",)) -> User:
    """Somebody with verified mail contacts."""
    user = UserFactory(name=name, email=f"{name.lower()}@example.org", roles=list(roles))
    for number in range(contacts):
        ContactFactory(user=user, address=f"{name.lower()}{number}@example.org", position=number + 1)
    return user


@dataclasses.dataclass
class Desk:
    """Olu at level 1, Wen at level 2, five minutes each, one repeat; Ada is the fallback."""

    olu: User
    wen: User
    ada: User
    policy: EscalationPolicy
    service: Service
    at: dt.datetime = AT

    def open(self, **given: Any) -> Incident:
        values: dict[str, Any] = {
            "title": "Payment gateway returns 502", "by": SYSTEM, "at": self.at, "impact": 1, "urgency": 1,
            "channel": "alert", "service": self.service,
        }  # fmt: skip
        return incidents.actions.open_incident(**values | given)

    def pass_time(self, minutes: float = 0) -> int:
        """Lets time pass and runs the sweep once."""
        self.at += dt.timedelta(minutes=minutes)
        return tasks.sweep(at=self.at)

    def acknowledge(self, incident: Incident, user: User) -> Incident:
        return incidents.actions.acknowledge(incident=incident, by=actor_for(user), at=self.at)


def service(name: str = "Payments") -> Service:
    return Service.objects.create(name=name, slug=name.lower(), owner_team=TeamFactory())


def desk(*, ack_timeout_s: int | None = None, repeats: int = 1) -> Desk:
    olu, wen, ada = person("Olu"), person("Wen"), person("Ada")
    policy = EscalationPolicyFactory(
        name="Payments 24x7", repeats=repeats, fallback_user=ada, ack_timeout_s=ack_timeout_s
    )
    for position, user in enumerate((olu, wen), start=1):
        LevelTargetFactory(level=LevelFactory(policy=policy, position=position), user=user)
    payments = service()
    PolicyAssignmentFactory(policy=policy, service=payments)
    return Desk(olu, wen, ada, policy, payments)


def told(page: Page) -> list[tuple[int, int, str]]:
    """What a page decided, in order: (round, level, name)."""
    return [(one.round, one.level, one.user.name) for one in page.notifications.order_by("id")]


def contact_of(user: User) -> Contact:
    return Contact.objects.filter(user=user).order_by("position")[0]
