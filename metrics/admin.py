"""Ratings, a low one to settle; and the read models behind the numbers, for whoever doubts one."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

import metrics.actions
from audit.admin import ReadOnlyAdmin, TrackedAdmin, Transition
from metrics.forms import SettleForm
from metrics.models import Digest, Fact, Rating, Reading, StaleDay, Tally
from metrics.permissions import can_settle


class ToSettleFilter(admin.SimpleListFilter):
    """The lead's queue: low scores that nobody has looked into."""

    title = _("follow-up")
    parameter_name = "to_settle"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("yes", _("to settle"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.to_settle() if self.value() == "yes" else queryset


@admin.register(Rating)
class RatingAdmin(TrackedAdmin):
    """What requesters said; a button says what came of a low score."""

    can_add = False
    can_change = False
    can_delete = False
    view_roles = frozenset({"lead", "incident_manager", "manager", "admin", "auditor"})
    list_display = ("incident", "score", "comment", "cycle", "rated_at", "settled_at", "settled_by")
    list_select_related = ("incident", "settled_by")
    list_filter = (ToSettleFilter, "score")
    transitions: ClassVar[dict[str, Transition]] = {
        "settle": Transition(
            label=_("Settle"),
            run=lambda row, **given: metrics.actions.settle_rating(rating=row, **given),
            form=SettleForm,
            allowed=lambda actor, row: row.is_low and row.settled_at is None and can_settle(actor, row.incident),
        )
    }


@admin.register(Fact)
class FactAdmin(ReadOnlyAdmin):
    list_display = ("incident", "reported_on", "resolved_on", "mtta", "mttr", "resolution", "effort")
    list_select_related = ("incident",)
    ordering = ("-incident",)
    show_full_result_count = False


@admin.register(Tally)
class TallyAdmin(ReadOnlyAdmin):
    list_display = ("date", "metric", "dimension", "key", "total")
    list_filter = ("dimension",)
    ordering = ("-date", "metric", "dimension", "key")
    show_full_result_count = False


@admin.register(StaleDay, Reading)
class ProgressAdmin(ReadOnlyAdmin):
    list_display = ("__str__",)


@admin.register(Digest)
class DigestAdmin(TrackedAdmin):
    """Who gets numbers by mail; each asks for and gives up their own at /reports/digests/."""

    can_add = False
    can_change = False
    can_delete = False
    list_display = ("user", "kind", "at_time", "weekday", "next_at")
    list_select_related = ("user",)
    list_filter = ("kind",)
