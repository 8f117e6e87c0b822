"""Starts and recomputes the clocks of an incident: load what was recorded, fold, write only what differs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Model

from audit.actions import action, record, record_all
from audit.actor import Actor, ActorKind
from incidents.models import Channel, Incident
from incidents.queries import own_times
from sla import queries
from sla.actions.planning import plan
from sla.actions.writing import COLUMNS, write
from sla.events import ClockEvent
from sla.facts import ABSORBED, OPENED, STARTED, TERMS_CHANGED, Happened, read
from sla.fold import Cycle, fold, moments
from sla.models import Clock
from sla.terms import TARGETS, Policy

#: What happens where no policy says it when an incident has lain without an owner for too long.
NOBODY_TOOK_IT: list[dict[str, Any]] = [{"do": "notify", "to": ["team_lead"]}]

_Told = tuple[str, Model, Model, dict[str, Any]]

_ATTRIBUTES = tuple(field.attname for field in Clock._meta.concrete_fields)
_LIVE = (Clock.State.RUNNING.value, Clock.State.PAUSED.value)


@action(joins=True)
def start_clocks(
    *, incident: Incident, by: Actor, at: datetime, opened: Mapping[str, Any] | None = None, reason: str = ""
) -> None:
    """Starts the clocks of an incident that was just opened, and puts it into the queue. Records `clock.started`.

    `opened` is the data of its `incident.opened`; without it the recorded event is read.
    """
    if opened is None:
        history, _ = queries.recorded(incident)
    else:
        history = [Happened(OPENED, at, opened, by.kind is ActorKind.PERSON)]
    agreed = queries.agree(incident)
    recompute(incident, [*history, Happened(STARTED, at, agreed)], agreed, rows=[], first=agreed, by=by, at=at)


@action(joins=True)
def retime(*, incident: Incident, by: Actor, at: datetime, reason: str = "") -> None:
    """Recomputes all clocks of an incident from what was recorded; calling it again changes nothing.

    The incident's row must be locked, as in every handler; `reason` is only that of the change that led here.
    Moves closing and reminder where the policy counts in working days. Records `clock.terms_changed` when another
    policy or priority applies now, and what became of each clock.
    """
    history, rows = queries.recorded(incident)
    agreed = next((dict(one.data) for one in reversed(history) if one.kind in (STARTED, TERMS_CHANGED)), None)
    if agreed is None:
        start_clocks(incident=incident, by=by, at=at)
        return
    changed = _changed_terms(incident, agreed)
    if changed:
        record(ClockEvent.TERMS_CHANGED, incident, by, at, **changed)
        history.append(Happened(TERMS_CHANGED, at, changed))
        agreed = changed if changed["mode"] != "keep" else agreed
    recompute(incident, history, agreed, rows=rows, first=None, by=by, at=at)
    plan(incident, agreed, at)


@action(joins=True)
def judge_imported(*, incident: Incident, by: Actor, at: datetime) -> None:
    """Computes the clocks of an imported incident once, after its last event: by its final priority and policy.

    The handlers skip imported incidents; an import calls this at the end of each. Nothing is armed and nobody told.
    Calling it again recomputes. Records `clock.started`.
    """
    history, rows = queries.recorded(incident)
    agreed = next((dict(one.data) for one in history if one.kind == STARTED), None)
    first = None if agreed else queries.agree(incident)
    if first:
        history.append(Happened(STARTED, at, first))
    recompute(incident, history, first or agreed or {}, rows=[] if first else rows, first=first, by=by, at=at)


def start_of(incident: Incident, history: Iterable[Happened] = ()) -> datetime:
    """Where the clocks start: when it was reported, and what a machine noticed when it was detected.

    What a merge brought forward is a fact of its own, so here the incident's own times count.
    """
    times = own_times(incident) if any(one.kind == ABSORBED for one in history) else incident
    noticed = incident.channel == Channel.ALERT and times.detected_at
    started: datetime = noticed or times.reported_at
    return started


def _changed_terms(incident: Incident, agreed: Mapping[str, Any]) -> dict[str, Any] | None:
    """The terms that hold from now on, if the incident's priority or policy is another one than agreed.

    The same policy stays in the version that was agreed, and its calendar too: new versions are for new incidents.
    """
    inputs = queries.inputs_of(incident)
    if inputs.as_json() == agreed["inputs"]:
        return None
    new = queries.agree(incident)
    if new["policy_id"] == agreed["policy_id"]:
        if inputs.priority == agreed["priority"]:
            return None
        versions = {name: agreed[name] for name in ("policy_version", "calendar_version")}
        new = queries.agreement(inputs, **versions)
    mode = "carry"
    if agreed["policy_version"]:
        mode = str(queries.policy_of(agreed["policy_version"])[1].definition["on_priority_change"])
    is_priority = inputs.priority != agreed["inputs"]["priority"]
    return {**new, "mode": mode, "cause": "priority change" if is_priority else "policy change"}


def recompute(
    incident: Incident,
    history: Sequence[Happened],
    agreed: Mapping[str, Any],
    *,
    rows: Iterable[Clock],
    first: Mapping[str, Any] | None,
    by: Actor,
    at: datetime,
    stored: Iterable[Clock] | None = None,
) -> None:
    """Folds anew and writes what differs from `rows`, or from `stored` where the caller corrected the rows."""
    start = start_of(incident, history)
    facts = read(history, start, queries.terms_of)
    known = {(row.target, row.cycle): row for row in rows}
    before = known if stored is None else {(row.target, row.cycle): row for row in stored}
    wanted: list[Clock] = []
    for target in TARGETS:
        for cycle in fold(target, start, facts):
            row = known.get((target, cycle.number))
            if row or cycle.budget_s is not None:
                wanted.append(_as_row(incident, target, cycle, agreed, row))
    changed = [row for row in wanted if _differs(before.get((row.target, row.cycle)), row)]
    saved = write(incident, [_values(row) for row in changed], _entry(wanted), at)
    promise = {"answer_by": _answer_by(wanted)}
    told: list[_Told] = [(ClockEvent.STARTED, incident, incident, {**first, **promise})] if first else []
    for row in changed:
        row.pk, is_late = saved[(row.target, row.cycle)]
        if not incident.is_imported:
            news = _news(before.get((row.target, row.cycle)), row, is_late)
            told += [(kind, row, incident, data) for kind, data in news]
    record_all(told, by=by, at=at)


def _answer_by(rows: Sequence[Clock]) -> str | None:
    """By when somebody answers at the latest, where that is promised and still to come."""
    due = next((row.due_at for row in rows if row.target == Clock.Target.RESPOND and row.due_at), None)
    return due.isoformat() if due else None


def _as_row(incident: Incident, target: str, cycle: Cycle, agreed: Mapping[str, Any], row: Clock | None) -> Clock:
    """A cycle as the row that should be stored; a recorded breach stays, whatever the fold says now."""
    breached_at = row.breached_at if row and row.breached_at else cycle.breached_at
    is_final = row is not None and row.state not in _LIVE
    state = cycle.state.value
    if state == Clock.State.MET and breached_at:
        state = Clock.State.BREACHED.value
    values: dict[str, Any] = {
        "id": row.pk if row else None,
        "incident_id": incident.pk,
        "target": target,
        "cycle": cycle.number,
        "policy_version_id": row.policy_version_id if row and is_final else agreed["policy_version"],
        "calendar_version_id": row.calendar_version_id if row and is_final else agreed["calendar_version"],
        "priority": row.priority if row and is_final else agreed["priority"],
        "state": state if cycle.budget_s is not None else Clock.State.CANCELLED.value,
        "started_at": cycle.started_at,
        "budget_s": cycle.budget_s if cycle.budget_s is not None else (row.budget_s if row else 0),
        "elapsed_s": cycle.elapsed_s,
        "counted_at": cycle.counted_at if cycle.budget_s is not None else None,
        "due_at": cycle.due_at,
        "paused_at": cycle.paused_at,
        "stopped_at": cycle.stopped_at,
        "breached_at": breached_at,
        "breach_cause": row.breach_cause if row and row.breached_at else cycle.cause,
        "voids": row.voids if row else 0,
        "fired_percent": row.fired_percent if row else cycle.skipped_percent,
        "next_threshold": None,
        "next_threshold_at": None,
    }
    made = queries.clock_of(values[name] for name in _ATTRIBUTES)
    made.incident = incident
    _arm(made, cycle, is_imported=incident.is_imported)
    return made


def _arm(row: Clock, cycle: Cycle, *, is_imported: bool) -> None:
    """Sets when the sweep looks at the clock next; an imported one is judged by its log, never by the present."""
    if row.state != Clock.State.RUNNING or is_imported or row.counted_at is None or row.due_at is None:
        return
    ahead = moments(
        terms=cycle.terms, budget_s=row.budget_s, elapsed_s=row.elapsed_s, counted_at=row.counted_at,
        due_at=row.due_at, fired_percent=row.fired_percent, is_breached=row.breached_at is not None,
    )  # fmt: skip
    if ahead:
        row.next_threshold_at, row.next_threshold = ahead[0].at, ahead[0].percent


def _values(row: Clock) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("id", *COLUMNS)}


def _differs(old: Clock | None, new: Clock) -> bool:
    if old is None:
        return True
    mine, theirs = _values(old), _values(new)
    return any(mine[name] != theirs[name] for name in COLUMNS)


def _entry(rows: Sequence[Clock]) -> dict[str, Any]:
    """What the queue shows of the clocks: the next deadline, and whether one was missed."""
    running = [row for row in rows if row.state == Clock.State.RUNNING and row.due_at]
    ranked = sorted(running, key=lambda row: (row.target == Clock.Target.OWN, row.due_at))
    return {
        "due_at": ranked[0].due_at if ranked else None,
        "target": str(ranked[0].target) if ranked else "",
        "is_breached": any(row.breached_at and row.target != Clock.Target.OWN for row in rows),
    }


_CHANGES: dict[tuple[str, str], str] = {
    (Clock.State.RUNNING, Clock.State.PAUSED): ClockEvent.PAUSED,
    (Clock.State.PAUSED, Clock.State.RUNNING): ClockEvent.RESUMED,
}


def _news(old: Clock | None, new: Clock, is_late: bool) -> list[tuple[str, dict[str, Any]]]:
    """What the timeline says about a clock that changed."""
    facts = {"clock": new.pk, "target": str(new.target), "cycle": new.cycle}
    found: list[tuple[str, dict[str, Any]]] = []
    if is_late:
        found.append((ClockEvent.BREACHED, breach_data(new)))
    was = old.state if old else Clock.State.RUNNING.value
    if was in _LIVE and new.state == Clock.State.MET:
        found.append((ClockEvent.MET, {**facts, "elapsed_s": new.elapsed_s}))
    elif was in _LIVE and new.state == Clock.State.CANCELLED:
        found.append((ClockEvent.CANCELLED, facts))
    elif (was, new.state) in _CHANGES:
        due = {"due_at": new.due_at.isoformat() if new.due_at else None} if new.state == Clock.State.RUNNING else {}
        why = {"hold_reason": new.incident.hold_reason} if new.state == Clock.State.PAUSED else {}
        found.append((_CHANGES[was, new.state], {**facts, "elapsed_s": new.elapsed_s, **due, **why}))
    return found


def breach_data(clock: Clock) -> dict[str, Any]:
    """The data of `clock.breached`; `actions` are what the policy does then."""
    policy_id, policy = policy_behind(clock)
    return {
        "clock": clock.pk,
        "target": str(clock.target),
        "cycle": clock.cycle,
        "cause": clock.breach_cause,
        "breached_at": clock.breached_at.isoformat() if clock.breached_at else None,
        "due_at": clock.due_at.isoformat() if clock.due_at else None,
        "policy_id": policy_id,
        "actions": policy.on_breach if policy else NOBODY_TOOK_IT,
    }


def policy_behind(clock: Clock) -> tuple[int | None, Policy | None]:
    """The policy, in the version that the clock runs under; none for the default clock of an unowned incident."""
    return queries.policy_of(clock.policy_version_id) if clock.policy_version_id else (None, None)
