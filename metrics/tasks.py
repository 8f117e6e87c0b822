"""The sweep that keeps the numbers: events into facts, facts into the tallies of days."""

from __future__ import annotations

from datetime import datetime

from celery import shared_task

import metrics.actions
from audit.actor import job
from audit.context import entry
from audit.queries import database_time

SWEEPER = job("metrics.sweep")


@shared_task
def sweep(at: datetime | None = None) -> dict[str, int]:
    """Reads on until nothing waits and tallies every stale day, each step in a transaction of its own."""
    done = {"facts": 0, "days": 0}
    with entry("job"):
        more = True
        while more:
            changed, more = metrics.actions.read_on(by=SWEEPER, at=at or database_time())
            done["facts"] += changed
        while tallied := metrics.actions.tally_stale_days(by=SWEEPER, at=at or database_time()):
            done["days"] += tallied
    return done
