"""Sweeps over incidents: reminders to requesters, wake-ups, closing by time, idle reminders, ends of overrides."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from celery import shared_task
from django.db import transaction
from django.db.models import QuerySet

import incidents.actions
from audit.actor import job
from audit.context import entry
from audit.queries import database_time
from incidents.models import Incident, MajorIncident, Report, Task

logger = logging.getLogger(__name__)

#: Incidents that one sweep takes of each sort; the next one follows within seconds.
BATCH = 500


@shared_task
def sweep(at: datetime | None = None) -> dict[str, int]:
    """All sweeps, one after the other; returns how many incidents each changed."""
    moment = at or database_time()
    return {
        "follow_ups": sweep_follow_ups(moment),
        "wake_ups": sweep_wake_ups(moment),
        "auto_close": sweep_auto_close(moment),
        "idle": sweep_idle(moment),
        "priority_overrides": sweep_priority_overrides(moment),
        "tasks": sweep_tasks(moment),
        "majors": sweep_majors(moment),
    }


@shared_task
def sweep_wake_ups(at: datetime | None = None) -> int:
    """Resumes what waited until now."""
    return _each(
        lambda rows, moment: rows.wake_up_due(moment), "hold_until", incidents.actions.wake_up, "incidents.wake_ups", at
    )


@shared_task
def sweep_follow_ups(at: datetime | None = None) -> int:
    """Reminds requesters who are waited for, and ends the wait."""
    return _each(
        lambda rows, moment: rows.follow_up_due(moment), "follow_up_at", incidents.actions.follow_up,
        "incidents.follow_ups", at,
    )  # fmt: skip


@shared_task
def sweep_auto_close(at: datetime | None = None) -> int:
    """Closes what was resolved long enough ago."""
    return _each(
        lambda rows, moment: rows.close_due(moment), "close_due_at", incidents.actions.close_by_time,
        "incidents.auto_close", at,
    )  # fmt: skip


@shared_task
def sweep_idle(at: datetime | None = None) -> int:
    """Reminds the owners of what nobody touched."""
    return _each(
        lambda rows, moment: rows.idle_due(moment), "idle_at", incidents.actions.remind_idle, "incidents.idle", at
    )


@shared_task
def sweep_priority_overrides(at: datetime | None = None) -> int:
    """Lifts overrides whose time is over."""
    return _each(
        lambda rows, moment: rows.override_due(moment), "priority_override_until", incidents.actions.expire_override,
        "incidents.overrides", at,
    )  # fmt: skip


@shared_task
def prune_reports(at: datetime | None = None) -> int:
    """Throws away reports whose link is over, and returns how many; what was confirmed stands in its incident."""
    gone, _ = Report.objects.stale(at or database_time()).delete()
    return gone


@shared_task
def sweep_tasks(at: datetime | None = None) -> int:
    """Reminds the owners of late tasks."""
    moment = at or database_time()
    return _rows(Task.objects.reminder_due(moment), "remind_at", "task", incidents.actions.remind_task, moment)


@shared_task
def sweep_majors(at: datetime | None = None) -> int:
    """Proposals that nobody decided in time, and closings whose day has come."""
    moment = at or database_time()
    due = MajorIncident.objects.decision_due(moment).select_related("incident")
    done = _rows(due, "decide_by_at", "major", incidents.actions.sweep_proposal, moment)
    closing = MajorIncident.objects.closing_due(moment).select_related("incident")
    return done + _rows(closing, "remind_at", "major", incidents.actions.remind_closing, moment)


def _rows(due: QuerySet[Any], deadline: str, name: str, act: Callable[..., Any], at: datetime) -> int:
    """Acts on each due row that belongs to an incident; the action locks and asks again. One failure stops no other."""
    done = 0
    with entry("job"):
        for row in due.order_by(deadline, "pk")[:BATCH]:
            try:
                act(**{name: row}, by=job(f"incidents.{name}s"), at=at)
                done += 1
            except Exception:  # the next one must not wait for this one
                logger.exception("the %s %s could not be looked after", name, row.pk)
    return done


def _each(
    due: Callable[[Any, datetime], QuerySet[Incident]],
    deadline: str,
    act: Callable[..., Incident],
    name: str,
    at: datetime | None,
) -> int:
    """Acts on each due incident in a transaction of its own.

    1. Find due ids without locks, the most overdue first. 2. Lock the incident, leaving it to who works on it now.
    3. Ask again whether it is due. 4. Act. One that fails is logged and does not keep the others waiting.
    """
    moment = at or database_time()
    ids = list(due(Incident.objects, moment).order_by(deadline, "id").values_list("pk", flat=True)[:BATCH])
    done = 0
    with entry("job"):
        for pk in ids:
            try:
                done += _one(due, pk, act, name, moment)
            except Exception:  # the next incident must not wait for this one
                logger.exception("%s failed on incident %s", name, pk)
    return done


def _one(
    due: Callable[[Any, datetime], QuerySet[Incident]], pk: int, act: Callable[..., Incident], name: str, at: datetime
) -> bool:
    with transaction.atomic():
        rows = Incident.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=pk)
        incident = due(rows, at).first()
        if incident is None:
            return False
        act(incident=incident, by=job(name), at=at)
    return True
