"""Waiting with a reason and an end: put on hold, change the hold, resume; and reminding who is waited for."""

from __future__ import annotations

from datetime import datetime, timedelta

from audit.actions import Forbidden, Invalid, action, record
from audit.actor import Actor
from incidents import permissions, queries
from incidents.actions.ending import hold_facts, resolve
from incidents.actions.frame import (
    aware,
    choice,
    later_than,
    locked,
    move,
    require,
    saved,
    settled,
    stay_awake,
    text,
    weekdays_after,
)
from incidents.actions.telling import tell_follow_up, tell_held, tell_wake_up
from incidents.events import IncidentEvent
from incidents.models import FixKind, HoldReason, Incident, ResolutionCode

LONGEST_HOLD = timedelta(days=400)


#: A reminder that comes later than this, after an outage, puts off what follows it by as much.
LATE_REMINDER = timedelta(hours=1)


def _follow_ups(incident: Incident, reason: str, at: datetime) -> list[datetime]:
    """By weekdays; where the incident has a calendar, `schedule_follow_ups` puts them where that says."""
    if reason != HoldReason.REQUESTER or incident.requester_id is None or incident.is_imported:
        return []
    return [weekdays_after(at, day) for day in queries.follow_up_days()]


def _wake_up(until: datetime | None, at: datetime, follow_ups: list[datetime]) -> datetime:
    """The moment named, else the end of the wait for the requester."""
    if until is None and follow_ups:
        return follow_ups[-1]
    if until is None:
        raise Invalid("the hold has no wake-up", field="until", remedy="say when somebody looks at it again")
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
    until: datetime | None = None,
    note: str = "",
    is_assumed: bool = False,
    expected_version: int | None = None,
) -> Incident:
    """Work waits for something, until a wake-up at the latest. Records `incident.put_on_hold`.

    Who waits for the requester need not name one: the requester is reminded, and at last it is resolved as “no answer”.
    Refused without a known reason or a wake-up in the future, on hold already (change the hold), and once resolved.
    `is_assumed` marks a wake-up that an import made up.
    """
    choice("hold_reason", hold_reason, HoldReason)
    note = text("note", note, longest=2000)
    incident = locked(incident, expected_version)
    require(permissions.can_work, by, incident, "put on hold")
    follow_ups = _follow_ups(incident, hold_reason, at)
    until = _wake_up(until, at, follow_ups)
    move(incident, "putting on hold", incident.put_on_hold, hold_reason, until, at, follow_ups)
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
    follow_ups = incident.follow_ups if fresh == old else _follow_ups(incident, fresh, at)
    wake_up = old_until if until is None and old_until is not None else _wake_up(until, at, follow_ups)
    move(incident, "changing the hold", incident.change_hold, fresh, wake_up, follow_ups)
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
    if incident.hold_until is None or incident.hold_until > at or is_followed_up_first(incident):
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


def is_followed_up_first(incident: Incident) -> bool:
    """Whether the requester is reminded, or not waited for any longer, no later than the wake-up."""
    if incident.follow_up_at is None or incident.hold_until is None:
        return False
    return bool(incident.follow_up_at <= incident.hold_until)


@action
def follow_up(*, incident: Incident, by: Actor, at: datetime) -> Incident:
    """Reminds the requester whom the incident waits for; the last time it is resolved by the system as “no answer”.

    Records `incident.follow_up_sent`, or `incident.resolved`. Changes nothing when it is not due. After an outage one
    reminder stands for those that were missed, and what follows is put off, so that nobody loses the time to answer.
    """
    incident = locked(incident)
    due = incident.follow_up_at
    if due is None or due > at or not is_followed_up_first(incident):
        return incident
    if len(incident.follow_ups) == 1:
        no_answer = ResolutionCode.NO_ANSWER.value
        return resolve(incident=incident, code=no_answer, fix_kind=FixKind.NONE.value, by=by, at=at)
    left = incident.follow_ups[1:]
    while len(left) > 1 and left[0] <= at:
        due, left = left[0], left[1:]
    if at - due > LATE_REMINDER:
        left = [moment + (at - due) for moment in left]
    _replan(incident, left)
    saved(incident)
    record(IncidentEvent.FOLLOW_UP_SENT, incident, by, at, left=len(left) - 1, ends_at=left[-1].isoformat())
    tell_follow_up(incident, by, at)
    return settled(incident)


def _replan(incident: Incident, moments: list[datetime]) -> None:
    """A wake-up that was the end of the wait moves with it."""
    if incident.hold_until == incident.follow_ups[-1]:
        incident.hold_until = moments[-1]
    incident.plan_follow_ups(moments)


@action
def schedule_follow_ups(*, incident: Incident, moments: list[datetime], by: Actor, at: datetime) -> Incident:
    """Puts the reminders that are still to come where a calendar says, e.g. in its working days; only the system plans.

    Changes nothing where none is planned. Nothing is recorded: a planned reminder is no news.
    """
    if not permissions.is_machinery(by):
        raise Forbidden("only the system plans reminders", remedy="change the hold, or resume")
    incident = locked(incident)
    planned = [aware("moments", moment) for moment in moments][-len(incident.follow_ups) :]
    if not incident.follow_ups or planned == incident.follow_ups or len(planned) != len(incident.follow_ups):
        return incident
    _replan(incident, planned)
    saved(incident)
    return incident
