"""Reads what the actions recorded."""

from __future__ import annotations

from typing import Any

from audit.models import Event
from incidents.models import Incident
from notify.models import Message


def events(incident: Incident, kind: str = "incident.") -> list[Event]:
    rows = Event.objects.filter(about_type="incidents.incident", about_id=incident.pk, kind__startswith=kind)
    return list(rows.order_by("id"))


def kinds(incident: Incident) -> list[str]:
    return [one.kind.removeprefix("incident.") for one in events(incident)]


def last(incident: Incident) -> Event:
    return events(incident)[-1]


def mails(incident: Incident) -> list[Message]:
    return list(Message.objects.filter(topic=f"incident:{incident.pk}").order_by("id"))


def fresh(incident: Incident) -> Incident:
    return Incident.objects.get(pk=incident.pk)


def versions(incident: Incident) -> int:
    history: Any = Incident.history
    return int(history.filter(id=incident.pk).count())
