"""How the work on an incident ends, and how it comes back: resolve, reopen, cancel, and what a workaround leaves."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from accounts.models import User
from audit.actions import Forbidden, Invalid, action, record
from audit.actor import Actor, ActorKind
from audit.models import Event
from incidents import permissions
from incidents.actions.frame import (
    IllegalTransition,
    choice,
    locked,
    move,
    queue_of,
    require,
    saved,
    settled,
    stay_awake,
    text,
)
from incidents.actions.telling import tell_resolved
from incidents.events import IncidentEvent
from incidents.models import (
    CancelReason,
    Category,
    CauseCode,
    FixKind,
    Incident,
    ResolutionCode,
    State,
    WorkaroundOutcome,
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """How it was solved, as one value, so that opening and resolving can be one step."""

    code: str
    cause: str = ""
    notes: str = ""
    fix_kind: str = FixKind.FIX.value
    closing_category: Category | None = None


def apply_resolution(incident: Incident, resolution: Resolution, by: Actor, at: datetime) -> None:
    """Writes the resolution's fields and when the system will close; the caller moves the state."""
    incident.resolution_code = choice("code", resolution.code, ResolutionCode)
    incident.cause_code = choice("cause", resolution.cause, CauseCode, optional=True)
    incident.resolution_notes = text("notes", resolution.notes)
    incident.fix_kind = choice("fix_kind", resolution.fix_kind, FixKind)
    closing = resolution.closing_category
    incident.closing_category_id = closing.pk if closing is not None else incident.category_id
    if not incident.is_imported:
        incident.close_due_at = closing_moment(at)


def closing_moment(at: datetime) -> datetime:
    """When the system closes what was resolved at `at`, in calendar days; `schedule_close` may say another."""
    return at + timedelta(days=settings.SERVICEDESK_AUTO_CLOSE_DAYS)


def record_resolution(
    incident: Incident, resolution: Resolution, by: Actor, at: datetime, hold: dict[str, Any]
) -> None:
    record(
        IncidentEvent.RESOLVED, incident, by, at, code=incident.resolution_code, cause=incident.cause_code,
        fix_kind=incident.fix_kind, first_resolution=incident.reopen_count == 0, assignee=incident.assignee_id, **hold,
    )  # fmt: skip
    tell_resolved(incident, by, at)


def hold_facts(incident: Incident, at: datetime) -> dict[str, Any]:
    """What an event says of a hold that ends by it: its reason and its whole seconds."""
    seconds = int((at - incident.held_at).total_seconds()) if incident.held_at else 0
    return {"hold_reason": incident.hold_reason, "held_s": max(0, seconds)}


@action
def resolve(
    *,
    incident: Incident,
    by: Actor,
    at: datetime,
    code: str,
    cause: str = "",
    notes: str = "",
    fix_kind: str = FixKind.FIX.value,
    closing_category: Category | None = None,
    expected_version: int | None = None,
) -> Incident:
    """The service is back. Possible from every open state; a hold ends with it. Records `incident.resolved`.

    Who resolves an unowned incident becomes its assignee. The system closes it five days later (a setting). Refused:
    when it is not open, an unknown code, who may not work on it.
    """
    resolution = Resolution(code=code, cause=cause, notes=notes, fix_kind=fix_kind, closing_category=closing_category)
    incident = locked(incident, expected_version)
    require(permissions.can_work, by, incident, "resolve")
    hold = hold_facts(incident, at)
    move(incident, "resolving", incident.resolve, at, by.user_id)
    apply_resolution(incident, resolution, by, at)
    saved(incident)
    record_resolution(incident, resolution, by, at, hold)
    return settled(incident)


