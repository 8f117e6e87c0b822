"""What changes clocks: start, recompute, fire; and the versions that a saved calendar or policy leaves."""

from sla.actions.clocks import judge_imported, retime, start_clocks
from sla.actions.configuration import freeze
from sla.actions.merging import give_back, rebase, refold
from sla.actions.planning import plan_follow_ups
from sla.actions.promising import send_receipt
from sla.actions.thresholds import carry_out, fire_due

__all__ = [
    "carry_out",
    "fire_due",
    "freeze",
    "give_back",
    "judge_imported",
    "plan_follow_ups",
    "rebase",
    "refold",
    "retime",
    "send_receipt",
    "start_clocks",
]
