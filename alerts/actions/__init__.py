"""The alert intake's verbs."""

from alerts.actions.episodes import Outcome
from alerts.actions.intake import BadAlert, Receipt, SourceInactive, count_repeats, receive
from alerts.actions.sources import change_source, create_source, rotate_key

__all__ = [
    "BadAlert",
    "Outcome",
    "Receipt",
    "SourceInactive",
    "change_source",
    "count_repeats",
    "create_source",
    "receive",
    "rotate_key",
]
