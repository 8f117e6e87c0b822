"""What a merge does to clocks, and what taking it back does: the target's start earlier, and then as if nothing was."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from audit.actions import action, record
from audit.actor import Actor
from audit.models import Event
from incidents.models import Incident
from sla import businesstime, queries
from sla.actions.clocks import recompute, start_of
from sla.events import ClockEvent
from sla.facts import STARTED, TERMS_CHANGED, Happened, read
from sla.fold import Cycle, fold
from sla.models import Breach, BreachVoid, Clock, ThresholdFired
from sla.terms import TARGETS


@action(joins=True)
def refold(*, incident: Incident, by: Actor, at: datetime) -> None:
    """Recomputes the clocks and nothing else: no closing and no reminder moves. For what a merge does to its source."""
    history, rows = queries.recorded(incident)
    recompute(incident, history, _agreed(history), rows=rows, first=None, by=by, at=at)


@action(joins=True)
def rebase(*, incident: Incident, merge: int, by: Actor, at: datetime) -> None:
    """Lets the running clocks of a merge's target start at the earlier report; may breach them at once.

    Records `clock.rebased` with what undoing needs, and what became of each clock.
    """
    rows = list(Clock.objects.filter(incident=incident).order_by("pk"))
    before = [[row.pk, row.fired_percent, row.breached_at is not None] for row in rows]
    record(ClockEvent.REBASED, incident, by, at, merge=merge, before=before)
    history, rows = queries.recorded(incident)
    recompute(incident, history, _agreed(history), rows=rows, first=None, by=by, at=at)


@action(joins=True)
def give_back(*, incident: Incident, merge: int, by: Actor, at: datetime) -> None:
    """Clocks of a former target as if the merge had never been; breaches that it caused leave the reports.

    Records `clock.breach_voided` for each. Thresholds that it fired early fire again in their own time.
    """
    told = Event.objects.filter(
        kind=str(ClockEvent.REBASED), about_type=Incident._meta.label_lower, about_id=incident.pk, data__merge=merge
    ).first()
    before = {pk: (fired, breached) for pk, fired, breached in (told.data["before"] if told else ())}
    history, stored = queries.recorded(incident)
    rows = [copy.copy(row) for row in stored]
    cycles = _cycles(incident, history)
    for row in rows:
        cycle = cycles.get((row.target, row.cycle))
        _correct(row, cycle, before.get(row.pk, (0, False)), merge, by, at)
    recompute(incident, history, _agreed(history), rows=rows, first=None, by=by, at=at, stored=stored)


def _agreed(history: Sequence[Happened]) -> dict[str, Any]:
    return next(dict(one.data) for one in reversed(history) if one.kind in (STARTED, TERMS_CHANGED))


def _cycles(incident: Incident, history: Sequence[Happened]) -> dict[tuple[str, int], Cycle]:
    start = start_of(incident, history)
    facts = read(history, start, queries.terms_of)
    return {(target, cycle.number): cycle for target in TARGETS for cycle in fold(target, start, facts)}


def _correct(row: Clock, cycle: Cycle | None, before: tuple[int, bool], merge: int, by: Actor, at: datetime) -> None:
    """Takes from the row what it owes to the merge alone: a breach, and thresholds that fired early."""
    fired, was_breached = before
    moment = _breach_of(cycle, at)
    is_void = row.breached_at is not None and not was_breached and row.breached_at != moment
    if is_void:
        _void(row, merge, by, at)
        row.breached_at, row.breach_cause = None, ""
    due = ThresholdFired.objects.filter(clock=row, percent__lte=_share(cycle, at)).order_by("-percent")
    rightly = due.values_list("percent", flat=True).first() or 0
    kept = max(fired, min(rightly, row.fired_percent))
    row.voids += is_void or kept < row.fired_percent
    row.fired_percent = kept


def _breach_of(cycle: Cycle | None, at: datetime) -> datetime | None:
    """When the clock was missed without the merge, the deadline that a sweep has not looked at yet included."""
    if cycle is None or cycle.breached_at is not None:
        return cycle.breached_at if cycle else None
    return cycle.due_at if cycle.is_live and cycle.due_at is not None and cycle.due_at < at else None


def _share(cycle: Cycle | None, at: datetime) -> int:
    """The percentage of its budget that a clock has used up at an instant."""
    if cycle is None or not cycle.budget_s:
        return 0
    counted = businesstime.between(cycle.terms.calendar, cycle.counted_at, at) if cycle.counted_at else 0
    return (cycle.elapsed_s + counted) * 100 // cycle.budget_s


def _void(row: Clock, merge: int, by: Actor, at: datetime) -> None:
    breach = Breach.objects.filter(clock=row).order_by("-voids").first()
    if breach is None:
        return
    BreachVoid.objects.create(breach=breach, voided_by=f"undo of merge {merge} by {by.label}", merge=merge, at=at)
    record(
        ClockEvent.BREACH_VOIDED, row, by, at, about=row.incident, clock=row.pk, target=str(row.target),
        cycle=row.cycle, breach=breach.pk, merge=merge, breached_at=breach.at.isoformat(),
    )  # fmt: skip
