"""The sweep: exactly once, whatever runs beside it, and reading only what is due."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from audit.actor import SYSTEM
from audit.models import Event
from incidents import actions as incidents
from incidents.models import Incident
from notify.models import Message
from sla import tasks
from sla.models import Breach, Clock, QueueEntry, ThresholdFired
from sla.tasks import sweep
from tests.sla.factories import Desk, SlaPolicyFactory, make_desk, without_policies

AT = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def open_many(desk: Desk, count: int) -> None:
    SlaPolicyFactory(thresholds=[{"percent": 50}, {"percent": 100}])
    for number in range(count):
        incidents.open_incident(
            title=f"Disk {number}", by=SYSTEM, at=AT, channel="api", team=desk.team, assignee=desk.agent
        )


def test_after_a_long_silence_an_unowned_incident_is_due_again_and_again(desk: Desk) -> None:
    incidents.open_incident(title="Nobody's", by=SYSTEM, at=AT, channel="api", team=desk.team)
    assert sweep(AT + 30 * 24 * HOUR) > 1
    own = Clock.objects.get(target="own")
    assert own.next_threshold_at is not None
    assert own.next_threshold_at > AT + 30 * 24 * HOUR
    assert own.next_threshold_at - AT == timedelta(seconds=own.budget_s * (own.fired_percent // 100 + 1))
    assert ThresholdFired.objects.filter(clock=own).count() == own.fired_percent // 100


def test_after_a_long_outage_the_repeats_are_told_in_one_mail(desk: Desk) -> None:
    acts = [{"do": "notify", "to": ["team"]}]
    without_policies()
    SlaPolicyFactory(
        targets={"own": {str(p): {"seconds": 3600, "wall": True} for p in range(1, 6)}},
        thresholds=[{"percent": 100, "actions": acts}], repeat_percent=100, on_breach=[],
    )  # fmt: skip
    incidents.open_incident(title="Nobody's", by=SYSTEM, at=AT, channel="api", team=desk.team)
    sweep(AT + 65 * HOUR)
    fired = ThresholdFired.objects.filter(clock__target="own").count()
    assert fired >= 60
    mails = Message.objects.filter(dedup_key__startswith="clock:")
    assert 0 < mails.count() <= 2 * mails.values("address").distinct().count()
    before = mails.count()
    sweep(AT + 66 * HOUR + MINUTE)
    assert mails.count() == before + mails.values("address").distinct().count()


def test_a_sweep_fires_what_is_due_and_arms_what_comes_next(desk: Desk) -> None:
    open_many(desk, 2)
    assert sweep(AT + 29 * MINUTE) == 0
    assert sweep(AT + 31 * MINUTE) == 2
    assert set(Clock.objects.values_list("fired_percent", "next_threshold", "next_threshold_at")) == {
        (50, 100, AT + HOUR)
    }
    assert sweep(AT + 31 * MINUTE) == 0


def test_an_overdue_clock_catches_up_in_one_sweep_and_then_rests(desk: Desk) -> None:
    open_many(desk, 1)
    sweep(AT + 5 * HOUR)
    kinds = list(Event.objects.filter(kind__startswith="clock.").order_by("id").values_list("kind", "data__percent"))
    assert kinds == [
        ("clock.started", None),
        ("clock.threshold_reached", 50),
        ("clock.threshold_reached", 100),
        ("clock.breached", None),
    ]
    assert Clock.objects.get().next_threshold_at is None
    assert QueueEntry.objects.get().is_breached


def test_a_sweep_takes_the_databases_time_when_it_is_given_none(desk: Desk) -> None:
    open_many(desk, 1)  # AT is long past
    assert sweep() == 1
    assert Breach.objects.count() == 1


def test_a_resolved_clock_is_not_fired(desk: Desk) -> None:
    open_many(desk, 1)
    incidents.resolve(incident=Incident.objects.get(), by=SYSTEM, at=AT + MINUTE, code="recovered")
    assert sweep(AT + 5 * HOUR) == 0


def test_a_clock_that_can_not_be_computed_keeps_nobody_waiting(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    open_many(desk, 3)
    poisoned = Clock.objects.order_by("id")[0]
    Clock.objects.filter(pk=poisoned.pk).update(counted_at=None)
    assert sweep(AT + 5 * HOUR) == 2
    assert f"the clocks of incident {poisoned.incident_id} can't be fired" in caplog.text


def test_the_claim_reads_only_due_rows(desk: Desk) -> None:
    open_many(desk, 1)
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into sla_clock (incident_id, target, cycle, priority, state, started_at, budget_s, elapsed_s, "
            "breach_cause, fired_percent, next_threshold, next_threshold_at) select incident_id, 'resolve', n, 3, "
            "'running', now(), 60, 0, '', 0, 50, now() + n * interval '1 second' from sla_clock, "
            "generate_series(2, 20000) n"
        )
        cursor.execute("analyze sla_clock")
        cursor.execute(f"explain {tasks._DUE}", [AT, AT - 99 * HOUR, 0, 500])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "using sla_clock_due" in plan
    assert "Sort" not in plan


def test_a_sweep_costs_the_same_statements_for_one_and_for_many(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    costs = []
    for count in (1, 20):
        open_many(desk, count)
        with monkeypatch.context() as patch, CaptureQueriesContext(connection) as captured:
            patch.setattr("audit.actions.subscriptions_to", lambda kind: [])
            assert sweep(AT + 5 * HOUR) == count
        costs.append(len(captured))
    assert costs[0] == costs[1] <= 10


# --- Real commits -----------------------------------------------------------------------------------------------------


def _in_threads(count: int, work: Any) -> list[BaseException]:
    failed: list[BaseException] = []
    gate = threading.Barrier(count)

    def run() -> None:
        try:
            gate.wait()
            work()
        except BaseException as error:  # noqa: BLE001  shown by the test
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return failed


def test_two_sweeps_at_once_fire_each_threshold_once(committed_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    without_policies()
    open_many(make_desk(), 40)
    monkeypatch.setattr("sla.tasks.BATCH", 7)
    assert _in_threads(3, lambda: sweep(AT + 5 * HOUR)) == []
    sweep(AT + 5 * HOUR)
    assert set(Counter(ThresholdFired.objects.values_list("clock", "percent")).values()) == {1}
    assert (ThresholdFired.objects.count(), Breach.objects.count()) == (80, 40)
    assert Event.objects.filter(kind="clock.breached").count() == 40


def test_an_incident_that_an_action_holds_is_left_for_the_next_sweep(committed_db: None) -> None:
    without_policies()
    open_many(make_desk(), 2)
    first = Incident.objects.order_by("id")[0]
    with transaction.atomic():
        Incident.objects.select_for_update(no_key=True).get(pk=first.pk)
        assert _in_threads(1, lambda: sweep(AT + 5 * HOUR)) == []
    assert Breach.objects.exclude(incident=first).count() == 1
    assert not Breach.objects.filter(incident=first).exists()
    assert sweep(AT + 5 * HOUR) == 1


CHILD = """
import django
django.setup()
from datetime import datetime
from django.db import connection
connection.settings_dict["NAME"] = {name!r}
from sla import tasks
tasks.BATCH = 2
tasks.sweep({at!r})
"""


def _killed_at(place: str, at: datetime) -> int:
    code = CHILD.format(name=connection.settings_dict["NAME"], at=at.isoformat())
    given = connection.get_connection_params()
    url = f"postgres://{given['user']}:{given.get('password') or ''}@/{given['dbname']}?host={given['host']}"
    here = {**os.environ, "SERVICEDESK_FAILPOINT": place, "DATABASE_URL": url + f"&port={given.get('port') or 5432}"}
    here.setdefault("DJANGO_SETTINGS_MODULE", "servicedesk.settings")
    return subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=here, timeout=60, check=False).returncode


@pytest.mark.parametrize(
    "place", ["sla.sweep.locked@2", "sla.sweep.saved@2", "sla.sweep.told@2", "sla.sweep.committed@2"]
)
def test_a_sweep_killed_by_9_loses_no_threshold_and_doubles_none(committed_db: None, place: str) -> None:
    without_policies()
    open_many(make_desk(), 5)
    assert _killed_at(place, AT + 5 * HOUR) == -9
    already = Breach.objects.count()
    assert already == (4 if place == "sla.sweep.committed@2" else 2)
    assert sweep(AT + 5 * HOUR) == 5 - already
    assert (Breach.objects.count(), ThresholdFired.objects.count()) == (5, 10)
    assert Event.objects.filter(kind="clock.breached").count() == 5
