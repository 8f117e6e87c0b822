"""One factory for each model of this app, and what ratings need."""

from __future__ import annotations

from typing import Any

import factory
from factory.django import DjangoModelFactory

import incidents.actions
import metrics.actions
from accounts.models import User
from audit.actor import SYSTEM, Actor
from incidents.models import Incident
from metrics.models import Rating
from tests.accounts.factories import UserFactory
from tests.incidents.factories import AT, IncidentFactory, later, person


def resolved(requester: User | None = None, **given: Any) -> Incident:
    """An incident of a requester that was resolved a minute after it was reported."""
    incident = IncidentFactory(requester=requester or UserFactory(), **given)
    return incidents.actions.resolve(incident=incident, code="fixed", by=SYSTEM, at=later(minutes=1))


def requester_of(incident: Incident) -> Actor:
    assert incident.requester is not None
    return person(incident.requester, "requester")


class RatingFactory(DjangoModelFactory[Rating]):
    """Given by the action itself, by the requester."""

    class Meta:
        model = Rating

    incident = factory.LazyFunction(resolved)
    score = 2
    at = AT

    @classmethod
    def _create(cls, model_class: type[Rating], *args: Any, **given: Any) -> Rating:
        return metrics.actions.rate(**given, by=requester_of(given["incident"]))
