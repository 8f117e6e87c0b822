"""What happens to incidents when somebody leaves, and when one that they belong to moves."""

from __future__ import annotations

import incidents.actions
from audit.subscriptions import Recorded, subscribe


@subscribe("user.deactivated")
def hand_back_what_the_leaver_held(told: Recorded) -> None:
    incidents.actions.hand_back(user=told.subject, by=told.by, at=told.at)


@subscribe("incident.resolved", "incident.closed")
def tell_requesters_of_merged(told: Recorded) -> None:
    incidents.actions.tell_merged(incident=told.subject, kind=told.kind, by=told.by, at=told.at)
