"""Changes to people, roles, teams and keys, one at a time."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import connection, models

from accounts import permissions
from accounts.events import AccountEvent
from accounts.models import ApiKey, Membership, Organisation, RoleGrant, Site, Team, User, hash_of_secret
from accounts.roles import STAFF, Role
from audit.actions import (
    ActionRefused,
    Forbidden,
    Invalid,
    action,
    assert_fresh,
    change_config,
    create_config,
    record,
    remove_config,
)
from audit.actor import Actor, ActorKind

#: How often at most a key's `last_used_at` is written.
USED_EVERY = timedelta(minutes=1)
_TEAM_TREE_LOCK = 7_301_001


class AddressTaken(ActionRefused):
    """Somebody has an account with this mail address already."""

    code = "address_taken"


class LastAdmin(ActionRefused):
    """Without another active admin nobody could undo it."""

    code = "last_admin"


class LastTriageTeam(ActionRefused):
    """Without another one, what no rule routes would be in nobody's queue."""

    code = "last_triage_team"


class Deactivated(ActionRefused):
    """The person is deactivated; nothing new may hang on them."""

    code = "deactivated"


def _checked(row: models.Model, *, exclude: Iterable[str] = ()) -> None:
    try:
        row.full_clean(exclude=set(exclude))
    except ValidationError as error:
        fields = error.message_dict
        name = next(iter(fields))
        detail = "; ".join(f"{key}: {' '.join(value)}" for key, value in fields.items())
        raise Invalid(
            detail, field="" if name == "__all__" else name, remedy="correct the value", fields=fields
        ) from error


def _locked(user: User) -> User:
    return User.objects.get_queryset().select_for_update(no_key=True).get(pk=user.pk)


def _need(allowed: bool, by: Actor, what: str) -> None:
    if not allowed:
        raise Forbidden(f"{by.label} may not {what}", remedy="ask an administrator of the desk")


def _checked_password(password: str, user: User) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid(" ".join(error.messages), field="password", remedy="choose another password") from error


@action
def create_user(
    *,
    email: str,
    by: Actor,
    at: datetime,
    name: str = "",
    password: str | None = None,
    roles: Iterable[str] = (Role.REQUESTER,),
    phone: str = "",
    time_zone: str = "UTC",
    locale: str = "en",
    is_vip: bool = False,
    organisation: Organisation | None = None,
    site: Site | None = None,
) -> User:
    """Makes an account with roles; without a password nobody can sign in to it yet.

    Refused without the right and for an address in use. Records `user.created`.
    """
    wanted = sorted(set(map(str, roles)))
    _need(permissions.can_create_user(by, wanted), by, f"create people with the roles {', '.join(wanted) or 'none'}")
    user = User(email=email, name=name, phone=phone, time_zone=time_zone, locale=locale)
    user.is_vip, user.organisation, user.site = is_vip, organisation, site
    user.is_staff = not STAFF.isdisjoint(wanted)
    if User.objects.filter(email=email).exists():
        raise AddressTaken(f"{email} has an account already", field="email", remedy="find it by its address")
    if password is None:
        user.set_unusable_password()
    else:
        _checked_password(password, user)
        user.set_password(password)
    _checked(user)
    user.save()
    for role in wanted:
        RoleGrant(user=user, group=_group(role), granted_by_id=by.user_id, granted_at=at).save()
    record(AccountEvent.USER_CREATED, user, by, at, roles=wanted)
    return user


@action
def change_user(
    *, user: User, values: Mapping[str, Any], by: Actor, at: datetime, expected_version: int | None = None
) -> User:
    """Changes a person's data; people change their own name, phone, zone and language. Records `user.changed`."""
    _need(permissions.can_change_user(by, user.pk, values), by, f"change {', '.join(sorted(values))} of {user}")
    fresh = _locked(user)
    assert_fresh(fresh, expected_version)
    for name, value in values.items():
        setattr(fresh, name, value)
    changed = sorted(fresh.changed_fields())
    if changed:
        _checked(fresh)
        fresh.save()
        record(AccountEvent.USER_CHANGED, fresh, by, at, fields=changed)
    return fresh


