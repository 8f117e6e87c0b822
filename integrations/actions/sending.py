"""The steps around a call: claim the first of a lane, and write down what came of it."""

from __future__ import annotations

import dataclasses
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Q
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.roles import Role
from audit.actions import action, record
from audit.actor import Actor
from integrations.actions.configuring import keys_of
from integrations.actions.payloads import may_send
from integrations.events import WebhookEvent
from integrations.models import (
    EndpointState,
    WebhookAttempt,
    WebhookCursor,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookLane,
)
from integrations.webhooks import retrying
from notify.actions import enqueue_mail_to_user

#: Longer than any call: a lane whose sender was killed is due again after this.
LEASE = timedelta(seconds=60)
#: Longer than a run and its last call.
RUN = timedelta(seconds=60)
LONGEST_PAUSE = timedelta(days=1)
GONE = 410


@dataclasses.dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that nobody else sends now: what to post where, signed by which keys."""

    delivery: WebhookDelivery
    url: str
    keys: tuple[bytes, ...]
    lane_id: int
    token: str


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call."""

    outcome: str
    took_ms: int
    status: int | None = None
    detail: str = ""
    retry_after_s: float | None = None


@action
def begin_sending(*, by: Actor, at: datetime) -> bool:
    """Takes the one sender's place, unless somebody has it: slow receivers never fill the workers that page people."""
    free = Q(sender_until=None) | Q(sender_until__lte=at)
    return bool(WebhookCursor.singleton().filter(free).update(sender_until=at + RUN))


@action
def end_sending(*, by: Actor, at: datetime) -> None:
    """Gives the sender's place back."""
    WebhookCursor.singleton().update(sender_until=None)


@action
def claim_delivery(*, endpoint_id: int, by: Actor, at: datetime) -> Claimed | None:
    """Claims the first delivery of the lane that waits longest; None when nothing is due or the endpoint may rest.

    What the reader may no longer see is cancelled on the way. An endpoint whose key can't be made any more is
    switched off, loudly.
    """
    endpoint = WebhookEndpoint.objects.ready(at).select_related("reader").filter(pk=endpoint_id).first()
    if endpoint is None:
        return None
    keys = tuple(keys_of(endpoint, at))
    if not keys:
        _switch_off(endpoint, "its signing key can't be made any more: the desk's own key was replaced", by, at)
        return None
    lane = (
        WebhookLane.objects.select_for_update(skip_locked=True)
        .filter(endpoint=endpoint, next_attempt_at__lte=at)
        .order_by("next_attempt_at", "key")
        .first()
    )
    if lane is None:
        return None
    delivery = _first_of(lane, endpoint, at)
    if delivery is None:
        _set_lane(lane, None)
        return claim_delivery(endpoint_id=endpoint_id, by=by, at=at)
    delivery.attempts += 1
    delivery.save(update_fields=["attempts"])
    token = secrets.token_hex(8)
    _set_lane(lane, at + LEASE, token)
    return Claimed(delivery, endpoint.url, keys, lane.pk, token)


def _first_of(lane: WebhookLane, endpoint: WebhookEndpoint, at: datetime) -> WebhookDelivery | None:
    while (first := _queued(lane)) is not None:
        if first.incident_id is None or may_send(endpoint, first.incident_id):
            return first
        first.cancel("the reader may no longer see the incident", at)
        first.save()
    return None


def _queued(lane: WebhookLane) -> WebhookDelivery | None:
    rows = WebhookDelivery.objects.queued().filter(endpoint_id=lane.endpoint_id)
    return (rows.filter(incident_id=lane.key) if lane.key else rows.filter(incident=None)).first()


def _set_lane(lane: WebhookLane, moment: datetime | None, token: str = "") -> None:
    lane.next_attempt_at, lane.lease_token = moment, token
    lane.save(update_fields=["next_attempt_at", "lease_token"])


