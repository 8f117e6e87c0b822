"""Who and what the measured desk consists of, made by its own actions: teams, people, services, keys, a page policy."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

import accounts.actions
import accounts.queries
import alerts.actions
import notify.actions
import oncall.actions
from accounts.models import Team, User
from audit.actions import create_config
from audit.actor import SYSTEM, Actor, ActorKind
from incidents.models import Category, Service

TEAMS, AGENTS, REQUESTERS = 10, 20, 100
BUILDER = Actor(kind=ActorKind.JOB, id="bench", label="bench", roles=frozenset({"admin", "incident_manager"}))


@dataclasses.dataclass(slots=True)
class World:
    """What the figures need to know of it."""

    teams: list[Team]
    agents: list[User]
    requesters: list[User]
    services: list[Service]
    categories: list[Category]
    agent_key: str
    machine_key: str
    intake_key: str
    paging_key: str
    paged: User

    @property
    def agent(self) -> User:
        """The agent whose key asks: member of the first team, which owns the first service."""
        return self.agents[0]


def _config(model: Any, at: datetime, **values: Any) -> Any:
    return create_config(model=model, values=values, by=BUILDER, at=at)


def build(at: datetime) -> World:
    teams = [
        accounts.actions.create_team(
            values={"name": f"Team {number}", "slug": f"team-{number}", "tier": 1, "is_triage": number == 1},
            by=BUILDER,
            at=at,
        )
        for number in range(TEAMS)
    ]
    agents = [_person(f"agent{number}", "agent", at) for number in range(AGENTS)]
    for number, user in enumerate(agents):
        accounts.actions.set_membership(
            user=user, team=teams[number % TEAMS], is_lead=number >= TEAMS, by=BUILDER, at=at
        )
    services = [
        _config(Service, at, name=f"Service {number}", slug=f"service-{number}", owner_team=team, criticality=3)
        for number, team in enumerate(teams)
    ]
    top = _config(Category, at, name="Software")
    categories = [_config(Category, at, name=f"Application {number}", parent=top) for number in range(10)]
    requesters = [_person(f"requester{number}", "requester", at) for number in range(REQUESTERS)]
    paged = agents[1]
    _, agent_key = accounts.actions.issue_api_key(
        name="bench agent", scopes=["*:write"], user=agents[0], by=SYSTEM, at=at
    )
    _, machine_key = accounts.actions.issue_api_key(name="bench machine", scopes=["*:write"], by=SYSTEM, at=at)
    _intake, intake_key = _source("monitoring", services[2], 3, at)
    _, paging_key = _source("pager", services[1], 1, at)
    return World(
        teams=teams,
        agents=agents,
        requesters=requesters,
        services=services,
        categories=categories,
        agent_key=agent_key,
        machine_key=machine_key,
        intake_key=intake_key,
        paging_key=paging_key,
        paged=paged,
    )


def _person(name: str, role: str, at: datetime) -> User:
    return accounts.actions.create_user(
        email=f"{name}@bench.example", name=name.title(), roles=[role], by=SYSTEM, at=at
    )


def _source(name: str, service: Service, rating: int, at: datetime) -> tuple[Any, str]:
    values = {
        "name": name,
        "adapter": "generic",
        "service": service,
        "impact": rating,
        "urgency": rating,
        "storm_limit": 1_000_000_000,
    }
    return alerts.actions.create_source(values=values, by=BUILDER, at=at)


def page_by_webhook(world: World, url: str, at: datetime) -> None:
    """Lets the pager's service page one person by a webhook, at once."""
    contact = notify.actions.add_contact(user=world.paged, channel="webhook", address=url, by=BUILDER, at=at)
    notify.actions.vouch_for_contact(contact=contact, reason="bench", by=BUILDER, at=at)
    policy = oncall.actions.save_policy(
        values={
            "name": "Bench",
            "priority_threshold": 2,
            "repeats": 0,
            "fallback_user": world.agents[2],
            "levels": [{"delay_s": 3600, "targets": [{"user": world.paged}]}],
        },
        by=BUILDER,
        at=at,
    )
    oncall.actions.assign_policy(policy=policy, service=world.services[1], by=BUILDER, at=at)
