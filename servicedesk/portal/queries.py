"""What the requester's pages show: the public part of their own incidents, and nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sla.queries
from accounts.models import User
from accounts.queries import as_requester
from incidents.models import OPEN_STATES, Comment, Incident, State, links
from incidents.passes import Pass
from metrics.models import HIGHEST, LOWEST, Rating
from servicedesk.desk.queries import story

LISTED = 50
#: From a list one opens an incident at once, so these links need not live longer.
LISTED_LIFETIME = timedelta(days=1)


def incident_of(found: Pass, user: User) -> Incident | None:
    """The incident of a pass, as long as the person is its requester."""
    rows = Incident.objects.visible_to(as_requester(user)).filter(number=found.number, requester_id=user.pk)
    return rows.select_related("requester", "recurrence_of").first()


def reports_of(user: User, at: datetime) -> list[dict[str, Any]]:
    """The newest reports of a person, the open ones first, each with the address that opens it."""
    own = Incident.objects.visible_to(as_requester(user)).filter(requester_id=user.pk, is_drill=False)
    is_open = list(own.filter(state__in=OPEN_STATES).order_by("-number")[:LISTED])
    is_over = list(own.exclude(state__in=OPEN_STATES).order_by("-number")[: LISTED - len(is_open)])
    return [
        {"incident": one, "link": path_of(links.link_for(user, one, at, lifetime=LISTED_LIFETIME))}
        for one in (*is_open, *is_over)
    ]


def path_of(address: str) -> str:
    """The same address on the host that the reader is on."""
    return "/" + address.split("://", 1)[-1].split("/", 1)[-1]


def shown(incident: Incident, user: User) -> dict[str, Any]:
    """The page of one incident: its story in public, and what its requester can say now."""
    rating = Rating.objects.filter(incident=incident, respondent=user, cycle=incident.reopen_count + 1).first()
    is_ended = incident.state in (State.RESOLVED, State.CLOSED)
    return {
        "incident": incident,
        "story": story(as_requester(user), incident, is_staff=False),
        "rating": rating,
        "may_rate": is_ended and not incident.is_drill and not incident.is_imported,
        "scores": range(LOWEST, HIGHEST + 1),
        "answer_by": sla.queries.answer_by(incident),
        "again": incident.recurrences.filter(requester_id=user.pk).order_by("-number").first(),
    }


def said_just_now(incident: Incident, user: User, body: str, at: datetime) -> bool:
    """Whether the requester's last word is the same, within ten minutes: a second tap, not a second message."""
    last = Comment.objects.filter(incident=incident).order_by("-id").first()
    if last is None or last.author_id != user.pk or last.body != body.strip():
        return False
    return at - last.created_at < timedelta(minutes=10)
