"""When a delivery is tried again, and when a whole endpoint is left alone: growing delays with jitter."""

from __future__ import annotations

import hashlib
from datetime import timedelta

_MINUTE, _HOUR = 60, 3600
#: Seconds after the first, second ... failed attempt; together a little over three days.
SCHEDULE = (
    5, _MINUTE, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR,
)  # fmt: skip
#: One failure may lie in one message; so many in a row lie in the receiver.
FAILURES_OF_RECEIVER = 3
_FIRST_HOLD, _LONGEST_HOLD = 5, 15 * _MINUTE
#: Share of a delay by which it may be longer.
JITTER = 0.2


def _share(text: str) -> float:
    """A number from 0 to 1 that is the same for the same text: jitter that a test can repeat."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 0xFFFFFFFF


def _jittered(seconds: float, text: str) -> timedelta:
    return timedelta(seconds=seconds * (1 + JITTER * _share(text)))


def delay(attempts: int, webhook_id: str) -> timedelta | None:
    """How long to wait after so many failed attempts; None when the delivery is given up."""
    if attempts > len(SCHEDULE):
        return None
    return _jittered(SCHEDULE[attempts - 1], f"{webhook_id}:{attempts}")


def hold(failures: int, name: str) -> timedelta | None:
    """How long a receiver that failed so often in a row is left alone: at most a quarter of an hour.

    So a receiver that was down for a day is found up again within that time, whatever its deliveries wait for.
    """
    if failures < FAILURES_OF_RECEIVER:
        return None
    seconds = _FIRST_HOLD * 2 ** min(failures - FAILURES_OF_RECEIVER, 20)
    return _jittered(min(seconds, _LONGEST_HOLD), f"{name}:{failures}")
