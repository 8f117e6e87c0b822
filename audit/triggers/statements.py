"""The SQL text: one guard and one history function for each tracked table, and the refusal for append-only ones."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from audit.models import APPEND_ONLY, FORMAT, ILLEGAL_STATE, STALE
from audit.triggers.tables import Column, Machine, Table

#: The functions see nothing but the system's names, so that no table or function of a session can stand in for ours.
SETTING = "search_path=pg_catalog, pg_temp"
REFUSE = "audit_refuse_change"
_PLAIN = re.compile(r"[a-z_][a-z0-9_]{0,49}")


@dataclasses.dataclass(frozen=True, slots=True)
class Function:
    schema: str
    name: str
    body: str

    def create(self) -> str:
        return (
            f"create or replace function {self.schema}.{self.name}() returns trigger language plpgsql "
            f"set {SETTING.replace('=', ' = ')} as $audit${self.body}$audit$"
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Trigger:
    """`what` is written as pg_get_triggerdef() shows it, so that installed and generated text compare as they are."""

    schema: str
    table: str
    name: str
    what: str
    function: str
    each: str = "ROW"
    when: str = ""

    def definition(self) -> str:
        return (
            f"CREATE TRIGGER {self.name} {self.what} ON {self.schema}.{self.table} FOR EACH {self.each} "
            f"{self.when and f'WHEN ({self.when}) '}EXECUTE FUNCTION {self.function}()"
        )

    def create(self) -> str:
        return (
            self.definition()
            .replace("CREATE TRIGGER", "CREATE OR REPLACE TRIGGER", 1)
            .replace(f"EXECUTE FUNCTION {self.function}", f"EXECUTE FUNCTION {self.schema}.{self.function}")
        )


def refusal(schema: str) -> Function:
    """Refuses every change of a table that only grows."""
    return Function(
        schema,
        REFUSE,
        f"""
begin
  raise exception using errcode = '{APPEND_ONLY}',
    message = format('%s refuses %s: nothing in it is changed or removed', tg_table_name, lower(tg_op));
end
""",
    )


def append_only(schema: str, table: str) -> Trigger:
    return Trigger(schema, table, "audit_append_only", "BEFORE DELETE OR UPDATE OR TRUNCATE", REFUSE, each="STATEMENT")


def functions(table: Table) -> list[Function]:
    names = [table.schema, table.name, table.history or table.name, table.key]
    names += [column.name for column in table.columns] + [machine.column for machine in table.machines]
    for name in names:
        if not _PLAIN.fullmatch(name):
            raise ValueError(f"{table.label}: {name!r} must be lower case and at most 50 characters for its triggers")
    if not table.history:
        return [Function(table.schema, f"audit_states_{table.name}", _states(table))]
    return [
        Function(table.schema, f"audit_guard_{table.name}", _guard(table)),
        Function(table.schema, f"audit_write_{table.name}", _write(table)),
    ]


def triggers(table: Table) -> list[Trigger]:
    where = (table.schema, table.name)
    if not table.history:
        columns = ", ".join(machine.column for machine in table.machines)
        what = f"BEFORE INSERT OR UPDATE OF {columns}"
        return [Trigger(*where, "audit_states", what, functions(table)[0].name)]
    guard, write = (one.name for one in functions(table))
    return [
        Trigger(*where, "audit_guard_insert", "BEFORE INSERT", guard),
        Trigger(*where, "audit_guard_update", "BEFORE UPDATE", guard, when="(old.version = new.version)"),
        Trigger(*where, "audit_no_truncate", "BEFORE TRUNCATE", REFUSE, each="STATEMENT"),
        Trigger(*where, "audit_write", "AFTER INSERT OR DELETE", write),
        Trigger(*where, "audit_write_update", "AFTER UPDATE", write, when="(old.version <> new.version)"),
    ]


def _guard(table: Table) -> str:
    """Gives the next version to an insert (an object may come back under its old key) and to an update without one."""
    old = ", ".join(f'old."{column.name}"' for column in table.columns)
    return f"""
