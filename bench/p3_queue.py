"""P3: fifty incidents by REST and on the desk's page, beside a bare view that returns one `json_agg`."""

from __future__ import annotations

from django.conf import settings
from django.test import Client

from bench.desk import Desk, statements
from bench.load import Side, alternate, ratio, request
from bench.report import Figure

GOAL = 3.0


def cookie_of(desk: Desk) -> str:
    """A signed-in session of the agent."""
    client = Client()
    client.force_login(desk.world.agent)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def measure(desk: Desk) -> list[Figure]:
    world, cookie = desk.world, cookie_of(desk)
    team = world.teams[0].pk
    api_path = f"/api/v1/incidents/?is_open=true&team={team}"
    api, page, bare = (
        Side("API", lambda: request("GET", api_path, key=world.agent_key), desk.web),
        Side("desk page", lambda: request("GET", "/desk/?view=team", cookie=cookie), desk.web),
        Side("json_agg", lambda: request("GET", f"/bench/queue/?team={team}"), desk.web),
    )
    alternate(api, page, bare, rounds=desk.rounds, seconds=desk.seconds)
    asked = len([statements("GET", api_path, world.agent_key) for _ in range(2)][-1])
    return [
        Figure(
            "P3",
            f"fifty incidents, {name}",
            f"{side.median():.0f}/s",
            f"{bare.median():.0f}/s json_agg",
            1 / ratio(side, bare),
            "x its cost",
            f"<= {GOAL:.0f}",
            None,
            {
                "held": 1 / ratio(side, bare) <= GOAL,
                "statements": asked if side is api else None,
                "sides": {one.name: one.described() for one in (side, bare)},
            },
        )
        for name, side in ((f"API ({asked} statements)", api), ("desk page", page))
    ]
