"""Calendars and policies to edit; versions, clocks, fired thresholds, breaches and the queue to look at."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin

from audit.admin import ReadOnlyAdmin, TrackedAdmin
from sla.forms import SlaPolicyForm
from sla.models import (
    Breach,
    BreachVoid,
    Calendar,
    CalendarVersion,
    Clock,
    PolicyVersion,
    QueueEntry,
    SlaPolicy,
    ThresholdFired,
)


@admin.register(Calendar)
class CalendarAdmin(TrackedAdmin):
    list_display = ("name", "zone", "country", "region")
    search_fields = ("name",)


@admin.register(SlaPolicy)
class SlaPolicyAdmin(TrackedAdmin):
    form = SlaPolicyForm
    list_display = ("position", "name", "is_active", "priorities", "calendar")
    list_display_links = ("name",)
    list_filter = ("is_active", "calendar")
    search_fields = ("name",)


@admin.register(CalendarVersion, PolicyVersion)
class VersionAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "created_at")
    ordering = ("-id",)


@admin.register(Clock)
class ClockAdmin(ReadOnlyAdmin):
    list_display = ("incident", "target", "cycle", "state", "priority", "due_at", "breached_at")
    list_filter = ("target", "state")
    search_fields = ("=incident__number",)
    list_select_related = ("incident",)
    ordering = ("-id",)
    raw_id_fields: ClassVar[Any] = ("incident", "policy_version", "calendar_version")


@admin.register(ThresholdFired)
class ThresholdFiredAdmin(ReadOnlyAdmin):
    list_display = ("clock", "cycle", "percent", "reached_at", "fired_at")
    list_select_related = ("clock",)
    ordering = ("-id",)


@admin.register(Breach)
class BreachAdmin(ReadOnlyAdmin):
    list_display = ("incident", "target", "cycle", "at", "cause", "decided_at")
    list_filter = ("target", "cause")
    search_fields = ("=incident__number",)
    list_select_related = ("incident",)
    ordering = ("-id",)


@admin.register(BreachVoid)
class BreachVoidAdmin(ReadOnlyAdmin):
    list_display = ("breach", "voided_by", "at")
    list_select_related = ("breach",)
    ordering = ("-id",)


@admin.register(QueueEntry)
class QueueEntryAdmin(ReadOnlyAdmin):
    list_display = ("incident", "team", "assignee", "priority", "state", "due_at", "target", "is_breached")
    list_filter = ("state", "is_breached")
    list_select_related = ("incident", "team", "assignee")
    ordering = ("due_at", "incident")
