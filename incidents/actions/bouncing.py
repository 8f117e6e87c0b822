"""A mail that came back told nobody anything: what it counted for is taken back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from audit.actions import action, record
from audit.actor import Actor
from audit.models import Event
from incidents.actions.frame import locked, saved
from incidents.events import IncidentEvent
from incidents.models import Comment, Incident


@action(joins=True)
def withdraw_response(*, incident: Incident, dedup_key: str, by: Actor, at: datetime) -> None:
    """A first response whose mail came back is none; a later public word that arrived counts instead, if there is one.

    `dedup_key` is the mail's. Records `incident.response_bounced`. Changes nothing for other mails, and once the
    incident is no longer open.
    """
    parts = dedup_key.split(":")
    if parts[:1] != ["incident"] or parts[2:3] != ["comment"] or not "".join(parts[3:4]).isdigit():
        return
    incident, comment = locked(incident), int(parts[3])
    told = _told(incident)
    withdrawn = {one.data["comment"] for one in told if one.kind == IncidentEvent.RESPONSE_BOUNCED}
    if not incident.is_open or comment in withdrawn or _counts(told) != comment:
        return
    later = Comment.objects.filter(
        incident=incident, pk__gt=comment, is_public=True, author_kind=Comment.AuthorKind.AGENT
    ).exclude(pk__in=withdrawn)
    instead = later.order_by("pk").first()
    incident.first_response_at = instead.created_at if instead is not None else None
    saved(incident)
    record(IncidentEvent.RESPONSE_BOUNCED, incident, by, at, comment=comment, instead=instead.pk if instead else None)


def _told(incident: Incident) -> list[Any]:
    kinds = [str(IncidentEvent.COMMENTED), str(IncidentEvent.RESPONSE_BOUNCED)]
    rows = Event.objects.filter(about_type=Incident._meta.label_lower, about_id=incident.pk, kind__in=kinds)
    return list(rows.order_by("id"))


def _counts(told: list[Any]) -> int | None:
    """The comment that counts as the first response now."""
    found = None
    for one in told:
        if one.kind == IncidentEvent.RESPONSE_BOUNCED:
            found = one.data["instead"]
        elif one.data.get("is_first_response"):
            found = one.data["comment"]
    return found
