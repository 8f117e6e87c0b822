"""The early times of incidents that are one matter: the earliest known of each, still in order."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

NAMES = ("occurred_at", "detected_at", "reported_at")


class Dated(Protocol):
    occurred_at: datetime | None
    detected_at: datetime | None
    reported_at: datetime


@dataclasses.dataclass(frozen=True, slots=True)
class EarlyTimes:
    """When it began, was noticed, and was reported; unknown stays unknown."""

    occurred_at: datetime | None
    detected_at: datetime | None
    reported_at: datetime

    def as_json(self) -> dict[str, str | None]:
        return {name: value.isoformat() if value else None for name, value in dataclasses.asdict(self).items()}


def of(row: Dated) -> EarlyTimes:
    return EarlyTimes(row.occurred_at, row.detected_at, row.reported_at)


def read(kept: Mapping[str, Any]) -> EarlyTimes:
    """From the form that `as_json` writes."""
    occurred, detected, reported = (datetime.fromisoformat(kept[name]) if kept[name] else None for name in NAMES)
    if reported is None:
        raise ValueError("an incident is always reported at some moment")
    return EarlyTimes(occurred, detected, reported)


def earliest(own: EarlyTimes, others: Iterable[EarlyTimes]) -> EarlyTimes:
    """The earliest of each; what one incident learnt later than another reported it is capped, so that order holds."""
    all_times = [own, *others]
    reported = min(one.reported_at for one in all_times)
    detected = _first(*(one.detected_at for one in all_times))
    detected = min(detected, reported) if detected else None
    occurred = _first(*(one.occurred_at for one in all_times))
    occurred = min(occurred, detected or reported) if occurred else None
    return EarlyTimes(occurred, detected, reported)


def _first(*moments: datetime | None) -> datetime | None:
    return min((one for one in moments if one is not None), default=None)
