"""From the recorded events of one incident to the values that count: a fold, so that a rebuild gives the same again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import IntEnum
from typing import Any

#: The kinds that the fold reads; others about the incident leave its numbers as they are.
KINDS = (
    "incident.opened", "incident.assigned", "incident.claimed", "incident.started", "incident.acknowledged",
    "incident.resolved", "incident.reopened", "incident.cancelled", "incident.escalated",
    "page.started", "page.notified",
)  # fmt: skip
_VOICE = frozenset({"phone", "chat", "walk_in"})


class Why(IntEnum):
    """Why a row stands outside of a number; zero stands inside. Stored: add at the end, never renumber."""

    COUNTED = 0
    DRILL = 1
    CHILD = 2
    DUPLICATE = 3
    CANCELLED = 4
    UNKNOWN = 5
    NOT_NOTIFIED = 6
    WAITING = 7
    NEVER = 8
    SELF_HEALED = 9
    ALERT = 10
    NO_ANSWER = 11
    NO_TEAM = 12
    NO_SLA = 13
    RUNNING = 14
    EXEMPTED = 15
    UNSORTED = 16
    UNASKED = 17
    ENDED = 18
    UNRATED = 19


@dataclasses.dataclass(frozen=True, slots=True)
class Happened:
    """One event about the incident."""

    kind: str
    at: datetime
    by_person: bool
    data: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the incident's row says and no event changes behind its back."""

    state: str
    channel: str
    cancel_reason: str
    resolution_code: str
    detected_by: str
    occurred_at: datetime | None
    detected_at: datetime | None
    reported_at: datetime
    is_drill: bool
    is_imported: bool
    is_child: bool
    is_recurrence: bool
    reassignments: int


@dataclasses.dataclass(frozen=True, slots=True)
class Value:
    """A number, or why there is none."""

    value: int | None
    why: Why = Why.COUNTED


@dataclasses.dataclass(frozen=True, slots=True)
class Folded:
    """The moments that decide in which range a row stands, and each value."""

    base: Why
    resolved_at: datetime | None
    ended_at: datetime | None
    values: Mapping[str, Value]


def fold(given: Given, happened: Sequence[Happened], tier_at: Callable[[int, datetime], int | None]) -> Folded:
    """The values of one incident; `happened` in the order of recording, `tier_at` the tier of a team at a moment."""
    base = _base(given)
    is_over = given.state in ("resolved", "closed")
    resolved = [one.at for one in happened if one.kind == "incident.resolved"]
    cancelled = [one.at for one in happened if one.kind == "incident.cancelled"]
    last = resolved[-1] if is_over and resolved else None
    ended = last or (cancelled[-1] if given.state == "cancelled" and cancelled else None)
    counted = {
        "mttd": _span(given.occurred_at, given.detected_at),
        "customer_first": _customer_first(given),
        **_acknowledged(happened, is_over=ended is not None),
        **_resolved(given, happened, last),
        "reopened": Value(int(any(one.kind == "incident.reopened" for one in happened))),
        "reassignments": Value(given.reassignments),
        **_first_line(given, happened, last, tier_at),
    }
    # Whatever is no matter of its own leaves every number; compliance alone looks at the clocks of all.
    values = counted if base is Why.COUNTED else {name: Value(None, base) for name in counted}
    return Folded(base, last, ended, values)


def _base(given: Given) -> Why:
    if given.is_drill:
        return Why.DRILL
    if given.is_child:
        return Why.CHILD
    if given.state == "cancelled":
        return Why.DUPLICATE if given.cancel_reason in ("duplicate", "merged") else Why.CANCELLED
    return Why.COUNTED


def seconds(start: datetime, end: datetime) -> int:
    """Whole seconds, never less than none."""
    return max(0, int((end - start).total_seconds()))


def _span(start: datetime | None, end: datetime | None) -> Value:
    return Value(None, Why.UNKNOWN) if start is None or end is None else Value(seconds(start, end))