@action
def set_password(*, user: User, password: str, by: Actor, at: datetime) -> User:
    """Sets a password that passes the rules; other sessions of the person end. Records `user.password_changed`."""
    _need(permissions.can_set_password(by, user.pk), by, f"set the password of {user}")
    fresh = _locked(user)
    _checked_password(password, fresh)
    fresh.set_password(password)
    fresh.save()
    record(AccountEvent.PASSWORD_CHANGED, fresh, by, at)
    return fresh


def _refuse_last_admin(user: User, doing: str) -> None:
    """Two admins who remove each other at once queue up at the group's row, so that one of them stays.

    An admin who can't sign in saves nobody, so only those with a password count.
    """
    group = Group.objects.select_for_update(no_key=True).get(name=Role.ADMIN)
    grants = RoleGrant.objects.filter(group=group, user__is_active=True).select_related("user")
    admins = {one.user_id: one.user for one in grants}
    if user.pk in admins and not any(one.can_sign_in for one in admins.values() if one.pk != user.pk):
        raise LastAdmin(
            f"{user} is the last administrator who can sign in and can't be {doing}",
            remedy="make another one with a password first",
        )


@action
def deactivate_user(
    *, user: User, by: Actor, at: datetime, reason: str = "", expected_version: int | None = None
) -> User:
    """Ends a person's access in one step: sessions and keys are dead at once and for good. Idempotent.

    Refused without the right and for the last admin. Records `user.deactivated`; the apps above move the person's
    incidents, pages and shifts.
    """
    _need(permissions.can_manage_users(by), by, f"deactivate {user}")
    _refuse_last_admin(user, "deactivated")
    fresh = _locked(user)
    assert_fresh(fresh, expected_version)
    if not fresh.is_active:
        return fresh
    fresh.is_active = False
    fresh.session_round += 1
    fresh.save()
    keys = list(ApiKey.objects.select_for_update(no_key=True).filter(user=fresh, revoked_at=None).order_by("id"))
    for key in keys:
        key.revoked_at = at
        key.save()
    record(AccountEvent.USER_DEACTIVATED, fresh, by, at, reason=reason, keys=[key.prefix for key in keys])
    return fresh


@action
def reactivate_user(*, user: User, by: Actor, at: datetime, expected_version: int | None = None) -> User:
    """Lets a person in again, with roles and teams as they were; revoked keys stay so. Records `user.reactivated`."""
    _need(permissions.can_manage_users(by), by, f"reactivate {user}")
    fresh = _locked(user)
    assert_fresh(fresh, expected_version)
    if fresh.is_active:
        return fresh
    fresh.is_active = True
    fresh.save()
    record(AccountEvent.USER_REACTIVATED, fresh, by, at)
    return fresh


def _group(role: str) -> Group:
    if role not in set(Role):
        raise Invalid(f"there is no role {role}", field="role", remedy=f"choose one of: {', '.join(Role)}")
    return Group.objects.get(name=role)


def _set_staff(user: User) -> None:
    roles = set(RoleGrant.objects.filter(user=user).values_list("group__name", flat=True))
    user.is_staff = not STAFF.isdisjoint(roles)
    user.save()


@action
def grant_role(*, user: User, role: str, by: Actor, at: datetime) -> RoleGrant:
    """Gives a role; idempotent. Refused to everybody but admins, and to oneself. Records `role.granted`."""
    _need(permissions.can_grant_roles(by, user.pk), by, f"grant roles to {user}")
    group, fresh = _group(role), _locked(user)
    if known := RoleGrant.objects.filter(user=fresh, group=group).first():
        return known
    if not fresh.is_active:
        raise Deactivated(f"{fresh} is deactivated", field="user", remedy="reactivate the account first")
    grant = RoleGrant(user=fresh, group=group, granted_by_id=by.user_id, granted_at=at)
    grant.save()
    _set_staff(fresh)
    record(AccountEvent.ROLE_GRANTED, fresh, by, at, role=str(role))
    return grant


