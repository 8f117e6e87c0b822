"""Read models over incidents: references, the timeline that an actor may read, and what an actor can do next."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import Q, QuerySet

from audit.actor import Actor
from audit.models import Event
from incidents import permissions
from incidents.events import IncidentEvent
from incidents.models import (
    OPEN_STATES,
    Attachment,
    Comment,
    Incident,
    Participant,
    ParticipantRole,
    PriorityMatrix,
    State,
)

_REFERENCE = re.compile(r"\s*(?:INC-)?([0-9]{1,15})\s*", re.ASCII | re.IGNORECASE)

#: What a requester's timeline shows: the public part of what was done.
PUBLIC_KINDS = (
    IncidentEvent.OPENED, IncidentEvent.ACKNOWLEDGED, IncidentEvent.PUT_ON_HOLD, IncidentEvent.RESUMED,
    IncidentEvent.RESOLVED, IncidentEvent.REOPENED, IncidentEvent.CLOSED, IncidentEvent.CANCELLED,
)  # fmt: skip

_RESOLVED = (State.RESOLVED.value,)
_WORKED = (State.NEW.value, State.ASSIGNED.value, State.IN_PROGRESS.value)

#: verb -> (who may, in which states).
VERBS: dict[str, tuple[Callable[..., bool], tuple[str, ...]]] = {
    "acknowledge": (permissions.can_acknowledge, OPEN_STATES),
    "claim": (permissions.can_acknowledge, OPEN_STATES),
    "assign": (permissions.can_work, OPEN_STATES),
    "start": (permissions.can_work, (State.NEW.value, State.ASSIGNED.value)),
    "hold": (permissions.can_work, _WORKED),
    "change-hold": (permissions.can_work, (State.ON_HOLD.value,)),
    "resume": (permissions.can_work, (State.ON_HOLD.value,)),
    "contain": (permissions.can_work, OPEN_STATES),
    "resolve": (permissions.can_work, OPEN_STATES),
    "settle-workaround": (permissions.can_work, _RESOLVED),
    "reopen": (permissions.can_reopen, _RESOLVED),
    "close": (permissions.can_close, _RESOLVED),
    "cancel": (permissions.can_cancel, OPEN_STATES),
    "override-priority": (permissions.can_override_priority, OPEN_STATES),
    "revise": (permissions.can_work, tuple(state for state in State.values if state != State.CANCELLED)),
    "open-again": (permissions.can_open_again, (State.CLOSED.value,)),
}


def number_of(reference: str) -> int | None:
    """The number in `INC-000123`, `inc-123` or `123`; None for anything else."""
    found = _REFERENCE.fullmatch(reference)
    return int(found[1]) if found else None


def roles_in(actor: Actor, incident: Incident) -> frozenset[str]:
    """In which roles the actor takes part: watcher, paged."""
    if actor.user_id is None:
        return frozenset()
    rows = Participant.objects.filter(incident=incident, user_id=actor.user_id)
    return frozenset(rows.values_list("role", flat=True))


def is_staff_for(actor: Actor, incident: Incident) -> bool:
    """Whether the actor reads the internal part; taking part is looked up only when it decides."""
    if permissions.is_staff_for(actor, incident):
        return True
    roles = roles_in(actor, incident)
    return permissions.is_staff_for(
        actor, incident, is_participant=bool(roles), is_paged=ParticipantRole.PAGED in roles
    )


def followed(actor: Actor, incident_ids: Iterable[int]) -> dict[int, set[str]]:
    """Incident id -> the actor's roles in it, for the rows of a list, in one query."""
    found: dict[int, set[str]] = {}
    if actor.user_id is not None:
        rows = Participant.objects.filter(user_id=actor.user_id, incident_id__in=list(incident_ids))
        for incident_id, role in rows.values_list("incident_id", "role"):
            found.setdefault(incident_id, set()).add(role)
    return found


def possible_verbs(actor: Actor, incident: Incident) -> list[str]:
    """The verbs that the incident's state and the actor's rights allow now, for buttons."""
    paged = ParticipantRole.PAGED in roles_in(actor, incident)
    return [
        verb for verb, (predicate, states) in VERBS.items()
        if incident.state in states
        and _makes_sense(verb, incident)
        and _allows(predicate, actor, incident, is_paged=paged)
    ]  # fmt: skip


def _allows(predicate: Callable[..., bool], actor: Actor, incident: Incident, *, is_paged: bool) -> bool:
    if is_paged and "is_paged" in (predicate.__kwdefaults__ or {}):
        return predicate(actor, incident, is_paged=True)
    return predicate(actor, incident)


def _makes_sense(verb: str, incident: Incident) -> bool:
    """A button that could only be refused, or change nothing, is not shown."""
    if verb == "acknowledge":
        return incident.acknowledged_at is None
    if verb == "claim":
        return incident.assignee_id is None
    if verb == "settle-workaround":
        return incident.fix_kind == "workaround" and not incident.workaround_outcome
    return True


def comments_for(actor: Actor, incident: Incident) -> QuerySet[Comment]:
    """The conversation as the actor may read it: internal notes only for who works at it."""
    rows = Comment.objects.filter(incident=incident)
    return rows if is_staff_for(actor, incident) else rows.public()


def attachments_for(actor: Actor, incident: Incident, *, is_staff: bool | None = None) -> QuerySet[Attachment]:
    """The files as the actor may read them: those of internal notes only for who works at it."""
    if is_staff is None:
        is_staff = is_staff_for(actor, incident)
    rows = Attachment.objects.filter(incident=incident)
    return rows if is_staff else rows.public()


def timeline_for(actor: Actor, incident: Incident, *, is_staff: bool | None = None) -> QuerySet[Event]:
    """Everything that happened about the incident; a requester sees the public part of it."""
    if is_staff is None:
        is_staff = is_staff_for(actor, incident)
    rows = Event.objects.filter(about_type=Incident._meta.label_lower, about_id=incident.pk)
    if is_staff:
        return rows
    said = [str(IncidentEvent.COMMENTED), str(IncidentEvent.FILE_ATTACHED)]
    spoken = Q(kind__in=said, data__is_public=True)
    return rows.filter(Q(kind__in=[str(kind) for kind in PUBLIC_KINDS]) | spoken)


def texts_of(events: Iterable[Event]) -> dict[int, str]:
    """Event id -> the comment that it tells of, for a page of a timeline, in one query."""
    told = {one.pk: one.data.get("comment") for one in events if one.kind == str(IncidentEvent.COMMENTED)}
    bodies = dict(Comment.objects.filter(pk__in=[pk for pk in told.values() if pk]).values_list("pk", "body"))
    return {event_id: bodies[pk] for event_id, pk in told.items() if pk in bodies}


def current_matrix() -> PriorityMatrix | None:
    return PriorityMatrix.objects.filter(is_current=True).first()


def explain_priority(incident: Incident) -> dict[str, Any]:
    """Why the incident has its priority: the matrix version, the cell, the VIP rule, the override."""
    judge = incident.matrix
    raised = incident.urgency - 1 if incident.is_vip_raised and incident.urgency > 1 else incident.urgency
    return {
        "matrix": str(judge),
        "impact": judge.impacts[incident.impact - 1],
        "urgency": judge.urgencies[incident.urgency - 1],
        "urgency_in_force": raised,
        "is_vip_raised": incident.is_vip_raised,
        "derived": judge.matrix.priority(incident.impact, raised),
        "override": incident.priority_override,
        "override_reason": incident.priority_override_reason,
    }
