"""Alerts follow their incident into the one that it becomes part of, and back."""

from __future__ import annotations

import alerts.actions
from audit.subscriptions import Recorded, subscribe


@subscribe("incident.absorbed")
def follow_the_merge(told: Recorded) -> None:
    alerts.actions.move_alerts(
        incident=told.subject, source_number=told.data["source"], merge=told.data["merge"], by=told.by, at=told.at
    )


@subscribe("incident.released")
def follow_the_undo(told: Recorded) -> None:
    alerts.actions.move_alerts_back(
        incident=told.subject, source_number=told.data["source"], merge=told.data["merge"], by=told.by, at=told.at
    )
