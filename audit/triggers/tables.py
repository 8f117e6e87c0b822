"""What the triggers are generated from: the models' declarations, limited to the columns that the database has now."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django_fsm import FSMFieldMixin
from simple_history.models import HistoricalChanges

#: Types whose binary send form is the same in every session and every database (built in, no text inside).
BINARY = frozenset(
    {
        "int2", "int4", "int8", "bool", "float4", "float8", "numeric", "uuid", "date", "time", "timestamp",
        "timestamptz", "interval", "bytea", "inet", "cidr", "tstzrange", "daterange", "int4range", "int8range",
        "_int2", "_int4", "_int8", "_bool", "_float8", "_numeric", "_uuid", "_date", "_timestamptz",
    }
)  # fmt: skip
#: Types whose text form is the same in every session; the hash takes it as UTF-8, whatever the client's encoding is.
TEXT = frozenset({"text", "varchar", "bpchar", "citext", "json", "jsonb", "_text", "_varchar"})
BYTEA = 17


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """One column under the hash. `oid` is the type of the hashed value: bytea for texts and for commitments."""

    name: str
    type: str
    form: str
    oid: int
    personal: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    """One state column: where a row may begin, and the steps that the model's transitions allow."""

    column: str
    initial: tuple[str, ...]
    steps: tuple[tuple[str, str], ...]
    import_exits: tuple[tuple[str, str], ...]
    #: Steps that are allowed only to a statement that empties this column, as taking a merge back does.
    cleared: str = ""
    clearing_exits: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """A tracked table with its history table, as far as both exist in the database.

    Without a history table it is one of the machine's own (a page, a message), of which only the states are guarded.
    """

    label: str
    schema: str
    name: str
    history: str
    key: str
    columns: tuple[Column, ...]
    machines: tuple[Machine, ...]
    schema_version: int = 0
    registered: bool = False

    def described(self) -> list[dict[str, Any]]:
        """The columns as the schema registry keeps them."""
        return [dataclasses.asdict(column) for column in self.columns]


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """A column as the catalogue describes it."""

    schema: str
    type: str
    typname: str
    oid: int


Catalogue = Mapping[str, Mapping[str, Found]]

_COLUMNS = """
select c.relname, a.attname, n.nspname, format_type(a.atttypid, a.atttypmod), t.typname, t.oid::bigint
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_type t on t.oid = a.atttypid
where c.relname = any(%s) and c.relkind in ('r', 'p') and pg_table_is_visible(c.oid) and a.attgenerated = ''
"""


def catalogue(connection: BaseDatabaseWrapper, names: Iterable[str]) -> Catalogue:
    """Table -> column -> what the database says about it; absent tables are absent."""
    found: dict[str, dict[str, Found]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_COLUMNS, [list(names)])
        for table, column, *rest in cursor.fetchall():
            found.setdefault(table, {})[column] = Found(*rest)
    return found


def tracked_models(app_label: str | None = None) -> list[type[models.Model]]:
    """Every concrete model with history, of one app or of all."""
    return [
        model
        for model in apps.get_models()
        if hasattr(model._meta, "simple_history_manager_attribute") and app_label in (None, model._meta.app_label)
    ]


def append_only_tables(connection: BaseDatabaseWrapper, app_label: str | None = None) -> list[tuple[str, str]]:
    """(schema, table) of everything that only grows: history tables and models marked `append_only`."""
    names = [_history_of(model)._meta.db_table for model in tracked_models(app_label)]
    names += [
        model._meta.db_table
        for model in apps.get_models()
        if getattr(model, "append_only", False) and app_label in (None, model._meta.app_label)
    ]
    found = catalogue(connection, names)
    return [(next(iter(found[name].values())).schema, name) for name in names if name in found]


def tables(connection: BaseDatabaseWrapper, app_label: str | None = None) -> list[Table]:
    """The tracked tables that exist, with the schema version that their columns have or would get."""
    chosen = tracked_models(app_label)
    names = [model._meta.db_table for model in chosen] + [_history_of(model)._meta.db_table for model in chosen]
    found = catalogue(connection, names)
    known = _registry(connection)
    result = []
    for model in chosen:
        if model._meta.db_table in found and _history_of(model)._meta.db_table in found:
            table = _table(model, found)
            version, columns = known.get(table.label, (0, None))
            same = columns == table.described()
            result.append(dataclasses.replace(table, schema_version=version if same else version + 1, registered=same))
    return result


def state_tables(connection: BaseDatabaseWrapper, app_label: str | None = None) -> list[Table]:
    """The tables that exist, have a state and no history."""
    tracked = set(tracked_models())
    chosen = [
        (model, fields)
        for model in apps.get_models()
        if model not in tracked
        and not issubclass(model, HistoricalChanges)
        and app_label in (None, model._meta.app_label)
        and (fields := [field for field in model._meta.local_fields if isinstance(field, FSMFieldMixin)])
    ]
    found = catalogue(connection, (model._meta.db_table for model, _ in chosen))
    result = []
    for model, fields in chosen:
        live = found.get(model._meta.db_table, {})
        machines = tuple(_machine(model, field, live) for field in fields if field.column in live)
        if machines:
            key = str(model._meta.pk.column)
            name = model._meta.db_table
            result.append(Table(model._meta.label_lower, live[key].schema, name, "", key, (), machines))
    return result


