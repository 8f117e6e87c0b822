"""What the desk is measured against, served by the same processes: an empty view, and raw SQL behind the same view.

The raw sides write to twins of the real tables: the same columns and indexes, without triggers and foreign keys.
"""

from __future__ import annotations

import json

from django.db import connection
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from incidents.models import Incident
from servicedesk.urls import *  # noqa: F403  the error pages' names too
from servicedesk.urls import urlpatterns as real

TWINS = {
    "bench_incident": "incidents_incident",
    "bench_history": "incidents_historicalincident",
    "bench_clock": "sla_clock",
    "bench_event": "audit_event",
    "bench_message": "notify_message",
    "bench_queue": "sla_queueentry",
}


class Floor(APIView):
    """Reads JSON, answers JSON, asks nobody."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()

    def get(self, request: Request) -> Response:
        return Response({"ok": True})

    def post(self, request: Request) -> Response:
        return Response({"ok": True, "given": len(request.data)}, status=201)


def _columns(names: dict[str, str]) -> tuple[str, str]:
    return ", ".join(names), ", ".join(names.values())


def _insert(table: str, values: dict[str, str], source: str = "") -> str:
    names, expressions = _columns(values)
    return f"insert into {table} ({names}) select {expressions} {source}"


_EMPTY = "''"
_INCIDENT = {
    "number": "nextval('bench_number')",
    "version": "1",
    "title": "%(title)s",
    "description": "%(description)s",
    "kind": "'incident'",
    "channel": "'phone'",
    "source_label": _EMPTY,
    "external_ref": _EMPTY,
    "state": "'new'",
    "impact": "2",
    "urgency": "2",
    "matrix_id": "1",
    "is_vip_raised": "false",
    "priority": "3",
    "priority_override_reason": _EMPTY,
    "category_id": "%(category)s",
    "service_id": "%(service)s",
    "team_id": "%(team)s",
    "requester_id": "%(requester)s",
    "logged_by_id": "%(requester)s",
    "detected_by": _EMPTY,
    "reported_at": "now()",
    "created_at": "now()",
    "hold_reason": _EMPTY,
    "resolution_code": _EMPTY,
    "cause_code": _EMPTY,
    "resolution_notes": _EMPTY,
    "fix_kind": _EMPTY,
    "workaround_outcome": _EMPTY,
    "confirmation": _EMPTY,
    "cancel_reason": _EMPTY,
    "cancel_detail": _EMPTY,
    "reopen_count": "0",
    "reassignment_count": "0",
    "is_drill": "false",
    "is_imported": "false",
    "idle_at": "now()",
}


def _complete(model: type[Model], values: dict[str, str]) -> None:
    """Gives each further column that may not be null the value that says nothing."""
    nothing = {"BooleanField": "false", "CharField": _EMPTY, "TextField": _EMPTY}
    nothing |= dict.fromkeys(("JSONField", "ArrayField"), "'{}'")
    for field in model._meta.concrete_fields:
        column = str(field.column)
        if column not in values and not field.null and not field.primary_key:
            values[column] = nothing.get(field.get_internal_type(), "0")


_complete(Incident, _INCIDENT)
_HISTORY = {
    **{name: f"i.{name}" for name in ("id", *_INCIDENT) if name != "version"},
    "history_date": "clock_timestamp()",
    "history_type": "'+'",
    "version": "1",
    "schema_version": "1",
    "xid": "pg_current_xact_id()::text::bigint",
    "actor_kind": "'key'",
    "actor_id": "'bench'",
    "actor_label": "'bench'",
    "on_behalf_of": _EMPTY,
    "actor_channel": "'api'",
    "request_id": "'r'",
    "salts": "'{}'",
    "commitments": "'{}'",
    "row_hash": "'\\x00'",
}
_complete(Incident.history.model, _HISTORY)
_CLOCK = {
    "incident_id": "i.id",
    "target": "x.target",
    "cycle": "1",
    "priority": "3",
    "state": "'running'",
    "started_at": "now()",
    "budget_s": "3600",
    "elapsed_s": "0",
    "counted_at": "now()",
    "breach_cause": _EMPTY,
    "due_at": "now() + interval '90 days'",
    "fired_percent": "0",
    "next_threshold": "50",
    "next_threshold_at": "now() + interval '90 days'",
}
_EVENT = {
    "kind": "'incident.opened'",
    "subject_type": "'incidents.incident'",
    "subject_id": "i.id",
    "about_type": "'incidents.incident'",
    "about_id": "i.id",
    "at": "now()",
    "recorded_at": "clock_timestamp()",
    "actor_kind": "'key'",
    "actor_id": "'bench'",
    "actor_label": "'bench'",
    "on_behalf_of": _EMPTY,
    "channel": "'api'",
    "request_id": "'r'",
    "reason": _EMPTY,
    "data": '\'{"priority": 3, "state": "new"}\'',
}
_QUEUE = {
    "incident_id": "i.id",
    "team_id": "i.team_id",
    "priority": "3",
    "state": "'new'",
    "target": "'own'",
    "is_breached": "false",
    "due_at": "now()",
}


def _create() -> str:
    targets = "from i cross join (values ('acknowledge'), ('respond'), ('resolve'), ('own')) x(target)"
    returned = ", ".join(("id", *_INCIDENT))
    return (
        f"with i as ({_insert('bench_incident', _INCIDENT)} returning {returned}), "
        f"h as ({_insert('bench_history', _HISTORY, 'from i')}), c as ({_insert('bench_clock', _CLOCK, targets)}), "
        f"e as ({_insert('bench_event', _EVENT, 'from i')}), q as ({_insert('bench_queue', _QUEUE, 'from i')}) "
        "select id, number, title, state from i"
    )


_CREATE = _create()
_TRANSITION = f"""
with i as (
    update bench_incident set state = case state when 'on_hold' then 'in_progress' else 'on_hold' end,
        hold_reason = case state when 'on_hold' then '' else 'scheduled' end,
        hold_until = case state when 'on_hold' then null else now() + interval '1 day' end,
        held_at = case state when 'on_hold' then null else now() end, idle_at = null, version = version + 1
    where id = %(id)s returning {", ".join(("id", *(name for name in _INCIDENT if name != "version")))}, version),
