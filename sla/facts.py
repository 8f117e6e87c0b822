"""Reads recorded events as facts about clocks: which event starts, pauses, stops or moves what."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sla.fold import Fact, Kind, Terms

OPENED = "incident.opened"
STARTED = "clock.started"
TERMS_CHANGED = "clock.terms_changed"
MERGED, UNMERGED = "incident.merged", "incident.unmerged"
ABSORBED, RELEASED = "incident.absorbed", "incident.released"
COMMENTED, BOUNCED = "incident.commented", "incident.response_bounced"


@dataclasses.dataclass(frozen=True, slots=True)
class Happened:
    """What the fold needs of a recorded event."""

    kind: str
    at: datetime
    data: Mapping[str, Any]
    by_person: bool = False


def _opened(event: Happened) -> Iterator[Kind]:
    # A contact by voice is acknowledgement and first response in one: somebody answered.
    if event.data.get("is_first_contact"):
        yield Kind.ACKNOWLEDGED
        yield Kind.RESPONDED


def _owner(event: Happened) -> Iterator[Kind]:
    yield Kind.OWNED if event.data.get("assignee") else Kind.DISOWNED


def _acknowledged(event: Happened) -> Iterator[Kind]:
    yield Kind.ACKNOWLEDGED
    if event.data.get("is_first_response"):
        yield Kind.RESPONDED
    if event.data.get("assignee"):
        yield Kind.OWNED


def _commented(event: Happened) -> Iterator[Kind]:
    if event.data.get("is_first_response"):
        yield Kind.RESPONDED
    if not event.data.get("is_public") or event.data.get("nature", "person") != "person":
        return
    if event.data.get("author_kind") == "requester":
        yield Kind.ASKED
    elif event.data.get("author_kind") == "agent":
        yield Kind.ANSWERED


def _resolved(event: Happened) -> Iterator[Kind]:
    # Who resolves what nobody owns becomes its owner.
    if event.data.get("assignee", event.by_person):
        yield Kind.OWNED
    yield Kind.RESOLVED


def _reopened(event: Happened) -> Iterator[Kind]:
    # Whoever had it may have left since.
    yield Kind.REOPENED
    if "assignee" in event.data and not event.data["assignee"]:
        yield Kind.DISOWNED


_READERS: dict[str, Callable[[Happened], Iterable[Kind]]] = {
    "incident.assigned": _owner,
    "incident.claimed": lambda event: (Kind.OWNED,),
    "incident.started": lambda event: (Kind.OWNED,) if event.data.get("assignee") else (),
    "incident.acknowledged": _acknowledged,
    COMMENTED: _commented,
    "incident.reply_settled": lambda event: (Kind.ANSWERED,),
    "incident.resumed": lambda event: (Kind.RELEASED,),
    "incident.resolved": _resolved,
    "incident.reopened": _reopened,
    "incident.closed": lambda event: (Kind.CLOSED,),
    "incident.cancelled": lambda event: (Kind.CANCELLED,),
    "incident.major_accepted": lambda event: (Kind.PROMISED,),
    "incident.updated": lambda event: (Kind.UPDATED,),
    "incident.major_demoted": lambda event: (Kind.UNPROMISED,),
    MERGED: lambda event: (Kind.CANCELLED,),
    ABSORBED: lambda event: (Kind.BEGAN_EARLIER,),
}
_HOLDS = {"incident.put_on_hold": "hold_reason", "incident.hold_changed": "new"}

#: The kinds of events that a clock depends on.
RELEVANT = (OPENED, *_READERS, *_HOLDS, STARTED, TERMS_CHANGED, UNMERGED, RELEASED, BOUNCED)


def without_undone(events: Iterable[Happened]) -> list[Happened]:
    """The events less the merges that were taken back and the answers that came back: as if those had never been."""
    told = _without_bounced(list(events))
    undone = {one.data.get("merge") for one in told if one.kind in (UNMERGED, RELEASED)}
    return [
        one for one in told
        if one.kind not in (MERGED, UNMERGED, ABSORBED, RELEASED) or one.data.get("merge") not in undone
    ]  # fmt: skip


def _without_bounced(told: list[Happened]) -> list[Happened]:
    """What came back told nobody anything; a later word that arrived is the first response instead."""
    bounces = [one.data for one in told if one.kind == BOUNCED]
    if not bounces:
        return told
    gone, instead = {one["comment"] for one in bounces}, {one["instead"] for one in bounces}
    kept = [one for one in told if one.kind != BOUNCED and not (one.kind == COMMENTED and one.data["comment"] in gone)]
    return [
        dataclasses.replace(one, data={**one.data, "is_first_response": True})
        if one.kind == COMMENTED and one.data["comment"] in instead else one
        for one in kept
    ]  # fmt: skip


def read(
    events: Iterable[Happened], start: datetime, terms_of: Callable[[Mapping[str, Any]], Mapping[str, Terms]]
) -> list[Fact]:
    """The facts of an incident's events, in the order in which they were recorded.

    What held from the start (the owner, then the first terms, then the contact) stands first and carries that time:
    a policy chosen while the incident is opened applies from its report.
    """
    history = without_undone(events)
    opening = next((one for one in history if one.kind == OPENED), None)
    agreed = next((one for one in history if one.kind == STARTED), None)
    facts: list[Fact] = []
    if opening and opening.data.get("assignee"):
        facts.append(Fact(start, Kind.OWNED))
    if agreed:
        facts.append(Fact(start, Kind.TERMS, terms=terms_of(agreed.data)))
    if opening:
        facts += [Fact(start, kind) for kind in _opened(opening)]
        facts += [Fact(opening.at, Kind.RESOLVED)] * (opening.data.get("state") == "resolved")
    for event in history:
        if event is not opening and event is not agreed:
            facts += _read_one(event, terms_of)
    return facts


def _read_one(event: Happened, terms_of: Callable[[Mapping[str, Any]], Mapping[str, Terms]]) -> list[Fact]:
    data = event.data
    if event.kind in (STARTED, TERMS_CHANGED):
        mode, cause = data.get("mode", "carry"), data.get("cause", "policy change")
        return [Fact(event.at, Kind.TERMS, terms=terms_of(data), mode=mode, cause=cause)]
    if event.kind in _HOLDS:
        return [Fact(event.at, Kind.HELD, reason=str(data.get(_HOLDS[event.kind], "")))]
    if event.kind == ABSORBED:
        began = datetime.fromisoformat(str(data["start_at"]))
        return [Fact(event.at, Kind.BEGAN_EARLIER, start=began, cause="merge")]
    return [Fact(event.at, kind) for kind in _READERS[event.kind](event)]
