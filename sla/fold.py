"""The clock as a fold: ordered facts about an incident in, the cycles of one target's clock out.

Unit: whole seconds. A clock counts every second that it has begun: it starts with the second of its start, and a stop
or pause counts the second in which it falls. So deadlines are whole seconds, a stop exactly on the deadline is in time,
and one a microsecond later is not.
Facts are taken in the order in which they were recorded; one that carries an earlier time than its predecessor counts
as simultaneous with it. Nothing here reads a clock: a deadline that passes after the last fact is the sweep's to find.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from sla import businesstime
from sla.businesstime import WorkCalendar

SECOND = timedelta(seconds=1)
INSTANT = timedelta(microseconds=1)


class Kind(StrEnum):
    TERMS = "terms"
    ACKNOWLEDGED = "acknowledged"
    RESPONDED = "responded"
    OWNED = "owned"
    DISOWNED = "disowned"
    ASKED = "asked"
    ANSWERED = "answered"
    HELD = "held"
    RELEASED = "released"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    BEGAN_EARLIER = "began earlier"
    PROMISED = "promised"
    UPDATED = "updated"
    UNPROMISED = "unpromised"


class State(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    MET = "met"
    BREACHED = "breached"
    CANCELLED = "cancelled"


LIVE = frozenset({State.RUNNING, State.PAUSED})


@dataclasses.dataclass(frozen=True, slots=True)
class Budget:
    """So many seconds, or so many working days: the same clock time, or the end of that day."""

    seconds: int = 0
    days: int = 0
    end_of_day: bool = False

    def in_seconds(self, calendar: WorkCalendar, start: datetime) -> int:
        """Days become the working seconds that lie in them, so that shares and pauses are the same arithmetic."""
        if not self.days:
            return self.seconds
        later = businesstime.add_days_end_of_day if self.end_of_day else businesstime.add_days
        return businesstime.between(calendar, start, later(calendar, start, self.days))


@dataclasses.dataclass(frozen=True, slots=True)
class Terms:
    """What is promised for one target. Without a budget nothing is, but the time is counted for a later promise."""

    calendar: WorkCalendar
    budget: Budget | None
    pauses: frozenset[str] = frozenset()
    percents: tuple[int, ...] = ()
    repeat: int | None = None
    stops_at_close: bool = False
    on_reopen: str = "resume"


@dataclasses.dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened; a change of terms carries those of every target, its mode and its cause.

    `start` is the earlier start that a merge brings.
    """

    at: datetime
    kind: Kind
    reason: str = ""
    terms: Mapping[str, Terms] = dataclasses.field(default_factory=dict)
    mode: str = "carry"
    cause: str = ""
    start: datetime | None = None


@dataclasses.dataclass(slots=True)
class Cycle:
    """One run of a clock: `elapsed_s` is exact as of `counted_at`, which is None unless it counts.

    `skipped_percent` is the share already used up when the cycle began; thresholds up to it are the last cycle's.
    """

    number: int
    started_at: datetime
    terms: Terms
    state: State = State.RUNNING
    budget_s: int | None = None
    elapsed_s: int = 0
    counted_at: datetime | None = None
    due_at: datetime | None = None
    paused_at: datetime | None = None
    stopped_at: datetime | None = None
    breached_at: datetime | None = None
    cause: str = ""
    skipped_percent: int = 0

    @property
    def is_live(self) -> bool:
        return self.state in LIVE


def fold(target: str, start: datetime, facts: Iterable[Fact]) -> list[Cycle]:
    """The cycles of a target's clock from its start through all facts; empty when no terms ever came."""
    clock = _Clock(target, start)
    for fact in facts:
        clock.take(fact)
    return clock.cycles


_STOPS = {
    "acknowledge": Kind.ACKNOWLEDGED, "respond": Kind.RESPONDED, "own": Kind.OWNED, "next_reply": Kind.ANSWERED,
}  # fmt: skip
_ANSWERS = {Kind.ACKNOWLEDGED, Kind.RESPONDED}


