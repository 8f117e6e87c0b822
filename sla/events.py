"""What the sla app tells upwards: how the clocks of an incident fare."""

from __future__ import annotations

from enum import StrEnum

from audit.events import Kind


class ClockEvent(StrEnum):
    STARTED = "clock.started"
    TERMS_CHANGED = "clock.terms_changed"
    PAUSED = "clock.paused"
    RESUMED = "clock.resumed"
    MET = "clock.met"
    CANCELLED = "clock.cancelled"
    THRESHOLD_REACHED = "clock.threshold_reached"
    BREACHED = "clock.breached"
    REBASED = "clock.rebased"
    BREACH_VOIDED = "clock.breach_voided"


_TERMS = (
    "policy", "policy_id", "policy_version", "calendar_version", "priority", "inputs", "targets", "own_default_s",
    "reply_default_s", "update_default_s",
)  # fmt: skip
_CLOCK = ("clock", "target", "cycle")

KINDS: dict[str, Kind] = {
    ClockEvent.STARTED: Kind(
        "The clocks of an incident started under a policy; `answer_by` is when somebody answers at the latest.",
        (*_TERMS, "answer_by"),
    ),
    ClockEvent.TERMS_CHANGED: Kind(
        "A change of the incident brought its clocks under other terms.", (*_TERMS, "mode", "cause")
    ),
    ClockEvent.PAUSED: Kind(
        "A clock stopped counting while the incident waits, and for whom.", (*_CLOCK, "elapsed_s", "hold_reason")
    ),
    ClockEvent.RESUMED: Kind("A clock counts again.", (*_CLOCK, "elapsed_s", "due_at")),
    ClockEvent.MET: Kind("A clock was stopped in time.", (*_CLOCK, "elapsed_s")),
    ClockEvent.CANCELLED: Kind("A clock was ended without a verdict.", _CLOCK),
    ClockEvent.THRESHOLD_REACHED: Kind(
        "A clock used up a share of its budget.", (*_CLOCK, "percent", "due_at", "policy_id", "actions")
    ),
    ClockEvent.BREACHED: Kind(
        "A clock passed its deadline.", (*_CLOCK, "cause", "breached_at", "due_at", "policy_id", "actions")
    ),
    ClockEvent.REBASED: Kind(
        "The clocks of an incident start at the earlier report of one that was merged into it; as they were before.",
        ("merge", "before"),
    ),
    ClockEvent.BREACH_VOIDED: Kind(
        "A breach that only a merge had caused leaves the reports, because the merge was taken back.",
        (*_CLOCK, "breach", "merge", "breached_at"),
    ),
}
