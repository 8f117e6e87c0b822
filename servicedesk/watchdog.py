"""The watchdog: at every moment each open incident has somebody or something that will look after it.

One of four must hold (SEMANTICS part 1): an active owner and a clock or idle reminder still to come; a team queue and a
running `own` clock; a pending escalation; a hold with a wake-up. Work that a sweep is about to do, and a delivery
younger than a minute, are tolerated.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q

from audit.models import Delivery
from incidents.models import Incident
from oncall.models import Page
from sla.models import Clock

GRACE = timedelta(seconds=60)
OPEN = ("new", "assigned", "in_progress", "on_hold")


def violations(at: datetime) -> list[dict[str, Any]]:
    """Every open incident that fails the rule at `at`, with what it lacks."""
    due = at - GRACE
    clocks = Clock.objects.filter(incident=OuterRef("pk"), state="running", next_threshold_at__gt=due)
    own = clocks.filter(target="own")
    paging = Page.objects.filter(incident=OuterRef("pk"), escalate_at__gt=due)
    fresh = Delivery.objects.filter(
        event__about_type="incidents.incident", event__about_id=OuterRef("pk"), done_at=None, created_at__gt=due
    )
    owned = Q(assignee__is_active=True) & (Exists(clocks) | Q(idle_at__gt=due))
    queued = Q(team__isnull=False) & Exists(own)
    held = Q(state="on_hold", hold_until__gt=due)
    found = (
        Incident.objects.filter(state__in=OPEN)
        .exclude(owned | queued | held | Exists(paging))
        .exclude(Exists(fresh))
        .order_by("pk")
        .values("number", "state", "assignee_id", "assignee__is_active", "team_id", "hold_until", "idle_at")
    )
    return [{"reference": f"INC-{one['number']:06d}", "state": one["state"], "why": _why(one)} for one in found]


def _why(row: Mapping[str, Any]) -> str:
    if row["state"] == "on_hold":
        return "on hold without a wake-up to come"
    if row["assignee_id"] and not row["assignee__is_active"]:
        return "its owner is deactivated"
    if row["assignee_id"]:
        return "it has an owner, but no clock or reminder to come"
    if row["team_id"]:
        return "it waits in a team's queue without a running own clock"
    return "it has neither owner nor team"
