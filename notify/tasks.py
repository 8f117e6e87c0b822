"""The sender: claims due messages, makes the calls outside of transactions, records what came of them."""

from __future__ import annotations

import logging
import time
from datetime import datetime

from celery import shared_task
from django.db import connection

from audit.actor import job
from audit.context import entry
from audit.failpoints import failpoint
from notify import actions, channels
from notify.channels import Outcome, Result
from notify.channels.probe import Trial, try_mail_server
from notify.models import Message

log = logging.getLogger(__name__)
SENDER = job("notify.sender")
#: A run ends after this long; beat and the wake-ups start the next one.
BUDGET_SECONDS = 20.0
BATCH = 3


def _now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("select clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


@shared_task(name="notify.tasks.send_due", ignore_result=True)
def send_due(at: datetime | None = None, limit: int = 200) -> int:
    """Sends what is due and returns how many calls were made. 1. Take back the claims of senders that disappeared.
    2. Claim a few, the newest of the urgent first. 3. For each: read it again under its lock, call, record.
    """
    ends = time.monotonic() + BUDGET_SECONDS
    calls = 0
    with entry("job"):
        _take_back(at or _now())
        while calls < limit and time.monotonic() < ends:
            token, ids = actions.claim(limit=min(BATCH, limit - calls), by=SENDER, at=at or _now())
            if not ids:
                break
            failpoint("notify.claimed")
            calls += sum(_send(message_id, token, at) for message_id in ids)
    return calls


def _take_back(now: datetime) -> None:
    """One transaction for each, because an uncertain one locks what it is about."""
    lost = Message.objects.abandoned(now).order_by("id").values_list("id", "lease_token")
    for message_id, token in list(lost[:100]):
        actions.release_abandoned(message_id=message_id, token=token, by=SENDER, at=now)


def _send(message_id: int, token: str, at: datetime | None) -> int:
    message = actions.begin(message_id=message_id, token=token, by=SENDER, at=at or _now())
    if message is None:
        return 0
    failpoint("notify.before_call")
    outcome = _call(message)
    failpoint("notify.after_call")
    _record(message, token, outcome, at or _now())
    failpoint("notify.recorded")
    return 1


def _call(message: Message) -> Outcome:
    try:
        return channels.send(message)
    except Exception as error:  # a poisonous message must not stop the others; nobody knows what its call did
        log.exception("sending message %s over %s broke", message.pk, message.channel)
        return Outcome(Result.UNCERTAIN, f"the sender broke: {type(error).__name__}")


def _record(message: Message, token: str, outcome: Outcome, at: datetime) -> None:
    if outcome.result is Result.OK:
        done = actions.mark_sent(
            message_id=message.pk, token=token, provider_ref=outcome.provider_ref, by=SENDER, at=at
        )
    elif outcome.result is Result.UNCERTAIN:
        done = actions.mark_uncertain(message_id=message.pk, token=token, error=outcome.detail, by=SENDER, at=at)
    else:
        done = actions.mark_failed(
            message_id=message.pk, token=token, error=outcome.detail, permanent=outcome.permanent,
            retry_after=outcome.retry_after, by=SENDER, at=at,
        )  # fmt: skip
    if done is None:
        log.warning("message %s was claimed by another sender before its outcome was recorded", message.pk)


def try_mail(address: str) -> Trial:
    """One test mail to an administrator, now; a person waits for the server's answer."""
    return try_mail_server(address)
