"""Specimens, and the actors that change them."""

from __future__ import annotations

from typing import Any

from factory.declarations import LazyAttribute, Sequence, SubFactory
from factory.django import DjangoModelFactory

from audit.actor import Actor, ActorKind
from tests.audit.app.models import Shelf, Thing

ANN = Actor(kind=ActorKind.PERSON, id="7", label="Ann", user_id=7, on_behalf_of="Bob", roles=frozenset({"admin"}))
BEA = Actor(kind=ActorKind.KEY, id="k1", label="Bea's key", roles=frozenset({"admin"}))


class _Shelves(DjangoModelFactory[Shelf]):
    class Meta:
        model = Shelf

    name = Sequence(lambda number: f"shelf {number}")


class _Things(DjangoModelFactory[Thing]):
    class Meta:
        model = Thing

    name = Sequence(lambda number: f"thing {number}")
    email = LazyAttribute(lambda thing: f"{thing.name.replace(' ', '.')}@example.org")
    shelf = SubFactory(_Shelves)


#: Factories are called like classes but give rows; the type says so.
ShelfFactory: Any = _Shelves
ThingFactory: Any = _Things
