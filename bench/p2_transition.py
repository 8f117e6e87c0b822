"""P2: a transition by REST, its clocks recomputed, beside one raw statement behind a bare view."""

from __future__ import annotations

import itertools
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from bench import floor
from bench.desk import Desk, statements
from bench.load import Side, alternate, ratio, request
from bench.report import Figure

GOAL, STATEMENTS = 0.15, 12


def references(desk: Desk) -> list[str]:
    """Open incidents that the asking agent has, one for each request, so that two never wait for one lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select number from incidents_incident where state = 'in_progress' and assignee_id = %s order by id",
            [desk.world.agent.pk],
        )
        return [f"INC-{number:06d}" for (number,) in cursor.fetchall()]


def measure(desk: Desk) -> list[Figure]:
    floor.prepare(min(2000, desk.size // 5))
    known, world = references(desk), desk.world
    until = (timezone.now() + timedelta(days=3)).isoformat()

    def verb(number: int) -> tuple[str, dict[str, str]]:
        """Each incident is held, and in the next round through all of them resumed."""
        held = number // len(known) % 2 == 0
        path = f"/api/v1/incidents/{known[number % len(known)]}/"
        return (
            (f"{path}hold/", {"reason": "awaiting_vendor", "until": until})
            if held
            else (f"{path}resume/", {"note": ""})
        )

    turn, ids, raw = itertools.count(), floor.ids(), itertools.count()

    def ask() -> bytes:
        path, body = verb(next(turn))
        return request("POST", path, body=body, key=world.agent_key)

    path = f"/api/v1/incidents/{known.pop()}/"
    for _ in range(2):
        first = statements("POST", f"{path}hold/", world.agent_key, {"reason": "awaiting_vendor", "until": until})
        second = statements("POST", f"{path}resume/", world.agent_key, {"note": ""})
    asked = max(len(first), len(second))
    ours = Side("transition", ask, desk.web)
    single = Side(
        "one statement",
        lambda: request("POST", "/bench/transition/", body={"id": ids[next(raw) % len(ids)]}),
        desk.web,
    )
    alternate(ours, single, rounds=desk.rounds, seconds=desk.seconds)
    share = ratio(ours, single)
    detail = {"hold": len(first), "resume": len(second), "sides": {one.name: one.described() for one in (ours, single)}}
    return [
        Figure(
            "P2",
            f"transition by REST, {asked} statements",
            f"{ours.median():.0f}/s",
            f"{single.median():.0f}/s raw",
            share,
            "of it",
            f"{GOAL} with <= {STATEMENTS}",
            None,
            {**detail, "held": share >= GOAL and asked <= STATEMENTS},
        )
    ]
