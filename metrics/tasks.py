"""The sweep that keeps the numbers: events into facts, facts into the tallies of days."""

from __future__ import annotations

import logging
from datetime import datetime

from celery import shared_task

import metrics.actions
from audit.actor import job
from audit.context import entry
from audit.queries import database_time
from metrics.models import Digest

log = logging.getLogger(__name__)
SWEEPER, MAILER = job("metrics.sweep"), job("metrics.digests")
BATCH = 500


@shared_task
def sweep(at: datetime | None = None) -> dict[str, int]:
    """Reads on until nothing waits and tallies every stale day, each step in a transaction of its own."""
    done = {"facts": 0, "days": 0}
    with entry("job"):
        after = -1
        while after:
            changed, after = metrics.actions.read_on(by=SWEEPER, at=at or database_time(), after=max(after, 0))
            done["facts"] += changed
        while tallied := metrics.actions.tally_stale_days(by=SWEEPER, at=at or database_time()):
            done["days"] += tallied
    return done


@shared_task
def send_digests(at: datetime | None = None) -> int:
    """Puts every due digest into the outbox, each in a transaction of its own; returns how many mails there were."""
    moment = at or database_time()
    with entry("job"):
        due = list(Digest.objects.due(moment).order_by("next_at").values_list("pk", flat=True)[:BATCH])
        return sum(_send(pk, moment) for pk in due)


def _send(pk: int, at: datetime) -> bool:
    try:
        return metrics.actions.send_digest(digest_id=pk, by=MAILER, at=at)
    except Exception:  # one that can't be made must not keep the others; it stays due and is tried again
        log.exception("digest %s could not be made", pk)
        return False
