"""The events by REST: what happened, in order; it shows several apps, so it lives with the project."""

from __future__ import annotations

from typing import Any, ClassVar

import django_filters
from django.db.models import Q, QuerySet
from rest_framework import serializers

from accounts.roles import Role
from audit.models import Event
from audit.rest import ReadViewSet, StrictFilterSet
from incidents import permissions
from incidents.models import Incident

#: Who reads every event; the others read those of the incidents that they may see.
READS_ALL = (Role.ADMIN, Role.AUDITOR)
INCIDENT = Incident._meta.label_lower


class EventSerializer(serializers.ModelSerializer[Event]):
    """One event, as it was recorded."""

    class Meta:
        model = Event
        fields: ClassVar[list[str]] = [
            "id", "kind", "subject_type", "subject_id", "about_type", "about_id", "at", "recorded_at", "actor_kind",
            "actor_id", "actor_label", "on_behalf_of", "channel", "request_id", "reason", "data",
        ]  # fmt: skip


class EventFilter(StrictFilterSet):
    incident = django_filters.CharFilter(method="of_incident", label="reference of an incident")
    since = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt")

    class Meta:
        model = Event
        fields: ClassVar[list[str]] = ["kind", "subject_type", "subject_id", "about_type", "about_id"]

    def of_incident(self, rows: QuerySet[Event], name: str, value: str) -> QuerySet[Event]:
        digits = value.upper().removeprefix("INC-")
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else 0
        ids = Incident.objects.filter(number=number).values_list("pk", flat=True)
        return rows.filter(about_type=INCIDENT, about_id__in=list(ids))


class EventViewSet(ReadViewSet):
    """Append-only; each page's cursor is a place in the stream, so a program can follow it."""

    serializer_class = EventSerializer
    filterset_class = EventFilter
    orderings: ClassVar[dict[str, tuple[str, ...]]] = {"newest": ("-id",), "oldest": ("id",)}

    def get_queryset(self) -> QuerySet[Event]:
        rows = Event.objects.all()
        if self.actor.has_role(*READS_ALL):
            return rows
        if not permissions.can_triage(self.actor):
            return rows.none()
        visible = Incident.objects.visible_to(self.actor).values("pk")
        return rows.filter(Q(about_type=INCIDENT, about_id__in=visible))


ROUTES: list[tuple[str, Any]] = [("events", EventViewSet)]
