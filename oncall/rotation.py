"""Rotations: who is on call at an instant, in the wall-clock time of the schedule's zone.

Every hand-over is counted from the rotation's start in local time (start + n units), never from the one before it: so
nothing drifts, an hourly rotation of 24 keeps its hour too, and a shift ten years away is one division. A rotation goes
on backwards before its start. A hand-over is one instant, the end of one shift and the start of the next: the first
occurrence of an ambiguous local time; a time that does not exist moves to the first that does (a shift that lies wholly
in the gap is nobody's turn). What stands alone, a restriction or an override, ends at the last occurrence, so that no
hour is lost. A monthly hand-over on the 31st is on the last day of a shorter month.
"""

import calendar
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self
from zoneinfo import ZoneInfo

from sla.businesstime import OutOfRange, UnknownZone, first_instant, last_instant

Person = int | str

#: Seconds from Monday's midnight, local; an end may pass Sunday's midnight.
WeekWindows = tuple[tuple[int, int], ...]

WEEK = 7 * 86_400


class InvalidRotation(ValueError):
    """The rotation cannot be used; the message says why and what to change."""


class Kind(StrEnum):
    """The unit in which a shift is measured."""

    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


_UNITS = {Kind.HOURLY: timedelta(hours=1), Kind.DAILY: timedelta(days=1), Kind.WEEKLY: timedelta(weeks=1)}


@dataclass(frozen=True, slots=True)
class Rotation:
    """Participants take turns; with n on at once the next n follow (A and B, then C and D), so loads stay equal.

    Restrictions are the hours of the week in which the rotation calls anybody; none means always.
    """

    zone: str
    start: datetime
    kind: Kind
    shift_length: int
    participants: tuple[Person, ...]
    n_on_at_once: int = 1
    restrictions: WeekWindows = ()

    def __post_init__(self) -> None:
        if self.start.tzinfo is not None:
            raise InvalidRotation("The start has a zone of its own; give the local time without one.")
        if self.kind not in list(Kind):
            raise InvalidRotation(f"Unknown kind {self.kind!r}; use {', '.join(Kind)}.")
        if self.shift_length < 1:
            raise InvalidRotation(f"A shift of {self.shift_length} units never ends; use a length of 1 or more.")
        if not self.participants:
            raise InvalidRotation("The rotation has no participants; add at least one.")
        if not 1 <= self.n_on_at_once <= len(self.participants):
            raise InvalidRotation(
                f"{self.n_on_at_once} on call at once of {len(self.participants)} participants is not possible; "
                "use a number from 1 to that of the participants."
            )
        for start, end in self.restrictions:
            if not (0 <= start < WEEK and start < end <= start + WEEK):
                raise InvalidRotation(
                    f"The restriction {start}-{end} is no part of a week of {WEEK} seconds; start it within the week "
                    "and end it after its start."
                )
        try:
            first_instant(self.zone, self.start)
        except UnknownZone as error:
            raise InvalidRotation(str(error)) from error
        object.__setattr__(self, "kind", Kind(self.kind))
        object.__setattr__(self, "participants", tuple(self.participants))
        object.__setattr__(self, "restrictions", _joined(self.restrictions))


