"""What post-mortems do when something happens to an incident."""

from __future__ import annotations

import postmortems.actions
from audit.subscriptions import Recorded, subscribe


@subscribe("incident.resolved")
def owe_a_postmortem(told: Recorded) -> None:
    """The draft is there, its timeline written, the moment the incident is resolved."""
    postmortems.actions.owe(incident=told.subject, by=told.by, at=told.at)
