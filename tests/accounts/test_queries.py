"""The actor that stands behind a person or a key, and what it costs to find it."""

from __future__ import annotations

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts.models import ApiKey
from accounts.queries import actor_for, holder_of, members_of, team_tree
from audit.actor import ActorKind
from tests.accounts.factories import AT, ApiKeyFactory, MembershipFactory, TeamFactory, UserFactory, actor_for_key

pytestmark = pytest.mark.django_db


def test_the_actor_of_a_person_takes_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    user = UserFactory(roles=["agent", "lead"])
    for _ in range(5):
        MembershipFactory(user=user, is_lead=True, team__parent=TeamFactory())
    with django_assert_num_queries(1):
        actor = actor_for(user)
    assert actor.roles == {"agent", "lead"}
    assert (actor.kind, actor.id, actor.user_id) == (ActorKind.PERSON, str(user.pk), user.pk)


def test_a_lead_leads_and_works_for_the_teams_below() -> None:
    top = TeamFactory()
    middle = TeamFactory(parent=top)
    below = TeamFactory(parent=middle)
    user = MembershipFactory(team=middle, is_lead=True).user
    actor = actor_for(user)
    assert actor.led_team_ids == {middle.pk, below.pk}
    assert actor.team_ids == {middle.pk, below.pk}


def test_a_member_works_for_the_own_team_only() -> None:
    top = TeamFactory()
    TeamFactory(parent=top)
    actor = actor_for(MembershipFactory(team=top).user)
    assert actor.team_ids == {top.pk}
    assert actor.led_team_ids == frozenset()


def test_a_deactivated_person_is_an_actor_without_rights() -> None:
    actor = actor_for(UserFactory(roles=["admin"], is_active=False))
    assert (actor.user_id, actor.roles, actor.is_person) == (None, frozenset(), False)


def test_a_team_tree_ends_even_where_the_data_holds_a_circle() -> None:
    one = TeamFactory()
    two = TeamFactory(parent=one)
    type(one).objects.filter(pk=one.pk).update(parent=two)
    assert team_tree(one.pk) == {one.pk, two.pk}


def test_a_key_without_a_person_is_an_integration_within_its_scopes() -> None:
    actor = actor_for_key(ApiKeyFactory(scopes=["incidents:read"]))
    assert (actor.kind, actor.is_person) == (ActorKind.KEY, False)
    assert actor.roles == {"integration"}
    assert actor.has_scope("incidents:read")
    assert not actor.has_scope("incidents:write")
    assert not actor.has_scope("users:read")


def test_a_key_of_a_person_acts_with_that_persons_roles() -> None:
    user = UserFactory(roles=["agent"], name="Maria")
    actor = actor_for_key(ApiKeyFactory(user=user))
    assert (actor.user_id, actor.on_behalf_of) == (user.pk, "Maria")
    assert actor.roles == {"agent"}


def test_the_holder_of_a_key_is_found_in_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    user = UserFactory(roles=["agent", "lead"], name="")
    above = TeamFactory()
    MembershipFactory(user=user, team=above, is_lead=True)
    MembershipFactory(user=user, team=TeamFactory(parent=TeamFactory(parent=above)))
    for key in (ApiKeyFactory(user=user), ApiKeyFactory(user=UserFactory()), ApiKeyFactory()):
        with django_assert_num_queries(1):
            holder = holder_of(key.prefix, AT)
        assert holder is not None
        assert (holder.key_id, holder.user_id, holder.secret_hash) == (key.pk, key.user_id, key.secret_hash)
        assert holder.actor.kind is ActorKind.KEY
        if key.user is not None:
            person = actor_for(key.user)
            for name in ("user_id", "roles", "team_ids", "led_team_ids"):
                assert getattr(holder.actor, name) == getattr(person, name)
            assert holder.actor.on_behalf_of == person.label


@pytest.mark.parametrize("change", ["revoked", "expired", "leaver"])
def test_a_dead_key_is_not_valid(change: str) -> None:
    key = ApiKeyFactory(user=UserFactory(is_active=change != "leaver"))
    at = key.created_at
    if change == "revoked":
        ApiKey.objects.filter(pk=key.pk).update(revoked_at=at)
    if change == "expired":
        ApiKey.objects.filter(pk=key.pk).update(expires_at=at)
    assert not ApiKey.objects.valid(at).filter(pk=key.pk).exists()
    assert holder_of(key.prefix, at) is None


def test_the_members_of_a_team_are_its_active_people_by_name() -> None:
    team = TeamFactory()
    for name, active in (("olu", True), ("Ada", True), ("Wen", False)):
        MembershipFactory(team=team, user__name=name, user__is_active=active)
    assert [user.name for user in members_of(team.pk)] == ["Ada", "olu"]
