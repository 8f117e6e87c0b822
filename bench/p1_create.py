"""P1: an incident created by REST, durable, beside an empty view and beside one statement behind the same view."""

from __future__ import annotations

import itertools
from typing import Any

from bench import floor
from bench.desk import Desk, statements
from bench.load import Side, alternate, ratio, request
from bench.report import Figure

PATH = "/api/v1/incidents/"
GOAL, LEAST, STATEMENTS = 0.12, 0.08, 16
DESCRIPTION = "User reports that the printer does not answer since this morning; restarted twice, the queue is stuck."


def body(desk: Desk, number: int) -> dict[str, Any]:
    world = desk.world
    return {
        "title": f"Printer {number} on floor {number % 30} is offline",
        "description": DESCRIPTION,
        "channel": "phone",
        "impact": 2,
        "urgency": 2,
        "service": world.services[0].pk,
        "category": world.categories[number % 10].pk,
        "requester": world.requesters[number % len(world.requesters)].pk,
    }


def measure(desk: Desk) -> list[Figure]:
    floor.prepare(min(2000, desk.size // 5))
    turn, world = itertools.count(1), desk.world
    asked = [statements("POST", PATH, world.agent_key, body(desk, next(turn))) for _ in range(2)][-1]
    empty = request("POST", "/bench/floor/", body=body(desk, 0))
    raw = {
        "title": "Printer 1234 on floor 12 is offline",
        "description": DESCRIPTION,
        "service": world.services[0].pk,
        "category": world.categories[0].pk,
        "team": world.teams[0].pk,
        "requester": world.requesters[0].pk,
    }
    one = request("POST", "/bench/create/", body=raw)
    ours = Side("create", lambda: request("POST", PATH, body=body(desk, next(turn)), key=world.agent_key), desk.web)
    bare = Side("empty DRF view", lambda: empty, desk.web)
    single = Side("one statement", lambda: one, desk.web)
    alternate(ours, bare, single, rounds=desk.rounds, seconds=desk.seconds)
    share = ratio(ours, bare)
    holds = share >= LEAST and len(asked) <= STATEMENTS
    detail = {
        "statements": len(asked),
        "goal_held": share >= GOAL,
        # What the two sides cost in processor time, which waiting for a busy disk leaves alone.
        "share_by_cpu": bare.median("web_ms") / (ours.median("web_ms") + ours.median("database_ms")),
        "share_of_one_statement": ratio(ours, single),
        "limit": ratio(single, bare),
        "sides": {side.name: side.described() for side in (ours, bare, single)},
    }
    return [
        Figure(
            "P1",
            f"create by REST, {len(asked)} statements",
            f"{ours.median():.0f}/s",
            f"{bare.median():.0f}/s empty view",
            share,
            "of it",
            f"{GOAL}, at least {LEAST} with <= {STATEMENTS}",
            holds,
            detail,
        ),
        Figure(
            "P1",
            "the same beside one statement in one view",
            f"{ours.median():.0f}/s",
            f"{single.median():.0f}/s",
            ratio(ours, single),
            "of it",
            f"(the limit is {ratio(single, bare):.2f} of the empty view)",
            None,
        ),
    ]