h as ({_insert("bench_history", {**_HISTORY, "version": "i.version", "history_type": "'~'"}, "from i")}),
c as (update bench_clock set elapsed_s = elapsed_s + 1 from i where incident_id = i.id),
e as ({_insert("bench_event", {**_EVENT, "kind": "'incident.put_on_hold'"}, "from i")})
select id, number, title, state from i
"""


def prepare(incidents: int) -> None:
    """Makes the twins in the running database, with some open incidents to change."""
    names = _columns(_INCIDENT)[0]
    with connection.cursor() as cursor:
        for twin, table in TWINS.items():
            cursor.execute(f"drop table if exists {twin} cascade")
            cursor.execute(f"create table {twin} (like {table} including all)")
        cursor.execute("drop sequence if exists bench_number")
        cursor.execute("create sequence bench_number start 100000000")
        cursor.execute(
            f"insert into bench_incident ({names}) select {names} from incidents_incident where state = 'in_progress' "
            "order by id desc limit %s",
            [incidents],
        )
        targets = "cross join (values ('acknowledge'), ('respond'), ('resolve'), ('own')) x(target)"
        cursor.execute(_insert("bench_clock", _CLOCK, f"from bench_incident i {targets}"))
        cursor.execute("vacuum analyze")


def ids() -> list[int]:
    """The incidents of the twin that can be changed."""
    with connection.cursor() as cursor:
        cursor.execute("select id from bench_incident order by id")
        return [row[0] for row in cursor.fetchall()]


class RawCreate(Floor):
    """One statement: incident, history, clocks, event and queue. No salts, no hashes, no keys to check."""

    def post(self, request: Request) -> Response:
        with connection.cursor() as cursor:
            cursor.execute(_CREATE, request.data)
            row = cursor.fetchone()
        return Response({"id": row[0], "reference": f"INC-{row[1]}", "title": row[2], "state": row[3]}, status=201)


class RawTransition(Floor):
    """One statement: lock, update, history, clocks, event."""

    def post(self, request: Request) -> Response:
        with connection.cursor() as cursor:
            cursor.execute(_TRANSITION, request.data)
            row = cursor.fetchone()
        return Response({"id": row[0], "reference": f"INC-{row[1]}", "title": row[2], "state": row[3]})


def queue_json(request: HttpRequest) -> HttpResponse:
    """The first fifty of a team by deadline, made into JSON by the database."""
    with connection.cursor() as cursor:
        cursor.execute(_QUEUE_JSON, [int(request.GET["team"])])
        (text,) = cursor.fetchone()
    return HttpResponse(text if isinstance(text, str) else json.dumps(text), content_type="application/json")


_QUEUE_JSON = """
select json_agg(x)::text from (
    select i.id, i.number, i.title, i.state, i.priority, i.impact, i.urgency, i.category_id, i.service_id, i.team_id,
           q.assignee_id, i.requester_id, i.reported_at, i.created_at, q.due_at, q.target, q.is_breached
    from sla_queueentry q join incidents_incident i on i.id = q.incident_id
    where q.team_id = %s order by q.due_at nulls last, q.incident_id limit 50) x
"""

urlpatterns: list[URLPattern | URLResolver] = [
    path("bench/floor/", Floor.as_view()),
    path("bench/create/", RawCreate.as_view()),
    path("bench/transition/", RawTransition.as_view()),
    path("bench/queue/", queue_json),
    *real,
]
