"""The watchdog: at every moment each open incident has somebody or something that will look after it.

One of four must hold (SEMANTICS part 1): an active owner and a clock or idle reminder still to come; a team queue and a
running `own` clock; a pending escalation; a hold with a wake-up. Work that a sweep is about to do, and a delivery
younger than a minute, are tolerated. Imported history is judged by its own log: nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef

from audit.models import Delivery
from oncall.models import Page
from sla.queries import unwatched_incidents

GRACE = timedelta(seconds=60)


def violations(at: datetime) -> list[dict[str, Any]]:
    """Every open incident that fails the rule at `at`, with what it lacks."""
    due = at - GRACE
    paging = Page.objects.filter(incident=OuterRef("pk"), escalate_at__gt=due)
    fresh = Delivery.objects.filter(
        event__about_type="incidents.incident", event__about_id=OuterRef("pk"), done_at=None, created_at__gt=due
    )
    found = unwatched_incidents(at).exclude(Exists(paging)).exclude(Exists(fresh))
    rows = found.values("number", "state", "assignee_id", "assignee__is_active", "team_id")
    return [{"reference": f"INC-{one['number']:06d}", "state": one["state"], "why": _why(one)} for one in rows]


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
