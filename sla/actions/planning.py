"""Moments in working days that the incident can't compute: its closing, its idle reminder, those of the requester."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from audit.actions import action
from audit.actor import SYSTEM, Actor
from incidents import actions as incidents
from incidents import queries as incident_queries
from incidents.models import Incident, State
from sla import businesstime, queries
from sla.models import Clock

IDLE_DAYS = 2


def plan(incident: Incident, agreed: Mapping[str, Any], at: datetime) -> None:
    """Moves both moments to where the incident's policy and calendar put them; without a policy they stay."""
    if agreed["policy_version"] is None:
        return
    _plan_closing(incident, agreed, at)
    _plan_reminder(incident, agreed, at)


def _plan_closing(incident: Incident, agreed: Mapping[str, Any], at: datetime) -> None:
    """So many working days after the resolution, where the policy counts in those."""
    days = queries.policy_of(agreed["policy_version"])[1].definition["auto_close_days"]
    if not days or incident.is_major or incident.state != State.RESOLVED or incident.resolved_at is None:
        return
    planned = businesstime.add_days(queries.calendar_of(agreed["calendar_version"]), incident.resolved_at, days)
    if planned != incident.close_due_at:
        incidents.schedule_close(incident=incident, close_due_at=planned, by=SYSTEM, at=at)


def _plan_reminder(incident: Incident, agreed: Mapping[str, Any], at: datetime) -> None:
    """The incident counts weekdays; where the calendar has a holiday in between, the reminder waits for it."""
    if incident.idle_at is None:
        return
    planned = businesstime.add_days(queries.calendar_of(agreed["calendar_version"]), at, IDLE_DAYS)
    if planned.date() > incident.idle_at.date():
        incidents.schedule_idle(incident=incident, idle_at=planned, by=SYSTEM, at=at)


@action(joins=True)
def plan_follow_ups(*, incident: Incident, by: Actor, at: datetime) -> None:
    """Puts the reminders to the requester, and the end of the wait, on working days of the incident's calendar.

    Nothing is recorded; without a calendar they stay on weekdays.
    """
    if not incident.follow_ups:
        return
    clocks = Clock.objects.filter(incident=incident).exclude(calendar_version=None).order_by("-id")
    version = clocks.values_list("calendar_version", flat=True).first()
    if version is None:
        return
    calendar = queries.calendar_of(version)
    moments = [businesstime.add_days(calendar, at, days) for days in incident_queries.follow_up_days()]
    incidents.schedule_follow_ups(incident=incident, moments=moments, by=SYSTEM, at=at)
