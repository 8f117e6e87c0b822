"""One factory for each model of accounts; roles by `UserFactory(roles=["agent"])`."""

from __future__ import annotations

import datetime as dt
from typing import Any

import factory
from django.contrib.auth.models import Group
from factory.django import DjangoModelFactory

from accounts.models import ApiKey, Membership, Organisation, RoleGrant, Site, Team, User, hash_of_secret
from accounts.queries import holder_of
from accounts.roles import STAFF
from audit.actor import Actor

AT = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)
SECRET = "5" * 64


class OrganisationFactory(DjangoModelFactory[Organisation]):
    class Meta:
        model = Organisation

    name = factory.Sequence(lambda n: f"Organisation {n}")


class SiteFactory(DjangoModelFactory[Site]):
    class Meta:
        model = Site

    name = factory.Sequence(lambda n: f"Site {n}")
    time_zone = "Europe/Madrid"


class UserFactory(DjangoModelFactory[User]):
    """A person whose password nobody knows; `roles` are granted as a migration would, without an event."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"person{n}@example.org")
    name = factory.Sequence(lambda n: f"Person {n}")
    password = "pbkdf2_sha256$1$salt$of-nothing-that-anybody-knows"

    @factory.post_generation
    def roles(self: Any, create: bool, extracted: list[str] | None, **more: Any) -> None:
        for role in extracted or []:
            RoleGrant.objects.create(user=self, group=Group.objects.get(name=role), granted_at=AT)
        if extracted and not STAFF.isdisjoint(extracted):
            self.is_staff = True
            self.save()


class TeamFactory(DjangoModelFactory[Team]):
    class Meta:
        model = Team

    name = factory.Sequence(lambda n: f"Team {n}")
    slug = factory.Sequence(lambda n: f"team-{n}")


class MembershipFactory(DjangoModelFactory[Membership]):
    class Meta:
        model = Membership

    user = factory.SubFactory(UserFactory)
    team = factory.SubFactory(TeamFactory)


class RoleGrantFactory(DjangoModelFactory[RoleGrant]):
    class Meta:
        model = RoleGrant

    user = factory.SubFactory(UserFactory)
    group = factory.LazyFunction(lambda: Group.objects.get(name="agent"))
    granted_at = AT


class ApiKeyFactory(DjangoModelFactory[ApiKey]):
    """A key that may do everything; `bearer(key)` is its header."""

    class Meta:
        model = ApiKey

    name = factory.Sequence(lambda n: f"Key {n}")
    prefix = factory.Sequence(lambda n: f"{n:010x}")
    secret_hash = hash_of_secret(SECRET)
    scopes = ["*:write"]
    created_at = AT


def actor_for_key(key: ApiKey) -> Actor:
    holder = holder_of(key.prefix, AT)
    assert holder is not None
    return holder.actor


def bearer(key: ApiKey) -> str:
    return f"Bearer sdk_{key.prefix}_{SECRET}"
