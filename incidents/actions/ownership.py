"""Whose it is: assign, claim, start, acknowledge."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from accounts.models import Team, User
from audit.actions import ActionRefused, Forbidden, Invalid, action, record
from audit.actor import Actor
from incidents import permissions
from incidents.actions.frame import (
    UNSAID,
    Unsaid,
    active_team,
    active_user,
    locked,
    move,
    name_of,
    queue_of,
    require,
    saved,
    settled,
    stay_awake,
)
from incidents.events import IncidentEvent
from incidents.models import OPEN_STATES, Channel, Incident


class AlreadyHeld(ActionRefused):
    """Somebody else was first to claim; `holder` names them."""

    code = "already_held"


class AlreadyAcknowledged(ActionRefused):
    """Somebody else said "I am on it" before; `holder` and `since` say who and when."""

    code = "already_acknowledged"


@action
def assign(
    *,
    incident: Incident,
    by: Actor,
    at: datetime,
    team: Team | Unsaid | None = UNSAID,
    assignee: User | Unsaid | None = UNSAID,
    reason: str = "",
    cause: str = "person",
    expected_version: int | None = None,
) -> Incident:
    """Gives the incident to a team's queue or to a person; it does not acknowledge. Records `incident.assigned`.

    A team alone empties the assignee; a person alone leaves the team; neither means the triage team. Refused: once
    resolved, to a retired team or a deactivated person. The same team and person again change nothing.
    """
    if isinstance(team, Unsaid) and isinstance(assignee, Unsaid):
        raise Invalid("neither team nor assignee is given", field="team", remedy="name a team, a person, or both")
    incident = locked(incident, expected_version)
    require(permissions.can_work, by, incident, "assign")
    old = (incident.team_id, incident.assignee_id)
    team_id = old[0] if isinstance(team, Unsaid) else _id_of(team)
    assignee_id = None if isinstance(assignee, Unsaid) else _id_of(assignee)
    if team_id != old[0]:
        active_team(None if isinstance(team, Unsaid) else team)
    if assignee_id != old[1]:
        active_user(None if isinstance(assignee, Unsaid) else assignee, "assignee")
    team_id = queue_of(incident, team_id, assignee_id)
    move(incident, "assigning", incident.assign, team_id, assignee_id)
    if not incident.changed_fields():
        return incident
    stay_awake(incident, at)
    saved(incident)
    record(
        IncidentEvent.ASSIGNED, incident, by, at, reason=reason, old_team=old[0], team=team_id, old_assignee=old[1],
        assignee=assignee_id, cause=cause,
    )  # fmt: skip
    return settled(incident)


def _id_of(row: Any) -> int | None:
    return None if row is None else int(row.pk)


@action
def claim(*, incident: Incident, by: Actor, at: datetime, expected_version: int | None = None) -> Incident:
    """A person takes what nobody holds; of two, one wins. Records `incident.claimed`.

    Refused with `AlreadyHeld` while somebody active has it, and to who is no named person. Claiming again what one
    holds returns it unchanged.
    """
    incident = locked(incident, expected_version)
    require(permissions.can_acknowledge, by, incident, "claim")
    if incident.assignee_id == by.user_id:
        return incident
    if incident.assignee_id is not None:
        holder = User.objects.get(pk=incident.assignee_id)
        if holder.is_active:
            raise AlreadyHeld(
                f"{holder} has {incident.reference} already",
                field="assignee",
                remedy="ask them, or assign it to yourself with a reason",
                holder=str(holder),
            )
    move(incident, "claiming", incident.assign, incident.team_id, by.user_id)
    stay_awake(incident, at)
    saved(incident)
    record(IncidentEvent.CLAIMED, incident, by, at, team=incident.team_id, assignee=incident.assignee_id)
    return settled(incident)


@action
def start(*, incident: Incident, by: Actor, at: datetime, expected_version: int | None = None) -> Incident:
    """Work begins without a page; who starts an unowned incident becomes its assignee. Records `incident.started`.

    Refused in any state but new and assigned. It is no acknowledgement.
    """
    incident = locked(incident, expected_version)
    require(permissions.can_work, by, incident, "start")
    move(incident, "starting", incident.start)
    if incident.assignee_id is None:
        incident.assignee_id = by.user_id
    stay_awake(incident, at)
    saved(incident)
    record(IncidentEvent.STARTED, incident, by, at, assignee=incident.assignee_id)
    return settled(incident)


@action
def acknowledge(*, incident: Incident, by: Actor, at: datetime, expected_version: int | None = None) -> Incident:
    """A named person says "I am on it": work begins, and an unowned incident is theirs.

    Records `incident.acknowledged`. The same person again gets the same result. Refused with `AlreadyAcknowledged` when
    somebody else was first, to keys, jobs and robots that stand for no person, and once the incident is resolved.
    """
    if by.user_id is None:
        raise Forbidden(
            f"{by.label} is no person: only a named person acknowledges",
            remedy="let the person on call do it by page, link, API key of their own, or phone",
        )
    incident = locked(incident, expected_version)
    require(permissions.can_acknowledge, by, incident, "acknowledge")
    if incident.acknowledged_at is not None and incident.is_open:
        if incident.acknowledged_by_id == by.user_id:
            return incident
        holder = name_of(incident.acknowledged_by_id)
        raise AlreadyAcknowledged(
            f"{holder} has {incident.reference} since {incident.acknowledged_at:%Y-%m-%d %H:%M:%S} UTC",
            field="acknowledged_by",
            remedy="ask them, or assign it to yourself with a reason",
            holder=holder,
            since=incident.acknowledged_at.isoformat(),
        )
    move(incident, "acknowledging", incident.acknowledge, by.user_id, at)
    is_first = incident.channel == Channel.ALERT and incident.first_response_at is None
    if is_first:
        incident.first_response_at = at
    stay_awake(incident, at)
    saved(incident)
    record(IncidentEvent.ACKNOWLEDGED, incident, by, at, assignee=incident.assignee_id, is_first_response=is_first)
    return settled(incident)


@action
def hand_back(*, user: User, by: Actor, at: datetime) -> list[Incident]:
    """Puts the open incidents of somebody who left back into their teams' queues. Records `incident.assigned` for each.

    One without a team goes to its service's owner team, else to the triage team, so that somebody looks at it. Nothing
    happens while the person is active: a retried delivery may come after their return.
    """
    if User.objects.filter(pk=user.pk, is_active=True).exists():
        return []
    theirs = Incident.objects.select_for_update(no_key=True).filter(assignee_id=user.pk, state__in=OPEN_STATES)
    # A list: the locks are taken in id order before the first change.
    return [hand_back_one(incident, by, at) for incident in list(theirs.order_by("pk"))]


def hand_back_one(incident: Incident, by: Actor, at: datetime) -> Incident:
    """For a locked incident whose assignee left."""
    old = (incident.team_id, incident.assignee_id)
    team_id = queue_of(incident, old[0], None)
    move(incident, "handing back", incident.assign, team_id, None)
    stay_awake(incident, at)
    saved(incident)
    record(
        IncidentEvent.ASSIGNED, incident, by, at, old_team=old[0], team=team_id, old_assignee=old[1], assignee=None,
        cause="leaver",
    )  # fmt: skip
    return settled(incident)
