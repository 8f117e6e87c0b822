"""The trail: the newest rows of every history table, merged, a page at a time, at a cost that does not grow.

Each table gives its newest few by its index on the date, and the page takes the newest of those. A filter that no
index answers looks at a bounded number of rows of each table and says how far it looked: the next page goes on there.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import connection, models
from django.utils.translation import gettext as _

from audit.actor import Actor
from incidents.models import Incident
from servicedesk.trail.tables import Tracked, all_tracked, path_to_incident

#: Rows of each table that one page of an unindexed filter looks at.
LOOKED_AT = 5000
PAGE = 50
#: What the history itself adds to a row, and what says nothing to a reader.
_SILENT = frozenset({"version", "password"})
_LONGEST = 300
CHANGES = {"+": "created", "~": "changed", "-": "removed"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the address asks for; empty means everything."""

    since: datetime | None = None
    until: datetime | None = None
    who: str = ""
    model: str = ""
    object: int | None = None
    channel: str = ""
    field: str = ""
    change: str = ""
    request_id: str = ""

    @property
    def is_unindexed(self) -> bool:
        return bool(self.who or self.channel or self.field or self.change or self.request_id) and self.object is None


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended."""

    at: datetime
    model: str = ""
    history_id: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """One field, old and new, in words."""

    field: str
    name: str
    old: str
    new: str


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One row of history, ready to be shown."""

    at: datetime
    history_id: int
    model: str
    model_name: str
    object: int
    label: str
    version: int
    change: str
    actor_kind: str
    actor_id: str
    actor_label: str
    on_behalf_of: str
    channel: str
    request_id: str
    reason: str
    changes: list[Change]


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    lines: list[Line]
    next: Place | None
    #: How far back an unindexed filter has looked, where that is not yet the whole.
    looked_back_to: datetime | None = None


_HEAD = (
    "history_id, history_date, version, history_type, actor_kind, actor_id, actor_label, on_behalf_of, actor_channel, "
    "request_id, coalesce(history_change_reason, '') as reason"
)


def page(actor: Actor, filters: Filters, after: Place | None = None, limit: int = PAGE) -> Page:
    """One page, newest first, less what hangs on incidents that the actor may not see."""
    tables = _asked(filters)
    if not tables:
        return Page([], None)
    floor = _horizon(tables, filters, after) if filters.is_unindexed else None
    found = _merged(tables, filters, after, floor, limit + 1)
    rows, more = found[:limit], len(found) > limit
    lines = _lines(rows, _hidden(actor, rows))
    if more:
        last = rows[-1]
        return Page(lines, Place(last["history_date"], last["model"], last["history_id"]))
    return Page(lines, Place(floor) if floor else None, floor)


def walk(actor: Actor, filters: Filters) -> Iterator[Line]:
    """Every line, page by page: an export is as long as the trail and takes no more memory than a page."""
    place: Place | None = None
    while True:
        one = page(actor, filters, place, limit=500)
        yield from one.lines
        if one.next is None:
            return
        place = one.next


def _asked(filters: Filters) -> list[Tracked]:
    tables = [one for label, one in all_tracked().items() if filters.model in ("", label)]
    return [one for one in tables if not filters.field or filters.field in one.columns]


def _horizon(tables: Sequence[Tracked], filters: Filters, after: Place | None) -> datetime | None:
    """The moment back to which no table has more rows than a page may look at; None when that is all of them."""
    below = min((one for one in (filters.until, after.at if after else None) if one), default=None)
    condition = "where history_date <= %s" if below else ""
    branches = " union all ".join(
        f"(select history_date from {one.quoted} {condition} order by history_date desc offset {LOOKED_AT} limit 1)"  # noqa: S608  # nosec B608: the models' own names
        for one in tables
    )
    with connection.cursor() as cursor:
        cursor.execute(f"select max(history_date) from ({branches}) x", [below] * len(tables) if below else [])  # noqa: S608  # nosec B608
        found: datetime | None = cursor.fetchone()[0]
    return found if found and not (filters.since and filters.since >= found) else None


def _merged(
    tables: Sequence[Tracked], filters: Filters, after: Place | None, floor: datetime | None, limit: int
) -> list[dict[str, Any]]:
    """The heads of the newest rows of all tables."""
    branches, values = [], []
    for one in tables:
        conditions, given = _conditions(one, filters, after, floor)
        where = f"where {' and '.join(conditions)}" if conditions else ""
        branches.append(
            f"(select '{one.label}' as model, h.\"{one.key}\"::bigint as object, {_HEAD} from {one.quoted} h {where} "  # noqa: S608  # nosec B608: the models' own names
            f"order by history_date desc, history_id desc limit {limit})"
        )
        values += given
    order = f"order by history_date desc, model desc, history_id desc limit {limit}"
    return _rows(f"select * from ({' union all '.join(branches)}) x {order}", values)  # noqa: S608  # nosec B608