begin
  if tg_op = 'INSERT' then
    new.version := coalesce(
      (select max(h.version) from {table.schema}.{table.history} h where h."{table.key}" = new."{table.key}"), 0) + 1;
  elsif record_image_ne(row({old}), row({old.replace('old."', 'new."')})) then
    new.version := old.version + 1;
  end if;
  return new;
end
"""  # noqa: S608  # nosec B608  names from the models, checked in functions()


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _begins(table: Table, machine: Machine) -> str:
    if not machine.initial:
        return ""
    column, allowed = f'new."{machine.column}"', ", ".join(map(_quoted, machine.initial))
    return f"""
    if {column}::text not in ({allowed}) then
      raise exception using errcode = '{ILLEGAL_STATE}',
        message = format('{table.label} may not begin with {machine.column} %L', {column});
    end if;"""


def _pairs(pairs: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"({_quoted(source)}, {_quoted(target)})" for source, target in pairs) or "(null, null)"


def _steps(table: Table, machine: Machine) -> str:
    old, new = f'old."{machine.column}"', f'new."{machine.column}"'
    step = f"({old}::text, {new}::text)"
    exits = f"old.is_imported and new.is_imported and {step} in ({_pairs(machine.import_exits)})"
    imported = f"\n      and ({exits}) is not true" if machine.import_exits else ""
    if machine.clearing_exits:
        emptied = f'old."{machine.cleared}" is not null and new."{machine.cleared}" is null'
        imported += f"\n      and ({emptied} and {step} in ({_pairs(machine.clearing_exits)})) is not true"
    return f"""
    if {old} is distinct from {new}
      and ({step} in ({_pairs(machine.steps)})) is not true{imported} then
      raise exception using errcode = '{ILLEGAL_STATE}',
        message = format('{table.label} %s may not go from {machine.column} %L to %L', old."{table.key}", {old}, {new});
    end if;"""


def _states(table: Table) -> str:
    """Guards the states of a table that has no history."""
    return f"""
begin
  if tg_op = 'INSERT' then{"".join(_begins(table, one) for one in table.machines)}
    return new;
  end if;{"".join(_steps(table, one) for one in table.machines)}
  return new;
end
"""


def _bytes(column: Column) -> str:
    """The value as the hash takes it; a commitment needs bytes, so there a binary form loses its 12-byte heading."""
    value = f'r."{column.name}"'
    if column.form == "utf8":
        return f"convert_to({value}::text, 'UTF8')"
    if column.personal:
        return f"case when {value} is not null then substr(record_send(row({value})), 13) end"
    return value


def _write(table: Table) -> str:
    personal = [
        ("actor_label", "convert_to(v_label, 'UTF8')"),
        ("on_behalf_of", "convert_to(v_behalf, 'UTF8')"),
        ("history_change_reason", "convert_to(v_reason, 'UTF8')"),
        *((column.name, _bytes(column)) for column in table.columns if column.personal),
    ]
    number = {name: position for position, (name, _) in enumerate(personal, start=1)}
    declared = "".join(
        f"\n  v_s{at} bytea := uuid_send(gen_random_uuid());\n  v_c{at} bytea;" for at in number.values()
    )
    committed = "".join(f"\n  v_c{number[name]} := sha256(v_s{number[name]} || {value});" for name, value in personal)
    return f"""
declare
  r {table.schema}.{table.name};{_CONTEXT}{declared}
begin
{_decided(table)}
  if v_version > 1 then
    select h.row_hash into v_previous
    from {table.schema}.{table.history} h where h."{table.key}" = r."{table.key}" and h.version = v_version - 1;
  end if;{committed}
{_inserted(table, number)}
  if v_context is null then
    insert into {table.schema}.audit_unattributedwrite (model, object_id, object_version, role)
    values ('{table.label}', r."{table.key}"::text, v_version, session_user);
  end if;
  return null;