class _Clock:
    """The running state of the fold."""

    def __init__(self, target: str, start: datetime) -> None:
        self.target = target
        self.start = start
        self.now = start
        self.cycles: list[Cycle] = []
        self.terms: Terms | None = None
        self.hold = ""
        self.answered = False
        self.owned = False
        self.promised = False
        self.over = False
        self.ended = False
        self.counted_until = start

    def take(self, fact: Fact) -> None:
        """Applies one fact; the clock's own rules of stopping come before those of pausing."""
        self.now = max(self.now, fact.at)
        if fact.kind in _OVER:
            self.over, self.ended = True, self.ended or fact.kind is not Kind.RESOLVED
        self.owned = fact.kind is Kind.OWNED or (self.owned and fact.kind is not Kind.DISOWNED)
        match fact.kind:
            case Kind.TERMS:
                self._agree(fact)
            case Kind.HELD:
                self.hold = fact.reason
            case Kind.CANCELLED:
                self._end(State.CANCELLED)
            case Kind.REOPENED:
                self.over = self.ended = False
                self._reopen()
            case Kind.DISOWNED:
                self._start_own()
            case Kind.PROMISED | Kind.UPDATED | Kind.UNPROMISED:
                self._keep_told(fact.kind)
            case Kind.BEGAN_EARLIER:
                self._begin_earlier(_floor(fact.start or self.start), fact.cause)
            case Kind.ASKED:
                self._ask()
            case _:
                self._stop(fact.kind)
        self.hold = "" if fact.kind in _RELEASES else self.hold
        self.answered = self.answered or fact.kind in _ANSWERS
        self._pause_or_go_on()

    @property
    def live(self) -> Cycle | None:
        return self.cycles[-1] if self.cycles and self.cycles[-1].is_live else None

    def _agree(self, fact: Fact) -> None:
        first, cycle = self.terms is None, self.live
        if fact.mode == "keep" and not first:
            return
        self._count(_floor(self.now))
        self.terms = fact.terms[self.target]
        if first:
            if self._begins_at_once():
                self._begin(_floor(self.start))
        elif cycle and fact.mode == "restart":
            self._finish(State.BREACHED if cycle.breached_at else State.CANCELLED)
            self._begin(_floor(self.now))
        elif cycle:
            cycle.terms = self.terms
            self._promise(cycle, fact.cause)

    def _begins_at_once(self) -> bool:
        """Whether the first terms start the clock; the others wait for an occasion of their own."""
        if self.target == "own":
            return not self.owned
        return self.promised if self.target == "update" else self.target != "next_reply"

    def _begin_earlier(self, start: datetime, cause: str) -> None:
        """Counts a clock that runs since the start from an earlier one; what had its verdict keeps it."""
        former, self.start = _floor(self.start), min(self.start, start)
        cycle = self.live if self.target not in ("next_reply", "update") else None
        if cycle is None or cycle.started_at != former or start >= former:
            return
        self._count(_floor(self.now))
        cycle.elapsed_s += businesstime.between(cycle.terms.calendar, start, former)
        cycle.started_at = start
        self._promise(cycle, cause)

    def _begin(self, at: datetime, elapsed_s: int = 0) -> None:
        if self.terms is None:
            raise ValueError("a clock begins under terms")
        cycle = Cycle(number=len(self.cycles) + 1, started_at=at, terms=self.terms, elapsed_s=elapsed_s, counted_at=at)
        self.cycles.append(cycle)
        self._promise(cycle, "time")
        if elapsed_s and cycle.budget_s:
            cycle.skipped_percent = elapsed_s * 100 // cycle.budget_s

    def _promise(self, cycle: Cycle, cause: str) -> None:
        """Sets budget and deadline from the cycle's terms; what is over already breaches at this moment."""
        terms = cycle.terms
        cycle.budget_s = None if terms.budget is None else terms.budget.in_seconds(terms.calendar, cycle.started_at)
        if cycle.budget_s is not None and cycle.elapsed_s > cycle.budget_s and not cycle.breached_at:
            cycle.breached_at, cycle.cause = _floor(self.now), cause
        self._set_due(cycle)

    def _set_due(self, cycle: Cycle) -> None:
        """The deadline as it stands; a clock that waits has none, unless its budget is used up already."""
        if cycle.budget_s is None:
            cycle.due_at = None
        elif cycle.elapsed_s >= cycle.budget_s:
            cycle.due_at = cycle.breached_at or cycle.counted_at
        elif cycle.counted_at is None:
            cycle.due_at = None
        else:
            left = cycle.budget_s - cycle.elapsed_s
            cycle.due_at = businesstime.add(cycle.terms.calendar, cycle.counted_at, left)

    def _count(self, until: datetime) -> None:
        """Adds the working seconds up to `until`; passing the deadline on the way is a breach at the deadline.

        The deadline decides, not the sum: after a budget that ended at closing time no second is added till morning.
        """
        cycle = self.live
        if cycle is None or cycle.counted_at is None or until <= cycle.counted_at:
            return
        cycle.elapsed_s += businesstime.between(cycle.terms.calendar, cycle.counted_at, until)
        cycle.counted_at = until
        if cycle.due_at and until > cycle.due_at and not cycle.breached_at:
            cycle.breached_at, cycle.cause = cycle.due_at, "time"

    def _pause_or_go_on(self) -> None:
        cycle = self.live
        if cycle is None:
            return
        # A promise of an answer does not wait for somebody else before anybody answered.
        may_wait = self.answered or self.target not in ("acknowledge", "respond")
        waits = may_wait and bool(self.hold) and self.hold in cycle.terms.pauses
        if waits and cycle.state is State.RUNNING:
            self._count(_ceil(self.now))
            self.counted_until = cycle.counted_at or self.counted_until
            cycle.state, cycle.paused_at, cycle.counted_at = State.PAUSED, self.now, None
            self._set_due(cycle)
        elif not waits and cycle.state is State.PAUSED:
            cycle.state, cycle.paused_at = State.RUNNING, None
            cycle.counted_at = max(_floor(self.now), self.counted_until)
            self._set_due(cycle)

    def _stop(self, kind: Kind) -> None:
        stops = {Kind.RESOLVED, Kind.CLOSED, _STOPS.get(self.target)}
        if self.live and self.live.terms.stops_at_close:
            stops.discard(Kind.RESOLVED)
        if kind in stops:
            self._end(State.MET)

    def _end(self, state: State) -> None:
        cycle = self.live
        if cycle:
            self._count(_ceil(self.now))
            self._finish(State.BREACHED if state is State.MET and cycle.breached_at else state)

    def _finish(self, state: State) -> None:
        cycle = self.cycles[-1]
        cycle.state, cycle.stopped_at, cycle.counted_at, cycle.paused_at = state, self.now, None, None

    def _reopen(self) -> None:
        last = self.cycles[-1] if self.cycles else None
        if self.target == "own":
            self._start_own()
        elif self.target == "update":
            self._start_update()
        elif self._goes_on_after(last) and last and self.terms:
            self._begin(_floor(self.now), last.elapsed_s if self.terms.on_reopen == "resume" else 0)

    def _goes_on_after(self, last: Cycle | None) -> bool:
        """Only a resolve clock that had its verdict has another cycle; a promised answer was given."""
        is_judged = last is not None and last.state in (State.MET, State.BREACHED)
        return self.target == "resolve" and is_judged and self.terms is not None and self.terms.on_reopen != "once"

    def _keep_told(self, kind: Kind) -> None:
        """The promise to tell how a major incident stands: each update keeps it and begins it anew."""
        if self.target != "update":
            return
        self.promised = kind is Kind.PROMISED or (self.promised and kind is not Kind.UNPROMISED)
        if kind is not Kind.PROMISED:
            self._end(State.MET if kind is Kind.UPDATED else State.CANCELLED)
        self._start_update()

    def _start_update(self) -> None:
        if self.terms and self.promised and not (self.live or self.over):
            self._begin(_floor(self.now))

    def _ask(self) -> None:
        """The requester has the last word, after a resolution too: it runs until a person answers."""
        if self.target == "next_reply" and self.terms and not (self.live or self.ended):
            self._begin(_floor(self.now))

    def _start_own(self) -> None:
        """A clock of its own for each time that nobody owns the incident."""
        if self.target == "own" and self.terms and not (self.live or self.owned or self.over):
            self._begin(_floor(self.now))


