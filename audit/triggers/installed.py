"""Installs the generated triggers, takes them out again, and compares what is installed with what is generated."""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import connection as default_connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation, OperationCategory

from audit.triggers.statements import REFUSE, SETTING, Function, Trigger, append_only, functions, refusal, triggers
from audit.triggers.tables import Table, append_only_tables, state_tables, tables


class InstallTriggers(Operation):
    """Installs guard and history triggers for an app's tracked models, and append-only guards for what only grows.

    It is generated against the columns that exist at that moment, so a later migration that adds a column or a
    transition installs again. Depends on ('audit', '0002_guards').
    """

    category = OperationCategory.SQL
    reduces_to_sql = False
    reversible = True

    def __init__(self, app_label: str) -> None:
        self.app_label = app_label

    def state_forwards(self, app_label: str, state: Any) -> None:
        return None

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        install(schema_editor.connection, self.app_label)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        remove(schema_editor.connection, self.app_label)

    def describe(self) -> str:
        return f"Install the history triggers of {self.app_label}"

    @property
    def migration_name_fragment(self) -> str:
        return f"{self.app_label}_history"


def _wanted(
    connection: BaseDatabaseWrapper, app_label: str | None
) -> tuple[list[Table], list[Function], list[Trigger]]:
    found = tables(connection, app_label)
    only = append_only_tables(connection, app_label)
    schemas = sorted({schema for schema, _ in only} | {table.schema for table in found})
    guarded = found + state_tables(connection, app_label)
    made = [refusal(schema) for schema in schemas] + [one for table in guarded for one in functions(table)]
    on = [append_only(*where) for where in only] + [one for table in guarded for one in triggers(table)]
    return found, made, on


def install(connection: BaseDatabaseWrapper, app_label: str) -> None:
    """Registers the columns, creates functions and triggers; refused where rows were written before their triggers."""
    found, made, on = _wanted(connection, app_label)
    with connection.cursor() as cursor:
        for table in found:
            _refuse_rows_without_history(cursor, table)
            if not table.registered:
                cursor.execute(
                    "insert into audit_historyschema (model, schema_version, columns) values (%s, %s, %s)",
                    [table.label, table.schema_version, json.dumps(table.described())],
                )
        for statement in [one.create() for one in made] + [one.create() for one in on]:
            cursor.execute(statement)


def _refuse_rows_without_history(cursor: Any, table: Table) -> None:
    cursor.execute(
        f"select 1 from {table.schema}.{table.name} l where not exists (select from {table.schema}.{table.history} h "  # noqa: S608  # nosec B608  names from the models
        f"where h.{table.key} = l.{table.key} and h.version = l.version) limit 1"
    )
    if cursor.fetchone():
        raise ImproperlyConfigured(
            f"{table.label} has rows without history: let data migrations run after InstallTriggers"
        )


def remove(connection: BaseDatabaseWrapper, app_label: str) -> None:
    """Drops the app's triggers and functions; the shared refusal stays, other apps use it."""
    _, made, on = _wanted(connection, app_label)
    with connection.cursor() as cursor:
        for trigger in on:
            cursor.execute(f"drop trigger if exists {trigger.name} on {trigger.schema}.{trigger.table}")
        for function in made:
            if function.name != REFUSE:
                cursor.execute(f"drop function if exists {function.schema}.{function.name}()")


_FUNCTIONS = """
select n.nspname, p.proname, p.prosrc, array_to_string(p.proconfig, ';')
from pg_proc p join pg_namespace n on n.oid = p.pronamespace where p.proname like 'audit\\_%'
"""
_TRIGGERS = """
select n.nspname, c.relname, t.tgname, pg_get_triggerdef(t.oid), t.tgenabled::text
from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
where not t.tgisinternal and t.tgname like 'audit\\_%'
"""


def check(connection: BaseDatabaseWrapper = default_connection) -> list[str]:
    """What differs between the installed triggers and those that the models ask for; empty when all is well."""
    found, made, on = _wanted(connection, None)
    with connection.cursor() as cursor:
        cursor.execute(_FUNCTIONS)
        bodies = {(schema, name): (body, config) for schema, name, body, config in cursor.fetchall()}
        cursor.execute(_TRIGGERS)
        present = {(schema, table, name): (text, on_) for schema, table, name, text, on_ in cursor.fetchall()}
    differences = [f"{table.label}: its columns changed since the triggers were installed" for table in found
                   if not table.registered]  # fmt: skip
    for function in made:
        installed = bodies.get((function.schema, function.name))
        if installed is None:
            differences.append(f"function {function.name} is missing")
        elif installed != (function.body, SETTING):
            differences.append(f"function {function.name} differs from what the models generate")
    for trigger in on:
        text, enabled = present.get((trigger.schema, trigger.table, trigger.name), ("", ""))
        if not text:
            differences.append(f"trigger {trigger.name} on {trigger.table} is missing")
        elif text.replace(f"EXECUTE FUNCTION {trigger.schema}.", "EXECUTE FUNCTION ") != trigger.definition():
            differences.append(f"trigger {trigger.name} on {trigger.table} differs from what the models generate")
        elif enabled != "O":
            differences.append(f"trigger {trigger.name} on {trigger.table} is switched off")
    return differences
