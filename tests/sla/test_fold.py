"""The fold against a walk minute by minute, and its rules at the edges of a second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla.businesstime import WALL_CLOCK, WorkCalendar, is_open
from sla.fold import Budget, Cycle, Fact, Kind, State, Terms, fold, moments

START = datetime(2026, 3, 27, 13, 0, tzinfo=UTC)  # the Friday before the clocks change in Madrid
MINUTE = timedelta(minutes=1)
MADRID = WorkCalendar.from_json(
    {
        "zone": "Europe/Madrid",
        "week": {day: [["09:00", "14:00"], ["15:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
    }
)
HOLIDAY = WorkCalendar.from_json(
    {**MADRID.to_json(), "holidays": ["2026-03-30"], "special": {"2026-03-28": [["10:00", "12:00"]]}}
)
CALENDARS = (MADRID, HOLIDAY, WALL_CLOCK)
PAUSES = frozenset({"awaiting_requester"})


def terms(seconds: int | None = 3600, calendar: WorkCalendar = WALL_CLOCK, **more: Any) -> Terms:
    budget = None if seconds is None else Budget(seconds=seconds)
    return Terms(calendar=calendar, budget=budget, **{"pauses": PAUSES, "percents": (50, 100), **more})


def agreed(at: datetime, value: Terms, mode: str = "carry", cause: str = "priority change") -> Fact:
    every = dict.fromkeys(("acknowledge", "respond", "resolve", "own"), value)
    return Fact(at, Kind.TERMS, terms=every, mode=mode, cause=cause)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def run(*facts: Fact, target: str = "resolve", first: Terms | None = None) -> list[Cycle]:
    return fold(target, START, [agreed(START, first or terms()), *facts])


class Walk:
    """The same rules, told minute by minute: nothing is computed that could not be counted on fingers."""

    def __init__(self, calendars: dict[int, frozenset[datetime]]) -> None:
        self.open = calendars
        self.done: list[tuple[State, int, datetime | None]] = []
        self.state: State | None = None
        self.elapsed, self.hold = 0, ""
        self.reached: datetime | None = None
        self.breached: datetime | None = None

    def begin(self, at: datetime, value: Terms, elapsed: int) -> None:
        self.terms, self.state, self.elapsed, self.reached, self.breached = value, State.RUNNING, elapsed, None, None
        self.promise(at)

    def promise(self, at: datetime) -> None:
        budget = self.terms.budget
        self.reached = at if budget and self.elapsed >= budget.seconds else None
        if budget and self.elapsed > budget.seconds:
            self.breached = self.breached or at

    def end(self, state: State) -> None:
        self.done.append((state, self.elapsed, self.breached))
        self.state = None

    def take(self, fact: Fact) -> None:
        if fact.kind is Kind.TERMS and self.state is None and not self.done:
            self.begin(fact.at, fact.terms["resolve"], 0)
        elif fact.kind is Kind.TERMS and fact.mode != "keep":
            if self.state and fact.mode == "restart":
                self.end(State.BREACHED if self.breached else State.CANCELLED)
                self.begin(fact.at, fact.terms["resolve"], 0)
            self.terms = fact.terms["resolve"]
            if self.state:
                self.promise(fact.at)
        elif fact.kind is Kind.HELD:
            self.hold = fact.reason
        elif fact.kind in (Kind.RESOLVED, Kind.REOPENED, Kind.RELEASED, Kind.CANCELLED):
            self.hold = ""
            self._move(fact)
        waits = bool(self.hold) and self.hold in self.terms.pauses
        if self.state is State.PAUSED and not waits and self.terms.budget and self.elapsed >= self.terms.budget.seconds:
            self.reached = fact.at
        if self.state:
            self.state = State.PAUSED if waits else State.RUNNING

    def _move(self, fact: Fact) -> None:
        if fact.kind is Kind.RESOLVED and self.state:
            self.end(State.BREACHED if self.breached else State.MET)
        elif fact.kind is Kind.CANCELLED and self.state:
            self.end(State.CANCELLED)
        elif fact.kind is Kind.REOPENED and not self.state and self.terms.on_reopen != "once":
            self.begin(fact.at, self.terms, self.done[-1][1] if self.terms.on_reopen == "resume" else 0)

    def minute(self, at: datetime) -> None:
        """The minute that begins at `at`, after what happened at it."""
        if self.state is not State.RUNNING:
            return
        if self.reached and not self.breached:
            self.breached = self.reached
        if at in self.open[id(self.terms.calendar)]:
            self.elapsed += 60
        if self.terms.budget and self.elapsed >= self.terms.budget.seconds and not self.reached:
            self.reached = at + MINUTE


HORIZON = 4 * 24 * 60
OPEN = {
    id(calendar): frozenset(START + n * MINUTE for n in range(HORIZON + 1) if is_open(calendar, START + n * MINUTE))
    for calendar in CALENDARS
}


@st.composite
def histories(draw: st.DrawFn) -> list[Fact]:
    def some_terms() -> Terms:
        return terms(
            60 * draw(st.sampled_from([1, 30, 60, 240, 300, 480, 2000])), draw(st.sampled_from(CALENDARS)),
            pauses=draw(st.sampled_from([PAUSES, frozenset()])),
            on_reopen=draw(st.sampled_from(["resume", "restart", "once"])),
        )  # fmt: skip

    facts = [agreed(START, some_terms())]
    minute = 0
    for _ in range(draw(st.integers(0, 8))):
        minute += draw(st.sampled_from([0, 1, 29, 30, 60, 240, 299, 1000]))
        at = START + min(minute, HORIZON - 1) * MINUTE
        kind = draw(st.sampled_from([Kind.HELD, Kind.RELEASED, Kind.TERMS, Kind.RESOLVED, Kind.REOPENED]))
        if kind is Kind.TERMS:
            facts.append(agreed(at, some_terms(), draw(st.sampled_from(["carry", "restart", "keep"]))))
        else:
            facts.append(Fact(at, kind, reason=draw(st.sampled_from(["awaiting_requester", "awaiting_vendor"]))))
    return [*facts, Fact(START + HORIZON * MINUTE, Kind.CANCELLED)]


@given(histories())
def test_the_fold_equals_a_walk_minute_by_minute(facts: list[Fact]) -> None:
    walk = Walk(OPEN)
    for n in range(HORIZON + 1):
        at = START + n * MINUTE
        for fact in facts:
            if fact.at == at:
                walk.take(fact)
        walk.minute(at)
    cycles = fold("resolve", START, facts)
    assert [(one.state, one.elapsed_s, one.breached_at) for one in cycles] == walk.done


@pytest.mark.parametrize(
    ("stopped", "state", "elapsed"),
    [(3600, State.MET, 3600), (3600.000001, State.BREACHED, 3601), (3599.5, State.MET, 3600)],
)
def test_a_stop_on_the_deadline_is_in_time_and_a_microsecond_later_is_not(
    stopped: float, state: State, elapsed: int
) -> None:
    (cycle,) = run(Fact(after(stopped), Kind.RESOLVED))
    assert (cycle.state, cycle.elapsed_s, cycle.due_at) == (state, elapsed, after(3600))


def test_a_budget_that_ends_at_closing_time_is_due_then_and_broken_on_the_weekend() -> None:
    four_hours = terms(4 * 3600, MADRID)  # Friday 14:00 in Madrid, closed until 15:00: 3 h today
    (cycle,) = run(Fact(datetime(2026, 3, 28, 10, 0, tzinfo=UTC), Kind.RESOLVED), first=terms(3 * 3600, MADRID))
    assert cycle.due_at == datetime(2026, 3, 27, 17, 0, tzinfo=UTC)
    assert (cycle.state, cycle.elapsed_s) == (State.BREACHED, 3 * 3600)
    assert run(first=four_hours)[0].due_at == datetime(2026, 3, 30, 8, 0, tzinfo=UTC)


def test_pausing_and_going_on_in_one_second_counts_it_once() -> None:
    (cycle,) = run(
        Fact(after(10.2), Kind.HELD, reason="awaiting_requester"),
        Fact(after(10.8), Kind.RELEASED),
        Fact(after(20), Kind.RESOLVED),
    )
    assert cycle.elapsed_s == 20


def test_a_fact_with_an_earlier_time_counts_as_simultaneous() -> None:
    (cycle,) = run(Fact(after(60), Kind.HELD, reason="awaiting_requester"), Fact(after(50), Kind.RESOLVED))
    assert (cycle.elapsed_s, cycle.stopped_at) == (60, after(60))


def test_a_lost_promise_cancels_and_a_new_one_judges_the_time_that_passed() -> None:
    dormant = run(agreed(after(600), terms(None)))[0]
    assert (dormant.budget_s, dormant.due_at) == (None, None)
    (back,) = run(agreed(after(600), terms(None)), agreed(after(1200), terms(900)))
    assert (back.budget_s, back.breached_at, back.cause) == (900, after(1200), "priority change")


def test_working_days_become_the_seconds_that_lie_in_them() -> None:
    two_days = Terms(calendar=MADRID, budget=Budget(days=2))
    end_of_day = Terms(calendar=MADRID, budget=Budget(days=2, end_of_day=True))
    start = datetime(2026, 3, 26, 9, 30, tzinfo=UTC)
    assert fold("resolve", start, [agreed(start, two_days)])[0].due_at == datetime(2026, 3, 30, 8, 30, tzinfo=UTC)
    assert fold("resolve", start, [agreed(start, end_of_day)])[0].due_at == datetime(2026, 3, 30, 16, 0, tzinfo=UTC)


def _moments(cycle: Cycle, fired: int, until: datetime | None = None) -> list[tuple[float, int, bool]]:
    assert cycle.budget_s is not None
    assert cycle.counted_at is not None
    assert cycle.due_at is not None
    found = moments(
        terms=cycle.terms, budget_s=cycle.budget_s, elapsed_s=cycle.elapsed_s, counted_at=cycle.counted_at,
        due_at=cycle.due_at, fired_percent=fired, is_breached=cycle.breached_at is not None, until=until,
    )  # fmt: skip
    return [((one.at - START).total_seconds(), one.percent, one.is_breach) for one in found]


def test_the_next_moment_is_the_next_share_and_the_breach_comes_just_after_the_deadline() -> None:
    (cycle,) = run()
    assert _moments(cycle, 0) == [(1800, 50, False)]
    assert _moments(cycle, 50) == [(3600, 100, False)]
    assert _moments(cycle, 100) == [(3600.000001, 100, True)]
    assert _moments(cycle, 0, after(9999)) == [(1800, 50, False), (3600, 100, False), (3600.000001, 100, True)]


def test_repeats_go_on_after_the_breach() -> None:
    (cycle,) = run(first=terms(3600, percents=(100,), repeat=50))
    assert [(at, percent) for at, percent, _ in _moments(cycle, 100, after(7200))] == [
        (3600.000001, 100), (5400, 150), (7200, 200), (9000, 250)
    ]  # fmt: skip


def test_a_resumed_cycle_leaves_its_predecessors_thresholds_alone() -> None:
    first, second = run(Fact(after(2700), Kind.RESOLVED), Fact(after(9000), Kind.REOPENED))
    assert (first.state, second.elapsed_s, second.skipped_percent) == (State.MET, 2700, 75)
    assert _moments(second, second.skipped_percent) == [(9900, 100, False)]
