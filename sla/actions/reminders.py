"""Moments in working days that the incident itself can't compute: its closing by the system."""

from __future__ import annotations

from datetime import datetime

from audit.actions import action
from audit.actor import SYSTEM, Actor
from incidents import actions as incidents
from incidents.models import Incident, State
from sla import queries
from sla.businesstime import add_days
from sla.models import Clock


@action(joins=True)
def plan_closing(*, incident: Incident, by: Actor, at: datetime, reason: str = "") -> None:
    """Sets the closing so many working days after the resolution, where the policy counts in those.

    Records `incident.close_scheduled`; without such a policy the desk's calendar days stay.
    """
    clock = Clock.objects.filter(incident=incident, policy_version__isnull=False).order_by("-id").first()
    if clock is None or clock.policy_version_id is None or incident.state != State.RESOLVED:
        return
    days = queries.policy_of(clock.policy_version_id)[1].definition["auto_close_days"]
    if days and incident.resolved_at:
        calendar = queries.calendar_of(clock.calendar_version_id)
        incidents.schedule_close(
            incident=incident, close_due_at=add_days(calendar, incident.resolved_at, days), by=SYSTEM, at=at
        )
