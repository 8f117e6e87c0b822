"""Reads the trail: what is owed, what was written by nobody, what changed since a version, and the bytes of a proof."""

from __future__ import annotations

import dataclasses
import functools
import json
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import orjson
import psycopg
from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, connections, models
from django.utils.functional import Promise

from audit import chain
from audit.context import stamp
from audit.models import Delivery, HistorySchema, UnattributedWrite

AnyT = TypeVar("AnyT")
ModelT = TypeVar("ModelT", bound=models.Model)

#: A delivery that has been open for longer than this is an alarm.
LATE_AFTER = timedelta(seconds=60)


@dataclasses.dataclass(frozen=True, slots=True)
class Owed:
    """Deliveries open for more than a minute or given up, and writes of the last day that no action attributed."""

    late: int
    given_up: int
    unattributed: int


#: Only what asks for a plan gets one; Django's own cursors write values into the statement, so none comes twice.
_NEVER_BY_ITSELF = 2**31


class _Planned(psycopg.Cursor[Any]):
    """The one of its connection: making one costs as much as sending a statement. Take all rows before the next."""

    def close(self) -> None:
        """It stays open for the next statement."""

    def execute(self, query: Any, params: Any = None, **more: Any) -> Any:
        return super().execute(query, params, **{**more, "prepare": True})

    def _convert_query(self, query: Any, params: Any = None) -> Any:
        # Kept where Django looks for the text of the last query, for its log of queries.
        self._query = super()._convert_query(query, params)
        return self._query


def planned() -> Any:
    """A cursor whose statements the server plans once per connection, where planning costs more than running.

    Values travel beside the statement: cast those whose type it does not say (`%s::bigint`), a null above all.
    """
    # The thread's own: each look through the proxy costs more than the whole of this.
    here: Any = connections[DEFAULT_DB_ALIAS]
    # As Django's own cursor begins: a connection that died since the last request is replaced.
    here.close_if_health_check_failed()
    here.ensure_connection()
    link = here.connection
    cursor = vars(link).get("_planned")
    if cursor is None:
        if link.prepare_threshold is None:
            link.prepare_threshold = _NEVER_BY_ITSELF
        cursor = link._planned = _Planned(link)
    return here._prepare_cursor(cursor)


def ask_first(statement: str, values: Any) -> list[tuple[Any, ...]]:
    """The rows of a request's first question, which is the check of its connection as well.

    Django asks `SELECT 1` first, to find out whether the connection died since the last request. A question outside a
    transaction that changes nothing can be asked again, so it finds that out by itself.
    """
    here: Any = connections[DEFAULT_DB_ALIAS]
    unchecked = here.health_check_enabled and not here.health_check_done and here.connection is not None
    if not unchecked or here.in_atomic_block:
        return ask(statement, values)
    here.health_check_done = True
    try:
        return ask(statement, values)
    except OperationalError:
        if not here.connection.closed:
            raise
        here.close()
        return ask(statement, values)


def ask(statement: str, values: Any) -> list[tuple[Any, ...]]:
    """All rows of a planned statement."""
    with planned() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def as_json(value: Any) -> str:
    """JSON for the database; instants and translated texts become text, whatever else JSON does not know is refused."""
    return orjson.dumps(value, default=_as_text, option=_AS_STOCK).decode()


_AS_STOCK = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_NON_STR_KEYS


def _as_text(value: Any) -> Any:
    if isinstance(value, Promise):
        return str(value)
    raise TypeError(f"{type(value).__name__} does not travel as JSON")


@functools.cache
def _reading(model: type[models.Model]) -> tuple[str, list[str], list[tuple[int, Any]]]:
    """SELECT of all columns, the attributes in that order, and the columns that Python reads by a function."""
    fields = model._meta.concrete_fields
    columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
    readers = [(place, field.from_db_value) for place, field in enumerate(fields) if hasattr(field, "from_db_value")]
    table = connection.ops.quote_name(model._meta.db_table)
    return f"select {columns} from {table} ", [field.attname for field in fields], readers  # noqa: S608  # nosec B608: the model's own names


