"""People by spreadsheet: each row by the actions that the pages use, and a dry run that is the real run undone."""

from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts import permissions
from accounts.actions.people import (
    Deactivated,
    change_user,
    create_user,
    grant_role,
    set_membership,
)
from accounts.models import Organisation, Site, Team, User
from accounts.roles import Role
from accounts.roster import Row, UnreadableSheet, read, yes_or_no
from audit.actions import ActionRefused, Forbidden, Invalid, action
from audit.actor import Actor

_PLAIN = ("name", "phone", "time_zone", "locale")


@dataclasses.dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one row, or would: created, changed, unchanged or refused."""

    line: int
    email: str
    outcome: str
    changes: dict[str, list[Any]] = dataclasses.field(default_factory=dict)
    errors: list[dict[str, str]] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class ImportReport:
    is_dry_run: bool
    encoding: str
    note: str
    rows: list[RowResult]

    @property
    def outcomes(self) -> dict[str, int]:
        return dict(Counter(row.outcome for row in self.rows))


class _Undone(Exception):
    """Takes back what a dry run did."""


@action
def import_people(*, content: bytes, by: Actor, at: datetime, dry_run: bool = True) -> ImportReport:
    """Creates and changes people by a CSV file, row by row; an empty cell leaves what is there.

    Roles and teams are added, never taken away. A dry run does the same and undoes it. Refused as a whole: without
    the right, and a file that can't be read; a row that is refused is told and keeps no other from being done.
    Records what the actions of each row record.
    """
    if not permissions.can_manage_users(by):
        raise Forbidden(f"{by.label} may not import people", remedy="ask an administrator of the desk")
    try:
        sheet = read(content)
    except UnreadableSheet as error:
        raise Invalid(error.problem, field=error.place, remedy=error.remedy) from error
    results: list[RowResult] = []
    try:
        with transaction.atomic():
            results = [_result(row, by, at) for row in sheet.rows]
            if dry_run:
                raise _Undone
    except _Undone:
        pass
    return ImportReport(dry_run, sheet.encoding, sheet.note, results)


def _result(row: Row, by: Actor, at: datetime) -> RowResult:
    if row.problems:
        errors = [{"field": name, "cause": cause, "remedy": "correct the cell"} for name, cause in row.problems]
        return RowResult(row.line, row.email, "refused", errors=errors)
    try:
        with transaction.atomic():
            return _applied(row, by, at)
    except ActionRefused as refusal:
        fields = refusal.extra.get("fields") or {refusal.field: [refusal.detail]}
        errors = [
            {"field": name, "cause": str(cause), "remedy": refusal.remedy}
            for name, causes in fields.items()
            for cause in causes
        ]
        return RowResult(row.line, row.email, "refused", errors=errors)


def _applied(row: Row, by: Actor, at: datetime) -> RowResult:
    values = _values(row)
    user = User.objects.get_queryset().filter(email=row.email).first()
    if user is None:
        roles = row.roles or [Role.REQUESTER.value]
        user = create_user(email=row.email, roles=roles, by=by, at=at, **values)
        shown = {name: [None, str(value)] for name, value in values.items()} | {"roles": [[], sorted(set(roles))]}
        return RowResult(row.line, row.email, "created", shown | _placed(row, user, by, at))
    if not user.is_active:
        raise Deactivated(f"{user} is deactivated", field="email", remedy="reactivate the account first")
    changed = {name: value for name, value in values.items() if getattr(user, name) != value}
    shown = {name: [_shown(getattr(user, name)), _shown(value)] for name, value in changed.items()}
    if changed:
        change_user(user=user, values=changed, by=by, at=at)
    shown |= _granted(row, user, by, at) | _placed(row, user, by, at)
    return RowResult(row.line, row.email, "changed" if shown else "unchanged", shown)


def _shown(value: Any) -> Any:
    return value if value is None or isinstance(value, str | bool) else str(value)


def _values(row: Row) -> dict[str, Any]:
    values: dict[str, Any] = {name: row.values[name] for name in _PLAIN if name in row.values}
    if "is_vip" in row.values:
        values["is_vip"] = yes_or_no(row.values["is_vip"])
    for name, model in (("organisation", Organisation), ("site", Site)):
        if name in row.values:
            values[name] = model.objects.filter(name=row.values[name]).first()
            if values[name] is None:
                raise Invalid(f"there is no {name} “{row.values[name]}”", field=name, remedy="create it first")
    return values


def _granted(row: Row, user: User, by: Actor, at: datetime) -> dict[str, list[Any]]:
    """The roles that were missing, given one by one."""
    had = sorted(user.role_grants.values_list("group__name", flat=True))
    missing = [role for role in dict.fromkeys(row.roles) if role not in had]
    for role in missing:
        grant_role(user=user, role=role, by=by, at=at)
    return {"roles": [had, sorted([*had, *missing])]} if missing else {}


def _placed(row: Row, user: User, by: Actor, at: datetime) -> dict[str, list[Any]]:
    """The teams that were missing, or where the person now leads."""
    had = {one.team.slug: one.is_lead for one in user.memberships.select_related("team")}
    wanted = {slug: leads for slug, leads in row.teams.items() if had.get(slug) != leads}
    for slug, leads in wanted.items():
        team = Team.objects.filter(slug=slug).first()
        if team is None:
            raise Invalid(f"there is no team “{slug}”", field="teams", remedy="name teams by their short names")
        set_membership(user=user, team=team, is_lead=leads, by=by, at=at)
    return {"teams": [_starred(had), _starred(had | wanted)]} if wanted else {}


def _starred(teams: dict[str, bool]) -> list[str]:
    return sorted(f"{slug}*" if leads else slug for slug, leads in teams.items())
