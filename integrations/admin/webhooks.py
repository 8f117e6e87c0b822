"""Webhooks and their deliveries in the admin; signing keys are shown once, in the answer that makes them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from audit.actor import Actor
from audit.admin import ReadOnlyAdmin, TrackedAdmin, Transition
from integrations import actions
from integrations.models import DeliveryState, EndpointState, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from integrations.permissions import WEBHOOK_READERS, can_configure_webhooks


class RotateForm(forms.Form):
    overlap_hours = forms.IntegerField(
        label=_("hours for which the old key signs too"), min_value=0, max_value=168, initial=24
    )


class SinceForm(forms.Form):
    since = forms.DateTimeField(label=_("since"))


def _rotate(row: WebhookEndpoint, *, by: Actor, at: Any, expected_version: int | None, overlap_hours: int) -> None:
    _endpoint, secret = actions.rotate_webhook_key(
        endpoint=row, by=by, at=at, expected_version=expected_version, overlap=timedelta(hours=overlap_hours)
    )
    row.__dict__["shown_once"] = secret


def _pause(row: WebhookEndpoint, *, by: Actor, at: Any, expected_version: int | None) -> None:
    actions.pause_webhook(endpoint=row, by=by, at=at, expected_version=expected_version)


def _enable(row: WebhookEndpoint, *, by: Actor, at: Any, expected_version: int | None) -> None:
    actions.enable_webhook(endpoint=row, by=by, at=at, expected_version=expected_version)


def _test(row: WebhookEndpoint, *, by: Actor, at: Any, expected_version: int | None) -> None:
    actions.send_test(endpoint=row, by=by, at=at)


def _replay_since(row: WebhookEndpoint, *, by: Actor, at: Any, expected_version: int | None, since: Any) -> None:
    actions.replay_since(endpoint=row, since=since, by=by, at=at)


def _replay(row: WebhookDelivery, *, by: Actor, at: Any, expected_version: int | None) -> None:
    actions.replay_delivery(delivery=row, by=by, at=at)


def _may(*states: str) -> Any:
    return lambda actor, row: can_configure_webhooks(actor) and row.state in states


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(TrackedAdmin):
    """Who is told what, by signed webhooks, and how it fares."""

    view_roles = WEBHOOK_READERS
    list_display = ("name", "url", "kinds", "state", "failures", "first_failure_at", "last_success_at")
    list_filter = ("state",)
    search_fields = ("name", "url")
    autocomplete_fields = ("reader",)
    readonly_fields = (
        "state", "disabled_because", "key_number", "old_key_until", "failures", "first_failure_at", "held_until",
        "last_success_at",
    )  # fmt: skip
    fields = ("name", "url", "kinds", "reader", "includes_internal", "includes_restricted", *readonly_fields)
    transitions: ClassVar[dict[str, Transition]] = {
        "test": Transition(label=_("Send a test"), run=_test, allowed=_may(EndpointState.ACTIVE)),
        "pause": Transition(label=_("Pause"), run=_pause, allowed=_may(EndpointState.ACTIVE)),
        "enable": Transition(
            label=_("Enable"), run=_enable, allowed=_may(EndpointState.PAUSED, EndpointState.DISABLED)
        ),
        "replay": Transition(
            label=_("Send again what was given up or missed"), run=_replay_since, form=SinceForm,
            allowed=_may(*EndpointState.values),
        ),
        "rotate": Transition(
            label=_("Replace the signing key"), run=_rotate, form=RotateForm, is_grave=True,
            allowed=_may(*EndpointState.values),
        ),
    }  # fmt: skip

    def create_row(self, values: dict[str, Any], *, by: Actor, at: Any) -> WebhookEndpoint:
        endpoint, secret = actions.create_webhook(values=values, by=by, at=at)
        endpoint.__dict__["shown_once"] = secret
        return endpoint

    def change_row(
        self, row: WebhookEndpoint, values: dict[str, Any], *, by: Actor, at: Any, expected_version: int | None
    ) -> WebhookEndpoint:
        return actions.change_webhook(endpoint=row, values=values, by=by, at=at, expected_version=expected_version)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> WebhookEndpoint | None:
        found: WebhookEndpoint | None = super().get_object(request, object_id, from_field)
        request._webhook = found  # type: ignore[attr-defined]
        return found

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> HttpResponse:
        return self._key_page(request, obj)

    def transition_view(self, request: HttpRequest, object_id: str, transition: str) -> HttpResponse:
        """A replaced key is shown in the answer itself: a message would leave it in a cookie."""
        answer = super().transition_view(request, object_id, transition)
        endpoint = getattr(request, "_webhook", None)
        has_key = endpoint is not None and "shown_once" in endpoint.__dict__
        return self._key_page(request, endpoint) if has_key else answer

    def _key_page(self, request: HttpRequest, endpoint: WebhookEndpoint | None) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("The signing key"),
            "opts": self.opts,
            "original": endpoint,
            "key": endpoint.__dict__["shown_once"] if endpoint else "",
        }
        answer = render(request, "integrations/key_issued.html", context)
        answer.headers["Cache-Control"] = "no-store"
        return answer


class AttemptInline(admin.TabularInline):
    model = WebhookAttempt
    fields = readonly_fields = ("at", "took_ms", "outcome", "status", "detail")
    extra = 0
    can_delete = False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    """The log: what was sent, what waits, what was given up, each with every call."""

    view_roles = WEBHOOK_READERS
    list_display = ("webhook_id", "endpoint", "kind", "incident", "state", "attempts", "last_status", "created_at")
    list_filter = ("state", "endpoint")
    list_select_related = ("endpoint", "incident")
    search_fields = ("=webhook_id", "=kind")
    inlines = (AttemptInline,)
    ordering = ("-id",)
    transitions: ClassVar[dict[str, Transition]] = {
        "replay": Transition(
            label=_("Send again"), run=_replay,
            allowed=_may(DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.CANCELLED),
        )
    }  # fmt: skip
