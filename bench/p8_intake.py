"""P8: alerts taken in, new ones and repeats, beside the empty view; Alerta's share of it is the recorded one."""

from __future__ import annotations

import itertools
from typing import Any

from bench.desk import Desk
from bench.load import Side, alternate, ratio, request
from bench.report import Figure

#: Alerta 9 at 10 k alerts made 82/s on the machine on which the empty view answered 2,200/s.
ALERTA = 82 / 2200
GROUP = 10


def alert(number: int) -> dict[str, Any]:
    return {
        "title": f"Disk {number} is filling",
        "fingerprint": f"bench-{number}",
        "severity": "warning",
        "labels": {"host": f"host-{number}", "job": "node"},
        "description": "98 % used, full in two hours.",
    }


def measure(desk: Desk) -> list[Figure]:
    path, turn, again = f"/api/v1/intake/{desk.world.intake_key}/", itertools.count(), itertools.count()
    new = Side("new", lambda: request("POST", path, body=alert(next(turn))), desk.web)
    repeated = Side("repeated", lambda: request("POST", path, body=alert(next(again) % 50)), desk.web)
    grouped = Side("in groups", lambda: request("POST", path, body=[alert(next(turn)) for _ in range(GROUP)]), desk.web)
    empty = request("POST", "/bench/floor/", body=alert(0))
    bare = Side("empty view", lambda: empty, desk.web)
    alternate(new, repeated, grouped, bare, rounds=desk.rounds, seconds=desk.seconds)
    found = []
    for side, factor, goal, each in (
        (new, 1, 5, ""),
        (grouped, GROUP, 5, f", {GROUP} a message"),
        (repeated, 1, 10, ""),
    ):
        share = ratio(side, bare) * factor
        found.append(
            Figure(
                "P8",
                f"alerts {side.name}{each}",
                f"{side.median() * factor:.0f}/s",
                f"{bare.median():.0f}/s empty view",
                share / ALERTA,
                "x Alerta",
                f">= {goal}",
                None,
                {"held": share / ALERTA >= goal, "share": share, "side": side.described()},
            )
        )
    return found
