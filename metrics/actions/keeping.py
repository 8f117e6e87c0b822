"""Follows the events into facts, and the facts into the tallies of days.

One writer at a time: whoever writes holds the row of `Reading`; another one passes by. An action's hot path writes
nothing for the numbers: they follow from the events that it records anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from django.db import connection

from audit.actions import action
from audit.actor import Actor
from metrics.definitions import METRICS
from metrics.models import Fact, Reading, StaleDay, Tally
from metrics.queries.checking import FOLLOWS, is_current, same
from metrics.queries.computing import INCIDENT, facts_of, tiers
from metrics.queries.tallying import spread

#: Events that one step of the sweep reads, and incidents that are computed at once.
EVENTS, INCIDENTS = 20_000, 500
#: Days that one step tallies.
DAYS = 20

_NAMES = [field.name for field in Fact._meta.concrete_fields if field.name != "incident"]

_TOP = "select max(id) from (select id from audit_event where id > %s order by id limit %s) e"
_ABOUT = """
select e.about_id from (
    select about_id, max(id) as newest from audit_event
    where id > %s and id <= %s and about_type = %s group by about_id
) e left join metrics_fact f on f.incident_id = e.about_id
where f.through is null or f.through < e.newest order by e.about_id
"""
# Ids are given before their transactions commit. Asked before the events are read: whatever was recorded earlier than
# this has either committed, and is read, or never will.
_HORIZON = """
select least(min(xact_start), clock_timestamp()) - interval '2 seconds' from pg_stat_activity
where datname = current_database() and backend_xid is not null and pid <> pg_backend_pid()
"""
_SETTLED = "select max(id) from audit_event where id > %s and id <= %s and recorded_at < %s"


def _alone() -> Reading | None:
    """The row that lets one writer in; None while another one has it."""
    Reading.objects.bulk_create([Reading(pk=1)], ignore_conflicts=True)
    return Reading.objects.select_for_update(skip_locked=True).filter(pk=1).first()


@action
def read_on(*, by: Actor, at: datetime, after: int = 0, events: int = EVENTS) -> tuple[int, int]:
    """Reads events into facts; returns how many facts changed, and the place to go on `after` (0: that was all).

    What a running transaction may still bring is read again by the next sweep; facts that know it already are passed
    over. It records nothing: the facts are a reading of what is recorded.
    """
    reading = _alone()
    if reading is None:
        return 0, 0
    start = max(after, reading.through)
    with connection.cursor() as cursor:
        cursor.execute(_HORIZON)
        (horizon,) = cursor.fetchone()
        cursor.execute(_TOP, [start, events])
        (top,) = cursor.fetchone()
        if top is None:
            return 0, 0
        cursor.execute(_ABOUT, [start, top, INCIDENT])
        ids = [pk for (pk,) in cursor.fetchall()]
        cursor.execute(_SETTLED, [start, top, horizon])
        (settled,) = cursor.fetchone()
    changed = sum(
        refresh(ids=ids[at_once : at_once + INCIDENTS], by=by, at=at) for at_once in range(0, len(ids), INCIDENTS)
    )
    # Further on than the settled ones, a gap may lie behind: such a step reads ahead and remembers nothing.
    if settled is not None and start == reading.through:
        reading.through = settled
        reading.save()
    return changed, top


@action(joins=True)
def refresh(*, ids: Sequence[int], by: Actor, at: datetime) -> int:
    """Computes the facts of these incidents anew and marks the days that change; returns how many changed."""
    stored = {one.pk: one for one in Fact.objects.filter(pk__in=ids).select_for_update()}
    fresh = {one.pk: one for one in facts_of(ids, tiers())}
    changed = [pk for pk in ids if not same(stored.get(pk), fresh.get(pk))]
    gone = [pk for pk in stored if pk not in fresh]
    kept = [one for pk, one in fresh.items() if pk not in stored or not is_current(stored[pk], one)]
    for one in kept:
        if one.pk in stored:
            one.recurrence, one.recurrence_why = stored[one.pk].recurrence, stored[one.pk].recurrence_why
    Fact.objects.filter(pk__in=gone).delete()
    Fact.objects.bulk_create(kept, update_conflicts=True, unique_fields=["incident"], update_fields=_NAMES)
    rows = [one for pk in changed for one in (stored.get(pk), fresh.get(pk)) if one is not None]
    _mark({day for one in rows for day in (one.reported_on, one.resolved_on) if day is not None})
    # Clocks and ratings may have moved while every value stayed.
    _mark({day for one in kept for day in (one.reported_on, one.resolved_on) if day is not None})
    _settle_recurrence(rows)
    return len(changed)


def _mark(days: Iterable[date]) -> None:
    StaleDay.objects.bulk_create([StaleDay(date=one) for one in sorted(days)], ignore_conflicts=True)


# A row follows the one before it in its service and category: a change can only move what comes right after it.
_AFFECTED = """
select n.incident_id from rows from (unnest(%s::bigint[]), unnest(%s::bigint[]), unnest(%s::timestamptz[]),
    unnest(%s::bigint[])) as m(service, category, reported_at, pk)
