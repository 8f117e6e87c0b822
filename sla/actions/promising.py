"""What the clocks promise, told to who reported it."""

from __future__ import annotations

from datetime import datetime

import incidents.actions
from audit.actions import action
from audit.actor import Actor
from incidents.models import Incident


@action(joins=True)
def send_receipt(*, incident: Incident, answer_by: str | None, by: Actor, at: datetime) -> None:
    """Mails the receipt of an incident that was just opened, with the moment by which somebody answers at the latest.

    Nothing for what was opened before; incidents say who gets none. The mail itself records that it was sent.
    """
    if incident.created_at == at:
        due = datetime.fromisoformat(answer_by) if answer_by else None
        incidents.actions.send_receipt(incident=incident, answer_by=due, by=by, at=at)
