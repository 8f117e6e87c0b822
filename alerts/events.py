"""What the alert intake tells upwards."""

from __future__ import annotations

from enum import StrEnum

from audit.events import Kind


class AlertEvent(StrEnum):
    FIRED = "alert.fired"
    RECOVERED = "alert.recovered"
    RECOVERY_PROPOSED = "alert.recovery_proposed"
    MOVED = "alert.moved"
    STORM_BEGAN = "alert_source.storm_began"
    KEY_ISSUED = "alert_source.key_issued"
    KEY_ROTATED = "alert_source.key_rotated"


_ALERT = ("source", "fingerprint", "title", "severity")

KINDS: dict[str, Kind] = {
    AlertEvent.FIRED: Kind(
        "An alert began to fire; outcome is opened, attached, reopened, linked or suppressed.",
        (*_ALERT, "outcome", "impact", "urgency"),
    ),
    AlertEvent.RECOVERED: Kind(
        "An alert recovered at its source; firing counts the incident's others.", (*_ALERT, "firing")
    ),
    AlertEvent.RECOVERY_PROPOSED: Kind(
        "Every alert of an incident recovered, and the source's policy leaves resolving to a person.", ("source",)
    ),
    AlertEvent.MOVED: Kind("Alerts came with a merge, or went with its undo.", ("merge", "alerts")),
    AlertEvent.STORM_BEGAN: Kind(
        "A source passed its storm limit; its new alerts share one incident until it calms.", ("source", "limit")
    ),
    AlertEvent.KEY_ISSUED: Kind("An alert source got its intake key.", ("prefix",)),
    AlertEvent.KEY_ROTATED: Kind("The intake key of an alert source was replaced.", ("prefix", "old_prefix")),
}