@action
def revoke_role(*, user: User, role: str, by: Actor, at: datetime) -> User:
    """Takes a role away; idempotent. Refused to all but admins, and for the last admin. Records `role.revoked`."""
    _need(permissions.can_manage_users(by), by, f"revoke roles of {user}")
    group = _group(role)
    if role == Role.ADMIN:
        _refuse_last_admin(user, "demoted")
    fresh = _locked(user)
    grant = RoleGrant.objects.select_for_update().filter(user=fresh, group=group).first()
    if grant is not None:
        grant.delete()
        _set_staff(fresh)
        record(AccountEvent.ROLE_REVOKED, fresh, by, at, role=str(role))
    return fresh


@action
def create_team(*, values: Mapping[str, Any], by: Actor, at: datetime) -> Team:
    """Creates a team; refused without the role and for a bad value. Records `config.created`."""
    _lock_team_tree()
    team: Team = create_config(model=Team, values=values, by=by, at=at)
    return team


@action
def change_team(
    *, team: Team, values: Mapping[str, Any], by: Actor, at: datetime, expected_version: int | None = None
) -> Team:
    """Changes a team; refused when it would become part of itself, and for the last triage team.

    Records `config.changed`; switching it off retires it without a successor, and records `team.retired` too.
    """
    _lock_team_tree()
    before = Team.objects.get(pk=team.pk)
    changed: Team = change_config(row=team, values=values, by=by, at=at, expected_version=expected_version)
    _refuse_last_triage(before, changed)
    if before.is_active and not changed.is_active:
        record(AccountEvent.TEAM_RETIRED, changed, by, at, successor=None)
    return changed


@action
def retire_team(
    *, team: Team, by: Actor, at: datetime, successor: Team | None = None, reason: str = "",
    expected_version: int | None = None,
) -> Team:  # fmt: skip
    """Ends a team; its open work goes to the successor in the same transaction. Idempotent.

    Refused: without the right, for the last triage team, to itself or a retired team, and without a successor while
    the apps above have work for it. Records `config.changed` and `team.retired`.
    """
    _lock_team_tree()
    before = Team.objects.get(pk=team.pk)
    if successor is not None and (successor.pk == team.pk or not successor.is_active):
        raise Invalid(f"{successor} can't take the work", field="successor", remedy="name another, active team")
    changed: Team = change_config(
        row=team, values={"is_active": False}, by=by, at=at, expected_version=expected_version, reason=reason
    )
    _refuse_last_triage(before, changed)
    if before.is_active:
        told = successor.pk if successor is not None else None
        record(AccountEvent.TEAM_RETIRED, changed, by, at, reason=reason, successor=told)
    return changed


@action
def remove_team(*, team: Team, by: Actor, at: datetime, expected_version: int | None = None) -> None:
    """Removes a team that nothing refers to; refused for the last triage team. Records `config.removed`."""
    _lock_team_tree()
    before = Team.objects.get(pk=team.pk)
    _refuse_last_triage(before, None)
    remove_config(row=team, by=by, at=at, expected_version=expected_version)


def _refuse_last_triage(before: Team, after: Team | None) -> None:
    takes_on = after is not None and after.is_active and after.is_triage
    if not (before.is_active and before.is_triage) or takes_on:
        return
    if not Team.objects.filter(is_active=True, is_triage=True).exclude(pk=before.pk).exists():
        raise LastTriageTeam(
            f"{before} is the last team that takes what no rule routes", field="is_triage",
            remedy="let another team take it first",
        )  # fmt: skip


