"""Specimens, and the actors that change them."""

from __future__ import annotations

import factory

from audit.actor import Actor, ActorKind
from tests.audit.app.models import Shelf, Thing

ANN = Actor(kind=ActorKind.PERSON, id="7", label="Ann", user_id=7, on_behalf_of="Bob", roles=frozenset({"admin"}))
BEA = Actor(kind=ActorKind.KEY, id="k1", label="Bea's key", roles=frozenset({"admin"}))


class ShelfFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Shelf

    name = factory.Sequence(lambda number: f"shelf {number}")


class ThingFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Thing

    name = factory.Sequence(lambda number: f"thing {number}")
    email = factory.LazyAttribute(lambda thing: f"{thing.name.replace(' ', '.')}@example.org")
    shelf = factory.SubFactory(ShelfFactory)