cross join lateral (
    select incident_id from metrics_fact n
    where n.base = 0 and n.service_id = m.service and n.category_id = m.category
      and (n.reported_at, n.incident_id) > (m.reported_at, m.pk)
    order by n.reported_at, n.incident_id limit 1
) n
"""
_SETTLE = f"""
update metrics_fact f set recurrence = x.value, recurrence_why = x.why
from ({FOLLOWS} where f.incident_id = any(%s)) x
where x.incident_id = f.incident_id
  and (f.recurrence is distinct from x.value or f.recurrence_why <> x.why)
returning f.reported_on
"""  # noqa: S608  # nosec B608: constants


def _settle_recurrence(rows: Sequence[Fact]) -> None:
    """Whether the rows, and what comes right after where they are or were, follow another one."""
    ids = {one.pk for one in rows}
    sorted_in = [one for one in rows if one.service_id is not None and one.category_id is not None]
    with connection.cursor() as cursor:
        cursor.execute(
            _AFFECTED,
            [
                [one.service_id for one in sorted_in], [one.category_id for one in sorted_in],
                [one.reported_at for one in sorted_in], [one.pk for one in sorted_in],
            ],
        )  # fmt: skip
        ids |= {pk for (pk,) in cursor.fetchall()}
        cursor.execute(_SETTLE, [sorted(ids)])
        days = {day for (day,) in cursor.fetchall()}
    _mark(days)


@action
def tally_stale_days(*, by: Actor, at: datetime, limit: int = DAYS) -> int:
    """Tallies days whose facts changed, the newest first; returns how many. It records nothing."""
    if _alone() is None:
        return 0
    days = list(StaleDay.objects.order_by("-date").values_list("date", flat=True)[:limit])
    if not days:
        return 0
    Tally.objects.filter(date__in=days).delete()
    with connection.cursor() as cursor:
        for metric in METRICS.values():
            cursor.execute(spread(metric), {"days": days})
    StaleDay.objects.filter(date__in=days).delete()
    return len(days)


@action
def rebuild_batch(*, ids: Sequence[int], by: Actor, at: datetime) -> int:
    """Writes the facts of these incidents anew; waits for a sweep that is writing. Returns how many changed."""
    Reading.objects.bulk_create([Reading(pk=1)], ignore_conflicts=True)
    Reading.objects.select_for_update().get(pk=1)
    return refresh(ids=ids, by=by, at=at)


@action
def rebuild_end(*, by: Actor, at: datetime) -> int:
    """Takes away facts of incidents that are gone, settles every recurrence, and marks every day for a new tally."""
    Reading.objects.bulk_create([Reading(pk=1)], ignore_conflicts=True)
    Reading.objects.select_for_update().get(pk=1)
    with connection.cursor() as cursor:
        cursor.execute(_SETTLE.replace("where f.incident_id = any(%s)", ""))
        cursor.execute(
            "insert into metrics_staleday (date) "
            "select reported_on from metrics_fact union select resolved_on from metrics_fact "
            "where resolved_on is not null union select date from metrics_tally on conflict do nothing"
        )
        return int(cursor.rowcount)