end
"""  # noqa: S608  # nosec B608  names from the models, checked in functions()


#: A write without context is the database role's own; the empty setting is what a finished transaction leaves.
_CONTEXT = """
  v_kind text;
  v_version bigint;
  v_previous bytea;
  v_at timestamptz := clock_timestamp();
  v_xid bigint := pg_current_xact_id()::text::bigint;
  v_context jsonb := nullif(current_setting('servicedesk.context', true), '')::jsonb;
  v_user bigint := (v_context->>'user')::bigint;
  v_actor_kind text := coalesce(v_context->>'kind', 'db');
  v_actor_id text := coalesce(v_context->>'id', session_user);
  v_label text := coalesce(v_context->>'label', 'db:' || session_user);
  v_behalf text := coalesce(v_context->>'behalf', '');
  v_channel text := coalesce(v_context->>'channel', 'db');
  v_request text := coalesce(v_context->>'request', '');
  v_reason text := nullif(v_context->>'reason', '');"""


def _decided(table: Table) -> str:
    """What kind of row and which version it will be, unless the write is refused."""
    key = f'"{table.key}"'
    return f"""  if tg_op = 'INSERT' then
    r := new; v_kind := '+'; v_version := new.version;{"".join(_begins(table, one) for one in table.machines)}
  elsif tg_op = 'DELETE' then
    r := old; v_kind := '-'; v_version := old.version + 1;
  else
    r := new; v_kind := '~'; v_version := new.version;
    if new.{key} is distinct from old.{key} then
      raise exception using errcode = '{APPEND_ONLY}',
        message = format('{table.label} %s keeps its identity', old.{key});
    end if;
    if new.version <> old.version + 1 then
      raise exception using errcode = '{STALE}',
        message = format('{table.label} %s is at version %s, the write was made for version %s',
          old.{key}, old.version, new.version);
    end if;{"".join(_steps(table, one) for one in table.machines)}
  end if;"""


def _inserted(table: Table, number: Mapping[str, int]) -> str:
    """The history row; the order of the hashed row is the format, see docs/adr/0001-history-hash.md."""
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    values = ", ".join(f'r."{column.name}"' for column in table.columns)
    hashed = ", ".join(f"v_c{number[one.name]}" if one.personal else _bytes(one) for one in table.columns)
    salts, commitments = (
        "jsonb_build_object(" + ", ".join(f"'{name}', {text.format(at=at)}" for name, at in number.items()) + ")"
        for text in ("case when v_c{at} is not null then encode(v_s{at}, 'hex') end", "encode(v_c{at}, 'hex')")
    )
    return f"""  insert into {table.schema}.{table.history} (
    {names},
    history_date, history_change_reason, history_type, history_user_id, version, schema_version, xid, actor_kind,
    actor_id, actor_label, on_behalf_of, actor_channel, request_id, salts, commitments, prev_hash, row_hash
  ) values (
    {values},
    v_at, v_reason, v_kind, v_user, v_version, {table.schema_version}, v_xid, v_actor_kind,
    v_actor_id, v_label, v_behalf, v_channel, v_request,
    {salts},
    {commitments},
    v_previous,
    sha256(record_send(row(
      convert_to('{FORMAT}', 'UTF8'), convert_to('{table.label}', 'UTF8'), {table.schema_version}::int4, v_version,
      convert_to(v_kind, 'UTF8'), v_at, v_xid, v_user, convert_to(v_actor_kind, 'UTF8'), convert_to(v_actor_id, 'UTF8'),
      convert_to(v_channel, 'UTF8'), convert_to(v_request, 'UTF8'), v_c1, v_c2, v_c3, v_previous,
      {hashed})))
  );"""  # noqa: S608  # nosec B608  names from the models, checked in functions()