def _history_of(model: type[models.Model]) -> type[models.Model]:
    return getattr(model, model._meta.simple_history_manager_attribute).model  # type: ignore[attr-defined, no-any-return]


def _registry(connection: BaseDatabaseWrapper) -> dict[str, tuple[int, Any]]:
    with connection.cursor() as cursor:
        cursor.execute("select to_regclass('audit_historyschema')")
        if cursor.fetchone() == (None,):
            raise ImproperlyConfigured(
                "the history's schema registry does not exist yet: let the migration depend on ('audit', '0002_guards')"
            )
        cursor.execute(
            "select distinct on (model) model, schema_version, columns::text from audit_historyschema "
            "order by model, schema_version desc"
        )
        return {model: (version, json.loads(columns)) for model, version, columns in cursor.fetchall()}


def _table(model: type[models.Model], found: Catalogue) -> Table:
    history = _history_of(model)
    live, kept = found[model._meta.db_table], found[history._meta.db_table]
    if "version" not in live:
        raise ImproperlyConfigured(f"{model._meta.label} has history but no version: inherit audit.models.Tracked")
    key = str(model._meta.pk.column)
    fields = [field for field in history.tracked_fields if field.column in live and field.column in kept]  # type: ignore[attr-defined]
    return Table(
        label=model._meta.label_lower,
        schema=live[key].schema,
        name=model._meta.db_table,
        history=history._meta.db_table,
        key=key,
        columns=tuple(_column(model, field, live[field.column], kept[field.column]) for field in fields),
        machines=tuple(
            _machine(model, field, live)
            for field in fields
            if isinstance(field, FSMFieldMixin) and field.column in live
        ),
    )


def _column(model: type[models.Model], field: Any, live: Found, kept: Found) -> Column:
    where = f"{model._meta.label}.{field.name}"
    if live.type != kept.type:
        raise ImproperlyConfigured(f"{where} is {live.type}, its history {kept.type}: stored bytes would differ")
    if live.typname not in BINARY | TEXT:
        raise ImproperlyConfigured(f"{where}: the hash has no settled bytes for the type {live.type}; exclude it")
    form = "binary" if live.typname in BINARY else "utf8"
    personal = bool(getattr(field, "personal", False))
    return Column(field.column, live.type, form, live.oid if form == "binary" and not personal else BYTEA, personal)


def _machine(model: type[models.Model], field: Any, live: Mapping[str, Any]) -> Machine:
    transitions = list(field.get_all_transitions(model))
    states = {str(value) for value, _ in field.flatchoices}
    for one in transitions:
        states |= {str(value) for value in _targets(one, set()) if value is not None}
        states |= {str(one.source)} - {"*", "+"}
    steps: set[tuple[str, str]] = set()
    for one in transitions:
        for target in map(str, _targets(one, states)):
            sources = states if one.source in ("*", "+") else {str(one.source)}
            steps |= {(source, target) for source in sources if source != target}
    exits: Any = getattr(model, "fsm_import_exits", None)
    if exits and not any(one.name == "is_imported" for one in model._meta.concrete_fields):
        raise ImproperlyConfigured(f"{model._meta.label}: fsm_import_exits needs a column is_imported")
    initial = getattr(model, "fsm_initial", None)
    ways_out = {(str(one), str(other)) for one, other in _for_field(exits, field.name, ())}
    cleared, pairs = getattr(model, "fsm_exits_by_clearing", ("", ()))
    ways_back = {(str(one), str(other)) for one, other in pairs}
    return Machine(
        column=field.column,
        initial=tuple(sorted(str(one) for one in _for_field(initial, field.name, states))),
        steps=tuple(sorted(steps - ways_out - ways_back)),
        import_exits=tuple(sorted(ways_out)),
        # An older schema has no such column yet, and so no such step.
        cleared=cleared if cleared in live else "",
        clearing_exits=tuple(sorted(ways_back)) if cleared in live else (),
    )


def _for_field(declared: Any, name: str, default: Iterable[Any]) -> list[Any]:
    """A model with one state field declares a set; one with several a mapping of field name to set."""
    if isinstance(declared, Mapping):
        declared = declared.get(name)
    return list(default if declared is None else declared)


def _targets(transition: Any, otherwise: set[str]) -> set[Any]:
    target = transition.target
    named = {transition.on_error} if transition.on_error else set()
    if target is None:
        return named
    if hasattr(target, "get_state"):  # RETURN_VALUE, GET_STATE: the states that they name, else any
        return named | set(getattr(target, "allowed_states", None) or otherwise)
    return named | {target}