@action
def settle_workaround(
    *,
    incident: Incident,
    by: Actor,
    at: datetime,
    outcome: str,
    reason: str = "",
    expected_version: int | None = None,
) -> Incident:
    """Says what became of a workaround, so that the incident can close. Records `incident.workaround_settled`.

    Waiving and handing over take a reason (for a problem: its reference). Refused when there is none to settle. Where
    the requester said before that it works, the system closes it now.
    """
    choice("outcome", outcome, WorkaroundOutcome)
    reason = text("reason", reason, required=outcome != WorkaroundOutcome.REMOVED, longest=500)
    incident = locked(incident, expected_version)
    require(permissions.can_work, by, incident, "settle the workaround of")
    if incident.state != State.RESOLVED or incident.fix_kind != FixKind.WORKAROUND:
        raise IllegalTransition(
            f"{incident.reference} has no workaround to settle", field="fix_kind", remedy="nothing is to be done"
        )
    incident.workaround_outcome, incident.workaround_note = outcome, reason
    if not incident.is_imported and (incident.close_due_at is None or incident.works_at is not None):
        incident.close_due_at = at if incident.works_at is not None else closing_moment(at)
    saved(incident)
    record(IncidentEvent.WORKAROUND_SETTLED, incident, by, at, reason=reason, outcome=outcome)
    return settled(incident)


@action
def reopen(
    *, incident: Incident, by: Actor, at: datetime, reason: str = "", expected_version: int | None = None
) -> Incident:
    """It is not solved: back to in progress, counted. Records `incident.reopened`.

    Only while resolved. An import job may also carry a step out of closed, of an imported incident: recorded as
    `by_import`. A deactivated assignee's incident goes back to the team's queue.
    """
    reason = text("reason", reason, longest=2000)
    incident = locked(incident, expected_version)
    by_import = incident.state == State.CLOSED and incident.is_imported and by.kind is ActorKind.JOB
    require(permissions.can_work if by_import else permissions.can_reopen, by, incident, "reopen")
    take_up_again(incident, by, at, reason=reason, by_import=by_import)
    return settled(incident)


def take_up_again(incident: Incident, by: Actor, at: datetime, *, reason: str, by_import: bool = False) -> None:
    """In progress again, for a locked incident; what a leaver had held is the queue's."""
    move(incident, "reopening", incident.reopen_by_import if by_import else incident.reopen, at, by.user_id)
    if incident.assignee_id and not User.objects.filter(pk=incident.assignee_id, is_active=True).exists():
        incident.assignee_id = None
        incident.team_id = queue_of(incident, incident.team_id, None)
    stay_awake(incident, at)
    saved(incident)
    record(
        IncidentEvent.REOPENED, incident, by, at, reason=reason, count=incident.reopen_count, by_import=by_import,
        assignee=incident.assignee_id,
    )  # fmt: skip


@action
def cancel(
    *,
    incident: Incident,
    by: Actor,
    at: datetime,
    reason: str,
    detail: str = "",
    expected_version: int | None = None,
) -> Incident:
    """It was none: a duplicate, not an incident, or a mistake. Final. Records `incident.cancelled`.

    Possible from every open state; after the first response or a breach only by a lead, an incident manager or an
    admin, because it would leave the figures otherwise.
    """
    if choice("reason", reason, CancelReason) == CancelReason.MERGED:
        raise Invalid("only a merge gives this reason", field="reason", remedy="merge it into the other incident")
    detail = text("detail", detail, longest=500)
    incident = locked(incident, expected_version)
    require(permissions.can_cancel, by, incident, "cancel")
    if not permissions.can_override_priority(by, incident) and _was_breached(incident):
        raise Forbidden(
            f"{incident.reference} breached its SLA: {by.label} may not cancel it",
            remedy="ask a lead or incident manager",
        )
    hold, old = hold_facts(incident, at), str(incident.state)
    move(incident, "cancelling", incident.cancel, reason, detail, at)
    saved(incident)
    record(IncidentEvent.CANCELLED, incident, by, at, reason=detail, cancel_reason=reason, old=old, **hold)
    return settled(incident)


def _was_breached(incident: Incident) -> bool:
    """Told by the trail, so that this app need not know the clocks above it."""
    told = Event.objects.filter(about_type=Incident._meta.label_lower, about_id=incident.pk, kind="clock.breached")
    return told.exists()
