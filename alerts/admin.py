"""Alerts and their sources in the admin; keys are shown once, in the answer that makes them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

import alerts.actions
from alerts.models import Alert, AlertSource
from alerts.permissions import SOURCE_READERS, can_configure
from audit.actor import Actor
from audit.admin import ReadOnlyAdmin, TrackedAdmin, Transition


def _rotate(row: AlertSource, *, by: Actor, at: Any, expected_version: int | None) -> None:
    _source, key = alerts.actions.rotate_key(source=row, by=by, at=at, expected_version=expected_version)
    row.__dict__["shown_once"] = key


@admin.register(AlertSource)
class AlertSourceAdmin(TrackedAdmin):
    """Who may send alerts, how they are read, and what becomes of them."""

    view_roles = SOURCE_READERS
    list_display = ("name", "adapter", "key_prefix", "service", "team", "grouping", "on_recovery", "is_active")
    list_filter = ("adapter", "is_active", "on_recovery")
    list_select_related = ("service", "team")
    search_fields = ("name", "key_prefix")
    readonly_fields = ("key_prefix", "address")
    fields = (
        "name",
        "adapter",
        "is_active",
        "key_prefix",
        "address",
        "service",
        "service_label",
        "team",
        "grouping",
        "severity_label",
        "severities",
        ("impact", "urgency"),
        "on_recovery",
        "recovery_code",
        "storm_limit",
        "is_drill",
    )
    transitions: ClassVar[dict[str, Transition]] = {
        "rotate": Transition(
            label=_("Replace the key"), run=_rotate, is_grave=True, allowed=lambda actor, row: can_configure(actor)
        )
    }

    @admin.display(description=_("address"))
    def address(self, row: AlertSource) -> str:
        """Where monitoring posts to; the key itself is known only to whoever was shown it."""
        return format_html("POST /api/v1/intake/{}_…/", row.key_prefix) if row.pk else "—"

    def create_row(self, values: dict[str, Any], *, by: Actor, at: Any) -> AlertSource:
        source, key = alerts.actions.create_source(values=values, by=by, at=at)
        source.__dict__["shown_once"] = key
        return source

    def change_row(
        self, row: AlertSource, values: dict[str, Any], *, by: Actor, at: Any, expected_version: int | None
    ) -> AlertSource:
        return alerts.actions.change_source(source=row, values=values, by=by, at=at, expected_version=expected_version)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> AlertSource | None:
        found: AlertSource | None = super().get_object(request, object_id, from_field)
        request._alert_source = found  # type: ignore[attr-defined]
        return found

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> HttpResponse:
        return self._key_page(request, obj)

    def transition_view(self, request: HttpRequest, object_id: str, transition: str) -> HttpResponse:
        """A replaced key is shown in the answer itself: a message would leave it in a cookie."""
        answer = super().transition_view(request, object_id, transition)
        source = getattr(request, "_alert_source", None)
        return self._key_page(request, source) if source is not None and "shown_once" in source.__dict__ else answer

    def _key_page(self, request: HttpRequest, source: AlertSource) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("The key"),
            "opts": self.opts,
            "original": source,
            "key": source.__dict__["shown_once"],
        }
        answer = render(request, "alerts/key_issued.html", context)
        answer.headers["Cache-Control"] = "no-store"
        return answer


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """Alerts as their sources told them."""

    view_roles = SOURCE_READERS
    list_display = ("title", "state", "source", "severity", "incident", "repeat_count", "detected_at", "last_seen_at")
    list_filter = ("state", "is_suppressed", "source")
    list_select_related = ("source", "incident")
    search_fields = ("title", "fingerprint")
    date_hierarchy = None
    ordering = ("-id",)
