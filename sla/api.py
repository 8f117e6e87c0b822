"""Clocks, calendars and SLA policies by REST."""

from __future__ import annotations

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from rest_framework import serializers

from audit.rest import ConfigViewSet, ReadViewSet, StrictFilterSet, StrictModelSerializer, WholeFilter, now_of
from sla import queries
from sla.models import Calendar, Clock, SlaPolicy


class ClockSerializer(serializers.ModelSerializer[Clock]):
    """A clock now: `elapsed_s` counts to the moment of the answer."""

    incident = serializers.CharField(source="incident.reference", read_only=True)
    policy = serializers.CharField(source="policy_version.policy.name", read_only=True, default=None)
    policy_version = serializers.IntegerField(source="policy_version.number", read_only=True, default=None)
    calendar = serializers.CharField(source="calendar_version.calendar.name", read_only=True, default=None)
    calendar_version = serializers.IntegerField(source="calendar_version.number", read_only=True, default=None)
    elapsed_s = serializers.SerializerMethodField()

    class Meta:
        model = Clock
        fields: ClassVar[list[str]] = [
            "id", "incident", "target", "cycle", "state", "priority", "policy", "policy_version", "calendar",
            "calendar_version", "started_at", "budget_s", "elapsed_s", "due_at", "paused_at", "stopped_at",
            "breached_at", "breach_cause", "fired_percent", "next_threshold", "next_threshold_at",
        ]  # fmt: skip

    def get_elapsed_s(self, clock: Clock) -> int:
        return queries.elapsed(clock, now_of(self.context["request"]))


class ClockFilter(StrictFilterSet):
    incident = django_filters.CharFilter(method="of_incident", label="reference of an incident")
    breached = django_filters.BooleanFilter(field_name="breached_at", lookup_expr="isnull", exclude=True)
    due_before = django_filters.IsoDateTimeFilter(field_name="due_at", lookup_expr="lt")
    policy = WholeFilter(field_name="policy_version__policy_id")

    class Meta:
        model = Clock
        fields: ClassVar[list[str]] = ["target", "state", "cycle", "priority"]

    def of_incident(self, rows: QuerySet[Clock], name: str, value: str) -> QuerySet[Clock]:
        digits = value.strip().upper().removeprefix("INC-")
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else 0
        return rows.filter(incident__number=number)


class ClockViewSet(ReadViewSet):
    """What was promised for an incident and how it fares; computed, so nothing here can be written."""

    queryset = Clock.objects.select_related("incident", "policy_version__policy", "calendar_version__calendar")
    serializer_class = ClockSerializer
    filterset_class = ClockFilter
    speaks_versions = False


class CalendarSerializer(StrictModelSerializer):
    """Working hours: windows per weekday, holidays by date or country, special days."""

    current_version = serializers.SerializerMethodField()

    class Meta:
        model = Calendar
        fields: ClassVar[list[str]] = [
            "id", "name", "zone", "week", "holidays", "special", "country", "region", "current_version", "version",
        ]  # fmt: skip
        read_only_fields: ClassVar[list[str]] = ["version"]

    def get_current_version(self, calendar: Calendar) -> int | None:
        """The number that new clocks refer to."""
        return max((one.number for one in calendar.versions.all()), default=None)


class CalendarViewSet(ConfigViewSet):
    """Calendars; each change makes a version, and running clocks keep theirs."""

    queryset = Calendar.objects.prefetch_related("versions")
    serializer_class = CalendarSerializer
    filterset_fields: ClassVar[dict[str, list[str]]] = {"name": ["exact"], "zone": ["exact"], "country": ["exact"]}
    search_fields = ("name",)


class SlaPolicySerializer(StrictModelSerializer):
    """What is promised to whom; `targets` are seconds (or days) per target and priority."""

    current_version = serializers.SerializerMethodField()

    class Meta:
        model = SlaPolicy
        fields: ClassVar[list[str]] = [
            "id", "name", "position", "is_active", "priorities", "kinds", "categories", "services", "teams",
            "organisations", "calendar", "targets", "pause_reasons", "resolve_stops_at", "on_priority_change",
            "on_reopen", "thresholds", "repeat_percent", "on_breach", "auto_close_days", "current_version", "version",
        ]  # fmt: skip
        read_only_fields: ClassVar[list[str]] = ["version"]

    def get_current_version(self, policy: SlaPolicy) -> int | None:
        """The number that new clocks refer to."""
        return max((one.number for one in policy.versions.all()), default=None)


class SlaPolicyViewSet(ConfigViewSet):
    """Policies in the order in which they are tried; each change makes a version, and running clocks keep theirs."""

    queryset = SlaPolicy.objects.prefetch_related("versions")
    serializer_class = SlaPolicySerializer
    filterset_fields: ClassVar[dict[str, list[str]]] = {
        "name": ["exact"],
        "is_active": ["exact"],
        "calendar": ["exact"],
    }
    search_fields = ("name",)
    ordering: ClassVar[tuple[str, ...]] = ("position",)


ROUTES: list[tuple[str, Any]] = [
    ("clocks", ClockViewSet),
    ("calendars", CalendarViewSet),
    ("sla-policies", SlaPolicyViewSet),
]