def fetch(model: type[ModelT], condition: str, values: Sequence[Any] = ()) -> list[ModelT]:
    """The rows of a model under a condition in SQL, at a third of what building the query by parts costs.

    For the few small look-ups that every logged incident makes.
    """
    select, names, readers = _reading(model)
    with planned() as cursor:
        cursor.execute(select + condition, values)
        rows = cursor.fetchall()
    return [_made(model, names, readers, list(row)) for row in rows]


def fetch_one(model: type[ModelT], pk: int) -> ModelT | None:
    found = fetch(model, f"where {connection.ops.quote_name(str(model._meta.pk.column))} = %s", [pk])
    return found[0] if found else None


@functools.cache
def _joining(wanted: tuple[type[models.Model], ...]) -> str:
    """SELECT of one row of each model side by side; where there is none its columns are null."""
    columns, joins = [], []
    for place, model in enumerate(wanted):
        quote, fields = connection.ops.quote_name, model._meta.concrete_fields
        columns += [f"t{place}.{quote(str(field.column))}" for field in fields]
        key = f"t{place}.{quote(str(model._meta.pk.column))}"
        joins.append(f"left join {quote(model._meta.db_table)} t{place} on {key} = %s::bigint")
    return f"select {', '.join(columns)} from (values (1)) one {' '.join(joins)}"  # noqa: S608  # nosec B608: the models' own names


def fetch_each(wanted: Sequence[tuple[type[models.Model], int]]) -> list[models.Model | None]:
    """One row of each of several models by its key, in one statement; None where there is none."""
    (row,) = ask(_joining(tuple(model for model, _ in wanted)), [pk for _, pk in wanted])
    found: list[models.Model | None] = []
    start = 0
    for model, _ in wanted:
        _, names, readers = _reading(model)
        values = list(row[start : start + len(names)])
        start += len(names)
        is_there = values[names.index(model._meta.pk.attname)] is not None
        found.append(_made(model, names, readers, values) if is_there else None)
    return found


def _made(model: type[ModelT], names: list[str], readers: list[tuple[int, Any]], values: list[Any]) -> ModelT:
    for place, read in readers:
        values[place] = read(values[place], None, connection)
    made: ModelT = model.from_db(DEFAULT_DB_ALIAS, names, values)
    return made


@functools.cache
def stamp_sql() -> str:
    """An expression that differs after any change of the kept tables: where each row lies and who wrote it.

    Highest ids or versions would not do: a transaction that began earlier may commit later.
    """
    names = sorted(model._meta.db_table for model in apps.get_models() if getattr(model, "is_kept", False))
    rows = "count(*) || ':' || coalesce(bit_xor(hashtext(ctid::text || xmin::text)), 0)"
    parts = [f"(select {rows} from {name})" for name in names]  # noqa: S608  # nosec B608: our own names
    return f"concat_ws(' ', current_database(), {', '.join(parts)})"


_shelf = threading.local()


def kept(name: str, load: Callable[[], AnyT]) -> AnyT:
    """What `load` gives, remembered by this thread for as long as the kept tables stand as the request found them.

    Nothing is older than the request that reads it. Where no stamp was taken (tasks, commands, tests of actions), and
    after this request changed a kept row itself, it is read anew.
    """
    known = stamp.get()
    if known is None:
        return load()
    if getattr(_shelf, "stamp", None) != known:
        _shelf.stamp, _shelf.things = known, {}
    things: dict[str, Any] = _shelf.things
    if name not in things:
        things[name] = load()
    return things[name]  # type: ignore[no-any-return]


