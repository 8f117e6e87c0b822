"""P11: the page of all numbers from its tallies, beside what one of them costs by a plain statement over incidents."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

import accounts.actions
from audit.actor import SYSTEM
from bench.desk import Desk
from bench.load import one, request
from bench.report import Figure

GOAL = 0.3
#: One number as somebody would ask for it: the median, 90th percentile and mean of the last thirty days.
_PLAIN = """
select count(*), percentile_disc(0.5) within group (order by resolved_at - reported_at),
    percentile_disc(0.9) within group (order by resolved_at - reported_at), avg(resolved_at - reported_at)
from incidents_incident where resolved_at >= now() - interval '30 days' and not is_drill
"""


def _manager() -> str:
    user = accounts.actions.create_user(
        email="manager@bench.example", name="Manager", roles=["manager"], by=SYSTEM, at=timezone.now()
    )
    client = Client()
    client.force_login(user)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def _median(run: Any, times: int) -> float:
    taken = []
    for _ in range(times + 1):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return sorted(taken[1:])[times // 2]


def measure(desk: Desk) -> list[Figure]:
    began = time.perf_counter()
    call_command("metrics_rebuild", verbosity=0, stdout=_Silent())
    built = time.perf_counter() - began
    with connection.cursor() as cursor:
        cursor.execute("vacuum analyze metrics_fact")
        cursor.execute("vacuum analyze metrics_tally")

    def plain() -> None:
        with connection.cursor() as cursor:
            cursor.execute(_PLAIN)
            cursor.fetchall()

    cookie, times = _manager(), 3 if desk.brief else 15
    bare = _median(plain, times)
    today, team = timezone.now().date(), desk.world.teams[0].pk
    pages = {
        "30 days": "/reports/",
        "a year": f"/reports/?from={today - timedelta(days=364)}",
        "a team": f"/reports/?team={team}",
        "a team and a priority": f"/reports/?team={team}&priority=5",
    }
    found = []
    for name, path in pages.items():
        status, _, body = one(desk.web, request("GET", path, cookie=cookie))
        if status != 200:
            raise RuntimeError(f"{path}: {status} {body[:300]!r}")
        page = _median(lambda path=path: one(desk.web, request("GET", path, cookie=cookie)), times)
        found.append(
            Figure(
                "P11",
                f"all numbers, {name}",
                f"{page * 1000:.0f} ms",
                f"{bare * 1000:.0f} ms for one by SQL",
                page,
                "s",
                f"<= {GOAL * 1000:.0f} ms at 1 M",
                page <= GOAL,
                {"rebuild_s": built, "size": desk.size},
            )
        )
    return found


class _Silent:
    def write(self, *given: Any) -> None:
        """Nothing."""
