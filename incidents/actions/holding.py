"""Waiting with a reason and an end: put on hold, change the hold, resume."""

from __future__ import annotations

from datetime import datetime, timedelta

from audit.actions import Invalid, action, record
from audit.actor import Actor
from incidents import permissions
from incidents.actions.ending import hold_facts
from incidents.actions.frame import choice, later_than, locked, move, require, saved, settled, stay_awake, text
from incidents.actions.telling import tell_held, tell_wake_up
from incidents.events import IncidentEvent
from incidents.models import HoldReason, Incident

LONGEST_HOLD = timedelta(days=400)


def _wake_up(until: datetime, at: datetime) -> datetime:
    later_than("until", until, at)
    if until - at > LONGEST_HOLD:
        raise Invalid("the wake-up is more than 400 days away", field="until", remedy="choose an earlier moment")
    return until


@action
def put_on_hold(
    *,
    incident: Incident,
    by: Actor,
    at: datetime,
    hold_reason: str,
    until: datetime,
    note: str = "",
    is_assumed: bool = False,
    expected_version: int | None = None,
) -> Incident:
    """Work waits for something, until a wake-up at the latest. Records `incident.put_on_hold`.

    Refused without a known reason or a wake-up in the future, on hold already (change the hold), and once resolved.
    `is_assumed` marks a wake-up that an import made up.
    """
    choice("hold_reason", hold_reason, HoldReason)
    _wake_up(until, at)
    note = text("note", note, longest=2000)
    incident = locked(incident, expected_version)
    require(permissions.can_work, by, incident, "put on hold")
    move(incident, "putting on hold", incident.put_on_hold, hold_reason, until, at)
    saved(incident)
    record(
        IncidentEvent.PUT_ON_HOLD, incident, by, at, reason=note, hold_reason=hold_reason, until=until.isoformat(),
        is_assumed=is_assumed,
    )  # fmt: skip
    tell_held(incident, note, by, at)
    return settled(incident)


@action
def change_hold(
    *,
    incident: Incident,
    by: Actor,
    at: datetime,
    hold_reason: str | None = None,
    until: datetime | None = None,
    note: str = "",
    is_assumed: bool = False,
    expected_version: int | None = None,
) -> Incident:
    """Another reason, another wake-up, or both. Records `incident.hold_changed`; the same again changes nothing."""
    note = text("note", note, longest=2000)
    incident = locked(incident, expected_version)
    require(permissions.can_work, by, incident, "change the hold of")
    old, old_until = incident.hold_reason, incident.hold_until
    fresh = choice("hold_reason", old if hold_reason is None else hold_reason, HoldReason, optional=not old)
    wake_up = old_until if until is None else _wake_up(until, at)
    move(incident, "changing the hold", incident.change_hold, fresh, wake_up)
    if not incident.changed_fields():
        return incident
    saved(incident)
    record(
        IncidentEvent.HOLD_CHANGED, incident, by, at, reason=note, old=old, new=fresh,
        old_until=old_until.isoformat() if old_until else None, until=wake_up.isoformat() if wake_up else None,
    )  # fmt: skip
    return settled(incident)


@action
def resume(
    *, incident: Incident, by: Actor, at: datetime, note: str = "", expected_version: int | None = None
) -> Incident:
    """Work goes on before the wake-up. Records `incident.resumed`. Refused unless on hold."""
    note = text("note", note, longest=2000)
    incident = locked(incident, expected_version)
    require(permissions.can_work, by, incident, "resume")
    end_hold(incident, by, at, cause="person", reason=note)
    return settled(incident)


@action
def wake_up(*, incident: Incident, by: Actor, at: datetime) -> Incident:
    """The wake-up has come: in progress again, and it says so. Records `incident.wake_up_due` and `incident.resumed`.

    Changes nothing when the incident is no longer on hold or its wake-up was moved meanwhile.
    """
    incident = locked(incident)
    if incident.hold_until is None or incident.hold_until > at:
        return incident
    hold_reason = incident.hold_reason
    end_hold(incident, by, at, cause="wake_up")
    record(IncidentEvent.WAKE_UP_DUE, incident, by, at, hold_reason=hold_reason)
    tell_wake_up(incident, hold_reason, by, at)
    return settled(incident)


def end_hold(incident: Incident, by: Actor, at: datetime, *, cause: str, reason: str = "") -> None:
    """Back to in progress, for a locked incident; the pause is told in seconds."""
    hold = hold_facts(incident, at)
    move(incident, "resuming", incident.resume)
    stay_awake(incident, at)
    saved(incident)
    record(IncidentEvent.RESUMED, incident, by, at, reason=reason, cause=cause, **hold)
