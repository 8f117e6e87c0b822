"""Hours of the week as people write them, in the form that a rotation's restriction takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

DAY = 86_400


class InvalidRestriction(ValueError):
    """A restriction that is no span of the week; the message says what is wrong."""


def _second_of_day(value: Any) -> int:
    try:
        hours, minutes = str(value).split(":")
        found = int(hours) * 3600 + int(minutes) * 60
    except ValueError as error:
        raise InvalidRestriction(f"{value!r} is no time of day; write it like 09:00") from error
    if not (0 <= found <= DAY and 0 <= int(minutes) < 60):
        raise InvalidRestriction(f"{value!r} is no time of day; write it like 09:00")
    return found


def windows_of(restrictions: Iterable[Any]) -> tuple[tuple[int, int], ...]:
    """Hours of the week in seconds from Monday's midnight; an end at or before its start means the next day."""
    found = []
    for one in restrictions:
        if not isinstance(one, dict) or set(one) != {"weekday", "start", "end"}:
            raise InvalidRestriction("a restriction has weekday, start and end, and nothing else")
        if one["weekday"] not in range(7) or isinstance(one["weekday"], bool):
            raise InvalidRestriction(f"{one['weekday']!r} is no weekday; Monday is 0 and Sunday 6")
        begin, end = _second_of_day(one["start"]), _second_of_day(one["end"])
        if begin == DAY:
            raise InvalidRestriction("a restriction can't start at 24:00; take 00:00 of the next day")
        start = one["weekday"] * DAY + begin
        found.append((start, start + (end - begin if end > begin else end - begin + DAY)))
    return tuple(found)
