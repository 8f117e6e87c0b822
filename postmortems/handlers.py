"""What post-mortems do when something happens to an incident."""

from __future__ import annotations

import postmortems.actions
from audit.subscriptions import Recorded, subscribe


@subscribe("incident.resolved", "clock.breached")
def owe_a_postmortem(told: Recorded) -> None:
    """The draft is there, its timeline written, the moment the incident is resolved.

    A breach may be found after that, by a handler of the same event; then a rule that asks for one applies too.
    """
    if not told.about.is_open:
        postmortems.actions.owe(incident=told.about, by=told.by, at=told.at)
