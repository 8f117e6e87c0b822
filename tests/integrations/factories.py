"""One factory for each model of the integrations."""

from __future__ import annotations

import datetime as dt
from typing import Any

import factory
from django.conf import settings
from factory.django import DjangoModelFactory

from integrations.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookLane
from integrations.webhooks import signing

AT = dt.datetime(2026, 3, 9, 9, 0, tzinfo=dt.UTC)
SALT = b"5" * 32


def secret_of(endpoint: WebhookEndpoint) -> str:
    return signing.shown(signing.derived(settings.SECRET_KEY, bytes(endpoint.key_salt)))


class WebhookEndpointFactory(DjangoModelFactory[WebhookEndpoint]):
    """Asks for everything about incidents, with a known key."""

    class Meta:
        model = WebhookEndpoint

    name = factory.Sequence(lambda n: f"Receiver {n}")
    url = "https://hooks.example.org/in"
    kinds = ["incident.*"]
    key_salt = SALT
    key_check = factory.LazyAttribute(
        lambda one: signing.check(signing.derived(settings.SECRET_KEY, bytes(one.key_salt)))
    )


class WebhookDeliveryFactory(DjangoModelFactory[WebhookDelivery]):
    class Meta:
        model = WebhookDelivery

    endpoint = factory.SubFactory(WebhookEndpointFactory)
    webhook_id = factory.Sequence(lambda n: f"msg_{n:032x}")
    kind = "webhook.test"
    payload: dict[str, Any] = {"type": "webhook.test"}
    created_at = AT


class WebhookAttemptFactory(DjangoModelFactory[WebhookAttempt]):
    class Meta:
        model = WebhookAttempt

    delivery = factory.SubFactory(WebhookDeliveryFactory)
    at = AT
    took_ms = 12
    outcome = "ok"


class WebhookLaneFactory(DjangoModelFactory[WebhookLane]):
    class Meta:
        model = WebhookLane

    endpoint = factory.SubFactory(WebhookEndpointFactory)
    key = 0