def _customer_first(given: Given) -> Value:
    return Value(int(given.detected_by == "user")) if given.detected_by else Value(None, Why.UNKNOWN)


def _acknowledged(happened: Sequence[Happened], *, is_over: bool) -> dict[str, Value]:
    """From the first notification to a human acknowledgement; a claim before any notification is 0 and flagged."""
    paged = [one for one in happened if one.kind == "page.started"]
    notified = next((one.at for one in happened if one.kind == "page.notified"), None)
    taken = ("incident.claimed", "incident.started", "incident.acknowledged")
    claimed = next((one.at for one in happened if one.kind in taken and one.by_person), None)
    acknowledged = next((one.at for one in happened if one.kind == "incident.acknowledged" and one.by_person), None)
    if not paged and notified is None:
        outside = Value(None, Why.NOT_NOTIFIED)
    elif claimed is not None and (notified is None or claimed < notified):
        return {"mtta": Value(0), "claimed_first": Value(1)}
    elif notified is None:
        outside = Value(None, Why.NOT_NOTIFIED)
    elif acknowledged is not None:
        return {"mtta": Value(seconds(notified, acknowledged)), "claimed_first": Value(0)}
    else:
        outside = Value(None, _unacknowledged(happened, is_over=is_over))
    return {"mtta": outside, "claimed_first": outside}


def _unacknowledged(happened: Sequence[Happened], *, is_over: bool) -> Why:
    if not is_over:
        return Why.WAITING
    resolved = [one for one in happened if one.kind == "incident.resolved"]
    return Why.SELF_HEALED if resolved and not resolved[-1].by_person else Why.NEVER


def _resolved(given: Given, happened: Sequence[Happened], last: datetime | None) -> dict[str, Value]:
    """To the last resolution without the intervals in which it was resolved already, and to the first one."""
    if last is None:
        return dict.fromkeys(("mttr", "first_resolution", "resolution"), Value(None, Why.RUNNING))
    first = next(one.at for one in happened if one.kind == "incident.resolved")
    between = _while_resolved(happened)
    since = given.detected_at
    unknown = Value(None, Why.UNKNOWN)
    return {
        "mttr": unknown if since is None else Value(max(0, seconds(since, last) - between)),
        "first_resolution": unknown if since is None else Value(seconds(since, first)),
        "resolution": Value(max(0, seconds(given.reported_at, last) - between)),
    }


def _while_resolved(happened: Sequence[Happened]) -> int:
    total, since = 0, None
    for one in happened:
        if one.kind == "incident.resolved":
            since = one.at
        elif one.kind == "incident.reopened" and since is not None:
            total, since = total + seconds(since, one.at), None
    return total


def _first_line(
    given: Given, happened: Sequence[Happened], last: datetime | None, tier_at: Callable[[int, datetime], int | None]
) -> dict[str, Value]:
    """Solved at the first contact, solved by the first tier; what no person asked about is no contact."""
    if last is None or given.channel == "alert" or given.resolution_code == "no_answer":
        why = Why.RUNNING if last is None else Why.ALERT if given.channel == "alert" else Why.NO_ANSWER
        return {"fcr": Value(None, why), "flr": Value(None, why)}
    opened = next((one.data for one in happened if one.kind == "incident.opened"), {})
    by_voice = given.channel in _VOICE and (given.is_imported or bool(opened.get("is_first_contact")))
    reopened = any(one.kind == "incident.reopened" for one in happened)
    at_once = by_voice and opened.get("state") == "resolved" and not reopened
    team = team_at_resolution(happened)
    tier = tier_at(team, last) if team is not None else None
    return {
        "fcr": Value(int(at_once)),
        "flr": Value(None, Why.NO_TEAM) if tier is None else Value(int(tier == 1)),
    }


def team_at_resolution(happened: Sequence[Happened]) -> int | None:
    """The team that had it when it was resolved last."""
    team, at_last = None, None
    for one in happened:
        if one.kind == "incident.resolved":
            at_last = team
        elif "team" in one.data:
            team = one.data["team"]
    return at_last
