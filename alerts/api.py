"""REST: the intake that monitoring posts to, the alerts, and their sources."""

from __future__ import annotations

import functools
import operator
from datetime import datetime
from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import Throttled
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

import alerts.actions
from alerts import body, queries
from alerts.actions import BadAlert, Receipt
from alerts.adapters import generic
from alerts.models import Alert, AlertSource
from audit.actions import ActionRefused
from audit.defaults import address_of, count, counted
from audit.rest import Call, ConfigViewSet, ReadViewSet, StrictModelSerializer, now_of, verb

#: Alerts of one transaction: what isn't a repeat opens or resolves an incident, each with its own savepoints.
PART = 10
#: Unknown keys from one address a minute, before it has to wait; a guess costs one look-up by index.
UNKNOWN_KEYS, WINDOW = 60, 60


#: So many places of replaced characters are named in an answer.
_MOST_PLACES = 10

#: What the documentation of the API says of the bodies.
DESCRIPTION = (
    "Works a message alert by alert; the same message again only counts repeats, so senders may always retry. The"
    " source's adapter decides how the body is read: Prometheus Alertmanager's webhook as it is, or generic JSON.\n\n"
    f"{generic.__doc__}"
)


class UnknownKey(ActionRefused):
    """No source has this key, or the source is switched off: both look the same from outside."""

    status = 404
    code = "unknown_key"


class BodyTooLarge(BadAlert):
    """The body is larger than the intake reads."""

    status = 413
    code = "body_too_large"


