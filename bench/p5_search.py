"""P5: a search by REST beside the statement behind it; P6: the timeline of an incident by REST."""

from __future__ import annotations

import random
import statistics
import time

from django.db import connection

import accounts.queries
from bench import fill
from bench.desk import Desk
from bench.load import Side, alternate, request
from bench.report import Figure
from incidents.models import Incident

SEARCH_GOAL, TIMELINE_GOAL_MS = 3.0, 10.0
ASKED = 200


def measure(desk: Desk) -> list[Figure]:
    return [_search(desk), _timeline(desk)]


def _pairs() -> list[str]:
    chance, words = random.Random(11), fill.words()[40:120]
    return [f"{chance.choice(words)} {chance.choice(words)}" for _ in range(ASKED)]


def _by_sql(desk: Desk, asked: list[str]) -> float:
    """The median of the statement alone, as the agent's search asks it, on one connection."""
    actor = accounts.queries.actor_for(desk.world.agent)
    taken = []
    with connection.cursor() as cursor:
        for words in asked:
            rows = Incident.objects.visible_to(actor).matching(words, actor).order_by("-number")[:51]
            statement, values = rows.values_list("id", "number", "title", "state").query.sql_with_params()
            began = time.perf_counter()
            cursor.execute(statement, values)
            cursor.fetchall()
            taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def _search(desk: Desk) -> Figure:
    asked = _pairs()[: 20 if desk.brief else ASKED]
    paths = iter([f"/api/v1/incidents/?search={words.replace(' ', '%20')}" for words in asked] * 10_000)
    side = Side("search", lambda: request("GET", next(paths), key=desk.world.agent_key), desk.web)
    before = _by_sql(desk, asked)
    alternate(side, rounds=desk.rounds, seconds=desk.seconds, connections=1)
    sql = (before + _by_sql(desk, asked)) / 2
    ours = side.median("p50_ms")
    return Figure(
        "P5", f"search in {desk.size:,}", f"{ours:.1f} ms", f"{sql:.1f} ms SQL", ours / sql, "x",
        f"<= {SEARCH_GOAL:.0f}", None, {"held": ours / sql <= SEARCH_GOAL, "sides": {side.name: side.described()}},
    )  # fmt: skip


def _timeline(desk: Desk) -> Figure:
    with connection.cursor() as cursor:
        cursor.execute(
            "select number from incidents_incident where team_id = %s and state = 'closed' order by random() limit 500",
            [desk.world.teams[0].pk],
        )
        numbers = [number for (number,) in cursor.fetchall()]
        cursor.execute("select reltuples::bigint from pg_class where relname = 'incidents_historicalincident'")
        versions = cursor.fetchone()[0]
    chance = random.Random(12)

    def ask() -> bytes:
        return request("GET", f"/api/v1/incidents/INC-{chance.choice(numbers):06d}/timeline/", key=desk.world.agent_key)

    side = Side("timeline", ask, desk.web)
    alternate(side, rounds=desk.rounds, seconds=desk.seconds, connections=1)
    ours = side.median("p50_ms")
    return Figure(
        "P6", f"timeline at {versions:,} versions", f"{ours:.1f} ms", "", ours, "ms", f"<= {TIMELINE_GOAL_MS:.0f} ms",
        None, {"held": ours <= TIMELINE_GOAL_MS, "sides": {side.name: side.described()}},
    )  # fmt: skip
