"""Restricted incidents: who may make and lift it, and the trail of an auditor's look."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from audit.actions import action, record, record_all
from audit.actor import Actor
from incidents import permissions
from incidents.actions.frame import locked, require, saved, settled, text
from incidents.events import IncidentEvent
from incidents.models import Incident


@action
def restrict(
    *, incident: Incident, by: Actor, at: datetime, reason: str, expected_version: int | None = None
) -> Incident:
    """Only its requester, its team, who takes part, incident managers and auditors see it from now on.

    Records `incident.restricted`. Refused without a reason and to who may not; once more changes only the reason.
    """
    reason = text("reason", reason, required=True, longest=2000)
    incident = locked(incident, expected_version)
    require(permissions.can_restrict, by, incident, "restrict")
    incident.is_restricted, incident.restricted_reason = True, reason
    if not incident.changed_fields():
        return incident
    saved(incident)
    record(IncidentEvent.RESTRICTED, incident, by, at, reason=reason)
    return settled(incident)


@action
def unrestrict(
    *, incident: Incident, by: Actor, at: datetime, reason: str, expected_version: int | None = None
) -> Incident:
    """Everybody sees it who would see any other. Records `incident.unrestricted`; refused without a reason."""
    reason = text("reason", reason, required=True, longest=2000)
    incident = locked(incident, expected_version)
    require(permissions.can_restrict, by, incident, "lift the restriction of")
    if not incident.is_restricted:
        return incident
    incident.is_restricted, incident.restricted_reason = False, ""
    saved(incident)
    record(IncidentEvent.UNRESTRICTED, incident, by, at, reason=reason)
    return settled(incident)


@action
def note_access(*, rows: Iterable[Incident], via: str, by: Actor, at: datetime) -> int:
    """Records `incident.restricted_read` for each restricted incident among what an auditor was shown; how many.

    A look of anybody else, or at anything else, leaves no trace here. It is the one thing that a GET writes.
    """
    read = [one for one in rows if permissions.is_logged_reader(by, one)]
    told = [(str(IncidentEvent.RESTRICTED_READ), one, one, {"via": via}) for one in read]
    record_all(told, by=by, at=at)
    return len(read)
