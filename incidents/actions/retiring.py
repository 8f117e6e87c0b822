"""Ends categories and teams without leaving open work behind: it goes to a successor, in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from accounts.models import Team
from audit.actions import ActionRefused, Invalid, action, change_config
from audit.actor import Actor
from incidents.actions.ownership import assign
from incidents.actions.sorting import revise
from incidents.models import OPEN_STATES, Category, Incident, Service


class NeedsSuccessor(ActionRefused):
    """Open work hangs on it; somebody has to say where it goes."""

    code = "needs_successor"


class HasChildren(ActionRefused):
    """Categories below it are in use."""

    code = "has_children"


def _open() -> QuerySet[Incident]:
    return Incident.objects.filter(state__in=OPEN_STATES).order_by("pk")


@action
def change_category(
    *, category: Category, values: Mapping[str, Any], by: Actor, at: datetime, expected_version: int | None = None
) -> Category:
    """Changes a category; switching it off retires it without a successor. Records `config.changed`."""
    rest = {name: value for name, value in values.items() if name != "is_active"}
    if values.get("is_active") is not False:
        changed: Category = change_config(row=category, values=values, by=by, at=at, expected_version=expected_version)
        return changed
    if rest:
        category = change_config(row=category, values=rest, by=by, at=at, expected_version=expected_version)
        expected_version = None
    return retire_category(category=category, by=by, at=at, expected_version=expected_version)


@action
def retire_category(
    *, category: Category, by: Actor, at: datetime, successor: Category | None = None, reason: str = "",
    expected_version: int | None = None,
) -> Category:  # fmt: skip
    """Ends a category; its open incidents go to the successor. Idempotent.

    Refused: without the right, while categories below it are active, to itself or a retired category, and without a
    successor while open incidents are sorted under it. Records `config.changed`, and `incident.recategorised` for each.
    """
    if successor is not None and (successor.pk == category.pk or not successor.is_active):
        raise Invalid(
            f"{successor} can't take its incidents", field="successor", remedy="name another, active category"
        )
    retired: Category = change_config(
        row=category, values={"is_active": False}, by=by, at=at, expected_version=expected_version, reason=reason
    )
    if below := Category.objects.filter(parent=retired, is_active=True).order_by("name").first():
        raise HasChildren(f"{below} is part of {retired}", field="is_active", remedy="retire or move it first")
    moving = list(_open().filter(category=retired))
    if moving and successor is None:
        raise NeedsSuccessor(
            f"{len(moving)} open incidents are sorted under {retired}", field="successor",
            remedy="retire it with the category that takes them",
        )  # fmt: skip
    for incident in moving:
        revise(incident=incident, values={"category": successor}, reason=reason or f"{retired} retired", by=by, at=at)
    return retired


@action(joins=True)
def leave_team(*, team: Team, successor_id: int | None, by: Actor, at: datetime, reason: str = "") -> int:
    """Moves open incidents and services of a retired team to its successor; returns how many incidents.

    Refused without a successor when there are any. Records `incident.assigned` and `config.changed` for each.
    """
    moving, services = list(_open().filter(team=team)), list(Service.objects.filter(owner_team=team, is_active=True))
    if not moving and not services:
        return 0
    successor = Team.objects.filter(pk=successor_id).first() if successor_id is not None else None
    if successor is None:
        raise NeedsSuccessor(
            f"{team} has {len(moving)} open incidents and owns {len(services)} services", field="successor",
            remedy="retire it with the team that takes them",
        )  # fmt: skip
    why = reason or f"{team} retired"
    for service in services:
        change_config(row=service, values={"owner_team": successor}, by=by, at=at, reason=why)
    for incident in moving:
        assign(incident=incident, team=successor, reason=why, cause="team retired", by=by, at=at)
    return len(moving)
