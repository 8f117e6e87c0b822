"""Many posts at once, with real commits: one incident for each alert, no repeat lost, no deadlock."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from alerts.models import Alert, AlertSource, Grouping
from audit.models import Event
from incidents.models import Incident
from tests.alerts.factories import AlertSourceFactory, key_of
from tests.alerts.messages import alert, message

pytestmark = pytest.mark.usefixtures("committed_db")
WORKERS = 8


@pytest.fixture
def source(committed_db: None) -> AlertSource:
    return AlertSourceFactory()


def post(source: AlertSource, content: Any) -> dict[str, int]:
    response = Client().post(f"/api/v1/intake/{key_of(source)}/", json.dumps(content), content_type="application/json")
    assert response.status_code == 200, response.content
    outcomes: dict[str, int] = response.json()["outcomes"]
    return outcomes


def at_once(*jobs: Callable[[], dict[str, int]]) -> Counter[str]:
    """Runs all of them in threads of their own, let go together."""
    start = Barrier(len(jobs))

    def run(job: Callable[[], dict[str, int]]) -> dict[str, int]:
        try:
            start.wait(timeout=30)
            return job()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return sum((Counter(one) for one in pool.map(run, jobs)), Counter())


def test_the_same_new_alert_at_once_opens_one_incident(source: AlertSource) -> None:
    for number in range(5):
        content = message(alert(f"a{number}"))
        outcomes = at_once(*[lambda content=content: post(source, content)] * WORKERS)
        assert outcomes == {"opened": 1, "repeated": WORKERS - 1}
    assert Incident.objects.count() == Alert.objects.count() == 5
    assert Event.objects.filter(kind="incident.opened").count() == 5
    assert sum(Alert.objects.values_list("repeat_count", flat=True)) == 5 * (WORKERS - 1)


def test_a_group_at_once_opens_one_incident(committed_db: None) -> None:
    source = AlertSourceFactory(grouping=Grouping.GROUP)
    outcomes = at_once(*[lambda n=n: post(source, message(alert(f"a{n}"))) for n in range(WORKERS)])
    assert outcomes == {"opened": 1, "attached": WORKERS - 1}
    assert Incident.objects.count() == 1


def test_the_last_recoveries_of_a_group_at_once_resolve_it_once(committed_db: None) -> None:
    source = AlertSourceFactory(grouping=Grouping.GROUP)
    post(source, message(*(alert(f"a{n}") for n in range(WORKERS))))
    outcomes = at_once(*[lambda n=n: post(source, message(alert(f"a{n}", "resolved"))) for n in range(WORKERS)])
    assert outcomes == {"recovered": WORKERS - 1, "resolved": 1}
    assert Event.objects.filter(kind="incident.resolved").count() == 1


def test_messages_that_name_the_same_alerts_in_any_order_never_deadlock(source: AlertSource) -> None:
    names = [f"a{n}" for n in range(6)]
    for turn in range(4):
        states = ["firing", "resolved"] if turn % 2 else ["firing", "firing"]
        contents = [
            message(*(alert(name, states[n % 2]) for name in (names if n % 3 else names[::-1]))) for n in range(WORKERS)
        ]
        at_once(*[lambda content=content: post(source, content) for content in contents])
    assert Alert.objects.firing().count() <= len(names)
    assert Incident.objects.count() == len(names)


def test_a_storm_at_once_opens_one_storm_incident(committed_db: None) -> None:
    source = AlertSourceFactory(storm_limit=1)
    post(source, message(alert("first")))
    outcomes = at_once(*[lambda n=n: post(source, message(alert(f"a{n}"))) for n in range(WORKERS)])
    assert outcomes == {"suppressed": WORKERS}
    assert Incident.objects.count() == 2


def test_a_repeat_takes_five_statements_whatever_its_size(source: AlertSource) -> None:
    for content in (message(alert("a")), message(*(alert(str(n)) for n in range(40)))):
        post(source, content)
        with CaptureQueriesContext(connection) as captured:
            post(source, content)
        assert len(captured) == 5, [one["sql"][:90] for one in captured.captured_queries]
