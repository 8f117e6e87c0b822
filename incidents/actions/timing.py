"""What happens because time passed: closing, and reminding who let an incident lie."""

from __future__ import annotations

from datetime import datetime

from audit.actions import Forbidden, action, record
from audit.actor import Actor
from incidents import permissions
from incidents.actions.closing import close, is_held_by_workaround
from incidents.actions.ending import closing_moment
from incidents.actions.frame import aware, idle_after, locked, saved, settled
from incidents.actions.telling import tell_idle
from incidents.events import IncidentEvent
from incidents.models import Comment, Incident


@action
def close_by_time(*, incident: Incident, by: Actor, at: datetime) -> Incident:
    """Closes what nobody objected to. Records `incident.closed`.

    Changes nothing when the moment was moved meanwhile. With an unsettled workaround it reminds the owner instead, and
    again as long as nobody settles it.
    """
    incident = locked(incident)
    if incident.close_due_at is None or incident.close_due_at > at:
        return incident
    if incident.is_major:
        incident.close_due_at = None
        saved(incident)
        return incident
    if is_held_by_workaround(incident):
        incident.close_due_at = closing_moment(at)
        saved(incident)
        _remind(incident, by, at)
        return settled(incident)
    said = "requester" if incident.works_at is not None else "nobody objected in time"
    return close(incident=incident, by=by, at=at, confirmation=said)


@action
def remind_idle(*, incident: Incident, by: Actor, at: datetime) -> Incident:
    """Reminds the owner, and plans the next reminder. Records `incident.idle_reminder_due`.

    A comment written meanwhile only puts the reminder off: comments don't write the incident's row themselves.
    """
    incident = locked(incident)
    if incident.idle_at is None or incident.idle_at > at:
        return incident
    spoken = Comment.objects.filter(incident_id=incident.pk).order_by("-id")
    spoken_at = spoken.values_list("created_at", flat=True).first()
    if spoken_at is not None and idle_after(spoken_at) > at:
        incident.idle_at = idle_after(spoken_at)
        saved(incident)
        return incident
    incident.idle_at = idle_after(at)
    saved(incident)
    _remind(incident, by, at)
    return settled(incident)


def _remind(incident: Incident, by: Actor, at: datetime) -> None:
    record(IncidentEvent.IDLE_REMINDER_DUE, incident, by, at, assignee=incident.assignee_id, team=incident.team_id)
    tell_idle(incident, by, at)


@action
def schedule_idle(*, incident: Incident, idle_at: datetime, by: Actor, at: datetime) -> Incident:
    """Sets another moment for the idle reminder, e.g. in business days; changes nothing where none is planned.

    Only the system plans. Nothing is recorded: a planned reminder is no news.
    """
    if not permissions.is_machinery(by):
        raise Forbidden("only the system plans reminders", remedy="work on it, or put it on hold")
    incident = locked(incident)
    if incident.idle_at is None or incident.idle_at == aware("idle_at", idle_at):
        return incident
    incident.idle_at = idle_at
    saved(incident)
    return incident
