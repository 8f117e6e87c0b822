"""Read models over people, roles and teams: above all the actor that every entry point hands to the actions."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from accounts.models import Membership, User
from accounts.roles import Role
from audit.actor import Actor, ActorKind
from audit.queries import ask, ask_first, stamp_sql

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

# All that a request by key needs to know, in one statement: keys are looked up on every call of the API.
_HOLDER = """
with recursive held as (
    select k.id, k.name, k.prefix, k.secret_hash, k.scopes, k.last_used_at, k.user_id,
           coalesce(nullif(u.name, ''), u.email, '') as person
    from accounts_apikey k left join accounts_user u on u.id = k.user_id
    where k.prefix = %(prefix)s and k.revoked_at is null and (k.expires_at is null or k.expires_at > %(at)s)
      and (k.user_id is null or u.is_active)
), mine as (
    select m.team_id, m.is_lead from accounts_membership m join held on held.user_id = m.user_id
), led(id) as (
    select team_id from mine where is_lead
    union
    select below.id from accounts_team below join led on below.parent_id = led.id
)
select held.*,
       array(select r.name from accounts_rolegrant g join auth_group r on r.id = g.group_id
             where g.user_id = held.user_id),
       array(select team_id from mine), array(select id from led), %(stamp)s
from held
"""

TEAM_TREE = """
with recursive tree(id) as (
    select id from accounts_team where id = %s
    union
    select below.id from accounts_team below join tree on below.parent_id = tree.id
)
select id from tree
"""


def team_tree(team_id: int) -> frozenset[int]:
    """The team and all teams below it; empty when there is none of that id."""
    return frozenset(row[0] for row in ask(TEAM_TREE, [team_id]))


def actor_for(user: User) -> Actor:
    """The person as an actor, in one query. A deactivated person gets an actor without any right.

    A lead works for the led teams and for all below them.
    """
    if not user.is_active:
        return Actor(kind=ActorKind.PERSON, id=str(user.pk), label=str(user))
    rows = ask(ROLES_AND_TEAMS, {"user": user.pk})
    return Actor(
        kind=ActorKind.PERSON,
        id=str(user.pk),
        label=str(user),
        user_id=user.pk,
        roles=frozenset(role for kind, _, role in rows if kind == "role"),
        team_ids=frozenset(team for kind, team, _ in rows if kind != "role"),
        led_team_ids=frozenset(team for kind, team, _ in rows if kind == "lead"),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Holder:
    """A key that is neither revoked nor expired nor a leaver's, who acts by it, and how the configuration stands."""

    key_id: int
    secret_hash: str
    last_used_at: datetime | None
    user_id: int | None
    actor: Actor
    stamp: str


def holder_of(prefix: str, at: datetime) -> Holder | None:
    """Who acts by the key of a prefix: with its person's rights within its scopes, an integration where it has none."""
    rows = ask_first(_HOLDER.replace("%(stamp)s", stamp_sql()), {"prefix": prefix, "at": at})
    if not rows:
        return None
    key_id, name, prefix, secret_hash, scopes, used_at, user_id, person, roles, teams, led, stood = rows[0]
    actor = Actor(
        kind=ActorKind.KEY,
        id=prefix,
        label=f"key {name}",
        user_id=user_id,
        on_behalf_of=person,
        roles=frozenset({Role.INTEGRATION.value} if user_id is None else roles),
        team_ids=frozenset((*teams, *led)),
        led_team_ids=frozenset(led),
        scopes=frozenset(scopes),
    )
    return Holder(key_id, secret_hash, used_at, user_id, actor, stood)


def members_of(team_id: int) -> list[User]:
    """The active people of a team, by name."""
    found = Membership.objects.filter(team_id=team_id, user__is_active=True).select_related("user")
    return sorted((one.user for one in found), key=lambda user: (str(user).casefold(), user.pk))


LEADS_ABOVE = """
with recursive up(id, parent_id, step) as (
    select id, parent_id, 0 from accounts_team where id = %s
    union all
    select above.id, above.parent_id, step + 1 from accounts_team above join up on up.parent_id = above.id
    where step < 50
)
select member.user_id, up.step from up join accounts_membership member on member.team_id = up.id and member.is_lead
join accounts_user person on person.id = member.user_id and person.is_active
order by up.step, member.user_id
"""


def leads_above(team_id: int | None) -> list[User]:
    """The active leads of a team; where it has none, those of the next team above that has some."""
    rows = ask(LEADS_ABOVE, [team_id]) if team_id is not None else []
    nearest = [user for user, step in rows if step == rows[0][1]]
    return list(User.objects.active().filter(pk__in=nearest).order_by("pk"))


def as_requester(user: User) -> Actor:
    """An active person in the capacity of a requester only: what a link in a mail may stand for, whatever they are."""
    if not user.is_active:
        return Actor(kind=ActorKind.PERSON, id=str(user.pk), label=str(user))
    return Actor(
        kind=ActorKind.PERSON,
        id=str(user.pk),
        label=str(user),
        user_id=user.pk,
        roles=frozenset({Role.REQUESTER.value}),
    )
