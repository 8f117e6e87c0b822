"""The statements that spread the values of facts over buckets, for the tallies of days and for ranges without one."""

from __future__ import annotations

from metrics.buckets import THRESHOLDS
from metrics.definitions import Metric, Shape, Source
from metrics.fold import Why
from metrics.models import DIMENSIONS

#: The thresholds as a constant of the statement: an array parameter would be read anew for each row.
_WIDTHS = "'{" + ",".join(map(str, THRESHOLDS)) + "}'::bigint[]"

_ANSWERED = "exists (select from metrics_rating r where r.incident_id = f.incident_id)"
_VOLUME_OUT = (Why.DRILL, Why.CHILD, Why.DUPLICATE)


def value_of(metric: Metric) -> str:
    """The value of a row, null where it is left out."""
    if metric.source is Source.CLOCK:
        return f"case when {why_of(metric)} <> 0 then null when c.breached_at is null then 1 else 0 end"
    if metric.source is Source.RATING:
        return f"case when {why_of(metric)} = 0 then r.score end"
    if metric.source is Source.ANSWER:
        return f"case when {why_of(metric)} = 0 then {_ANSWERED}::int end"
    return "1" if metric.shape is Shape.VOLUME else f"f.{metric.slug}"


def why_of(metric: Metric) -> str:
    """The reason why a row is left out, 0 where it counts."""
    if metric.source is Source.CLOCK:
        return (
            f"case when f.base = {Why.DRILL:d} then {Why.DRILL:d} when c.id is null then {Why.NO_SLA:d} "
            f"when c.breached_at is not null then 0 when c.state = 'met' then 0 "
            f"when c.state = 'cancelled' then {Why.ENDED:d} else {Why.RUNNING:d} end"
        )
    if metric.source is Source.RATING:
        return (
            f"case when f.base <> 0 then f.base when r.id is not null then 0 "
            f"when f.is_asked then {Why.UNRATED:d} else {Why.UNASKED:d} end"
        )
    if metric.source is Source.ANSWER:
        return f"case when f.base <> 0 then f.base when f.is_asked or {_ANSWERED} then 0 else {Why.UNASKED:d} end"
    if metric.shape is Shape.VOLUME:
        out = ", ".join(f"{one:d}" for one in _VOLUME_OUT)
        return f"case when f.base in ({out}) then f.base else 0 end"
    return f"f.{metric.slug}_why"


def rows_of(metric: Metric) -> str:
    """The tables behind a metric; `f` is the fact."""
    if metric.source is Source.CLOCK:
        return f"metrics_fact f left join sla_clock c on c.incident_id = f.incident_id and c.target = '{metric.target}'"
    if metric.source is Source.RATING:
        return "metrics_fact f left join metrics_rating r on r.incident_id = f.incident_id"
    return "metrics_fact f"


def bucket_of(metric: Metric) -> str:
    why = why_of(metric)
    return f"case when {why} <> 0 then -({why}) else width_bucket({value_of(metric)}, {_WIDTHS}) end"


def dimensions_of(metric: Metric) -> tuple[str, ...]:
    """Categories are many: only the volume is kept by them."""
    return tuple(one for one in DIMENSIONS if one != "category" or metric.shape is Shape.VOLUME)


def spread(metric: Metric, into: str = "metrics_tally") -> str:
    """Inserts the tallies of the days in %(days)s: over everything, and over each dimension."""
    dimensions = dimensions_of(metric)
    columns = "".join(f", coalesce(f.{DIMENSIONS[one]}::text, '') as {one}" for one in dimensions)
    sets = "".join(f", (date, b, {one})" for one in dimensions)
    named = "".join(f" when grouping({one}) = 0 then '{one}'" for one in dimensions)
    keyed = "".join(f" when grouping({one}) = 0 then {one}" for one in dimensions)
    return f"""
    insert into {into} (metric, date, dimension, key, total, buckets, counts)
    select '{metric.slug}', date, dimension, key, sum(total), array_agg(b order by b), array_agg(n order by b)
    from (
        select date, b, case{named} else 'all' end as dimension, case{keyed} else '' end as key,
               count(*) as n, coalesce(sum(v), 0) as total
        from (
            select f.{metric.day} as date, {bucket_of(metric)} as b, {value_of(metric)} as v{columns}
            from {rows_of(metric)} where f.{metric.day} = any(%(days)s)
        ) rows group by grouping sets ((date, b){sets})
    ) spread group by date, dimension, key
    """  # noqa: S608  # nosec B608: names of our own definitions
