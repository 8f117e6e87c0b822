"""Fetches the mailbox and judges what was stored; network outside of transactions, each message on its own."""

from __future__ import annotations

import logging
from datetime import datetime

from celery import shared_task
from django.conf import settings
from django.db import DatabaseError

from audit.actor import job
from audit.context import entry
from audit.queries import database_time
from integrations import actions
from integrations.mail import imap
from integrations.models import InboundMail, Source

log = logging.getLogger(__name__)
FETCHER, JUDGE = job("integrations.fetch_mail"), job("integrations.judge_mail")
BATCH = 50


@shared_task(name="integrations.tasks.fetch_mail", ignore_result=True)
def fetch_mail(url: str = "") -> int:
    """Stores what is unseen in the mailbox and returns how many messages that were.

    1. Fetch one message without marking it. 2. Store it; commit. 3. Mark it as seen. Whatever breaks in between, the
    next run fetches it again, and the copy is recognised.
    """
    url = url or settings.SERVICEDESK_IMAP_URL
    if not url:
        return 0
    stored, error = 0, ""
    with entry("mail"):
        try:
            for raw, done in imap.unseen(url, limit=BATCH, longest=settings.SERVICEDESK_MAIL_MAX_BYTES):
                mail, is_new = actions.receive(raw=raw, source=Source.IMAP, by=FETCHER, at=database_time())
                done()
                stored += is_new
                if is_new:
                    judge_one(mail)
        except (imap.Unreachable, DatabaseError) as broken:
            error = f"{type(broken).__name__}: {broken}"
            log.warning("fetching mail stopped: %s", error)
        actions.note_source(name=imap.place_of(url), error=error, by=FETCHER, at=database_time())
    return stored


@shared_task(name="integrations.tasks.judge_mail", ignore_result=True)
def judge_mail(at: datetime | None = None) -> int:
    """Judges what was stored and not judged, the oldest first; returns how many. One that fails stops no other."""
    due = InboundMail.objects.due(at or database_time()).order_by("next_attempt_at", "id")
    with entry("mail"):
        return sum(judge_one(mail, at) for mail in list(due[:BATCH]))


def judge_one(mail: InboundMail, at: datetime | None = None) -> bool:
    """Judges one; an error is noted on the message, which is tried again."""
    try:
        actions.judge(mail=mail, by=JUDGE, at=at or database_time())
    except Exception as error:  # the next message must not wait for this one
        log.exception("judging mail %s failed", mail.pk)
        actions.note_failure(mail=mail, error=f"{type(error).__name__}: {error}", by=JUDGE, at=at or database_time())
        return False
    return True
