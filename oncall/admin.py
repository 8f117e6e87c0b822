"""Rotas and policies to edit as wholes, their parts and the pages to look at."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

import oncall.actions
from audit.actor import Actor
from audit.admin import ReadOnlyAdmin, TrackedAdmin, Transition
from oncall.forms import EscalationPolicyForm, ScheduleForm
from oncall.models import (
    BreachRule,
    EscalationPolicy,
    Layer,
    Level,
    LevelTarget,
    LinkUse,
    Override,
    Page,
    PageNotification,
    PageState,
    PolicyAssignment,
    ResponderLink,
    RotationMember,
    Schedule,
)


class WholeAdmin(TrackedAdmin):
    """A rota or a policy with its parts: who may change it gets them as one form, who may only look as text."""

    shown_parts: ClassVar[dict[str, str]] = {}

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_fields(request, obj)
        if getattr(request, "_shows_the_past", False):  # its row is the whole's own; each part has its own history
            return [name for name in fields if name not in self.shown_parts]
        if self.has_change_permission(request, obj):
            return fields
        return [self.shown_parts.get(str(name), name) for name in fields]

    def _part(self, row: Any, name: str) -> SafeString:
        form: Any = self.form(instance=row)
        return format_html("<pre>{}</pre>", json.dumps(form.initial.get(name, []), indent=1, ensure_ascii=False))


@admin.register(Schedule)
class ScheduleAdmin(WholeAdmin):
    form = ScheduleForm
    shown_parts: ClassVar[dict[str, str]] = {"layers": "layers_shown", "overrides": "overrides_shown"}
    list_display = ("name", "zone", "team", "changed_at")
    list_select_related = ("team",)
    search_fields = ("name",)

    def create_row(self, values: dict[str, Any], *, by: Actor, at: Any) -> Schedule:
        return oncall.actions.save_schedule(values=values, by=by, at=at)

    def change_row(
        self, row: Any, values: dict[str, Any], *, by: Actor, at: Any, expected_version: int | None
    ) -> Schedule:
        return oncall.actions.save_schedule(
            schedule=row, values=values, by=by, at=at, expected_version=expected_version
        )

    @admin.display(description=_("Layers"))
    def layers_shown(self, row: Any) -> SafeString:
        return self._part(row, "layers")

    @admin.display(description=_("Overrides"))
    def overrides_shown(self, row: Any) -> SafeString:
        return self._part(row, "overrides")


@admin.register(EscalationPolicy)
class EscalationPolicyAdmin(WholeAdmin):
    form = EscalationPolicyForm
    shown_parts: ClassVar[dict[str, str]] = {"levels": "levels_shown"}
    list_display = ("name", "is_active", "priority_threshold", "repeats", "ack_timeout_s", "changed_at")
    list_filter = ("is_active",)
    search_fields = ("name",)

    def create_row(self, values: dict[str, Any], *, by: Actor, at: Any) -> EscalationPolicy:
        return oncall.actions.save_policy(values=values, by=by, at=at)

    def change_row(
        self, row: Any, values: dict[str, Any], *, by: Actor, at: Any, expected_version: int | None
    ) -> EscalationPolicy:
        return oncall.actions.save_policy(policy=row, values=values, by=by, at=at, expected_version=expected_version)

    @admin.display(description=_("Levels"))
    def levels_shown(self, row: Any) -> SafeString:
        return self._part(row, "levels")


class PartAdmin(TrackedAdmin):
    """A part of a rota or policy, to look at with its history; changed with the whole."""

    can_add = can_change = can_delete = False


@admin.register(Layer)
class LayerAdmin(PartAdmin):
    list_display = ("name", "schedule", "priority", "unit", "shift_length", "start_on", "handover_time")
    list_select_related = ("schedule",)


@admin.register(RotationMember)
class RotationMemberAdmin(PartAdmin):
    list_display = ("user", "layer", "position")
    list_select_related = ("user", "layer__schedule")


@admin.register(Override)
class OverrideAdmin(PartAdmin):
    list_display = ("user", "schedule", "starts_at", "ends_at")
    list_select_related = ("user", "schedule")


@admin.register(Level)
class LevelAdmin(PartAdmin):
    list_display = ("policy", "position", "delay_s")
    list_select_related = ("policy",)


@admin.register(LevelTarget)
class LevelTargetAdmin(PartAdmin):
    list_display = ("level", "user", "team", "schedule")
    list_select_related = ("level__policy", "user", "team", "schedule")


@admin.register(PolicyAssignment)
class PolicyAssignmentAdmin(TrackedAdmin):
    list_display = ("policy", "service", "team")
    list_select_related = ("policy", "service", "team")


@admin.register(BreachRule)
class BreachRuleAdmin(TrackedAdmin):
    list_display = ("name", "is_active", "target", "percent", "escalation_policy")
    list_filter = ("is_active", "target")
    list_select_related = ("escalation_policy",)
    search_fields = ("name",)


@admin.register(Page)
class PageAdmin(ReadOnlyAdmin):
    list_display = ("id", "incident", "policy_name", "state", "round", "level", "escalate_at", "acknowledged_by")
    list_filter = ("state", "is_drill")
    list_select_related = ("incident", "acknowledged_by")
    search_fields = ("=incident__number",)
    ordering = ("-id",)
    transitions: ClassVar[dict[str, Transition]] = {
        "acknowledge": Transition(
            label=_("I am on it"),
            allowed=lambda actor, row: actor.is_person and row.state in (PageState.RUNNING, PageState.EXHAUSTED),
            run=lambda row, expected_version, **more: oncall.actions.acknowledge_page(page_id=row.pk, **more),
        ),
        "pass-on": Transition(
            label=_("Pass on"),
            allowed=lambda actor, row: actor.is_person and row.state in (PageState.RUNNING, PageState.ACKNOWLEDGED),
            run=lambda row, expected_version, **more: oncall.actions.pass_on(page_id=row.pk, **more),
        ),
    }


@admin.register(PageNotification)
class PageNotificationAdmin(ReadOnlyAdmin):
    list_display = ("page", "round", "level", "user", "created_at", "message")
    list_select_related = ("page", "user", "message")
    ordering = ("-id",)


@admin.register(ResponderLink)
class ResponderLinkAdmin(ReadOnlyAdmin):
    list_display = ("user", "page", "round", "level", "created_at", "expires_at")
    list_select_related = ("user", "page")
    exclude = ("token_hash",)
    ordering = ("-id",)


@admin.register(LinkUse)
class LinkUseAdmin(ReadOnlyAdmin):
    list_display = ("link", "verb", "at")
    list_select_related = ("link__user", "link__page")
    ordering = ("-id",)