@action
def note_outcome(*, claimed: Claimed, outcome: Outcome, by: Actor, at: datetime) -> WebhookDelivery | None:
    """Writes down a call: delivered, to be tried again, given up (records `webhook.given_up`), or the endpoint is gone.

    None when the lease ran out meanwhile and another sender has the lane: then only the call is logged.
    """
    endpoint = WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=claimed.delivery.endpoint_id)
    lane = WebhookLane.objects.select_for_update().get(pk=claimed.lane_id)
    delivery = WebhookDelivery.objects.select_for_update().get(pk=claimed.delivery.pk)
    WebhookAttempt.objects.create(
        delivery=delivery, at=at, took_ms=outcome.took_ms, outcome=outcome.outcome, status=outcome.status,
        detail=outcome.detail[:500],
    )  # fmt: skip
    if lane.lease_token != claimed.token:
        return None
    delivery.last_status, delivery.last_error = outcome.status, outcome.detail[:500]
    if outcome.outcome == WebhookAttempt.Outcome.OK:
        delivery.deliver(at)
        delivery.save()
        _set_lane(lane, at)
        _note_success(endpoint, at)
    else:
        _note_failure(endpoint, lane, delivery, outcome, by, at)
    return delivery


def _note_success(endpoint: WebhookEndpoint, at: datetime) -> None:
    """The receiver is up: whatever waited for it goes on at once."""
    was_down = endpoint.failures >= retrying.FAILURES_OF_RECEIVER
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(
        failures=0, first_failure_at=None, held_until=None, last_success_at=at
    )
    if was_down:
        # Lanes that somebody holds are passed by: waiting for them, in whatever order, could close a circle.
        waiting = WebhookLane.objects.filter(endpoint=endpoint, next_attempt_at__gt=at, lease_token="")
        free = list(waiting.select_for_update(skip_locked=True).values_list("pk", flat=True))
        WebhookLane.objects.filter(pk__in=free).update(next_attempt_at=at)


def _note_failure(
    endpoint: WebhookEndpoint, lane: WebhookLane, delivery: WebhookDelivery, outcome: Outcome, by: Actor, at: datetime
) -> None:
    wait = retrying.delay(delivery.attempts, delivery.webhook_id)
    if wait is None and outcome.status != GONE:
        delivery.give_up(at)
        record(
            WebhookEvent.GIVEN_UP, endpoint, by, at, delivery=delivery.webhook_id, event_kind=delivery.kind,
            attempts=delivery.attempts,
        )  # fmt: skip
    delivery.save()
    _set_lane(lane, at + (wait or timedelta(0)))
    failures, since = endpoint.failures + 1, endpoint.first_failure_at or at
    holds = [retrying.hold(failures, endpoint.name)]
    if outcome.retry_after_s is not None:
        holds.append(min(timedelta(seconds=outcome.retry_after_s), LONGEST_PAUSE))
    hold = max((one for one in holds if one is not None), default=None)
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(
        failures=F("failures") + 1, first_failure_at=since, held_until=at + hold if hold else None
    )
    if outcome.status == GONE:
        _switch_off(endpoint, "the receiver answered 410: it is gone", by, at)
    elif at - since >= timedelta(days=settings.SERVICEDESK_WEBHOOK_DISABLE_DAYS):
        _switch_off(endpoint, f"every call failed since {since:%Y-%m-%d %H:%M} UTC", by, at)


def _switch_off(endpoint: WebhookEndpoint, because: str, by: Actor, at: datetime) -> None:
    """Never silently: an event, a mail to every admin, and a count in /readyz."""
    fresh = WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=endpoint.pk)
    if fresh.state == EndpointState.DISABLED:
        return
    fresh.disable(because)
    fresh.save()
    told = [admin for admin in _admins() if _tell(fresh, admin, by, at)]
    record(WebhookEvent.DISABLED, fresh, by, at, reason=because, told=[one.pk for one in told])


def _admins() -> list[User]:
    return list(User.objects.active().filter(groups__name=Role.ADMIN).order_by("pk").distinct())


def _tell(endpoint: WebhookEndpoint, admin: User, by: Actor, at: datetime) -> bool:
    with translation.override(admin.locale):
        subject = _("Webhook “%(name)s” is switched off") % {"name": endpoint.name}
        body = _(
            "The desk no longer sends to the webhook “%(name)s”.\n\nWhy: %(why)s.\n\n"
            "Its deliveries wait. Once the receiver works, enable it; then replay what happened meanwhile:\n%(url)s\n"
        ) % {
            "name": endpoint.name,
            "why": endpoint.disabled_because,
            "url": f"{settings.SERVICEDESK_URL}/admin/integrations/webhookendpoint/{endpoint.pk}/change/",
        }
    message = enqueue_mail_to_user(
        user=admin, subject=subject, body=body, topic=f"webhook:{endpoint.pk}", about=endpoint, by=by, at=at,
        dedup_key=f"webhook:{endpoint.pk}:off:{endpoint.version}:{admin.pk}",
    )  # fmt: skip
    return message is not None
