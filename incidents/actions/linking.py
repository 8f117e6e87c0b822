"""Statements about two incidents: links, duplicates, and what splits off."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from audit.actions import ActionRefused, Invalid, action, record
from audit.actor import Actor
from incidents import permissions, queries
from incidents.actions.ending import cancel
from incidents.actions.frame import choice, locked, require
from incidents.actions.opening import open_incident
from incidents.events import IncidentEvent
from incidents.models import CancelReason, Comment, Incident, IncidentLink, LinkKind


class NotLinkable(ActionRefused):
    """The link makes no sense."""

    code = "not_linkable"


@action
def add_link(*, incident: Incident, other: Incident, kind: str, by: Actor, at: datetime) -> IncidentLink:
    """States how two incidents stand to each other. Records `incident.linked`; the same again changes nothing.

    Refused: with itself, the opposite of what is stated already, and to who may not work on the first.
    """
    choice("kind", kind, LinkKind)
    incident = locked(incident)
    require(permissions.can_work, by, incident, "link")
    return linked(incident, other, kind, by, at)


def linked(incident: Incident, other: Incident, kind: str, by: Actor, at: datetime) -> IncidentLink:
    """For a locked incident, by who may."""
    if incident.pk == other.pk:
        raise NotLinkable(f"{incident.reference} can't be linked with itself", field="other", remedy="name another one")
    known = IncidentLink.objects.filter(incident=incident, other=other, kind=kind).first()
    back = IncidentLink.objects.filter(incident=other, other=incident, kind=kind).first()
    if known is None and kind == LinkKind.RELATED:
        known = back
    elif back is not None:
        raise NotLinkable(
            f"{other.reference} is {LinkKind(kind).label} {incident.reference} already",
            field="other",
            remedy="remove that link first",
        )
    if known is not None:
        return known
    # Two at once: the second finds the row of the first.
    link, is_new = IncidentLink.objects.get_or_create(
        incident=incident, other=other, kind=kind, defaults={"added_at": at}
    )
    if is_new:
        record(IncidentEvent.LINKED, incident, by, at, other=other.reference, link_kind=kind)
    return link


@action
def remove_link(*, link: IncidentLink, by: Actor, at: datetime, reason: str = "") -> None:
    """Takes a link back; who may work on either end. Records `incident.unlinked`. One that is gone changes nothing."""
    ends = [link.incident, link.other]
    allowed = next((one for one in ends if permissions.can_work(by, one)), ends[0])
    require(permissions.can_work, by, allowed, "remove links of")
    fresh = IncidentLink.objects.select_for_update().filter(pk=link.pk).first()
    if fresh is None:
        return
    fresh.delete()
    record(
        IncidentEvent.UNLINKED, link.incident, by, at, reason=reason, other=link.other.reference, link_kind=link.kind
    )


@action
def cancel_as_duplicate(
    *, incident: Incident, of: Incident, by: Actor, at: datetime, detail: str = "", expected_version: int | None = None
) -> Incident:
    """It was reported already: cancelled, and linked to the one that stays. Records as `cancel` and `add_link` do.

    Refused as cancelling is, with itself, and with one that is a duplicate of this.
    """
    fresh = locked(incident, expected_version)
    require(permissions.can_cancel, by, fresh, "cancel")
    linked(fresh, of, LinkKind.DUPLICATE_OF.value, by, at)
    said = f"{of.reference} {detail}".strip()
    return cancel(
        incident=incident, reason=CancelReason.DUPLICATE.value, detail=said[:500], by=by, at=at,
        expected_version=expected_version,
    )  # fmt: skip


@action
def split(
    *, incident: Incident, title: str, by: Actor, at: datetime, description: str = "", comment: Comment | None = None
) -> Incident:
    """Makes a comment, or a part of one, an incident of its own, linked to the old one. Records `incident.split`.

    Requester, service, category, impact and urgency are copied; it was reported when the comment was written. Refused:
    a comment of another incident, and to who may not work on the incident.
    """
    old = locked(incident)
    require(permissions.can_work, by, old, "split")
    if comment is not None and not queries.comments_for(by, old, is_staff=True).filter(pk=comment.pk).exists():
        raise Invalid("the comment is of another incident", field="comment", remedy="name one of this incident")
    apart = comment.addressed_to if comment is not None and comment.addressed_to_id else old
    fresh = open_incident(
        title=title, description=description or (comment.body if comment else old.description), kind=old.kind,
        channel=old.channel, impact=old.impact, urgency=old.urgency, matrix=old.matrix, by=by, at=at,
        **_copied(old, apart or old, comment),
    )  # fmt: skip
    linked(fresh, old, LinkKind.SPLIT_FROM.value, by, at)
    record(IncidentEvent.SPLIT, old, by, at, part=fresh.reference, comment=comment.pk if comment else None)
    return fresh


def _copied(old: Incident, spoken: Incident, comment: Comment | None) -> dict[str, Any]:
    rows = {"team": old.team, "category": old.category, "service": old.service}
    given: dict[str, Any] = {name: row for name, row in rows.items() if row is not None and row.is_active}
    if spoken.requester is not None and spoken.requester.is_active:
        given["requester"] = spoken.requester
    if comment is not None:
        given |= {"reported_at": comment.created_at, "reported_at_reason": f"split from {old.reference}"}
    if old.is_drill:
        given["is_drill"] = True
    return given
