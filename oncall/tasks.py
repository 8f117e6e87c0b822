"""The sweep that takes pages to their next step. Celery's beat wakes it each second, and each start of a page does."""

from __future__ import annotations

import logging
from datetime import datetime

from celery import shared_task
from django.db import connection, transaction

from audit.actor import job
from audit.context import entry
from audit.failpoints import failpoint
from incidents.models import Incident
from oncall import actions
from oncall.models import Page, PageState

log = logging.getLogger(__name__)
SWEEPER = job("oncall.sweep")


def _now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("select clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


@shared_task(name="oncall.tasks.sweep", ignore_result=True)
def sweep(at: datetime | None = None, limit: int = 1000) -> int:
    """Takes due pages to their next step and returns how many it took.

    1. Find due ids without locks: first steps before later ones, the newest first. 2. For each, in a transaction of
    its own: lock the incident, or pass by when another worker has it. 3. The action checks again under the lock, and
    acts.
    """
    now = at or _now()
    with entry("job"):
        found = Page.objects.due(now).order_by("round", "level", "-started_at", "-id")
        rows = list(found.values_list("id", "incident_id", "state", "round", "level")[:limit])
        return sum(
            _take(page_id, incident_id, state=state, step=(number, level), at=at)
            for page_id, incident_id, state, number, level in rows
        )


def _take(page_id: int, incident_id: int, *, state: str, step: tuple[int, int], at: datetime | None) -> int:
    try:
        with transaction.atomic():
            mine = Incident.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=incident_id)
            if not mine.values_list("pk", flat=True).first():
                return 0
            failpoint("oncall.locked")
            if state == PageState.ACKNOWLEDGED:
                actions.time_out(page_id=page_id, by=SWEEPER, at=at or _now())
            else:
                actions.escalate(page_id=page_id, step=step, by=SWEEPER, at=at or _now())
            failpoint("oncall.before_commit")
    except Exception:  # one broken page must not keep the others from going on; it stays due and is tried again
        log.exception("page %s could not be taken to its next step", page_id)
        return 0
    failpoint("oncall.committed")
    return 1
