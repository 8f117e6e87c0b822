"""Freezes what was saved: a version of a calendar or policy that running clocks can refer to for ever."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Max

from audit.actions import action
from audit.actor import Actor
from sla.models import Calendar, CalendarVersion, PolicyVersion, SlaPolicy


@action(joins=True)
def freeze(*, row: Calendar | SlaPolicy, by: Actor, at: datetime, reason: str = "") -> CalendarVersion | PolicyVersion:
    """Makes the next version of a calendar or policy that was just saved; the save's own event records it.

    The row is locked by whoever saved it, so two versions never get one number.
    """
    number = (row.versions.aggregate(last=Max("number"))["last"] or 0) + 1
    if isinstance(row, Calendar):
        return CalendarVersion.objects.create(calendar=row, number=number, definition=row.definition())
    return PolicyVersion.objects.create(policy=row, number=number, definition=row.definition())
