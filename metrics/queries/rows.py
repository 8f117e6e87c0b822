"""The incidents behind a number: one page by its place, or all of them from a cursor of the server."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from django.db import connection

from audit.actor import Actor
from incidents.models import Incident
from metrics.definitions import Metric, Source
from metrics.fold import Why
from metrics.queries.numbers import OPEN_AT, Asked
from metrics.queries.tallying import rows_of, value_of, why_of

PAGE = 50
#: Rows that travel from the server at a time when all are asked for.
CHUNK = 2000


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One row behind a number: its value, or why it is left out. `tie` tells rows of one incident apart."""

    incident: int
    tie: int
    day: date
    number: int
    title: str
    state: str
    priority: int
    channel: str
    team: int | None
    service: int | None
    value: int | None
    why: Why

    @property
    def reference(self) -> str:
        return f"INC-{self.number:06d}"

    @property
    def place(self) -> str:
        return f"{self.day:%Y%m%d}.{self.incident}.{self.tie}"


_NAMES = [field.name for field in dataclasses.fields(Row) if field.name != "why"]


def place_of(text: str) -> tuple[date, int, int] | None:
    """The place that a page begins after; None for what we did not make."""
    parts = text.split(".")
    if len(parts) != 3 or not all(one.isascii() and one.isdigit() and len(one) < 19 for one in parts):
        return None
    try:
        return date.fromisoformat(parts[0]), int(parts[1]), int(parts[2])
    except ValueError:
        return None


_COLUMNS = "i.number, i.title, i.state, f.priority, f.channel, f.team_id, f.service_id"


def _tie(metric: Metric) -> str:
    return {Source.CLOCK: "coalesce(c.id, 0)", Source.RATING: "coalesce(r.id, 0)"}.get(metric.source, "0::bigint")


def _only_visible(found: list[Row], actor: Actor) -> list[Row]:
    """What the actor may see, asked for these rows alone: no number holds what its reader could not open."""
    ids = {row.incident for row in found}
    visible = set(Incident.objects.visible_to(actor).order_by().filter(pk__in=ids).values_list("pk", flat=True))
    return [row for row in found if row.incident in visible]


def _statement(
    asked: Asked, metric: Metric, why: Why | None, after: tuple[date, int, int] | None
) -> tuple[str, list[Any]]:
    narrowed, values = asked.condition()
    parts, given = [f"f.{metric.day} between %s and %s", narrowed], [asked.first, asked.last, *values]
    if why is not None:
        parts.append(f"{why_of(metric)} = %s")
        given.append(int(why))
    order = f"f.{metric.day}, f.incident_id, {_tie(metric)}"
    if after is not None:
        parts.append(f"({order}) < (%s, %s, %s)")
        given += after
    statement = (
        f"select f.incident_id, {_tie(metric)}, f.{metric.day}, {_COLUMNS}, {value_of(metric)}, {why_of(metric)} "  # noqa: S608  # nosec B608: names of our own definitions
        f"from {rows_of(metric)} join incidents_incident i on i.id = f.incident_id where {' and '.join(parts)} "
        f"order by f.{metric.day} desc, f.incident_id desc, {_tie(metric)} desc"
    )
    return statement, given


def _row(values: tuple[Any, ...]) -> Row:
    *columns, why = values
    return Row(**dict(zip(_NAMES, columns, strict=True)), why=Why(why))


def page(
    asked: Asked, metric: Metric, actor: Actor, *, why: Why | None = Why.COUNTED,
    after: tuple[date, int, int] | None = None, limit: int = PAGE,
) -> tuple[list[Row], str]:  # fmt: skip
    """The newest rows after a place, and the place of the next page, empty at the end."""
    statement, values = _statement(asked, metric, why, after)
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} limit %s", [*values, limit + 1])
        found = [_row(one) for one in cursor.fetchall()]
    return _only_visible(found[:limit], actor), found[limit - 1].place if len(found) > limit else ""


def every(asked: Asked, metric: Metric, actor: Actor, why: Why | None = None) -> Iterator[Row]:
    """All rows, in the memory of a few: the server keeps the result and hands it over in pieces."""
    statement, values = _statement(asked, metric, why, None)
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement, values)
        while rows := cursor.fetchmany(CHUNK):
            yield from _only_visible([_row(one) for one in rows], actor)


def _open_statement(asked: Asked, at: datetime) -> tuple[str, list[Any]]:
    narrowed, values = asked.condition()
    statement = (
        f"select f.incident_id, 0, f.reported_on, {_COLUMNS}, "  # noqa: S608  # nosec B608: names of our own definitions
        f"floor(extract(epoch from %s::timestamptz - f.reported_at))::bigint, 0 "
        f"from metrics_fact f join incidents_incident i on i.id = f.incident_id "
        f"where {OPEN_AT} and {narrowed} order by f.reported_at, f.incident_id"
    )
    return statement, [at, at, *values]


def oldest_open(asked: Asked, at: datetime, actor: Actor, limit: int = PAGE) -> list[Row]:
    """What was open at a moment, the oldest first."""
    statement, values = _open_statement(asked, at)
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} limit %s", [*values, limit])
        return _only_visible([_row(one) for one in cursor.fetchall()], actor)


def every_open(asked: Asked, at: datetime, actor: Actor) -> Iterator[Row]:
    statement, values = _open_statement(asked, at)
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement, values)
        while rows := cursor.fetchmany(CHUNK):
            yield from _only_visible([_row(one) for one in rows], actor)
