"""Read models over people, roles and teams: above all the actor that every entry point hands to the actions."""

from __future__ import annotations

from typing import Any

from django.db import connection

from accounts.models import ApiKey, Membership, RoleGrant, User
from accounts.roles import Role
from audit.actor import Actor, ActorKind

TEAMS_OF_USER = """
with recursive mine as (
    select team_id, is_lead from accounts_membership where user_id = %s
), led(id) as (
    select team_id from mine where is_lead
    union
    select below.id from accounts_team below join led on below.parent_id = led.id
)
select team_id, false from mine union all select id, true from led
"""

TEAM_TREE = """
with recursive tree(id) as (
    select id from accounts_team where id = %s
    union
    select below.id from accounts_team below join tree on below.parent_id = tree.id
)
select id from tree
"""


def _rows(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def roles_of(user_id: int) -> frozenset[str]:
    return frozenset(RoleGrant.objects.filter(user_id=user_id).values_list("group__name", flat=True))


def teams_of(user_id: int) -> tuple[frozenset[int], frozenset[int]]:
    """(teams the person works for, teams the person leads): a lead's teams contain all below them."""
    rows = _rows(TEAMS_OF_USER, user_id)
    return frozenset(team for team, _ in rows), frozenset(team for team, leads in rows if leads)


def team_tree(team_id: int) -> frozenset[int]:
    """The team and all teams below it; empty when there is none of that id."""
    return frozenset(row[0] for row in _rows(TEAM_TREE, team_id))


def actor_for(user: User) -> Actor:
    """The person as an actor, in two queries. A deactivated person gets an actor without any right."""
    if not user.is_active:
        return Actor(kind=ActorKind.PERSON, id=str(user.pk), label=str(user))
    works_for, leads = teams_of(user.pk)
    return Actor(
        kind=ActorKind.PERSON,
        id=str(user.pk),
        label=str(user),
        user_id=user.pk,
        roles=roles_of(user.pk),
        team_ids=works_for,
        led_team_ids=leads,
    )


def actor_for_key(key: ApiKey) -> Actor:
    """The key as an actor: with its person's rights and within its scopes, or as an integration when it has none."""
    label = f"key {key.name}"
    if key.user is None:
        return Actor(
            kind=ActorKind.KEY,
            id=key.prefix,
            label=label,
            roles=frozenset({Role.INTEGRATION}),
            scopes=frozenset(key.scopes),
        )
    person = actor_for(key.user)
    return Actor(
        kind=ActorKind.KEY,
        id=key.prefix,
        label=label,
        user_id=person.user_id,
        on_behalf_of=person.label,
        roles=person.roles,
        team_ids=person.team_ids,
        led_team_ids=person.led_team_ids,
        scopes=frozenset(key.scopes),
    )


def members_of(team_id: int) -> list[User]:
    """The active people of a team, by name."""
    found = Membership.objects.filter(team_id=team_id, user__is_active=True).select_related("user")
    return sorted((one.user for one in found), key=lambda user: (str(user).casefold(), user.pk))
