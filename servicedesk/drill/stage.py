"""What a drill needs on the desk: two people on a test channel, service, policy and source; made once."""

from __future__ import annotations

import dataclasses
from datetime import datetime

import accounts.actions
import alerts.actions
import notify.actions
import oncall.actions
from accounts.models import Team, User
from accounts.roles import Role
from alerts.models import AlertSource
from audit.actions import create_config
from audit.actor import Actor, ActorKind
from incidents.models import Service
from notify.models import Channel, Contact
from oncall.models import EscalationPolicy

DRILLER = Actor(
    kind=ActorKind.JOB,
    id="drill",
    label="drill",
    roles=frozenset({Role.ADMIN.value, Role.INCIDENT_MANAGER.value}),
)
NAME = "Drill"
FIRST, SECOND = "first@drill.invalid", "second@drill.invalid"
#: Seconds of the story: the first has five minutes, the second ten.
DELAYS = (300, 600)


@dataclasses.dataclass(frozen=True, slots=True)
class Stage:
    """The source whose alerts are drills, a fresh key for it, and the two who are paged."""

    source: AlertSource
    key: str
    first: User
    second: User


def _person(address: str, name: str, team: Team, at: datetime) -> User:
    user = User.objects.filter(email=address).first()
    if user is None:
        user = accounts.actions.create_user(email=address, name=name, roles=[Role.RESPONDER], by=DRILLER, at=at)
    accounts.actions.set_membership(user=user, team=team, by=DRILLER, at=at)
    contact = Contact.objects.filter(user=user, channel=Channel.TEST).first()
    if contact is None:
        contact = notify.actions.add_contact(
            user=user, channel=Channel.TEST, address=address, verify=False, by=DRILLER, at=at
        )
    notify.actions.vouch_for_contact(contact=contact, reason="a drill's own channel", by=DRILLER, at=at)
    return user


def set_up(at: datetime) -> Stage:
    """Makes what is missing and a new key for the source, because the old one is known to nobody."""
    team = Team.objects.filter(slug="drill").first()
    if team is None:
        team = accounts.actions.create_team(values={"name": NAME, "slug": "drill", "tier": 2}, by=DRILLER, at=at)
    first, second = _person(FIRST, "Drill, first", team, at), _person(SECOND, "Drill, second", team, at)
    service = Service.objects.filter(slug="drill").first()
    if service is None:
        values = {"name": NAME, "slug": "drill", "owner_team": team, "criticality": 1}
        service = create_config(model=Service, values=values, by=DRILLER, at=at)
    policy = EscalationPolicy.objects.filter(name=NAME).first()
    if policy is None:
        levels = [
            {"delay_s": wait, "targets": [{"user": user}]} for wait, user in zip(DELAYS, (first, second), strict=True)
        ]
        policy = oncall.actions.save_policy(
            values={"name": NAME, "priority_threshold": 5, "repeats": 0, "fallback_team": team, "levels": levels},
            by=DRILLER,
            at=at,
        )
        oncall.actions.assign_policy(policy=policy, service=service, by=DRILLER, at=at)
    source = AlertSource.objects.filter(name=NAME).first()
    if source is None:
        values = {"name": NAME, "adapter": "generic", "service": service, "is_drill": True}
        source, key = alerts.actions.create_source(values=values, by=DRILLER, at=at)
    else:
        source, key = alerts.actions.rotate_key(source=source, by=DRILLER, at=at)
    return Stage(source=source, key=key, first=first, second=second)
