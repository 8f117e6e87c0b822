"""What a receiver is told: the event, and the incident as its reader would see it by the API."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from accounts.queries import actor_for
from accounts.roles import Role
from audit.actor import Actor, ActorKind
from audit.models import Event
from incidents import permissions
from incidents.events import IncidentEvent
from incidents.models import Incident, ParticipantRole
from incidents.queries import PUBLIC_KINDS, followed, texts_of
from integrations.models import WebhookEndpoint

#: The number of this form; a receiver may rely on what stands in it.
FORM = 1
_PUBLIC = frozenset(str(kind) for kind in PUBLIC_KINDS)
_COMMENTED = str(IncidentEvent.COMMENTED)


def reader_of(endpoint: WebhookEndpoint) -> Actor:
    """With whose eyes an endpoint reads: its person's, or those of a machine that may read incidents."""
    if endpoint.reader is not None:
        return actor_for(endpoint.reader)
    return Actor(
        kind=ActorKind.KEY, id=f"webhook:{endpoint.pk}", label=f"webhook {endpoint.name}",
        roles=frozenset({Role.INTEGRATION.value}), scopes=frozenset({"incidents:read"}),
    )  # fmt: skip


def readable(endpoint: WebhookEndpoint, reader: Actor, ids: Iterable[int]) -> dict[int, Incident]:
    """The incidents that may be sent: seen by the reader, no import, no drill, and not restricted unless allowed."""
    rows = Incident.objects.visible_to(reader).filter(pk__in=list(ids), is_imported=False, is_drill=False)
    found = {row.pk: row for row in rows.select_related("recurrence_of", "merged_into", "parent")}
    if endpoint.includes_restricted:
        return found
    return {pk: row for pk, row in found.items() if not getattr(row, "is_restricted", False)}


def may_send(endpoint: WebhookEndpoint, incident_id: int) -> bool:
    """Whether the reader may still see it: asked again right before each call."""
    return bool(readable(endpoint, reader_of(endpoint), [incident_id]))


@dataclasses.dataclass(frozen=True, slots=True)
class Owed:
    """An event that an endpoint is owed, with what it will be told."""

    endpoint: WebhookEndpoint
    event: Event
    incident: Incident
    payload: dict[str, Any]


def owed(endpoint: WebhookEndpoint, events: list[Event], texts: Mapping[int, str]) -> list[Owed]:
    """What of these events, all about incidents, the endpoint may be told."""
    reader = reader_of(endpoint)
    incidents = readable(endpoint, reader, {event.about_id for event in events})
    staff = _staffed(reader, incidents)
    internal = staff if endpoint.includes_internal else frozenset()
    forms = _forms(reader, incidents, internal)
    return [
        Owed(endpoint, event, incidents[pk], _payload(event, forms[pk], texts, is_internal=pk in internal))
        for event in events
        if (pk := event.about_id) in incidents and _is_told(event, is_staff=pk in staff, is_internal=pk in internal)
    ]


def _staffed(reader: Actor, incidents: Mapping[int, Incident]) -> frozenset[int]:
    """Those whose internal part the reader may read."""
    roles = {} if permissions.sees_all(reader) else followed(reader, incidents)
    return frozenset(
        pk
        for pk, incident in incidents.items()
        if permissions.is_staff_for(
            reader,
            incident,
            is_participant=bool(roles.get(pk)),
            is_paged=ParticipantRole.PAGED.value in roles.get(pk, ()),
        )
    )


def _forms(reader: Actor, incidents: Mapping[int, Incident], internal: Collection[int]) -> dict[int, dict[str, Any]]:
    """As the API shows them, by the settings' name: an app does not enter another's API room."""
    shown_to = import_string(settings.SERVICEDESK_INCIDENT_SHOWN_BY)
    found: dict[int, dict[str, Any]] = shown_to(reader, list(incidents.values()), internal)
    return found


def _is_told(event: Event, *, is_staff: bool, is_internal: bool) -> bool:
    """An internal note is told only where that is allowed; who is no staff gets the public part, as in the timeline."""
    if event.kind == _COMMENTED:
        return bool(event.data.get("is_public")) or is_internal
    return is_staff or event.kind in _PUBLIC


def _payload(event: Event, form: dict[str, Any], texts: Mapping[int, str], *, is_internal: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "incident": form,
        "actor": {"kind": event.actor_kind, "label": event.actor_label},
        "text": texts.get(event.pk, ""),
    }
    if is_internal:
        told |= {"details": event.data, "reason": event.reason}
    return {
        "type": event.kind,
        "timestamp": event.at.isoformat().replace("+00:00", "Z"),
        "event": event.pk,
        "form": FORM,
        "data": told,
    }


def texts(events: list[Event]) -> dict[int, str]:
    return texts_of(events)
