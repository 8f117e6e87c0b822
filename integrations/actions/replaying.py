"""Sends again, under the same webhook-id, and sends a test."""

from __future__ import annotations

from datetime import datetime

from audit.actions import action, record
from audit.actor import Actor
from integrations.actions.capturing import capture_missed, new_webhook_id, wake_lanes
from integrations.actions.configuring import NotActive, need_right
from integrations.actions.payloads import FORM
from integrations.events import WebhookEvent
from integrations.models import DeliveryState, EndpointState, WebhookDelivery, WebhookEndpoint

TEST = "webhook.test"
#: Deliveries that one call queues again at most.
MOST = 10_000


@action
def replay_delivery(*, delivery: WebhookDelivery, by: Actor, at: datetime, reason: str = "") -> WebhookDelivery:
    """Queues one delivery again, with the same webhook-id and content; idempotent while it is queued.

    Refused without the right. Records `webhook.replayed`.
    """
    need_right(by, "replay webhooks")
    fresh = WebhookDelivery.objects.select_for_update().get(pk=delivery.pk)
    if fresh.state == DeliveryState.QUEUED:
        return fresh
    _again([fresh], at)
    record(WebhookEvent.REPLAYED, fresh.endpoint, by, at, reason=reason, deliveries=1)
    return fresh


@action
def replay_since(*, endpoint: WebhookEndpoint, since: datetime, by: Actor, at: datetime, reason: str = "") -> int:
    """Queues again what was given up since a moment, and what was missed while the endpoint was switched off.

    What was delivered is not sent twice. Refused without the right. Records `webhook.replayed`; returns how many.
    """
    need_right(by, "replay webhooks")
    ended = WebhookDelivery.objects.select_for_update().filter(
        endpoint=endpoint, state__in=[DeliveryState.FAILED, DeliveryState.CANCELLED], created_at__gte=since
    )
    rows = list(ended.order_by("id")[:MOST])
    _again(rows, at)
    count = len(rows) + capture_missed(endpoint=endpoint, since=since, by=by, at=at, limit=MOST)
    record(WebhookEvent.REPLAYED, endpoint, by, at, reason=reason, deliveries=count)
    return count


def _again(rows: list[WebhookDelivery], at: datetime) -> None:
    for row in rows:
        row.queue_again()
        row.save()
    wake_lanes({(row.endpoint_id, row.incident_id or 0) for row in rows}, at)


@action
def send_test(*, endpoint: WebhookEndpoint, by: Actor, at: datetime) -> WebhookDelivery:
    """Queues a delivery of the kind `webhook.test`, so that the receiver can be tried. Refused unless it is active."""
    need_right(by, "test webhooks")
    if endpoint.state != EndpointState.ACTIVE:
        raise NotActive(f"{endpoint} is not active", field="state", remedy="enable it first")
    payload = {
        "type": TEST, "timestamp": at.isoformat().replace("+00:00", "Z"), "event": None, "form": FORM,
        "data": {"text": "This is a test of the service desk.", "actor": {"kind": str(by.kind), "label": by.label}},
    }  # fmt: skip
    delivery = WebhookDelivery(
        endpoint=endpoint, webhook_id=new_webhook_id(), kind=TEST, payload=payload, created_at=at
    )
    delivery.save()
    wake_lanes({(endpoint.pk, 0)}, at)
    return delivery
