"""What happens to incidents when somebody leaves."""

from __future__ import annotations

import incidents.actions
from audit.subscriptions import Recorded, subscribe


@subscribe("user.deactivated")
def hand_back_what_the_leaver_held(told: Recorded) -> None:
    incidents.actions.hand_back(user=told.subject, by=told.by, at=told.at)
