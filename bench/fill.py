"""Fills a database with incidents, set-based: a few lives are lived through the actions and then copied by SQL.

The copies are written with `session_replication_role = replica`, past the history's triggers and the foreign keys:
their history rows carry no proof (verification would find that), only the size and shape that queries meet.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

import accounts.queries
import incidents.actions
from audit.models import Event
from bench.world import BUILDER, World
from incidents.models import Incident
from sla.models import Clock, QueueEntry

#: One open incident in so many; ten versions and about fifteen events each, so a million incidents have 10 M versions.
OPEN_SHARE = 5
TEXTS = 2000


def fill(world: World, count: int, at: datetime) -> None:
    """Adds `count` incidents, a fifth of them open (20,000 at most), and analyses the tables."""
    is_open = min(count // OPEN_SHARE, 20_000)
    closed, waiting = _closed(world, at), _waiting(world, at)
    with connection.cursor() as cursor:
        cursor.execute("select coalesce(max(id), 0), coalesce(max(number), 0) from incidents_incident")
        first, number = cursor.fetchone()
        cursor.execute("set session_replication_role = replica; set synchronous_commit = off; set work_mem = '64MB'")
        _texts(cursor)
        slow = _without_text_indexes(cursor) if count > 20_000 else []
        _copy(cursor, closed, count - is_open, first, number, world, past=True)
        _copy(cursor, waiting, is_open, first + count - is_open, number + count - is_open, world, past=False)
        for one in slow:
            cursor.execute(one)
        cursor.execute("select setval(pg_get_serial_sequence('incidents_incident', 'id'), %s)", [first + count])
        cursor.execute("select setval('incidents_number_seq', %s)", [number + count])
        cursor.execute("set session_replication_role = origin; set synchronous_commit = on; reset work_mem")
        cursor.execute("vacuum analyze")


def _life(world: World, at: datetime) -> Incident:
    return incidents.actions.open_incident(
        title="Template",
        description="Template",
        channel="phone",
        impact=2,
        urgency=2,
        service=world.services[0],
        category=world.categories[0],
        requester=world.requesters[0],
        by=BUILDER,
        at=at,
    )


def _waiting(world: World, at: datetime) -> Incident:
    """An open incident that somebody works on, of three versions."""
    incident = incidents.actions.assign(incident=_life(world, at), assignee=world.agent, by=BUILDER, at=at)
    return incidents.actions.start(incident=incident, by=BUILDER, at=at)


def _closed(world: World, at: datetime) -> Incident:
    """An incident of ten versions that is over."""
    minutes = [at - timedelta(days=1) + timedelta(minutes=number) for number in range(12)]
    ann = accounts.queries.actor_for(world.agent)
    incident = _life(world, minutes[0])
    incident = incidents.actions.assign(incident=incident, assignee=world.agents[1], by=BUILDER, at=minutes[1])
    incident = incidents.actions.acknowledge(incident=incident, by=ann, at=minutes[2])
    for number in (3, 5):
        incident = incidents.actions.put_on_hold(
            incident=incident,
            hold_reason="awaiting_requester",
            until=at + timedelta(days=2),
            by=ann,
            at=minutes[number],
        )
        incident = incidents.actions.resume(incident=incident, by=ann, at=minutes[number + 1])
    incident = incidents.actions.set_priority_inputs(incident=incident, impact=3, urgency=3, by=ann, at=minutes[7])
    incident = incidents.actions.resolve(incident=incident, code="fixed", notes="Restarted", by=ann, at=minutes[8])
    return incidents.actions.close(
        incident=incident,
        confirmation="The requester confirmed it",
        cause="software",
        closing_category=world.categories[0],
        no_article_reason="Known",
        by=ann,
        at=minutes[9],
    )


def words() -> list[str]:
    """The made-up words of the texts, the most frequent first."""
    return [
        f"{first}{second}{third}"
        for first in "bdfglmnprst"
        for second in ("a", "e", "ol", "ur", "in")
        for third in ("ba", "der", "ful", "gon", "lem", "mer", "nas", "pot", "rix", "sil", "tan", "vok", "wer", "xen")
    ]


def _texts(cursor: Any) -> None:
    """Paragraphs of words, few of them frequent and most of them rare, as in any language."""
    chance, known = random.Random(7), words()
    shares = [1 / (place + 1) for place in range(len(known))]
    cursor.execute("create temp table if not exists bench_text (n int primary key, body text)")
    cursor.execute("truncate bench_text")
    rows = [(number, " ".join(chance.choices(known, shares, k=40))) for number in range(TEXTS)]
    cursor.executemany("insert into bench_text values (%s, %s)", rows)
    cursor.execute("analyze bench_text")


def _without_text_indexes(cursor: Any) -> list[str]:
    """Drops the text indexes of incidents; gives the statements that make them again in one go."""
    cursor.execute(
        "select indexname, indexdef from pg_indexes "
        "where tablename = 'incidents_incident' and indexdef like '%% gin %%'"
    )
    found = cursor.fetchall()
    for name, _ in found:
        cursor.execute(f'drop index "{name}"')
    return [statement for _, statement in found]


def _copy(cursor: Any, life: Incident, count: int, first: int, number: int, world: World, *, past: bool) -> None:
    """Copies one life `count` times: its row, versions, clocks, events and place in the queue."""
    teams = "(array[" + ",".join(str(one.pk) for one in world.teams) + "])[1 + g % " + f"{len(world.teams)}]"
    agents = "(array[" + ",".join(str(one.pk) for one in world.agents) + "])[1 + g % " + f"{len(world.agents)}]"
    title = "initcap(split_part(w.body, ' ', 1 + g % 40)) || ' ' || split_part(w.body, ' ', 1 + g % 7) || ' ' || g"
    text = {"title": title, "description": "w.body || ' ' || v.body", "team_id": teams}
    own = {"id": f"{first} + g", "number": f"{number} + g", **text}
    history = Incident.history.model
    empty = {"salts": "'{}'", "commitments": "'{}'", "history_id": ""}
    _rows(cursor, Incident, "id", life.pk, count, own, past)
    _rows(cursor, history, "id", life.pk, count, {**own, **empty}, past)
    _rows(cursor, Clock, "incident_id", life.pk, count, {"id": "", "incident_id": f"{first} + g"}, past, later=not past)
    _rows(
        cursor,
        Event,
        "about_id",
        life.pk,
        count,
        {
            "id": "",
            "about_id": f"{first} + g",
            "subject_id": f"case when t.subject_type = 'incidents.incident' then {first} + g else t.subject_id end",
        },
        past,
        where="and t.about_type = 'incidents.incident'",
    )
    entry = {"incident_id": f"{first} + g", "team_id": teams, "assignee_id": agents}
    _rows(cursor, QueueEntry, "incident_id", life.pk, count, entry, past, later=not past)


def _rows(
    cursor: Any,
    model: Any,
    key: str,
    value: int,
    count: int,
    own: Mapping[str, str],
    past: bool,
    *,
    later: bool = False,
    where: str = "",
) -> None:
    """Inserts `count` copies of the template's rows of a table; an empty expression leaves a column to its default."""
    names, values = [], []
    for field in model._meta.concrete_fields:
        expression = own.get(field.column, _moved(field, past=past, later=later))
        if expression and not getattr(field, "generated", False):
            names.append(f'"{field.column}"')
            values.append(expression)
    table = model._meta.db_table
    cursor.execute(
        f"insert into {table} ({', '.join(names)}) select {', '.join(values)} from {table} t "
        f"cross join generate_series(1, %s) g join bench_text w on w.n = g %% {TEXTS} "
        f'join bench_text v on v.n = (g / 7) %% {TEXTS} where t."{key}" = %s {where}'.replace(" % ", " %% "),
        [count, value],
    )


def _moved(field: Any, *, past: bool, later: bool) -> str:
    """Lives that are over lie seven seconds apart in the past; deadlines and reminders of open ones weeks ahead."""
    name = f't."{field.column}"'
    if field.get_internal_type() != "DateTimeField":
        return name
    if past:
        return f"{name} - g * interval '7 seconds'"
    if later and field.column in ("due_at", "next_threshold_at"):
        return f"{name} + interval '20 days' + g * interval '3 seconds'"
    return f"{name} + interval '20 days'" if field.column == "idle_at" else name
