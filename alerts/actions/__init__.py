"""The alert intake's verbs."""

from alerts.actions.episodes import Outcome
from alerts.actions.intake import BadAlert, Receipt, SourceInactive, count_repeats, receive
from alerts.actions.moving import move_alerts, move_alerts_back
from alerts.actions.sources import change_source, create_source, rotate_key

__all__ = [
    "BadAlert",
    "Outcome",
    "Receipt",
    "SourceInactive",
    "change_source",
    "count_repeats",
    "create_source",
    "move_alerts",
    "move_alerts_back",
    "receive",
    "rotate_key",
]
