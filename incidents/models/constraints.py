"""What the database refuses of an incident, and the indexes by which it is found."""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex, GinIndex
from django.db import models
from django.db.models import F, Q

from incidents.models.choices import OPEN_STATES, CancelReason, State

_NEW, _ASSIGNED, _IN_PROGRESS, _ON_HOLD = OPEN_STATES
_RESOLVED, _CLOSED, _CANCELLED = State.RESOLVED.value, State.CLOSED.value, State.CANCELLED.value


def _both_or_none(one: str, other: str, name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(**{f"{one}__isnull": True, f"{other}__isnull": True})
        | Q(**{f"{one}__isnull": False, f"{other}__isnull": False}),
        name=name,
    )


INDEXES: list[models.Index] = [
    models.Index(fields=["state", "-number"], name="incidents_by_state"),
    models.Index(fields=["-number"], condition=Q(state__in=OPEN_STATES), name="incidents_open"),
    models.Index(fields=["team", "priority"], condition=Q(state__in=OPEN_STATES), name="incidents_open_of_team"),
    models.Index(fields=["team", "-number"], name="incidents_of_team"),
    models.Index(fields=["assignee", "-number"], condition=Q(assignee__isnull=False), name="incidents_of_assignee"),
    models.Index(fields=["requester", "-number"], condition=Q(requester__isnull=False), name="incidents_of_requester"),
    models.Index(fields=["logged_by", "-number"], condition=Q(logged_by__isnull=False), name="incidents_of_logger"),
    models.Index(fields=["hold_until"], condition=Q(state=_ON_HOLD), name="incidents_wake_up_due"),
    models.Index(fields=["close_due_at"], condition=Q(close_due_at__isnull=False), name="incidents_close_due"),
    models.Index(fields=["follow_up_at"], condition=Q(follow_up_at__isnull=False), name="incidents_follow_up_due"),
    models.Index(fields=["id"], condition=Q(is_restricted=True), name="incidents_restricted"),
    models.Index(fields=["idle_at"], condition=Q(idle_at__isnull=False), name="incidents_idle_due"),
    models.Index(
        fields=["priority_override_until"],
        condition=Q(priority_override_until__isnull=False),
        name="incidents_override_due",
    ),
    models.Index(fields=["recurrence_of"], condition=Q(recurrence_of__isnull=False), name="incidents_recurrences"),
    models.Index(fields=["merged_into"], condition=Q(merged_into__isnull=False), name="incidents_merged"),
    models.Index(fields=["parent"], condition=Q(parent__isnull=False), name="incidents_children"),
    BrinIndex(fields=["reported_at"], name="incidents_reported", pages_per_range=32),
    GinIndex(fields=["title"], opclasses=["gin_trgm_ops"], name="incidents_title_trigrams"),
]

CONSTRAINTS: list[models.BaseConstraint] = [
    models.UniqueConstraint(
        fields=["external_ref"],
        condition=Q(is_imported=True) & ~Q(external_ref=""),
        name="incidents_imported_once",
    ),
    models.CheckConstraint(
        condition=Q(impact__gte=1, impact__lte=10, urgency__gte=1, urgency__lte=10),
        name="incidents_inputs_in_range",
    ),
    models.CheckConstraint(condition=Q(priority__gte=1, priority__lte=5), name="incidents_priority_in_range"),
    models.CheckConstraint(
        condition=Q(priority_override__isnull=True, priority_override_reason="", priority_override_until__isnull=True)
        | Q(priority_override__isnull=False, priority_override=F("priority")) & ~Q(priority_override_reason=""),
        name="incidents_override_has_reason",
    ),
    models.CheckConstraint(
        condition=Q(occurred_at__isnull=True) | Q(detected_at__isnull=True) | Q(occurred_at__lte=F("detected_at")),
        name="incidents_occurred_before_detected",
    ),
    models.CheckConstraint(
        condition=(Q(detected_at__isnull=True) | Q(detected_at__lte=F("reported_at")))
        & (Q(occurred_at__isnull=True) | Q(occurred_at__lte=F("reported_at"))),
        name="incidents_detected_before_reported",
    ),
    models.CheckConstraint(condition=Q(reported_at__lte=F("created_at")), name="incidents_reported_before_saved"),
    _both_or_none("acknowledged_at", "acknowledged_by", "incidents_acknowledged_pair"),
    models.CheckConstraint(
        condition=Q(state=_ON_HOLD, hold_until__isnull=False, held_at__isnull=False) & ~Q(hold_reason="")
        | ~Q(state=_ON_HOLD) & Q(hold_reason="", hold_until__isnull=True, held_at__isnull=True),
        name="incidents_hold_complete",
    ),
    models.CheckConstraint(
        condition=Q(state__in=[_RESOLVED, _CLOSED], resolved_at__isnull=False) & ~Q(resolution_code="")
        | ~Q(state__in=[_RESOLVED, _CLOSED])
        & Q(resolved_at__isnull=True, resolved_by__isnull=True, resolution_code="", close_due_at__isnull=True),
        name="incidents_resolution_complete",
    ),
    models.CheckConstraint(
        condition=Q(state=_CLOSED, closed_at__isnull=False, closed_at__gte=F("resolved_at"), close_due_at__isnull=True)
        | ~Q(state=_CLOSED) & Q(closed_at__isnull=True, closed_by__isnull=True, confirmation=""),
        name="incidents_closing_complete",
    ),
    models.CheckConstraint(
        condition=Q(state=_CANCELLED, cancelled_at__isnull=False) & ~Q(cancel_reason="")
        | ~Q(state=_CANCELLED) & Q(cancelled_at__isnull=True, cancel_reason="", cancel_detail=""),
        name="incidents_cancel_complete",
    ),
    models.CheckConstraint(
        condition=Q(idle_at__isnull=True) | Q(state__in=[_NEW, _ASSIGNED, _IN_PROGRESS]),
        name="incidents_idle_while_open",
    ),
    models.CheckConstraint(condition=~Q(recurrence_of=F("id")), name="incidents_recur_of_another"),
    models.CheckConstraint(
        condition=Q(merged_into__isnull=True) & ~Q(cancel_reason=CancelReason.MERGED.value)
        | Q(merged_into__isnull=False, cancel_reason=CancelReason.MERGED.value) & ~Q(merged_into=F("id")),
        name="incidents_merged_into_another",
    ),
    models.CheckConstraint(condition=~Q(parent=F("id")), name="incidents_parent_is_another"),
    models.CheckConstraint(
        condition=Q(follow_up_at__isnull=True, follow_ups=[])
        | Q(follow_up_at__isnull=False, state=_ON_HOLD) & ~Q(follow_ups=[]),
        name="incidents_follow_ups_on_hold",
    ),
    models.CheckConstraint(
        condition=Q(works_at__isnull=True) | Q(state__in=[_RESOLVED, _CLOSED]), name="incidents_works_while_resolved"
    ),
    models.CheckConstraint(
        condition=Q(is_restricted=False, restricted_reason="") | Q(is_restricted=True) & ~Q(restricted_reason=""),
        name="incidents_restricted_with_reason",
    ),
]
