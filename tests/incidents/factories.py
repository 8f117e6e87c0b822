"""One factory for each model of incidents, and actors made of people."""

from __future__ import annotations

import datetime as dt
from typing import Any

import factory
from factory.django import DjangoModelFactory

import incidents.actions
from accounts.models import Team, User
from audit.actor import SYSTEM, Actor, ActorKind, job
from incidents.models import Category, Comment, Incident, Participant, PriorityMatrix, Service
from tests.accounts.factories import TeamFactory, UserFactory

#: A Monday morning.
AT = dt.datetime(2026, 3, 9, 9, 0, tzinfo=dt.UTC)
IMPORT = job("replay")


def later(**delta: float) -> dt.datetime:
    return AT + dt.timedelta(**delta)


def person(user: User | None = None, *roles: str, teams: tuple[Team, ...] = (), leads: tuple[Team, ...] = ()) -> Actor:
    """A person as actor, without the rows of roles and memberships: predicates read only the actor."""
    user = user or UserFactory()
    return Actor(
        kind=ActorKind.PERSON,
        id=str(user.pk),
        label=user.name,
        user_id=user.pk,
        roles=frozenset(roles),
        team_ids=frozenset(team.pk for team in (*teams, *leads)),
        led_team_ids=frozenset(team.pk for team in leads),
    )


def key(*scopes: str) -> Actor:
    return Actor(
        kind=ActorKind.KEY, id="k1", label="key k1", roles=frozenset({"integration"}), scopes=frozenset(scopes)
    )


class CategoryFactory(DjangoModelFactory[Category]):
    class Meta:
        model = Category

    name = factory.Sequence(lambda n: f"Category {n}")


class ServiceFactory(DjangoModelFactory[Service]):
    class Meta:
        model = Service

    name = factory.Sequence(lambda n: f"Service {n}")
    slug = factory.Sequence(lambda n: f"service-{n}")
    owner_team = factory.SubFactory(TeamFactory)


class PriorityMatrixFactory(DjangoModelFactory[PriorityMatrix]):
    class Meta:
        model = PriorityMatrix

    number = factory.Sequence(lambda n: n + 100)
    created_at = AT


class IncidentFactory(DjangoModelFactory[Incident]):
    """Opened by the action itself, by the system unless `by=` says else, so that it is as real ones are."""

    class Meta:
        model = Incident

    title = factory.Sequence(lambda n: f"Printer {n} is out of paper")
    by = SYSTEM
    at = AT

    @classmethod
    def _create(cls, model_class: type[Incident], *args: Any, **kwargs: Any) -> Incident:
        return incidents.actions.open_incident(**kwargs)


class CommentFactory(DjangoModelFactory[Comment]):
    class Meta:
        model = Comment

    incident = factory.SubFactory(IncidentFactory)
    author = factory.SubFactory(UserFactory)
    author_label = factory.LazyAttribute(lambda one: one.author.name)
    author_kind = Comment.AuthorKind.AGENT
    body = "It is plugged in."
    channel = "page"
    created_at = AT


class ParticipantFactory(DjangoModelFactory[Participant]):
    class Meta:
        model = Participant

    incident = factory.SubFactory(IncidentFactory)
    user = factory.SubFactory(UserFactory)
    role = "watcher"
    added_at = AT
