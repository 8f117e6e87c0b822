"""P7: clocks that are all due in one second, swept by two processes, one of which is killed and comes again."""

from __future__ import annotations

import signal
import time
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from bench.desk import Desk
from bench.report import Figure
from bench.servers import child, wait_until

LATENESS, PER_S = 2.0, 2000
_ARM = """
with chosen as (
    select distinct on (c.incident_id) c.id from sla_clock c
    where c.state = 'running' and c.breached_at is null and c.target = 'resolve' order by c.incident_id, c.id limit %s),
moved as (
    update sla_clock c set due_at = %s, fired_percent = 100, next_threshold = 100, next_threshold_at = %s
    from chosen where c.id = chosen.id returning c.id)
select count(*) from moved
"""
_READY = "select count(*) from pg_stat_activity where application_name = 'bench.sweeper'"
_FOUND = """
select count(*), count(distinct subject_id),
       coalesce(extract(epoch from max(recorded_at) - %(due)s), 0),
       coalesce(percentile_cont(0.99) within group (order by extract(epoch from recorded_at - %(due)s)::float8), 0)
from audit_event where kind = 'clock.breached' and recorded_at >= %(due)s
"""


def _one(statement: str, values: Any) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        row: tuple[Any, ...] = cursor.fetchone()
    return row


def _wait(count: int, due: datetime) -> tuple[Any, ...]:
    wait_until(lambda: _one(_FOUND, {"due": due})[0] >= count, 60, every=0.2)
    return _one(_FOUND, {"due": due})


def measure(desk: Desk) -> list[Figure]:
    killed = _run(desk, kill=True)
    if desk.brief:
        return [_lost(killed)]
    calm = _run(desk, kill=False)
    return [
        Figure(
            "P7",
            f"{calm['due']} clocks due in one second, decision lateness p99",
            f"{calm['p99_s']:.2f} s",
            "the deadline",
            calm["p99_s"],
            "s",
            f"<= {LATENESS:.0f} s of 10,000",
            None,
            calm,
        ),
        Figure(
            "P7",
            "breach decisions, with event, mail and page rules",
            f"{calm['per_s']:.0f}/s",
            "two sweepers",
            calm["per_s"],
            "/s",
            f">= {PER_S}",
            None,
            calm,
        ),
        _lost(killed),
    ]


def _lost(killed: dict[str, float]) -> Figure:
    wrong = abs(killed["due"] - killed["breaches"]) + (killed["events"] - killed["distinct"])
    return Figure(
        "P7",
        "the same with a sweeper killed by -9",
        f"{killed['breaches']:.0f} breaches",
        f"{killed['due']:.0f} due",
        wrong,
        "lost or doubled",
        "0",
        wrong == 0,
        killed,
    )


def _run(desk: Desk, *, kill: bool) -> dict[str, float]:
    count = min(10_000, desk.size // 10) if not desk.brief else 20
    sweepers = [child(desk.servers, "bench", "-m", "bench.sweeper") for _ in range(2)]
    wait_until(lambda: _one(_READY, []) == (2,), 60)
    due = timezone.now() + timedelta(seconds=2)
    (armed,) = _one(_ARM, [count, due - timedelta(microseconds=1), due])
    (before,) = _one("select count(*) from sla_breach", [])
    try:
        if kill:
            wait_until(lambda: _one(_FOUND, {"due": due})[0] > 0, 30, every=0.01)
            sweepers[0].send_signal(signal.SIGKILL)
            sweepers[0].wait()
            time.sleep(0.2)
            sweepers[0] = child(desk.servers, "bench", "-m", "bench.sweeper")
        events, distinct, last, p99 = _wait(armed, due)
    finally:
        for one in sweepers:
            one.kill()
            one.wait()
    (after,) = _one("select count(*) from sla_breach", [])
    return {
        "due": armed,
        "breaches": after - before,
        "events": events,
        "distinct": distinct,
        "p99_s": float(p99),
        "last_s": float(last),
        "per_s": events / max(float(last), 0.001),
    }