def _lock_team_tree() -> None:
    """One change to the tree at a time: two moves, each sound alone, could close a circle together."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [_TEAM_TREE_LOCK])


@action
def set_membership(*, user: User, team: Team, by: Actor, at: datetime, is_lead: bool = False) -> Membership:
    """Puts a person into a team or changes the place; idempotent. Refused to all but admins and the team's leads.

    Records `membership.set`.
    """
    _need(permissions.can_set_members(by, team.pk), by, f"set the members of {team}")
    fresh = _locked(user)
    if not fresh.is_active:
        raise Deactivated(f"{fresh} is deactivated", field="user", remedy="reactivate the account first")
    place = Membership.objects.select_for_update(no_key=True).filter(user=fresh, team=team).first()
    if place is None:
        place = Membership(user=fresh, team=team)
    elif place.is_lead == is_lead:
        return place
    place.is_lead = is_lead
    place.save()
    record(AccountEvent.MEMBERSHIP_SET, place, by, at, team_id=team.pk, user_id=fresh.pk, is_lead=is_lead)
    return place


@action
def remove_membership(*, user: User, team: Team, by: Actor, at: datetime) -> None:
    """Takes a person out of a team; idempotent. Records `membership.removed`."""
    _need(permissions.can_set_members(by, team.pk), by, f"set the members of {team}")
    place = Membership.objects.select_for_update().filter(user=user, team=team).first()
    if place is not None:
        record(AccountEvent.MEMBERSHIP_REMOVED, place, by, at, team_id=team.pk, user_id=user.pk)
        place.delete()


@action
def issue_api_key(
    *,
    name: str,
    scopes: Iterable[str],
    by: Actor,
    at: datetime,
    user: User | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Makes a key and returns it with its secret, which nobody can read again. Records `api_key.issued`.

    Refused when the key would do more than its issuer, act for somebody else, or end before it begins.
    """
    wanted = sorted(set(scopes))
    _need(
        permissions.can_issue_key(by, user.pk if user else None, wanted),
        by,
        f"issue a key for {user or 'a machine'} with these scopes",
    )
    if user is not None and not _locked(user).is_active:
        raise Deactivated(f"{user} is deactivated", field="user", remedy="reactivate the account first")
    if expires_at is not None and expires_at <= at:
        raise Invalid("the key would be dead already", field="expires_at", remedy="choose a time in the future")
    prefix, secret = secrets.token_hex(5), secrets.token_hex(32)
    key = ApiKey(
        name=name,
        prefix=prefix,
        secret_hash=hash_of_secret(secret),
        user=user,
        scopes=wanted,
        created_at=at,
        created_by_id=by.user_id,
        expires_at=expires_at,
    )
    _checked(key)
    key.save()
    until = expires_at.isoformat() if expires_at else None
    record(AccountEvent.KEY_ISSUED, key, by, at, prefix=prefix, scopes=wanted, expires_at=until)
    return key, f"sdk_{prefix}_{secret}"


@action
def revoke_api_key(*, key: ApiKey, by: Actor, at: datetime, reason: str = "") -> ApiKey:
    """Ends a key at once; idempotent. Refused to all but its person and admins. Records `api_key.revoked`."""
    _need(permissions.can_revoke_key(by, key.user_id), by, f"revoke the key {key}")
    fresh = ApiKey.objects.select_for_update(no_key=True).get(pk=key.pk)
    if fresh.revoked_at is None:
        fresh.revoked_at = at
        fresh.save()
        record(AccountEvent.KEY_REVOKED, fresh, by, at, reason=reason, prefix=fresh.prefix)
    return fresh


@action
def note_key_used(*, key: ApiKey, by: Actor, at: datetime) -> None:
    """Marks a key as used, at most once a minute; no event and no version, because nobody decided anything."""
    stale = models.Q(last_used_at=None) | models.Q(last_used_at__lt=at - USED_EVERY)
    ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=at)


@action
def note_sign_in(*, user: User, address: str, by: Actor, at: datetime) -> None:
    """Records `user.signed_in`; changes nothing."""
    if by.kind is not ActorKind.PERSON or by.user_id != user.pk:
        raise Forbidden("only the person who signs in can say so", remedy="sign in yourself")
    record(AccountEvent.SIGNED_IN, user, by, at, address=address)


@action
def note_export(*, user: User, what: str, filters: str, by: Actor, at: datetime) -> None:
    """Records `user.exported`, before the file is written; changes nothing."""
    if by.user_id != user.pk:
        raise Forbidden("only the person who takes an export can say so", remedy="take it yourself")
    record(AccountEvent.EXPORTED, user, by, at, what=what, filters=filters[:1000])
