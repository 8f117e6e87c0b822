"""What this app tells upwards."""

from __future__ import annotations

from enum import StrEnum

from audit.events import Kind


class RatingEvent(StrEnum):
    GIVEN = "rating.given"
    CHANGED = "rating.changed"
    SETTLED = "rating.settled"


class ReportEvent(StrEnum):
    EXPORTED = "report.exported"


class DigestEvent(StrEnum):
    ASKED_FOR = "digest.asked_for"
    GIVEN_UP = "digest.given_up"


_DIGEST = ("digest_kind", "at_time", "weekday")

KINDS: dict[str, Kind] = {
    DigestEvent.ASKED_FOR: Kind("A person asked for numbers by mail, in their own zone.", _DIGEST),
    DigestEvent.GIVEN_UP: Kind("A person wants a digest no more.", _DIGEST),
    ReportEvent.EXPORTED: Kind(
        "Somebody took numbers, or the rows behind one, out of the desk; `asked` is the range and what narrows it.",
        ("report", "asked"),
    ),
    RatingEvent.GIVEN: Kind(
        "The requester rated a resolution, 1 to 5; `is_low` asks a lead to look into it.",
        ("rating", "score", "cycle", "is_low"),
    ),
    RatingEvent.CHANGED: Kind(
        "The requester corrected a rating shortly after giving it.", ("rating", "old", "score", "cycle", "is_low")
    ),
    RatingEvent.SETTLED: Kind("Somebody of the desk looked into a low rating.", ("rating", "score", "cycle")),
}
