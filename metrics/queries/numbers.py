"""What a range says: from tallies where one dimension narrows it, else from facts by their index; medians are exact."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import connection

from metrics import buckets
from metrics.definitions import METRICS, Metric, Shape
from metrics.fold import Why
from metrics.models import DIMENSIONS
from metrics.queries.computing import zone
from metrics.queries.tallying import bucket_of, rows_of, value_of, why_of

MEDIAN, P90 = 0.5, 0.9


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A range of whole days, both counted, and what narrows it. `teams` None: all of them."""

    first: date
    last: date
    teams: tuple[int, ...] | None = None
    service: int | None = None
    priority: int | None = None
    channel: str = ""

    @property
    def zone_name(self) -> str:
        return str(zone())

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def before(self) -> Asked:
        """The range of the same length right before."""
        span = timedelta(days=self.days)
        return dataclasses.replace(self, first=self.first - span, last=self.last - span)

    def end(self) -> datetime:
        """The moment in which the range is over."""
        return datetime.combine(self.last + timedelta(days=1), time(), tzinfo=zone())

    def narrowed(self) -> dict[str, list[str]]:
        """Dimension -> the keys that are wanted."""
        found: dict[str, list[str]] = {}
        if self.teams is not None:
            found["team"] = [str(one) for one in self.teams]
        for name in ("service", "priority"):
            if (value := getattr(self, name)) is not None:
                found[name] = [str(value)]
        if self.channel:
            found["channel"] = [self.channel]
        return found

    def condition(self) -> tuple[str, list[Any]]:
        """The same as a condition on facts `f`, without the range."""
        parts, values = ["true"], []
        if self.teams is not None:
            parts.append("f.team_id = any(%s)")
            values.append(list(self.teams))
        for name in ("service", "priority", "channel"):
            if value := getattr(self, name):
                parts.append(f"f.{DIMENSIONS[name]} = %s")
                values.append(value)
        return " and ".join(parts), values


@dataclasses.dataclass(frozen=True, slots=True)
class Spread:
    """How many rows lie in which bucket, and the sum of what counts."""

    counts: Mapping[int, int]
    total: int

    @property
    def counted(self) -> dict[int, int]:
        return {bucket: n for bucket, n in self.counts.items() if bucket > 0}

    @property
    def excluded(self) -> dict[Why, int]:
        return {Why(-bucket): n for bucket, n in sorted(self.counts.items(), reverse=True) if bucket < 0}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """One metric in one range."""

    metric: Metric
    n: int
    total: int
    median: int | None
    p90: int | None
    excluded: Mapping[Why, int]

    @property
    def mean(self) -> float | None:
        return self.total / self.n if self.n else None

    @property
    def share(self) -> float | None:
        """Percent of yes, for metrics that are a share."""
        return 100 * self.total / self.n if self.n and self.metric.shape is Shape.SHARE else None

    @property
    def left_out(self) -> int:
        return sum(self.excluded.values())


_MERGED = """
select metric, b, sum(c) from metrics_tally t, unnest(t.buckets, t.counts) u(b, c)
where metric = any(%s) and dimension = %s and key = any(%s) and date between %s and %s group by metric, b
"""
_TOTALS = """
select metric, sum(total) from metrics_tally
where metric = any(%s) and dimension = %s and key = any(%s) and date between %s and %s group by metric
"""


def spreads(asked: Asked, metrics: Sequence[Metric]) -> dict[str, Spread]:
    """The spread of each metric in the range, in two statements at most."""
    narrowed = asked.narrowed()
    if len(narrowed) > 1:
        return _from_facts(asked, metrics)
    dimension, keys = next(iter(narrowed.items()), ("all", [""]))
    values: list[Any] = [[one.slug for one in metrics], dimension, keys, asked.first, asked.last]
    counts: dict[str, dict[int, int]] = collections.defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(_MERGED, values)
        for slug, bucket, n in cursor.fetchall():
            counts[slug][bucket] = int(n)
        cursor.execute(_TOTALS, values)
        totals = dict(cursor.fetchall())
    return {one.slug: Spread(counts[one.slug], int(totals.get(one.slug, 0))) for one in metrics}


