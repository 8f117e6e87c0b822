"""What incidents are sorted and judged by, how they are routed and closed, and what mails say, in the admin."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

import incidents.actions
from audit.actions import change_config
from audit.actor import Actor
from audit.admin import TrackedAdmin, Transition
from incidents import forms
from incidents.models import (
    Category,
    ClosingRule,
    EscalationRule,
    MailTemplate,
    PriorityMatrix,
    RoutingRule,
    SavedView,
    Service,
)
from incidents.models.mails import PLACEHOLDERS


@admin.register(Category)
class CategoryAdmin(TrackedAdmin):
    list_display = ("__str__", "is_active")
    list_select_related = ("parent__parent",)
    list_filter = ("is_active",)
    search_fields = ("name",)
    transitions: ClassVar[dict[str, Transition]] = {
        "retire": Transition(
            label=_("Retire"),
            form=forms.RetireCategoryForm,
            is_grave=True,
            allowed=lambda actor, row: row.is_active and actor.has_role(*Category.configured_by),
            run=lambda row, **more: incidents.actions.retire_category(category=row, **more),
        )
    }

    def change_row(self, row: Any, values: dict[str, Any], *, by: Any, at: Any, expected_version: int | None) -> Any:
        return incidents.actions.change_category(
            category=row, values=values, by=by, at=at, expected_version=expected_version
        )


@admin.register(Service)
class ServiceAdmin(TrackedAdmin):
    list_display = ("name", "slug", "owner_team", "criticality", "is_active")
    list_select_related = ("owner_team",)
    list_filter = ("criticality", "is_active")
    search_fields = ("name", "slug")


@admin.register(PriorityMatrix)
class PriorityMatrixAdmin(TrackedAdmin):
    """A version is never changed: adding one puts it in force."""

    can_change = False
    can_delete = False
    list_display = ("__str__", "number", "is_current", "created_at")
    fields = ("name", "rows", "impacts", "urgencies", "vip_raises_urgency")

    def create_row(self, values: dict[str, Any], *, by: Actor, at: Any) -> Any:
        return incidents.actions.change_matrix(by=by, at=at, **values)


@admin.register(RoutingRule)
class RoutingRuleAdmin(TrackedAdmin):
    """The list in the order in which it is tried; /policies/routing/ shows what a change would have done."""

    form = forms.RoutingRuleForm
    list_display = ("position", "name", "team", "is_active")
    list_display_links = ("name",)
    list_select_related = ("team",)
    list_filter = ("is_active",)
    search_fields = ("name",)

    def create_row(self, values: dict[str, Any], *, by: Actor, at: Any) -> Any:
        return incidents.actions.create_routing_rule(values=values, by=by, at=at)

    def change_row(self, row: Any, values: dict[str, Any], *, by: Actor, at: Any, expected_version: int | None) -> Any:
        return incidents.actions.change_routing_rule(
            rule=row, values=values, by=by, at=at, expected_version=expected_version
        )

    def remove_row(self, row: Any, *, by: Actor, at: Any) -> None:
        incidents.actions.remove_routing_rule(rule=row, by=by, at=at)


@admin.register(ClosingRule)
class ClosingRuleAdmin(TrackedAdmin):
    list_display = ("kind", "required")


@admin.register(EscalationRule)
class EscalationRuleAdmin(TrackedAdmin):
    list_display = ("name", "trigger", "value", "how", "team", "is_active")
    list_select_related = ("team",)
    list_filter = ("trigger", "is_active")
    search_fields = ("name",)


@admin.register(SavedView)
class SavedViewAdmin(TrackedAdmin):
    """Views of the queue; their owners make and remove them on the queue's page."""

    can_add = False
    can_change = False
    can_delete = False
    list_display = ("name", "owner", "team", "query")
    list_select_related = ("owner", "team")
    search_fields = ("name",)


def _reset(row: MailTemplate, **given: Any) -> Any:
    return change_config(row=row, values={"subject": "", "body": ""}, **given)


@admin.register(MailTemplate)
class MailTemplateAdmin(TrackedAdmin):
    """The mails to requesters in each language: what each may name, how it reads, and back to the shipped text."""

    can_add = False
    can_delete = False
    form = forms.MailTemplateForm
    list_display = ("__str__", "kind", "locale", "is_own")
    list_display_links = ("__str__",)
    list_filter = ("kind", "locale")
    fields = ("kind", "locale", "placeholders", "subject", "body", "reads")
    readonly_fields = ("kind", "locale", "placeholders", "reads")
    transitions: ClassVar[dict[str, Transition]] = {
        "reset": Transition(
            label=_("Back to the shipped text"),
            run=_reset,
            allowed=lambda actor, row: row.is_own and actor.has_role(*MailTemplate.configured_by),
        )
    }

    @admin.display(boolean=True, description=_("own text"))
    def is_own(self, row: MailTemplate) -> bool:
        return row.is_own

    @admin.display(description=_("may name"))
    def placeholders(self, row: MailTemplate) -> str:
        names = [f"{{{name}}}" for name in PLACEHOLDERS[row.kind]]
        return ", ".join([*names, "{if note} … {else} … {end}"])

    @admin.display(description=_("how it reads"))
    def reads(self, row: MailTemplate) -> str:
        subject, body = row.preview()
        return format_html("<pre>{}\n\n{}</pre>", subject, body)
