"""Sweeps of the audit app: owed deliveries are tried again, old idempotency keys go."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from celery import shared_task
from django.apps import apps
from django.conf import settings
from django.db import models, transaction

from audit.actions import attempt, retry_delay
from audit.actor import Actor, ActorKind
from audit.context import acting, entry
from audit.models import Delivery, Event, IdempotencyKey
from audit.queries import database_time
from audit.subscriptions import Recorded, subscription_named

logger = logging.getLogger(__name__)

#: After so many attempts (about an hour) a person has to look.
ATTEMPTS = 20
#: Deliveries that one sweep takes; the next one follows within seconds.
BATCH = 500


@shared_task
def sweep_deliveries(at: datetime | None = None) -> int:
    """Tries every due delivery again, each in a transaction of its own; returns how many were done.

    1. Find due ids without locks. 2. Lock the delivery, skipping those that another sweep holds. 3. Lock what the
    event is about, then its subject (the order of the actions), leaving it for the next sweep where somebody works on
    it. 4. Run the handler in a savepoint. 5. Mark it done, or set back its next attempt, or give it up loudly.
    """
    moment = at or database_time()
    due = Delivery.objects.open().filter(next_attempt_at__lte=moment).order_by("next_attempt_at", "id")
    return sum(_retry(pk, moment) for pk in list(due.values_list("pk", flat=True)[:BATCH]))


def _retry(pk: int, at: datetime) -> bool:
    with transaction.atomic():
        delivery = (
            Delivery.objects.open()
            .select_for_update(skip_locked=True, of=("self",))
            .select_related("event")
            .filter(pk=pk, next_attempt_at__lte=at)
            .first()
        )
        if delivery is None:
            return False
        error = _deliver(delivery)
        if error is None:
            return False
        _note(delivery, error, at)
        return not error


def _deliver(delivery: Delivery) -> str | None:
    """Runs the handler again; the error as text, empty when it went well, None when the objects are locked."""
    event = delivery.event
    subscription = subscription_named(event.kind, delivery.handler)
    if subscription is None:
        return "no handler of that name listens to this kind any more"
    found, about = _locked(event.about_type, event.about_id)
    same = (event.subject_type, event.subject_id) == (event.about_type, event.about_id)
    found_subject, subject = (found, about) if same else _locked(event.subject_type, event.subject_id)
    if not (found and found_subject):
        return "what the event tells of is gone"
    if about is None or subject is None:
        return None
    by = actor_of(event)
    told = Recorded(
        kind=event.kind, subject=subject, about=about, by=by, at=event.at, data=event.data, event_id=event.pk,
        reason=event.reason,
    )  # fmt: skip
    with entry("job", event.request_id), acting(by, reason=event.reason):
        return attempt([subscription], told)


def _locked(label: str, pk: int) -> tuple[bool, Any]:
    """(whether the row exists, the row when nobody else holds it)."""
    model: type[models.Model] = apps.get_model(label)
    rows = model._base_manager.filter(pk=pk)
    row = rows.select_for_update(no_key=True, skip_locked=True).first()
    return row is not None or rows.exists(), row


def actor_of(event: Event) -> Actor:
    """Who acted, as the event kept it: the identity, without the roles of that moment."""
    kind = ActorKind(event.actor_kind)
    return Actor(
        kind=kind,
        id=event.actor_id,
        label=event.actor_label,
        user_id=int(event.actor_id) if kind is ActorKind.PERSON and event.actor_id.isdecimal() else None,
        on_behalf_of=event.on_behalf_of,
    )


def _note(delivery: Delivery, error: str, at: datetime) -> None:
    delivery.attempts += 1
    delivery.last_error = error
    if not error:
        delivery.done_at = at
    elif delivery.attempts >= ATTEMPTS:
        delivery.given_up_at = at
        logger.error("given up after %s attempts: %s: %s", delivery.attempts, delivery, error)
    else:
        delivery.next_attempt_at = at + retry_delay(delivery.attempts)
        logger.warning("attempt %s failed: %s: %s", delivery.attempts, delivery, error)
    delivery.save()


@shared_task
def prune_idempotency(at: datetime | None = None) -> int:
    """Forgets answers that are older than the setting says; returns how many."""
    oldest = (at or database_time()) - timedelta(hours=settings.SERVICEDESK_IDEMPOTENCY_HOURS)
    return IdempotencyKey.objects.filter(created_at__lt=oldest).delete()[0]
