"""A merge starts the target's clocks at the earlier report; taking it back leaves no trace in the figures."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from audit.actor import SYSTEM
from audit.models import Event
from incidents import actions as incidents
from incidents.models import Incident
from sla.models import Breach, BreachVoid, Clock, QueueEntry, ThresholdFired
from sla.tasks import sweep
from tests.sla.factories import SlaPolicyFactory, without_policies

pytestmark = pytest.mark.django_db

AT = datetime.fromisoformat("2026-03-09T09:00:00+00:00")
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _two_hours_to_resolve() -> None:
    without_policies()
    SlaPolicyFactory(targets={"resolve": {str(priority): 7200 for priority in range(1, 6)}})


def opened(at: datetime, **more: Any) -> Incident:
    return incidents.open_incident(title="x", by=SYSTEM, at=at, **more)


def merge(source: Incident, target: Incident, at: datetime) -> None:
    incidents.merge(incident=fresh(source), into=fresh(target), by=SYSTEM, at=at)


def unmerge(source: Incident, at: datetime) -> None:
    incidents.unmerge(incident=fresh(source), by=SYSTEM, at=at)


def fresh(incident: Incident) -> Incident:
    return Incident.objects.get(pk=incident.pk)


def clock(incident: Incident) -> Clock:
    return Clock.objects.get(incident=incident, target="resolve")


def rows(incident: Incident) -> list[Any]:
    return list(Clock.objects.filter(incident=incident).order_by("target", "cycle").values())


def test_the_target_counts_from_the_earlier_report() -> None:
    source, target = opened(AT), opened(AT + HOUR)
    merge(source, target, AT + HOUR * 1.5)
    found = clock(target)
    assert (found.started_at, found.elapsed_s, found.due_at) == (AT, 5400, AT + 2 * HOUR)
    assert clock(source).state == "cancelled"
    assert not QueueEntry.objects.filter(incident=source).exists()


def test_it_may_breach_at_once_and_says_why() -> None:
    source, target = opened(AT), opened(AT + HOUR)
    now = AT + HOUR * 2.5
    merge(source, target, now)
    breach = Breach.objects.get(incident=target)
    assert (breach.at, breach.cause, clock(target).breach_cause) == (now, "merge", "merge")
    assert QueueEntry.objects.get(incident=target).is_breached


def test_the_breach_is_voided_by_the_undo_and_stays_in_the_trail() -> None:
    source, target = opened(AT), opened(AT + HOUR * 1.8)
    before = rows(source), rows(target)
    merge(source, target, AT + HOUR * 1.9)
    sweep(at=AT + HOUR * 2.1)
    assert Breach.objects.counted().filter(incident=target).count() == 1
    unmerge(source, AT + HOUR * 2.2)
    void = BreachVoid.objects.get()
    assert (void.breach.incident_id, "system" in void.voided_by) == (target.pk, True)
    assert not Breach.objects.counted().filter(incident=target).exists()
    assert Breach.objects.filter(incident=target).exists()
    assert Event.objects.filter(kind="clock.breach_voided", about_id=target.pk).count() == 1
    assert rows(source) == before[0]
    assert [{**row, "voids": 0} for row in rows(target)] == before[1]


def test_after_the_undo_each_fires_in_its_own_time() -> None:
    source, target = opened(AT), opened(AT + HOUR)
    merge(source, target, AT + HOUR * 2.5)
    unmerge(source, AT + HOUR * 2.6)
    sweep(at=AT + HOUR * 2.6)
    assert not Breach.objects.counted().filter(incident=target).exists()
    sweep(at=AT + HOUR * 4)
    assert Breach.objects.counted().get(incident=target).at == AT + 3 * HOUR
    fired = ThresholdFired.objects.filter(clock=clock(target)).values_list("percent", "voids")
    assert set(fired) >= {(50, 1), (100, 1)}


def test_a_breach_that_came_anyway_stands() -> None:
    source, target = opened(AT), opened(AT + HOUR)
    sweep(at=AT + 4 * HOUR)
    merge(source, target, AT + 4 * HOUR)
    unmerge(source, AT + 5 * HOUR)
    assert Breach.objects.counted().filter(incident=target).count() == 1
    assert Breach.objects.counted().filter(incident=source).count() == 1
    assert not BreachVoid.objects.exists()


def test_a_verdict_that_was_given_is_kept() -> None:
    source, target = opened(AT), opened(AT + HOUR)
    incidents.resolve(incident=target, code="fixed", by=SYSTEM, at=AT + HOUR * 2)
    merge(source, target, AT + HOUR * 2.5)
    assert (clock(target).state, clock(target).started_at) == ("met", AT + HOUR)


def test_what_was_done_on_the_target_since_is_judged_from_its_own_report() -> None:
    source, target = opened(AT), opened(AT + HOUR)
    merge(source, target, AT + HOUR * 1.5)
    incidents.resolve(incident=fresh(target), code="fixed", by=SYSTEM, at=AT + HOUR * 2.5)
    assert clock(target).state == "breached"
    unmerge(source, AT + HOUR * 2.6)
    assert (clock(target).state, clock(target).elapsed_s) == ("met", 5400)
    assert clock(source).state == "running"
