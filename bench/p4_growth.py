"""P4: list, detail, create, claim and search on a small desk and on a larger one, in turns."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable

from django.db import connection
from django.utils import timezone

from bench import fill, p1_create, servers
from bench.desk import Desk
from bench.load import Ask, Side, alternate, ratio, request
from bench.report import Figure
from bench.servers import Web

GOAL = 1.3
#: A desk of this size is the small side; a run that is no larger grows a copy of its own to so many times its size.
SMALL, TIMES = 10_000, 5


def _asks(desk: Desk, numbers: list[int], claimable: list[int]) -> dict[str, Ask]:
    world, chance, turn = desk.world, random.Random(3), itertools.count(5_000_000)
    waiting = itertools.cycle(claimable)
    words = fill.words()[40:120]

    def get(path: Callable[[], str]) -> Ask:
        return lambda: request("GET", path(), key=world.agent_key)

    return {
        "list": get(lambda: "/api/v1/incidents/"),
        "detail": get(lambda: f"/api/v1/incidents/INC-{chance.choice(numbers):06d}/"),
        "search": get(lambda: f"/api/v1/incidents/?search={chance.choice(words)}%20{chance.choice(words)}"),
        "create": lambda: request("POST", p1_create.PATH, body=p1_create.body(desk, next(turn)), key=world.agent_key),
        "claim": lambda: request(
            "POST", f"/api/v1/incidents/INC-{next(waiting):06d}/claim/", body={}, key=world.agent_key
        ),
    }


def _unowned(desk: Desk, count: int) -> list[int]:
    """Lets so many open incidents of the agent's team be nobody's, past the history as the fill is."""
    with connection.cursor() as cursor:
        cursor.execute("set session_replication_role = replica")
        cursor.execute(
            "with chosen as (select id from incidents_incident where state = 'in_progress' order by id desc limit %s) "
            "update incidents_incident i set assignee_id = null, state = 'new', team_id = %s from chosen "
            "where i.id = chosen.id returning number",
            [count, desk.world.teams[0].pk],
        )
        found = [number for (number,) in cursor.fetchall()]
        cursor.execute("set session_replication_role = origin")
    return found


def _prepared(desk: Desk) -> tuple[list[int], list[int]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select number from incidents_incident where team_id = %s order by random() limit 2000",
            [desk.world.teams[0].pk],
        )
        numbers = [number for (number,) in cursor.fetchall()]
    return numbers, _unowned(desk, 1500 if not desk.brief else 20)


def _use(desk: Desk, database: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = database
    os.environ["DATABASE_URL"] = desk.servers.database_url(database)


def measure(desk: Desk) -> list[Figure]:
    """A run of 10,000 beside five times as many, a larger one beside 10,000."""
    grows = desk.size <= SMALL
    name, template = ("bench_larger", "bench") if grows else ("bench_smaller", "bench_empty")
    more = desk.size * (TIMES - 1) if grows else SMALL
    _free(desk, template)
    desk.servers.create_database(name, template)
    try:
        _use(desk, name)
        fill.fill(desk.world, more, timezone.now())
        theirs = _prepared(desk)
        _use(desk, "bench")
        ours = _prepared(desk)
        with servers.web(desk.servers, name) as other:
            mine, yours = (desk.web, _asks(desk, *ours)), (other, _asks(desk, *theirs))
            sizes = (desk.size, desk.size + more) if grows else (SMALL, desk.size)
            return _compare(desk, *((mine, yours) if grows else (yours, mine)), sizes)
    finally:
        _use(desk, "bench")


def _free(desk: Desk, database: str) -> None:
    """A template may have nobody connected to it; the web server connects again by itself."""
    connection.close()
    with desk.servers.link("postgres") as link:
        link.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [database])


def _compare(
    desk: Desk, small: tuple[Web, dict[str, Ask]], large: tuple[Web, dict[str, Ask]], sizes: tuple[int, int]
) -> list[Figure]:
    found = []
    for name in small[1]:
        one, other = Side(name, small[1][name], small[0]), Side(f"{name}, larger", large[1][name], large[0])
        # Claims use up what they claim: fewer and shorter rounds.
        alternate(one, other, rounds=2 if name == "claim" else desk.rounds, seconds=desk.seconds / 2, connections=4)
        growth = ratio(other, one, "p50_ms")
        sides = {side.name: side.described() for side in (one, other)}
        found.append(
            Figure(
                "P4",
                f"{name}, {sizes[1]:,} beside {sizes[0]:,}",
                f"{other.median('p50_ms'):.1f} ms",
                f"{one.median('p50_ms'):.1f} ms",
                growth,
                "x",
                f"<= {GOAL}",
                None,
                {"held": growth <= GOAL, "sides": sides},
            )
        )
    return found