def _from_facts(asked: Asked, metrics: Sequence[Metric]) -> dict[str, Spread]:
    """Two filters at once: the rows themselves, found by the index of one of them."""
    condition, values = asked.condition()
    parts = [
        f"(select '{one.slug}' as slug, b, count(*), coalesce(sum(v), 0) from ("  # noqa: S608  # nosec B608: names of our own definitions
        f"select {bucket_of(one)} as b, {value_of(one)} as v from {rows_of(one)} "
        f"where f.{one.day} between %s and %s and {condition}) rows group by b)"
        for one in metrics
    ]
    found: dict[str, list[tuple[int, int, int]]] = collections.defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(" union all ".join(parts), [asked.first, asked.last, *values] * len(parts))
        for slug, bucket, n, total in cursor.fetchall():
            found[slug].append((bucket, n, int(total)))
    return {
        one.slug: Spread({b: n for b, n, _ in found[one.slug]}, sum(total for b, _, total in found[one.slug] if b > 0))
        for one in metrics
    }


def numbers(asked: Asked, metrics: Sequence[Metric] = tuple(METRICS.values())) -> dict[str, Numbers]:
    """Every metric with n, median, 90th percentile and what is left out."""
    found = spreads(asked, metrics)
    quantiles = _quantiles(asked, {slug: one for slug, one in found.items() if METRICS[slug].shape in _RANKED})
    return {
        slug: Numbers(
            metric=METRICS[slug],
            n=sum(one.counted.values()),
            total=one.total,
            excluded=one.excluded,
            median=quantiles.get((slug, MEDIAN)),
            p90=quantiles.get((slug, P90)),
        )
        for slug, one in found.items()
    }


_RANKED = (Shape.DURATION, Shape.COUNT, Shape.SCORE)


def _quantiles(asked: Asked, found: Mapping[str, Spread]) -> dict[tuple[str, float], int]:
    """The tallies say which buckets, the facts in them say which values; one statement for all."""
    places = {
        (slug, share): place
        for slug, one in found.items()
        for share in (MEDIAN, P90)
        if (place := buckets.place(one.counted, share)) is not None
    }
    # Where a sweep moved rows between the two readings, the bucket's lower bound stays; it is at most 1.6 % off.
    answer = {key: place.low for key, place in places.items()}
    parts, values = [], []
    for (slug, share), place in places.items():
        if not place.is_exact:
            statement, given = _rank(asked, METRICS[slug], place)
            parts.append(f"(select '{slug}', {share}, v from ({statement}) x)")  # noqa: S608  # nosec B608: names of our own definitions
            values += given
    if parts:
        with connection.cursor() as cursor:
            cursor.execute(" union all ".join(parts), values)
            answer |= {(slug, float(share)): int(v) for slug, share, v in cursor.fetchall()}
    return answer


def _rank(asked: Asked, metric: Metric, place: buckets.Place) -> tuple[str, list[Any]]:
    """The value of one rank within a bucket; where all of them are alike, as deadlines make them, none is counted."""
    low, high = buckets.bounds(place.bucket)
    condition, values = asked.condition()
    value = value_of(metric)
    inside = (
        f"(select {value} as v from {rows_of(metric)} where {value} >= %s and {value} < %s and {why_of(metric)} = 0 "  # noqa: S608  # nosec B608: names of our own definitions
        f"and f.{metric.day} between %s and %s and {condition} order by 1"
    )
    given = [low, high, asked.first, asked.last, *values]
    statement = (
        f"select case when {inside} limit 1) = {inside} desc limit 1) then {inside} limit 1) "
        f"else {inside} offset %s limit 1) end as v"
    )
    return statement, [*given * 4, place.before]


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """A stretch of days in a chart, with what counts in it."""

    first: date
    last: date
    n: int
    total: int
    median: int | None
    left_out: int


_SERIES = """
select ((date - %s) / %s) as part, b, sum(c) from metrics_tally t, unnest(t.buckets, t.counts) u(b, c)
where metric = %s and dimension = %s and key = any(%s) and date between %s and %s group by part, b
"""


