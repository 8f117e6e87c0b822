"""The sweep of the clocks: finds what is due without locks, lets the action fire it, and passes over what fails."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from celery import shared_task
from django.db import OperationalError, connection

from audit import context
from audit.actor import job
from audit.failpoints import failpoint
from sla import actions

log = logging.getLogger(__name__)

BY = job("sla.sweep")
#: Clocks per transaction: large enough for set-based writes, small enough that an action waits a blink for its lock.
BATCH = 500

_DUE = """
select next_threshold_at, id, incident_id from sla_clock
where next_threshold_at <= %s and (next_threshold_at, id) > (%s, %s)
order by next_threshold_at, id limit %s
"""
_BEGINNING = (datetime(2, 1, 1, tzinfo=UTC), 0)


@shared_task
def sweep(at: str | datetime | None = None) -> int:
    """Fires everything due at `at` (default: the database's clock, read anew for each batch); returns how many.

    What another sweep or an action has locked is left to them; what fails is logged and left due, and the rest goes on.
    """
    given = datetime.fromisoformat(at) if isinstance(at, str) else at
    fired, last = 0, _BEGINNING
    with context.entry("job"):
        while True:
            now = given or _database_time()
            due = _due(now, last)
            if not due:
                return fired
            fired += _fire(sorted({incident for _, _, incident in due}), now)
            failpoint("sla.sweep.committed")
            last = due[-1][0], due[-1][1]


def _database_time() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("select clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
        return now


def _due(at: datetime, after: tuple[datetime, int]) -> list[tuple[datetime, int, int]]:
    """The next due clocks after a place in the order of their deadlines; reads only due rows."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [at, *after, BATCH])
        found: list[tuple[datetime, int, int]] = cursor.fetchall()
    return found


def _fire(incident_ids: list[int], at: datetime) -> int:
    try:
        return actions.fire_due(incident_ids=incident_ids, by=BY, at=at)
    except OperationalError:
        raise  # The database is away or resolved a deadlock: the next wake-up tries all of it again.
    except Exception:  # One clock that can't be computed must not keep the others from firing.
        log.exception("a batch of %d incidents failed; firing them one by one", len(incident_ids))
    return sum(_fire_one(one, at) for one in incident_ids)


def _fire_one(incident_id: int, at: datetime) -> int:
    try:
        return actions.fire_due(incident_ids=[incident_id], by=BY, at=at)
    except OperationalError:
        raise
    except Exception:
        log.exception("the clocks of incident %d can't be fired", incident_id)
        return 0
