"""Compares what is kept with what the events say now, in pieces, so that any number of incidents fits into memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from django.db import connection, transaction

from metrics.definitions import METRICS
from metrics.fold import Why
from metrics.models import Fact, StaleDay, Tally
from metrics.queries.computing import Tiers, facts_of
from metrics.queries.tallying import spread

RETURNS_WITHIN = "30 days"
#: Settled apart, because it looks at other incidents too.
APART = frozenset({"recurrence", "recurrence_why"})
_COMPARED = [
    field.attname for field in Fact._meta.concrete_fields if field.attname not in APART and field.attname != "through"
]

#: Whether an incident follows another one of its service and category, as a value with its reason.
FOLLOWS = f"""
select f.incident_id,
    case when f.base <> 0 then null when f.is_return then 1
         when f.service_id is null or f.category_id is null then null
         else (p.reported_at is not null and f.reported_at - p.reported_at <= interval '{RETURNS_WITHIN}')::int
    end as value,
    case when f.base <> 0 then f.base when f.is_return then 0
         when f.service_id is null or f.category_id is null then {Why.UNSORTED:d} else 0 end as why
from metrics_fact f left join lateral (
    select reported_at from metrics_fact p
    where p.base = 0 and p.service_id = f.service_id and p.category_id = f.category_id
      and (p.reported_at, p.incident_id) < (f.reported_at, f.incident_id)
    order by p.reported_at desc, p.incident_id desc limit 1
) p on true
"""  # noqa: S608  # nosec B608: constants


def same(one: Fact | None, other: Fact | None) -> bool:
    """Whether two facts say the same; how many events they have read is no matter."""
    if one is None or other is None:
        return one is other
    return all(getattr(one, name) == getattr(other, name) for name in _COMPARED)


def is_current(stored: Fact, fresh: Fact) -> bool:
    return stored.through == fresh.through and same(stored, fresh)


def _changes(one: Fact, other: Fact) -> dict[str, tuple[Any, Any]]:
    return {
        name: (getattr(one, name), getattr(other, name))
        for name in _COMPARED if getattr(one, name) != getattr(other, name)
    }  # fmt: skip


def facts_that_differ(ids: Sequence[int], tier_at: Tiers) -> tuple[list[str], int]:
    """A line for each value that is not what its events say; and how many incidents wait for the sweep."""
    with transaction.atomic():
        fresh = {one.pk: one for one in facts_of(ids, tier_at)}
        stored = {one.pk: one for one in Fact.objects.filter(pk__in=ids)}
    lines, waiting = [], 0
    for pk in ids:
        kept, now = stored.get(pk), fresh.get(pk)
        if now is not None and (kept is None or kept.through < now.through):
            waiting += 1
        elif kept is not None and now is None:
            lines.append(f"incident {pk}: it has facts and should have none")
        elif kept is not None and now is not None:
            lines += [f"incident {pk}: {name} is {a!r}, not {b!r}" for name, (a, b) in _changes(kept, now).items()]
    return lines, waiting


_RECURRENCE = f"""
select f.incident_id, f.recurrence, x.value, f.recurrence_why, x.why
from metrics_fact f join ({FOLLOWS} where f.incident_id = any(%s)) x on x.incident_id = f.incident_id
where f.recurrence is distinct from x.value or f.recurrence_why <> x.why
"""  # noqa: S608  # nosec B608: constants


def recurrences_that_differ(ids: Sequence[int]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(_RECURRENCE, [list(ids)])
        return [
            f"incident {pk}: recurrence is {kept} (reason {why}), not {now} (reason {reason})"
            for pk, kept, now, why, reason in cursor.fetchall()
        ]


_TALLIES = """
with kept as (select * from metrics_tally where date = any(%s))
select metric, date, dimension, key, k.total, n.total, k.buckets = n.buckets and k.counts = n.counts
from kept k full join metrics_tally_now n using (metric, date, dimension, key)
where (k.total, k.buckets, k.counts) is distinct from (n.total, n.buckets, n.counts) order by 2, 1, 3, 4
"""


def tallies_that_differ(days: Sequence[date]) -> list[str]:
    """A line for each tally that is not what the facts say now."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("drop table if exists pg_temp.metrics_tally_now")
        cursor.execute("create temp table metrics_tally_now (like metrics_tally)")
        cursor.execute("alter table metrics_tally_now drop column id")
        for metric in METRICS.values():
            cursor.execute(spread(metric, "metrics_tally_now"), {"days": list(days)})
        cursor.execute(_TALLIES, [list(days)])
        return [
            f"{metric} of {day}, {dimension} {key}: the total is {kept}, not {now}"
            + ("" if spread_alike else "; it is spread otherwise")
            for metric, day, dimension, key, kept, now, spread_alike in cursor.fetchall()
        ]


def days_to_check() -> Iterator[list[date]]:
    """Every day that has facts or tallies and does not wait for the sweep, in pieces."""
    waiting = set(StaleDay.objects.values_list("date", flat=True))
    days = set(Fact.objects.order_by().values_list("reported_on", flat=True).distinct())
    days |= set(Fact.objects.order_by().dates("resolved_on", "day"))
    days |= set(Tally.objects.order_by().values_list("date", flat=True).distinct())
    left = sorted(days - waiting)
    for start in range(0, len(left), 20):
        yield left[start : start + 20]
