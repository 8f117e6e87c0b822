"""The alerts of a merged incident belong to the one that lives on: there they recover, repeat and settle it."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from alerts.events import AlertEvent
from alerts.models import Alert
from audit.actions import action, record
from audit.actor import Actor
from audit.models import Event
from incidents.models import Incident


@action(joins=True)
def move_alerts(*, incident: Incident, source_number: str, merge: int, by: Actor, at: datetime) -> list[int]:
    """Moves the alerts of a merged incident to its heir. Records `alert.moved` where there are any."""
    number = int(source_number.removeprefix("INC-"))
    moved = _move(Alert.objects.filter(incident__number=number), incident)
    if moved:
        record(AlertEvent.MOVED, incident, by, at, merge=merge, alerts=moved)
    return moved


@action(joins=True)
def move_alerts_back(*, incident: Incident, source_number: str, merge: int, by: Actor, at: datetime) -> list[int]:
    """Gives the alerts that a merge moved back to their incident; those that came since stay. Records `alert.moved`."""
    told = Event.objects.filter(
        kind=str(AlertEvent.MOVED), about_type=Incident._meta.label_lower, about_id=incident.pk, data__merge=merge
    ).first()
    if told is None:
        return []
    source = Incident.objects.get(number=int(source_number.removeprefix("INC-")))
    moved = _move(Alert.objects.filter(pk__in=told.data["alerts"], incident=incident), source)
    if moved:
        record(AlertEvent.MOVED, source, by, at, merge=merge, alerts=moved)
    return moved


def _move(rows: QuerySet[Alert], to: Incident) -> list[int]:
    """In id order, as the intake locks them."""
    locked = rows.select_for_update(no_key=True, of=("self",)).order_by("pk")
    found = list(locked.values_list("pk", flat=True))
    Alert.objects.filter(pk__in=found).update(incident=to)
    return found