_OVER = {Kind.RESOLVED, Kind.CLOSED, Kind.CANCELLED}
_RELEASES = {Kind.RELEASED, Kind.RESOLVED, Kind.REOPENED, Kind.CLOSED, Kind.CANCELLED}


@dataclasses.dataclass(frozen=True, slots=True)
class Moment:
    """A threshold and when it is reached; `is_breach` is the first instant after the deadline."""

    at: datetime
    percent: int
    is_breach: bool = False


def moments(
    *, terms: Terms, budget_s: int, elapsed_s: int, counted_at: datetime, due_at: datetime, fired_percent: int,
    is_breached: bool, until: datetime | None = None,
) -> list[Moment]:  # fmt: skip
    """What is still to fire of a clock that counts, ascending: the next one, or with `until` all up to it and the next.

    A share that was already used up when counting began (a change of terms) is due at that moment.
    """
    found: list[Moment] = []
    if not is_breached:
        found.append(Moment(due_at + INSTANT, 100, is_breach=True))
    for percent in _shares(terms, fired_percent):
        needed = -(-budget_s * percent // 100)
        reached = (
            counted_at if needed <= elapsed_s else businesstime.add(terms.calendar, counted_at, needed - elapsed_s)
        )
        found.append(Moment(reached, percent))
        if until is None or reached > until:
            break
    found.sort(key=lambda one: (one.at, one.percent, one.is_breach))
    if until is None:
        return found[:1]
    passed = [one for one in found if one.at <= until]
    return passed + found[len(passed) : len(passed) + 1]


def _shares(terms: Terms, after: int) -> Iterable[int]:
    """The percentages past `after`, ascending: the listed ones, then the repeats (bounded, for a clock set to 1 s)."""
    last = max((100, *terms.percents))
    yield from (percent for percent in terms.percents if percent > after)
    if terms.repeat:
        steps = max(1, (max(after, last) - last) // terms.repeat + 1)
        first = last + steps * terms.repeat if after >= last else last + terms.repeat
        yield from range(first, first + terms.repeat * MOST_REPEATS, terms.repeat)


#: One look fires at most so many repeats; the next look goes on.
MOST_REPEATS = 20


def _floor(at: datetime) -> datetime:
    return at.replace(microsecond=0)


def _ceil(at: datetime) -> datetime:
    return at if not at.microsecond else at.replace(microsecond=0) + SECOND
