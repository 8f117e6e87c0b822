"""What an intake body may be, and how its fields are read: every refusal names the place in the body."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime

import orjson

#: Generous (about 5,000 alerts), because Alertmanager treats a 4xx as final: a refused group of alerts is lost.
MAX_BYTES = 4 * 1024 * 1024
#: Real senders nest 4 deep; PostgreSQL and every reader of the payload must be able to walk it.
MAX_DEPTH = 20
#: Alerts in one message.
MAX_ALERTS = 10_000


class BadBody(ValueError):
    """A body that can't be understood; `place` is a path like `alerts[2].labels.severity`, or a line and column."""

    def __init__(self, problem: str, *, place: str, too_large: bool = False) -> None:
        super().__init__(f"{place}: {problem}" if place else problem)
        self.problem = problem
        self.place = place
        self.too_large = too_large


#: Stands where a text held NUL, which no database row can: an alert is worth more than a character.
REPLACED = "\ufffd"


def decode(raw: bytes) -> object:
    """The JSON value of a body, NUL replaced; refuses what isn't JSON or what no row can hold (infinity, depth)."""
    return decode_telling(raw)[0]


def decode_telling(raw: bytes) -> tuple[object, list[str]]:
    """The same, with the places where NUL was replaced."""
    if len(raw) > MAX_BYTES:
        raise BadBody(
            f"the body has more than {MAX_BYTES} bytes; send fewer alerts in a message (Alertmanager: max_alerts)",
            place="body",
            too_large=True,
        )
    try:
        value: object = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadBody(f"not JSON: {error.msg}", place=f"line {error.lineno} column {error.colno}") from error
    places: list[str] = []
    if rb"\u0000" in raw:
        value = _without_nul(value, "", 1, places)
    check(value)
    return value, places


def _without_nul(value: object, place: str, depth: int, places: list[str]) -> object:
    """NUL replaced in names and texts; what is nested too deep is left for `check` to refuse."""
    if isinstance(value, str) and "\x00" in value:
        places.append(_shown(place))
        return value.replace("\x00", REPLACED)
    if depth > MAX_DEPTH:
        return value
    if isinstance(value, list):
        return [_without_nul(one, f"{place}[{index}]", depth + 1, places) for index, one in enumerate(value)]
    if isinstance(value, Mapping):
        return {
            str(_without_nul(name, f"{place}.<name>", depth, places)): _without_nul(
                inner, f"{place}.{name}", depth + 1, places
            )
            for name, inner in value.items()
        }
    return value


def check(value: object) -> None:
    """Refuses values that can't be stored, walking without recursion so that depth costs nothing."""
    waiting: list[tuple[object, str, int]] = [(value, "", 1)]
    while waiting:
        one, place, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise BadBody(f"nested more than {MAX_DEPTH} deep", place=_shown(place))
        if isinstance(one, Mapping):
            for name, inner in one.items():
                _check_text(str(name), f"{place}.<name>")
                waiting.append((inner, f"{place}.{name}", depth + 1))
        elif isinstance(one, list):
            waiting.extend((inner, f"{place}[{index}]", depth + 1) for index, inner in enumerate(one))
        elif isinstance(one, str):
            _check_text(one, place)
        elif isinstance(one, float) and not math.isfinite(one):
            raise BadBody("the number is not finite", place=_shown(place))


def _check_text(value: str, place: str) -> None:
    if "\x00" in value:
        raise BadBody("text may not hold NUL", place=_shown(place))
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadBody("text holds a lone surrogate", place=_shown(place)) from error


def _shown(place: str) -> str:
    return place.lstrip(".").replace("\x00", REPLACED)[:200] or "body"


def an_object(value: object, place: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise BadBody(f"must be an object, not {_named(value)}", place=place)
    return value


def a_list(value: object, place: str) -> list[object]:
    if not isinstance(value, list):
        raise BadBody(f"must be a list, not {_named(value)}", place=place)
    if len(value) > MAX_ALERTS:
        raise BadBody(f"holds more than {MAX_ALERTS} alerts", place=place)
    return value


def a_text(owner: Mapping[str, object], name: str, place: str) -> str:
    """The text of a field, empty when it is absent or null."""
    value = owner.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadBody(f"must be text, not {_named(value)}", place=f"{place}{name}")
    return value


def a_count(owner: Mapping[str, object], name: str, place: str) -> int:
    """A whole number from 0 up; 0 when it is absent or null."""
    value = owner.get(name)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadBody("must be a whole number from 0 up", place=f"{place}{name}")
    return value


def labels(owner: Mapping[str, object], name: str, place: str) -> dict[str, str]:
    """A flat mapping as text; numbers and booleans are written as JSON writes them."""
    value = owner.get(name)
    if value is None:
        return {}
    found = an_object(value, f"{place}{name}")
    return {key: _scalar(inner, f"{place}{name}.{key}") for key, inner in found.items()}


def _scalar(value: object, place: str) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return orjson.dumps(value).decode()
    raise BadBody(f"must be text, not {_named(value)}", place=place)


def a_time(owner: Mapping[str, object], name: str, place: str) -> datetime | None:
    """An RFC 3339 instant in UTC; None when absent, empty, or Go's zero time (which Alertmanager sends for "unset")."""
    text = a_text(owner, name, place)
    if not text or text.startswith("0001-01-01T00:00:00"):
        return None
    try:
        value = datetime.fromisoformat(text)
        if value.tzinfo is None:
            raise BadBody("a time needs its offset, as in 2026-03-10T09:02:00Z", place=f"{place}{name}")
        return value.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        if isinstance(error, BadBody):
            raise
        raise BadBody("not an RFC 3339 time, as in 2026-03-10T09:02:00Z", place=f"{place}{name}") from error


def _named(value: object) -> str:
    if value is None:
        return "null"
    for kind, name in ((bool, "a boolean"), (str, "text"), (int | float, "a number"), (list, "a list")):
        if isinstance(value, kind):
            return name
    return "an object"