def series(asked: Asked, metric: Metric, parts: int = 31) -> list[Part]:
    """The range in at most so many stretches; medians here are those of buckets, at most 1.6 % too low."""
    width = -(-asked.days // parts)
    spread: dict[int, dict[int, int]] = collections.defaultdict(dict)
    for part, bucket, n in _series_rows(asked, metric, width):
        spread[int(part)][bucket] = int(n)
    found = []
    for part in range(-(-asked.days // width)):
        first = asked.first + timedelta(days=part * width)
        counts = spread.get(part, {})
        counted = {b: n for b, n in counts.items() if b > 0}
        place = buckets.place(counted, MEDIAN)
        found.append(
            Part(
                first=first,
                last=min(asked.last, first + timedelta(days=width - 1)),
                n=sum(counted.values()),
                total=sum(buckets.bounds(b)[0] * n for b, n in counted.items()),
                median=place.low if place else None,
                left_out=sum(n for b, n in counts.items() if b < 0),
            )
        )
    return found


def _series_rows(asked: Asked, metric: Metric, width: int) -> list[tuple[int, int, int]]:
    narrowed = asked.narrowed()
    with connection.cursor() as cursor:
        if len(narrowed) > 1:
            condition, values = asked.condition()
            cursor.execute(
                f"select (f.{metric.day} - %s) / %s as part, {bucket_of(metric)} as b, count(*) from {rows_of(metric)} "  # noqa: S608  # nosec B608: names of our own definitions
                f"where f.{metric.day} between %s and %s and {condition} group by 1, 2",
                [asked.first, width, asked.first, asked.last, *values],
            )
        else:
            dimension, keys = next(iter(narrowed.items()), ("all", [""]))
            cursor.execute(_SERIES, [asked.first, width, metric.slug, dimension, keys, asked.first, asked.last])
        rows: list[tuple[int, int, int]] = cursor.fetchall()
    return rows


_BY = """
select key, sum(c) from metrics_tally t, unnest(t.buckets, t.counts) u(b, c)
where metric = 'volume' and dimension = %s and date between %s and %s and b > 0 group by key order by 2 desc, 1
"""


def volume_by(asked: Asked, dimension: str) -> list[tuple[str, int]]:
    """How many were reported by each key of a dimension, the most first."""
    if not asked.narrowed():
        with connection.cursor() as cursor:
            cursor.execute(_BY, [dimension, asked.first, asked.last])
            return [(key, int(n)) for key, n in cursor.fetchall()]
    metric, (condition, values) = METRICS["volume"], asked.condition()
    with connection.cursor() as cursor:
        cursor.execute(
            f"select coalesce(f.{DIMENSIONS[dimension]}::text, ''), count(*) from metrics_fact f "  # noqa: S608  # nosec B608: names of our own definitions
            f"where f.reported_on between %s and %s and {why_of(metric)} = 0 and {condition} group by 1 "
            "order by 2 desc, 1",
            [asked.first, asked.last, *values],
        )
        return [(key, int(n)) for key, n in cursor.fetchall()]


@dataclasses.dataclass(frozen=True, slots=True)
class Backlog:
    """What was open at the end of a range, and its age in seconds then."""

    at: datetime
    n: int
    median: int | None
    p90: int | None
    oldest: int | None


#: Children, drills and duplicates are no matters of their own.
OPEN_AT = f"f.base in (0, {Why.CANCELLED:d}) and tstzrange(f.reported_at, f.ended_at, '[)') @> %s::timestamptz"


def backlog(asked: Asked, now: datetime) -> Backlog:
    """Open at the end of the range, or now where that lies ahead; answered by the index of open spans."""
    at = min(asked.end(), now)
    condition, values = asked.condition()
    age = "floor(extract(epoch from %s::timestamptz - f.reported_at))::bigint"
    with connection.cursor() as cursor:
        cursor.execute(
            f"select count(*), percentile_disc(0.5) within group (order by age), "  # noqa: S608  # nosec B608: names of our own definitions
            f"percentile_disc(0.9) within group (order by age), max(age) "
            f"from (select {age} as age from metrics_fact f where {OPEN_AT} and {condition}) ages",
            [at, at, *values],
        )
        return Backlog(at, *cursor.fetchone())