class AnyBody(BaseParser):
    """Takes any content type: monitoring tools name theirs as they like. The view reads the body itself."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return bytes(stream.read(body.MAX_BYTES + 1))


class ReceiptSerializer(serializers.Serializer[Receipt]):
    """What became of a message: number of alerts by outcome, and the incidents touched."""

    outcomes = serializers.DictField(child=serializers.IntegerField())
    incidents = serializers.ListField(child=serializers.CharField(), source="references")
    notes = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="What was changed to keep the alerts."
    )

    def to_representation(self, instance: Receipt) -> dict[str, Any]:
        return {name: value for name, value in super().to_representation(instance).items() if name != "notes" or value}


class IntakeView(APIView):
    """Takes the alerts of a source, whose key is the last part of the path."""

    authentication_classes = []
    permission_classes = []
    throttle_classes = []
    parser_classes = [AnyBody]

    @extend_schema(
        operation_id="intake",
        tags=["intake"],
        description=DESCRIPTION,
        request=OpenApiTypes.ANY,
        responses=ReceiptSerializer,
    )
    def post(self, request: Request, key: str) -> Response:
        """Works a message alert by alert; the same message again only counts repeats, so senders may always retry."""
        return self.answer(request, key)

    def answer(self, request: Request, key: str) -> Response:
        source = _source(request, key)
        payload, places = _decoded(request)
        receipt = _received(source, payload, now_of(request))
        if places:
            shown = ", ".join(places[:_MOST_PLACES]) + (", …" if len(places) > _MOST_PLACES else "")
            receipt += Receipt({}, notes=(f"NUL was replaced by U+FFFD at {shown}",))
        return Response(ReceiptSerializer(receipt).data)


class IntakeByHeaderView(IntakeView):
    """The same, with the key in `X-Intake-Key` or as `Authorization: Bearer`."""

    @extend_schema(
        operation_id="intake_by_header",
        tags=["intake"],
        request=OpenApiTypes.ANY,
        responses=ReceiptSerializer,
        parameters=[OpenApiParameter("X-Intake-Key", str, OpenApiParameter.HEADER, description="The source's key.")],
    )
    def post(self, request: Request) -> Response:  # type: ignore[override]
        """Works a message; the key stands in a header, out of every log of addresses."""
        return self.answer(request, _key_in_headers(request))


def _key_in_headers(request: Request) -> str:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return request.headers.get("X-Intake-Key", "") or (given.strip() if scheme.lower() == "bearer" else "")


def _source(request: Request, key: str) -> AlertSource:
    address = address_of(request)
    if counted("intake-key", address, WINDOW) >= UNKNOWN_KEYS:
        raise Throttled(WINDOW, detail="Too many unknown keys from this address.")
    source = queries.source_of_key(key) if key else None
    if source is None or not source.is_active:
        count("intake-key", address, WINDOW)
        raise UnknownKey("no active alert source has this key", field="key", remedy="copy the key, or rotate it")
    return source


def _decoded(request: Request) -> tuple[object, list[str]]:
    raw: Any = request.data
    try:
        return body.decode_telling(raw if isinstance(raw, bytes) else b"")
    except body.BadBody as error:
        refusal = BodyTooLarge if error.too_large else BadAlert
        raise refusal(str(error), field=error.place, remedy="send JSON as the source's adapter reads it") from error


def _received(source: AlertSource, payload: object, at: datetime) -> Receipt:
    """Repeats in one statement, the rest in parts; a message cut off in the middle is sent again by its source."""
    by = queries.actor_of(source)
    repeats, rest = alerts.actions.count_repeats(source=source, payload=payload, by=by, at=at)
    parts = [
        alerts.actions.receive(source=source, payload=part, by=by, at=at)
        for part in ([rest] if rest.is_ordered else rest.parts(PART))
    ]
    return functools.reduce(operator.add, parts, repeats)


class AlertSerializer(StrictModelSerializer):
    """An alert as its source told it, and the incident that it belongs to."""

    incident = serializers.CharField(source="incident.reference", default=None, read_only=True)

    class Meta:
        model = Alert
        fields = (
            "id", "source", "fingerprint", "group_key", "state", "title", "severity", "impact", "urgency", "url",
            "labels", "annotations", "payload", "last_payload", "occurred_at", "detected_at", "last_seen_at",
            "resolved_at", "repeat_count", "has_opened", "is_suppressed", "incident",
        )  # fmt: skip
        read_only_fields = fields


class AlertViewSet(ReadViewSet):
    """Alerts, newest first."""

    queryset = Alert.objects.select_related("incident")
    serializer_class = AlertSerializer
    search_fields = ("title", "fingerprint")
    filterset_fields: ClassVar[dict[str, list[str]]] = {
        "source": ["exact"],
        "state": ["exact"],
        "fingerprint": ["exact"],
        "incident__number": ["exact"],
        "is_suppressed": ["exact"],
        "detected_at": ["gte", "lt"],
    }


class AlertSourceSerializer(StrictModelSerializer):
    """A source; its key is shown only when it is made."""

    class Meta:
        model = AlertSource
        fields = (
            "id", "name", "adapter", "is_active", "key_prefix", "service", "service_label", "team", "grouping",
            "severity_label", "severities", "impact", "urgency", "on_recovery", "recovery_code", "storm_limit",
            "is_drill", "version",
        )  # fmt: skip
        read_only_fields = ("id", "key_prefix", "version")


class IssuedSourceSerializer(AlertSourceSerializer):
    """A source with its key, this once."""

    key = serializers.CharField(read_only=True)

    class Meta(AlertSourceSerializer.Meta):
        fields = (*AlertSourceSerializer.Meta.fields, "key")  # type: ignore[assignment]


class AlertSourceViewSet(ConfigViewSet):
    """Who may send alerts, and what becomes of them."""

    queryset = AlertSource.objects.all()
    serializer_class = AlertSourceSerializer
    search_fields = ("name",)
    filterset_fields = ("adapter", "is_active", "service", "team")
    shown_once: ClassVar[tuple[str, ...]] = ("key",)

    def get_serializer_class(self) -> Any:
        return IssuedSourceSerializer if self.action == "create" else AlertSourceSerializer

    def create_row(self, values: dict[str, Any]) -> AlertSource:
        source, key = alerts.actions.create_source(values=values, by=self.actor, at=self.now)
        source.key = key  # type: ignore[attr-defined]
        return source

    def change_row(self, row: AlertSource, values: dict[str, Any], expected_version: int | None) -> AlertSource:
        return alerts.actions.change_source(
            source=row, values=values, by=self.actor, at=self.now, expected_version=expected_version
        )

    @verb(shows=IssuedSourceSerializer)
    def rotate(self, call: Call) -> AlertSource:
        """Gives the source a new key, shown this once; the old one is dead at once."""
        source, key = alerts.actions.rotate_key(
            source=call.row, by=call.by, at=call.at, expected_version=call.expected_version
        )
        source.key = key  # type: ignore[attr-defined]
        return source


ROUTES = [("alerts", AlertViewSet), ("alert-sources", AlertSourceViewSet)]