def database_time() -> datetime:
    """The database's clock, for tasks: `now()` stands still within a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("select clock_timestamp()")
        return cursor.fetchone()[0]  # type: ignore[no-any-return]


def owed(at: datetime) -> Owed:
    """The counts that /readyz shows; an open delivery is never older than a minute when the sweep runs."""
    return Owed(
        late=Delivery.objects.open().filter(created_at__lt=at - LATE_AFTER).count(),
        given_up=Delivery.objects.filter(done_at=None).exclude(given_up_at=None).count(),
        unattributed=UnattributedWrite.objects.filter(at__gt=at - timedelta(days=1)).count(),
    )


def changes_since(row: Any, version: int) -> dict[str, list[Any]]:
    """Attribute -> [value at that version, value now], for the diff that a refused save shows; empty if unknown."""
    history: Any = type(row).history.model
    then = history.objects.filter(**{type(row)._meta.pk.attname: row.pk, "version": version}).first()
    if then is None:
        return {}
    names = [field.attname for field in history.tracked_fields]
    return {
        name: [getattr(then, name), getattr(row, name)] for name in names if getattr(then, name) != getattr(row, name)
    }


def schemas(model: type[models.Model]) -> dict[int, list[chain.Column]]:
    """Schema version -> the columns that a hash of that version covers."""
    return {
        number: [chain.Column(one["name"], one["oid"], one["personal"]) for one in columns]
        for number, columns in HistorySchema.objects.filter(model=model._meta.label_lower).values_list(
            "schema_version", "columns"
        )
    }


def history_faults(model: Any, pk: Any) -> list[str]:
    """Verifies one object's history against its hashes and against the live row; empty when all is well."""
    live = model._base_manager.filter(pk=pk).values_list("version", flat=True).first()
    rows = history_rows(model, pk)
    found = chain.faults(rows, schemas(model), newest=live)
    if live is None and rows and rows[-1].values["history_type"] != b"-":
        found.append("the object is gone and its history does not say so")
    return found


def history_rows(model: Any, pk: Any) -> list[chain.Row]:
    """The stored bytes of one object's history, oldest first."""
    rows: list[chain.Row] = []
    for number, columns in HistorySchema.objects.filter(model=model._meta.label_lower).values_list(
        "schema_version", "columns"
    ):
        rows += _rows_of_schema(model, pk, number, columns)
    return sorted(rows, key=lambda row: row.version)


def _rows_of_schema(model: Any, pk: Any, number: int, columns: list[dict[str, Any]]) -> list[chain.Row]:
    texts = {"history_type", "actor_kind", "actor_id", "actor_channel", "request_id", *chain.COMMITTED}
    parts = {name: _bytes(name, "text" if name in texts else "", "utf8" if name in texts else "binary")
             for name in (*(name for name, _ in chain.HEADER), *chain.COMMITTED)}  # fmt: skip
    parts |= {one["name"]: _bytes(one["name"], one["type"], one["form"]) for one in columns}
    table = connection.ops.quote_name(model.history.model._meta.db_table)
    key = connection.ops.quote_name(model._meta.pk.column)
    statement = (
        f"select {', '.join(parts.values())}, salts::text, commitments::text, prev_hash, row_hash "  # noqa: S608  # nosec B608: names from the registry
        f"from {table} where {key} = %s and schema_version = %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [pk, number])
        return [
            chain.Row(
                model=model._meta.label_lower,
                schema_version=number,
                values=dict(zip(parts, values, strict=True)),
                salts=_unhexed(salts),
                commitments=_unhexed(commitments),
                prev_hash=before,
                row_hash=own,
            )
            for *values, salts, commitments, before, own in cursor.fetchall()
        ]


def _bytes(name: str, kind: str, form: str) -> str:
    """SQL for the bytes that the hash took: UTF-8, or the binary send form without the heading of its row."""
    value = connection.ops.quote_name(name) + (f"::{kind}" if kind else "")
    if form == "utf8":
        return f"convert_to({value}::text, 'UTF8')"
    return f"case when {value} is not null then substr(record_send(row({value})), 13) end"


def _unhexed(text: str) -> dict[str, bytes | None]:
    return {name: None if value is None else bytes.fromhex(value) for name, value in json.loads(text).items()}
