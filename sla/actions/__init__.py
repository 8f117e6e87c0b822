"""What changes clocks: start, recompute, fire; and the versions that a saved calendar or policy leaves."""

from sla.actions.clocks import judge_imported, retime, start_clocks
from sla.actions.configuration import freeze
from sla.actions.reminders import plan_closing
from sla.actions.thresholds import apply_breach, apply_threshold, fire_due

__all__ = [
    "apply_breach",
    "apply_threshold",
    "fire_due",
    "freeze",
    "judge_imported",
    "plan_closing",
    "retime",
    "start_clocks",
]
