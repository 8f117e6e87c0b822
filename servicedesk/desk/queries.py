"""What the desk's pages read: one page of the queue by due time, its counts, and an incident's thread."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
from datetime import datetime
from typing import Any

from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from audit.actor import Actor
from audit.models import Event
from incidents.models import Comment, Incident
from sla.models import QueueEntry

PAGE = 50
#: Counting stops here: "999+" tells an agent as much as the exact figure and costs the same on any desk.
COUNT_LIMIT = 999

VIEWS = {
    "mine": _("My work"),
    "team": _("My teams"),
    "unassigned": _("Unassigned"),
    "breached": _("Late"),
    "open": _("All open"),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """One page of the queue and the key of the next."""

    entries: list[QueueEntry]
    after: str


def _view(view: str, actor: Actor) -> Q:
    if view == "mine":
        return Q(assignee_id=actor.user_id)
    if view == "team":
        return Q(team_id__in=actor.team_ids)
    if view == "unassigned":
        return Q(assignee_id=None)
    if view == "breached":
        return Q(is_breached=True)
    return Q()


def queue(view: str, actor: Actor) -> QuerySet[QueueEntry]:
    """The open incidents of a view that the actor may see, soonest due first, those without a clock last."""
    visible = Incident.objects.visible_to(actor).values("pk")
    return (
        QueueEntry.objects.filter(_view(view, actor))
        .exclude(state__in=["resolved", "closed", "cancelled"])
        .filter(incident_id__in=visible)
        .order_by(F("due_at").asc(nulls_last=True), "incident_id")
    )


def _key(entry: QueueEntry) -> str:
    raw = json.dumps([entry.due_at.isoformat() if entry.due_at else None, entry.incident_id])
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def _after(key: str) -> Q:
    """Rows behind a page's key; a key that can't be read means the first page."""
    try:
        due, last = json.loads(base64.urlsafe_b64decode(key + "=" * (-len(key) % 4)))
        due_at = datetime.fromisoformat(due) if due else None
        last = int(last)
    except (ValueError, TypeError, binascii.Error, UnicodeDecodeError):
        return Q()
    if due_at is None:
        return Q(due_at=None, incident_id__gt=last)
    return Q(due_at__gt=due_at) | Q(due_at=due_at, incident_id__gt=last) | Q(due_at=None)


def queue_page(view: str, actor: Actor, after: str = "") -> Page:
    """Fifty rows behind `after`; one statement, whatever the size of the desk."""
    rows = queue(view, actor)
    if after:
        rows = rows.filter(_after(after))
    found = list(rows.select_related("incident", "incident__requester", "team", "assignee")[: PAGE + 1])
    return Page(entries=found[:PAGE], after=_key(found[PAGE - 1]) if len(found) > PAGE else "")


def counts(actor: Actor) -> dict[str, str]:
    """How many incidents each view holds, up to COUNT_LIMIT."""
    found = {name: queue(name, actor).order_by()[: COUNT_LIMIT + 1].count() for name in VIEWS}
    return {name: f"{COUNT_LIMIT}+" if count > COUNT_LIMIT else str(count) for name, count in found.items()}


def search(text: str, actor: Actor) -> list[Incident]:
    """The newest fifty incidents that match a number or words, within what the actor may see."""
    found = Incident.objects.visible_to(actor).matching(text)
    return list(found.select_related("requester", "team", "assignee").order_by("-id")[:PAGE])


def thread(incident: Incident, *, with_internal: bool) -> list[dict[str, Any]]:
    """Comments and events of an incident, oldest first; a requester reads the public part."""
    comments = Comment.objects.filter(incident=incident).select_related("author")
    if not with_internal:
        comments = comments.filter(is_public=True)
    entries: list[dict[str, Any]] = [{"at": one.created_at, "comment": one} for one in comments]
    if with_internal:
        events = Event.objects.filter(about_type="incidents.incident", about_id=incident.pk).exclude(
            kind="incident.commented"
        )
        entries += [{"at": one.at, "event": one} for one in events.order_by("id")]
    return sorted(entries, key=lambda one: (one["at"], "comment" in one))
