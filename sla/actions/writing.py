"""Writes what a fold found in one statement: clocks, late breaches, and the queue's row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from audit.queries import as_json, planned
from incidents.models import Incident, State
from sla.models import Clock

COLUMNS = tuple(field.attname for field in Clock._meta.concrete_fields if not field.primary_key)
_NAMES = ", ".join(COLUMNS)

# "given" holds new rows without an id. A row lock of the incident is held, so nobody else writes its clocks.
_CLOCKS = f"""
with given as (select * from jsonb_populate_recordset(null::sla_clock, %(rows)s::jsonb)),
changed as (
    update sla_clock c set ({_NAMES}) = row({", ".join(f"g.{name}" for name in COLUMNS)})
    from given g where c.id = g.id returning c.*),
added as (insert into sla_clock ({_NAMES}) select {_NAMES} from given where id is null returning *),
late as (
    insert into sla_breach (clock_id, incident_id, target, cycle, at, cause, decided_at, voids)
    select id, incident_id, target, cycle, breached_at, breach_cause, %(at)s, voids
    from (select * from changed union all select * from added) x where breached_at is not null
    on conflict (clock_id, voids) do nothing returning clock_id),
queue as (%(queue)s)
select w.id, w.target, w.cycle, w.id in (select clock_id from late)
from (select * from changed union all select * from added) w
"""  # noqa: S608  # nosec B608: the model's own column names

_ENTER = """
insert into sla_queueentry (incident_id, team_id, assignee_id, priority, state, due_at, target, is_breached)
select %(incident)s::bigint, %(team)s::bigint, %(assignee)s::bigint, %(priority)s::smallint, %(state)s,
       %(due_at)s::timestamptz, %(target)s, %(is_breached)s
on conflict (incident_id) do update set
    (team_id, assignee_id, priority, state, due_at, target, is_breached) =
    (excluded.team_id, excluded.assignee_id, excluded.priority, excluded.state, excluded.due_at, excluded.target,
     excluded.is_breached)
returning 1
"""
_LEAVE = "delete from sla_queueentry where incident_id = %(incident)s::bigint returning 1"


def write(
    incident: Incident, rows: Sequence[dict[str, Any]], entry: dict[str, Any], at: datetime
) -> dict[tuple[str, int], tuple[int, bool]]:
    """Saves changed and new clocks and the queue's row; (target, cycle) -> (id, whether its breach is news)."""
    over = incident.state in (State.CLOSED, State.CANCELLED)
    statement = _CLOCKS.replace("%(queue)s", _LEAVE if over else _ENTER)
    values = {
        "rows": as_json(rows),
        "at": at,
        "incident": incident.pk,
        "team": incident.team_id,
        "assignee": incident.assignee_id,
        "priority": incident.priority,
        "state": str(incident.state),
        **entry,
    }
    with planned() as cursor:
        cursor.execute(statement, values)
        return {(target, cycle): (pk, late) for pk, target, cycle, late in cursor.fetchall()}