def _conditions(
    table: Tracked, filters: Filters, after: Place | None, floor: datetime | None
) -> tuple[list[str], list[Any]]:
    found: list[tuple[str, list[Any]]] = []
    if after is not None:
        if table.label == after.model:
            found.append(("(history_date, history_id) < (%s, %s)", [after.at, after.history_id]))
        else:
            found.append((f"history_date {'<=' if table.label < after.model else '<'} %s", [after.at]))
    if lowest := max((one for one in (filters.since, floor) if one), default=None):
        found.append(("history_date >= %s", [lowest]))
    if filters.until:
        found.append(("history_date < %s", [filters.until]))
    if filters.object is not None:
        found.append((f'h."{table.key}" = %s', [filters.object]))
    if filters.who:
        found.append(("(actor_id = %s or position(lower(%s) in lower(actor_label)) > 0)", [filters.who, filters.who]))
    for name, value in (
        ("actor_channel", filters.channel), ("history_type", filters.change), ("request_id", filters.request_id),
    ):  # fmt: skip
        if value:
            found.append((f"{name} = %s", [value]))
    if filters.field:
        before = f'select p."{filters.field}" from {table.quoted} p where p."{table.key}" = h."{table.key}"'  # noqa: S608  # nosec B608
        before += " and p.version = h.version - 1"
        found.append((f"(history_type = '~' and h.\"{filters.field}\" is distinct from ({before}))", []))
    return [text for text, _given in found], [value for _text, given in found for value in given]


def _rows(statement: str, values: Sequence[Any]) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _contents(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, int], tuple[dict[str, Any], dict[str, Any]]]:
    """(model, history id) -> the row, and the version before it; one statement for all tables of the page."""
    ids: dict[str, list[int]] = {}
    for row in rows:
        ids.setdefault(row["model"], []).append(row["history_id"])
    branches, values = [], []
    for label, some in ids.items():
        one = all_tracked()[label]
        branches.append(
            f"(select '{label}' as model, h.history_id, to_jsonb(h)::text as now, (select to_jsonb(p)::text "  # noqa: S608  # nosec B608: the models' own names
            f'from {one.quoted} p where p."{one.key}" = h."{one.key}" and p.version = h.version - 1) as before '
            f"from {one.quoted} h where h.history_id = any(%s))"
        )
        values.append(some)
    if not branches:
        return {}
    return {
        (row["model"], row["history_id"]): (json.loads(row["now"]), json.loads(row["before"] or "{}"))
        for row in _rows(" union all ".join(branches), values)
    }


def _hidden(actor: Actor, rows: Sequence[Mapping[str, Any]]) -> set[tuple[str, int]]:
    """(model, object) of what hangs on an incident that the actor may not see."""
    visible = Incident.objects.visible_to(actor)
    if not visible.query.where:
        return set()
    owners = _owners(rows)
    wanted = {incident for incident in owners.values() if incident is not None}
    seen = set(visible.filter(pk__in=wanted).values_list("pk", flat=True))
    return {which for which, incident in owners.items() if incident is not None and incident not in seen}


def _owners(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, int], int | None]:
    """(model, object) -> its incident; one whose link can't be followed any more belongs to incident 0: nobody's."""
    found: dict[tuple[str, int], int | None] = {}
    objects: dict[str, set[int]] = {}
    for row in rows:
        objects.setdefault(row["model"], set()).add(row["object"])
    for label, ids in objects.items():
        model = all_tracked()[label].model
        if model is Incident:
            found |= {(label, pk): pk for pk in ids}
        elif path := path_to_incident(model):
            links = _followed(model, path, ids)
            found |= {(label, pk): links.get(pk, 0) for pk in ids}
    return found


def _followed(model: type[models.Model], path: tuple[str, ...], ids: set[int]) -> dict[int, int | None]:
    rows = model._base_manager.filter(pk__in=ids).values_list("pk", "__".join(path))
    return {int(pk): incident for pk, incident in rows}


def _lines(rows: Sequence[Mapping[str, Any]], hidden: set[tuple[str, int]]) -> list[Line]:
    shown = [row for row in rows if (row["model"], row["object"]) not in hidden]
    contents = _contents(shown)
    return [_line(row, *contents[(row["model"], row["history_id"])]) for row in shown]


def _line(row: Mapping[str, Any], now: Mapping[str, Any], before: Mapping[str, Any]) -> Line:
    model = all_tracked()[row["model"]].model
    return Line(
        at=row["history_date"].astimezone(UTC), history_id=row["history_id"], model=row["model"],
        model_name=str(model._meta.verbose_name), object=row["object"], label=label_of(model, row["object"], now),
        version=row["version"], change=CHANGES[row["history_type"]], actor_kind=row["actor_kind"],
        actor_id=row["actor_id"], actor_label=row["actor_label"], on_behalf_of=row["on_behalf_of"],
        channel=row["actor_channel"], request_id=row["request_id"], reason=row["reason"],
        changes=[] if row["history_type"] == "-" else differences(model, before, now),
    )  # fmt: skip


def label_of(model: type[models.Model], pk: int, now: Mapping[str, Any]) -> str:
    """What people call the object: its number or its name at that time."""
    if model is Incident:
        return f"INC-{now.get('number', 0):06d}"
    return str(now.get("name") or now.get("title") or now.get("email") or f"#{pk}")[:120]


def differences(model: type[models.Model], before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """Each field that differs, old and new."""
    history: Any = model.history.model  # type: ignore[attr-defined]
    found = []
    for field in history.tracked_fields:
        column = str(field.column)
        old, new = before.get(column), now.get(column)
        if old != new and column not in _SILENT and not field.primary_key:
            found.append(Change(column, str(field.verbose_name), _said(field, old), _said(field, new)))
    return found


def _said(field: Any, value: Any) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list | dict):
        value = json.dumps(value, ensure_ascii=False)
    elif isinstance(value, int | str) and field.choices:
        value = dict(field.flatchoices).get(value, value)
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
