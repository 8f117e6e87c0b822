"""What changes clocks: start, recompute, fire; and the versions that a saved calendar or policy leaves."""

from sla.actions.clocks import judge_imported, retime, start_clocks
from sla.actions.configuration import freeze
from sla.actions.merging import give_back, rebase, refold
from sla.actions.thresholds import carry_out, fire_due

__all__ = [
    "carry_out",
    "fire_due",
    "freeze",
    "give_back",
    "judge_imported",
    "rebase",
    "refold",
    "retime",
    "start_clocks",
]
