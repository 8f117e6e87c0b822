"""Who may do what to people, teams and keys; each predicate reads only the actor and the object it is given."""

from __future__ import annotations

from collections.abc import Iterable

from accounts.roles import STAFF, Role
from audit.actor import Actor, ActorKind

#: What people may change about themselves.
OWN_FIELDS = frozenset({"name", "phone", "time_zone", "locale"})
#: What only an admin may change about a person.
ADMIN_FIELDS = frozenset({"email", "is_vip", "organisation", "site"})


def is_admin(actor: Actor) -> bool:
    return actor.kind is ActorKind.SYSTEM or actor.has_role(Role.ADMIN)


def is_staff(actor: Actor) -> bool:
    """Whether the actor works at the desk, so that names and teams are no secret."""
    return actor.has_role(*STAFF)


def can_create_user(actor: Actor, roles: Iterable[str]) -> bool:
    """An admin makes anybody; whoever logs calls, and the mail robot, may make a requester."""
    if not actor.has_scope("users:write"):
        return False
    if is_admin(actor):
        return True
    logs_calls = actor.has_role(Role.AGENT, Role.LEAD, Role.INCIDENT_MANAGER, Role.INTEGRATION)
    return set(roles) <= {Role.REQUESTER} and (logs_calls or actor.kind is ActorKind.MAIL)


def can_change_user(actor: Actor, user_id: int, fields: Iterable[str]) -> bool:
    if not actor.has_scope("users:write"):
        return False
    if is_admin(actor):
        return set(fields) <= OWN_FIELDS | ADMIN_FIELDS
    return actor.user_id is not None and actor.user_id == user_id and set(fields) <= OWN_FIELDS


def can_set_password(actor: Actor, user_id: int) -> bool:
    """A key never sets a password: it would turn a leaked key into a person."""
    if actor.kind is ActorKind.KEY:
        return False
    return is_admin(actor) or (actor.user_id is not None and actor.user_id == user_id)


def can_manage_users(actor: Actor) -> bool:
    return is_admin(actor) and actor.has_scope("users:write")


def can_grant_roles(actor: Actor, user_id: int) -> bool:
    """Nobody grants themselves a role."""
    return can_manage_users(actor) and (actor.user_id is None or actor.user_id != user_id)


def can_set_members(actor: Actor, team_id: int) -> bool:
    return actor.has_scope("teams:write") and (
        is_admin(actor) or (actor.has_role(Role.LEAD) and team_id in actor.led_team_ids)
    )


def can_issue_key(actor: Actor, user_id: int | None, scopes: Iterable[str]) -> bool:
    """A person issues keys that act for that person; an admin those of machines. A key passes on only what it has."""
    if not actor.has_scope("api-keys:write") or not all(actor.has_scope(one) for one in scopes):
        return False
    if user_id is None:
        return is_admin(actor)
    return actor.kind is ActorKind.SYSTEM or (actor.user_id is not None and actor.user_id == user_id)


def can_revoke_key(actor: Actor, owner_id: int | None) -> bool:
    return actor.has_scope("api-keys:write") and (
        is_admin(actor) or (actor.user_id is not None and actor.user_id == owner_id)
    )