@dataclass(frozen=True, slots=True)
class Shift:
    """One turn, or the part of it that a restriction leaves."""

    start: datetime
    stop: datetime
    on: tuple[Person, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """A rotation in a schedule: the highest priority that is set at an instant counts, equal ones are both on call."""

    rotation: Rotation
    priority: int = 0
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody stands in, whatever the layers say."""

    start: datetime
    stop: datetime
    who: Person

    def __post_init__(self) -> None:
        if self.start >= self.stop:
            raise InvalidRotation("The override does not end after it starts; correct its times.")

    @classmethod
    def local(cls, zone: str, start: datetime, stop: datetime, who: Person) -> Self:
        """From the first occurrence of the local start to the last of the local stop."""
        return cls(first_instant(zone, start), last_instant(zone, stop), who)


@dataclass(frozen=True, slots=True)
class Claim:
    """A span in which a layer wants somebody on call."""

    start: datetime
    stop: datetime
    who: Person
    priority: int


@dataclass(frozen=True, slots=True)
class Row:
    """A span of the final row; the priority is that of the layer, None for an override."""

    start: datetime
    stop: datetime
    who: Person
    priority: int | None


def handoffs(rotation: Rotation, start: datetime, stop: datetime) -> Iterator[datetime]:
    """Every hand-over from the last at or before `start` to the first after `stop`."""
    index, passed = _index_at(rotation, start), None
    while passed is None or passed <= stop:
        at = _handoff(rotation, index)
        if at != passed:
            yield at
        index, passed = index + 1, at


def shift_at(rotation: Rotation, at: datetime) -> Shift | None:
    """The shift at an instant; None where a restriction leaves nobody."""
    found = (shift for shift in _shifts_of(rotation, _index_at(rotation, at)) if shift.start <= at < shift.stop)
    return next(found, None)


def shifts(rotation: Rotation, start: datetime, stop: datetime) -> Iterator[Shift]:
    """The whole shifts that overlap a half-open range, lazily and in order."""
    index = _index_at(rotation, start)
    while start < stop and _handoff(rotation, index) < stop:
        for shift in _shifts_of(rotation, index):
            if shift.start < stop and shift.stop > start:
                yield shift
        index += 1


def final_row(layers: Iterable[Layer], overrides: Sequence[Override], start: datetime, stop: datetime) -> list[Row]:
    """Who is on call in a range, layers and overrides taken together; a later override in the list wins."""
    claims: list[Claim] = []
    for layer in layers:
        end = stop if layer.until is None else min(stop, layer.until)
        for shift in shifts(layer.rotation, start, end):
            claims += [Claim(shift.start, min(shift.stop, end), who, layer.priority) for who in shift.on]
    return overlay(claims, overrides, start, stop)


def on_call_at(layers: Iterable[Layer], overrides: Sequence[Override], at: datetime) -> tuple[Person, ...]:
    """Everybody on call at an instant; empty in a gap."""
    return tuple(row.who for row in final_row(layers, overrides, at, at + timedelta.resolution))


def overlay(claims: Iterable[Claim], overrides: Sequence[Override], start: datetime, stop: datetime) -> list[Row]:
    """Lay claims over each other, cut to the range: one row for each person, priority and unbroken span."""
    begins: dict[datetime, list[Claim | int]] = defaultdict(list)
    ends: dict[datetime, list[Claim | int]] = defaultdict(list)
    spans: list[Claim | Override] = [*claims, *overrides]
    first = len(spans) - len(overrides)
    for index, span in enumerate(spans):
        low, high = max(span.start, start), min(span.stop, stop)
        if low < high:
            # An override is its place in the list: the highest place on is the latest made.
            item = span if isinstance(span, Claim) else index - first
            begins[low].append(item)
            ends[high].append(item)
    active: list[Claim | int] = []
    running: dict[tuple[Person, int | None], datetime] = {}
    rows: list[Row] = []
    for edge in sorted(begins.keys() | ends.keys()):
        for item in ends.get(edge, ()):
            active.remove(item)
        active += begins.get(edge, ())
        wanted = _winners(active, overrides)
        for who, priority in [key for key in running if key not in wanted]:
            rows.append(Row(running.pop((who, priority)), edge, who, priority))
        for key in wanted:
            running.setdefault(key, edge)
    return sorted(rows, key=lambda row: (row.start, row.stop, str(row.who)))


def gaps(rows: Iterable[Row], start: datetime, stop: datetime) -> list[tuple[datetime, datetime]]:
    """The spans of a range in which no row has anybody."""
    found, covered = [], start
    for row in sorted(rows, key=lambda row: row.start):
        if row.start > covered:
            found.append((covered, min(row.start, stop)))
        covered = max(covered, row.stop)
    if covered < stop:
        found.append((covered, stop))
    return [(low, high) for low, high in found if low < high]


def _winners(active: Sequence[Claim | int], overrides: Sequence[Override]) -> list[tuple[Person, int | None]]:
    latest = max((item for item in active if isinstance(item, int)), default=None)
    if latest is not None:
        return [(overrides[latest].who, None)]
    claims = [item for item in active if isinstance(item, Claim)]
    top = max((claim.priority for claim in claims), default=0)
    return list(dict.fromkeys((claim.who, claim.priority) for claim in claims if claim.priority == top))


def _wall(rotation: Rotation, index: int) -> datetime:
    """The local time of a hand-over, which may not exist or exist twice."""
    start, steps = rotation.start, index * rotation.shift_length
    try:
        if rotation.kind is not Kind.MONTHLY:
            return start + steps * _UNITS[rotation.kind]
        year, month = divmod(start.year * 12 + start.month - 1 + steps, 12)
        last = calendar.monthrange(year, month + 1)[1]
        return start.replace(year=year, month=month + 1, day=min(start.day, last))
    except (OverflowError, ValueError) as error:
        raise OutOfRange("The hand-over lies outside the years 2 to 9998; correct the range.") from error


def _handoff(rotation: Rotation, index: int) -> datetime:
    return first_instant(rotation.zone, _wall(rotation, index))


def _index_at(rotation: Rotation, at: datetime) -> int:
    """The shift that an instant falls into: a division in local time, put right by the few shifts of a clock change."""
    if at.utcoffset() is None:
        raise ValueError(f"{at.isoformat()} has no zone; pass an aware instant.")
    if not 1 < at.year < 9999:
        raise OutOfRange(f"{at.isoformat()} is outside the years 2 to 9998; correct the date.")
    wall, start = at.astimezone(ZoneInfo(rotation.zone)).replace(tzinfo=None), rotation.start
    if rotation.kind is Kind.MONTHLY:
        index = ((wall.year - start.year) * 12 + wall.month - start.month) // rotation.shift_length
    else:
        index = (wall - start) // (_UNITS[rotation.kind] * rotation.shift_length)
    while _handoff(rotation, index + 1) <= at:
        index += 1
    while _handoff(rotation, index) > at:
        index -= 1
    return index


def _shifts_of(rotation: Rotation, index: int) -> Iterator[Shift]:
    """The parts of one turn, none if it fell into a gap of the clock."""
    people, count = rotation.participants, rotation.n_on_at_once
    on = tuple(dict.fromkeys(people[(index * count + place) % len(people)] for place in range(count)))
    low, high = _handoff(rotation, index), _handoff(rotation, index + 1)
    for start, stop in _allowed(rotation, low, high):
        yield Shift(start, stop, on)


def _allowed(rotation: Rotation, low: datetime, high: datetime) -> Iterator[tuple[datetime, datetime]]:
    """What the restrictions leave of a span between two hand-overs."""
    if not rotation.restrictions and low < high:
        yield low, high
    held: tuple[datetime, datetime] | None = None
    for begin, end in _restricted_walls(rotation, low, high):
        if first_instant(rotation.zone, end) <= low:
            # An end at the hand-over belongs to the hand-over: it does not stand alone.
            continue
        start, stop = max(low, first_instant(rotation.zone, begin)), min(high, last_instant(rotation.zone, end))
        if held and start <= held[1]:
            held = held[0], max(held[1], stop)
        elif start < stop:
            if held:
                yield held
            held = start, stop
    if held:
        yield held


def _restricted_walls(rotation: Rotation, low: datetime, high: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The restrictions near a span, in order and in local time; a clock change moves nothing by two days."""
    zone, margin = ZoneInfo(rotation.zone), timedelta(days=2)
    first = low.astimezone(zone).replace(tzinfo=None) - margin
    last = high.astimezone(zone).replace(tzinfo=None) + margin
    monday = first.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=first.weekday() + 7)
    while rotation.restrictions and monday < last:
        for begin, end in rotation.restrictions:
            start, stop = monday + timedelta(seconds=begin), monday + timedelta(seconds=end)
            if first < stop and start < last:
                yield start, stop
        monday += timedelta(weeks=1)


def _joined(windows: WeekWindows) -> WeekWindows:
    """Sorted windows that do not touch, around the end of the week too; the whole week is no restriction."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(windows):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    while len(joined) > 1 and joined[-1][1] >= joined[0][0] + WEEK:
        _, end = joined.pop(0)
        joined[-1] = joined[-1][0], max(joined[-1][1], end + WEEK)
    return () if any(end - start >= WEEK for start, end in joined) else tuple(joined)
