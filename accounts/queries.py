"""Read models over people, roles and teams: above all the actor that every entry point hands to the actions."""

from __future__ import annotations

from typing import Any

from django.db import connection

from accounts.models import ApiKey, Membership, User
from accounts.roles import Role
from audit.actor import Actor, ActorKind

ROLES_AND_TEAMS = """
with recursive mine as (
    select team_id, is_lead from accounts_membership where user_id = %(user)s
), led(id) as (
    select team_id from mine where is_lead
    union
    select below.id from accounts_team below join led on below.parent_id = led.id
)
select 'role', 0, role.name from accounts_rolegrant held join auth_group role on role.id = held.group_id
    where held.user_id = %(user)s
union all select 'member', team_id, '' from mine
union all select 'lead', id, '' from led
"""

TEAM_TREE = """
with recursive tree(id) as (
    select id from accounts_team where id = %s
    union
    select below.id from accounts_team below join tree on below.parent_id = tree.id
)
select id from tree
"""


def _rows(statement: str, parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def team_tree(team_id: int) -> frozenset[int]:
    """The team and all teams below it; empty when there is none of that id."""
    return frozenset(row[0] for row in _rows(TEAM_TREE, [team_id]))


def actor_for(user: User) -> Actor:
    """The person as an actor, in one query. A deactivated person gets an actor without any right.

    A lead works for the led teams and for all below them.
    """
    if not user.is_active:
        return Actor(kind=ActorKind.PERSON, id=str(user.pk), label=str(user))
    rows = _rows(ROLES_AND_TEAMS, {"user": user.pk})
    return Actor(
        kind=ActorKind.PERSON,
        id=str(user.pk),
        label=str(user),
        user_id=user.pk,
        roles=frozenset(role for kind, _, role in rows if kind == "role"),
        team_ids=frozenset(team for kind, team, _ in rows if kind != "role"),
        led_team_ids=frozenset(team for kind, team, _ in rows if kind == "lead"),
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
