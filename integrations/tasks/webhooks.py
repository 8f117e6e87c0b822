"""Reads new events for the webhooks and sends what is due: each endpoint by itself, each incident in order."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import orjson
from celery import shared_task
from django.conf import settings
from django.db import connection
from django.db.models import F

from audit.actor import job
from audit.context import entry
from audit.failpoints import failpoint
from audit.queries import database_time
from integrations import actions
from integrations.actions.sending import Claimed, Outcome
from integrations.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookLane
from integrations.webhooks import signing
from notify import channels, client

log = logging.getLogger(__name__)
SENDER = job("integrations.webhooks")
#: A run ends after this long; beat starts the next one.
BUDGET_SECONDS = 20.0
#: Endpoints that are called at the same time.
ABREAST = 8


@shared_task(name="integrations.tasks.webhooks.sweep_webhooks", ignore_result=True)
def sweep_webhooks(at: datetime | None = None) -> int:
    """1. Read the events that are new, in transactions of their own. 2. Send what is due. Returns the calls made."""
    with entry("job"):
        ends = time.monotonic() + BUDGET_SECONDS / 2
        while actions.capture_events(by=SENDER, at=at or database_time()) and time.monotonic() < ends:
            failpoint("webhooks.captured")
        return send_due(at)


def send_due(at: datetime | None = None) -> int:
    """Sends to every endpoint that has something due, each in a thread of its own, so that a slow one delays no other.

    One run at a time in the whole desk: the place is a lease in the database, so a killed sender frees it by dying.
    """
    now = at or database_time()
    due = _due_endpoints(now)
    if not due or not actions.begin_sending(by=SENDER, at=now):
        return 0
    ends = time.monotonic() + BUDGET_SECONDS
    try:
        if len(due) == 1:
            return serve(due[0], ends, at)
        with ThreadPoolExecutor(ABREAST, thread_name_prefix="webhooks") as pool:
            return sum(pool.map(lambda endpoint_id: _serve_apart(endpoint_id, ends, at), due))
    finally:
        actions.end_sending(by=SENDER, at=at or database_time())


def _due_endpoints(now: datetime) -> list[int]:
    """Those that were served longest ago first, so that no crowd of slow ones keeps the others waiting."""
    waiting = WebhookLane.objects.filter(next_attempt_at__lte=now).values("endpoint_id")
    ready = WebhookEndpoint.objects.ready(now).filter(pk__in=waiting)
    found = list(ready.order_by(F("served_at").asc(nulls_first=True), "pk").values_list("pk", flat=True)[:100])
    WebhookEndpoint.objects.filter(pk__in=found).update(served_at=now)
    return found


def _serve_apart(endpoint_id: int, ends: float, at: datetime | None) -> int:
    try:
        with entry("job"):
            return serve(endpoint_id, ends, at)
    except Exception:  # one endpoint must not keep the others from being served; it stays due
        log.exception("webhook %s could not be served", endpoint_id)
        return 0
    finally:
        connection.close()


def serve(endpoint_id: int, ends: float, at: datetime | None = None) -> int:
    """Sends to one endpoint, one call after the other, until nothing is due, it failed too often, or time is up."""
    calls = 0
    while time.monotonic() < ends:
        claimed = actions.claim_delivery(endpoint_id=endpoint_id, by=SENDER, at=at or database_time())
        if claimed is None:
            break
        failpoint("webhooks.before_call")
        outcome = call(claimed, at or database_time())
        failpoint("webhooks.after_call")
        actions.note_outcome(claimed=claimed, outcome=outcome, by=SENDER, at=at or database_time())
        failpoint("webhooks.recorded")
        calls += 1
    return calls


def call(claimed: Claimed, now: datetime) -> Outcome:
    """One POST through the guarded client. Only a 2xx counts; whatever else came is tried again."""
    body = orjson.dumps(claimed.delivery.payload)
    began = time.monotonic()
    signed = signing.headers(claimed.keys, claimed.delivery.webhook_id, int(now.timestamp()), body)
    status, retry_after, result, detail = None, None, WebhookAttempt.Outcome.FAILED, ""
    try:
        answer = client.post(claimed.url, content=body, headers=signed)
    except client.CallError as error:
        detail = error.detail
    except client.UnknownOutcomeError as error:
        result, detail = WebhookAttempt.Outcome.UNCERTAIN, str(error)
    except Exception as error:  # a poisonous address or answer must not stop the others
        log.exception("webhook delivery %s broke", claimed.delivery.webhook_id)
        result, detail = WebhookAttempt.Outcome.UNCERTAIN, f"the sender broke: {type(error).__name__}"
    else:
        status = answer.status
        if 200 <= status < 300:
            result = WebhookAttempt.Outcome.OK
        else:
            detail = answer.body[:400].decode("utf-8", "replace").replace("\x00", "")
            retry_after = channels.retry_after(answer.headers.get("retry-after", ""), now.timestamp())
    took = int((time.monotonic() - began) * 1000)
    return Outcome(str(result), took, status, detail, retry_after)


@shared_task(name="integrations.tasks.webhooks.prune_webhooks", ignore_result=True)
def prune_webhooks(at: datetime | None = None) -> int:
    """Forgets deliveries that ended longer ago than the setting says, with their content; returns how many."""
    oldest = (at or database_time()) - timedelta(days=settings.SERVICEDESK_WEBHOOK_LOG_DAYS)
    old = WebhookDelivery.objects.filter(ended_at__lt=oldest).order_by("ended_at").values_list("pk", flat=True)
    return WebhookDelivery.objects.filter(pk__in=list(old[:5000])).delete()[0]
