"""REST: webhooks that go out, their verbs, and the log of their deliveries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from rest_framework import serializers, status
from rest_framework.response import Response

import incidents.queries
from audit.rest import (
    Call,
    ConfigViewSet,
    InstantField,
    ReadViewSet,
    StrictFilterSet,
    StrictModelSerializer,
    StrictSerializer,
    verb,
)
from integrations import actions
from integrations.models import DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint


class WebhookSerializer(StrictModelSerializer):
    """A webhook: where it listens, what it asks for, with whose eyes it reads, and how it fares."""

    class Meta:
        model = WebhookEndpoint
        fields: ClassVar[tuple[str, ...]] = (
            "id", "name", "url", "kinds", "reader", "includes_internal", "includes_restricted", "state",
            "disabled_because", "key_number", "old_key_until", "failures", "first_failure_at", "held_until",
            "last_success_at", "version",
        )  # fmt: skip
        read_only_fields = (
            "id", "state", "disabled_because", "key_number", "old_key_until", "failures", "first_failure_at",
            "held_until", "last_success_at", "version",
        )  # fmt: skip


class IssuedWebhookSerializer(WebhookSerializer):
    """A webhook with its signing key, this once."""

    secret = serializers.CharField(read_only=True)

    class Meta(WebhookSerializer.Meta):
        fields: ClassVar[tuple[str, ...]] = (*WebhookSerializer.Meta.fields, "secret")


class RotateInput(StrictSerializer):
    overlap_hours = serializers.IntegerField(
        required=False, min_value=0, max_value=168, default=24, help_text="For how long the old key signs too."
    )


class SinceInput(StrictSerializer):
    since = InstantField(help_text="What was given up or missed since then is sent; what was delivered is not.")


class ReplayedSerializer(serializers.Serializer[Any]):
    """How many deliveries were queued again."""

    deliveries = serializers.IntegerField()


class AttemptSerializer(serializers.ModelSerializer[WebhookAttempt]):
    class Meta:
        model = WebhookAttempt
        fields: ClassVar[list[str]] = ["at", "took_ms", "outcome", "status", "detail"]


class DeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    """One event for one webhook."""

    incident = serializers.CharField(source="incident.reference", default=None, read_only=True)

    class Meta:
        model = WebhookDelivery
        fields: ClassVar[list[str]] = [
            "id", "endpoint", "webhook_id", "event_id", "incident", "kind", "state", "attempts", "last_status",
            "last_error", "created_at", "ended_at",
        ]  # fmt: skip


class DeliveryDetailSerializer(DeliverySerializer):
    """A delivery with its content and every call."""

    calls = AttemptSerializer(many=True, read_only=True)

    class Meta(DeliverySerializer.Meta):
        fields: ClassVar[list[str]] = [*DeliverySerializer.Meta.fields, "payload", "calls"]


class WebhookViewSet(ConfigViewSet):
    """Receivers of signed webhooks (Standard Webhooks)."""

    queryset = WebhookEndpoint.objects.all()
    serializer_class = WebhookSerializer
    search_fields = ("name", "url")
    filterset_fields = ("state", "reader")
    shown_once: ClassVar[tuple[str, ...]] = ("secret",)

    def get_serializer_class(self) -> Any:
        return IssuedWebhookSerializer if self.action == "create" else WebhookSerializer

    def create_row(self, values: dict[str, Any]) -> WebhookEndpoint:
        endpoint, secret = actions.create_webhook(values=values, by=self.actor, at=self.now)
        endpoint.__dict__["secret"] = secret
        return endpoint

    def change_row(self, row: WebhookEndpoint, values: dict[str, Any], expected_version: int | None) -> WebhookEndpoint:
        return actions.change_webhook(
            endpoint=row, values=values, by=self.actor, at=self.now, expected_version=expected_version
        )

    @verb(RotateInput, shows=IssuedWebhookSerializer)
    def rotate_secret(self, call: Call) -> WebhookEndpoint:
        """Gives a new signing key, shown this once; the old one signs beside it for a while."""
        endpoint, secret = actions.rotate_webhook_key(
            **_of(call), overlap=timedelta(hours=call.data.get("overlap_hours", 24))
        )
        endpoint.__dict__["secret"] = secret
        return endpoint

    @verb()
    def pause(self, call: Call) -> WebhookEndpoint:
        """Stops sending; what happens meanwhile waits."""
        return actions.pause_webhook(**_of(call))

    @verb()
    def enable(self, call: Call) -> WebhookEndpoint:
        """Sends again, what waits first."""
        return actions.enable_webhook(**_of(call))

    @verb(shows=DeliverySerializer, status=status.HTTP_202_ACCEPTED)
    def test(self, call: Call) -> WebhookDelivery:
        """Queues a delivery of the kind `webhook.test`."""
        return actions.send_test(endpoint=call.row, by=call.by, at=call.at)

    @verb(SinceInput, shows=ReplayedSerializer, status=status.HTTP_202_ACCEPTED)
    def replay(self, call: Call) -> Any:
        """Queues again what was given up, and what was missed while switched off, since a moment."""
        count = actions.replay_since(endpoint=call.row, by=call.by, at=call.at, **call.data)
        return Response({"deliveries": count}, status=status.HTTP_202_ACCEPTED)


def _of(call: Call) -> dict[str, Any]:
    return {"endpoint": call.row, "by": call.by, "at": call.at, "expected_version": call.expected_version}


class DeliveryFilter(StrictFilterSet):
    state = django_filters.MultipleChoiceFilter(choices=DeliveryState.choices)
    incident = django_filters.CharFilter(method="of_incident", label="reference of an incident")

    class Meta:
        model = WebhookDelivery
        fields: ClassVar[list[str]] = ["endpoint", "kind", "webhook_id", "event_id"]

    def of_incident(self, rows: QuerySet[WebhookDelivery], name: str, value: str) -> QuerySet[WebhookDelivery]:
        return rows.filter(incident__number=incidents.queries.number_of(value) or 0)


class WebhookDeliveryViewSet(ReadViewSet):
    """What was sent to webhooks, what waits and what was given up, newest first."""

    queryset = WebhookDelivery.objects.select_related("incident")
    serializer_class = DeliverySerializer
    filterset_class = DeliveryFilter
    scope = "webhooks"

    def get_serializer_class(self) -> Any:
        return DeliveryDetailSerializer if self.action == "retrieve" else DeliverySerializer

    @verb(shows=DeliverySerializer, status=status.HTTP_202_ACCEPTED)
    def replay(self, call: Call) -> WebhookDelivery:
        """Sends it again, with the same webhook-id and content."""
        return actions.replay_delivery(delivery=call.row, by=call.by, at=call.at)


ROUTES: list[tuple[str, Any]] = [("webhooks", WebhookViewSet), ("webhook-deliveries", WebhookDeliveryViewSet)]
