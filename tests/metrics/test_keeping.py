"""Facts and tallies follow the events, and a rebuild finds nothing to mend."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

import incidents.actions
from audit.actor import SYSTEM
from metrics import tasks
from metrics.fold import Why
from metrics.models import Fact, StaleDay, Tally
from tests.incidents.factories import AT, CategoryFactory, IncidentFactory, ServiceFactory, later

pytestmark = pytest.mark.django_db


def test_the_sweep_reads_an_incident_into_facts() -> None:
    incident: Any = IncidentFactory(at=AT, detected_at=AT - timedelta(minutes=5), channel="phone", reported_at=AT)
    incidents.actions.resolve(incident=incident, code="fixed", by=SYSTEM, at=later(hours=1))
    tasks.sweep(later(hours=2))
    fact = Fact.objects.get(pk=incident.pk)
    assert (fact.mttr, fact.resolution, fact.first_resolution) == (3900, 3600, 3900)
    assert (fact.mttd, fact.mttd_why) == (None, Why.UNKNOWN)
    assert StaleDay.objects.count() == 0
    assert Tally.objects.get(metric="mttr", dimension="all").total == 3900


def test_a_reopened_incident_does_not_count_while_it_was_resolved() -> None:
    incident: Any = IncidentFactory(at=AT)
    for hour in (1, 5):
        incident = incidents.actions.resolve(incident=incident, code="fixed", by=SYSTEM, at=later(hours=hour))
        if hour == 1:
            incident = incidents.actions.reopen(incident=incident, reason="still broken", by=SYSTEM, at=later(hours=3))
    tasks.sweep(later(hours=6))
    fact = Fact.objects.get(pk=incident.pk)
    assert (fact.resolution, fact.reopened) == (3 * 3600, 1)


def test_a_check_finds_nothing_and_then_what_somebody_changed(capsys: pytest.CaptureFixture[str]) -> None:
    IncidentFactory(at=AT)
    tasks.sweep(later(hours=1))
    call_command("metrics_rebuild", check=True)
    assert "1 incidents, 0 differences, 0 that" in capsys.readouterr().out
    Fact.objects.update(priority=1)
    with pytest.raises(CommandError):
        call_command("metrics_rebuild", check=True)
    call_command("metrics_rebuild")
    call_command("metrics_rebuild", check=True)
    assert "1 incidents, 0 differences" in capsys.readouterr().out


def test_a_restricted_incident_is_in_no_number_until_it_is_opened_to_all() -> None:
    incident: Any = IncidentFactory(at=AT)
    tasks.sweep(later(hours=1))
    incident = incidents.actions.restrict(incident=incident, reason="a person's health", by=SYSTEM, at=later(hours=2))
    tasks.sweep(later(hours=3))
    assert (Fact.objects.count(), Tally.objects.count()) == (0, 0)
    incidents.actions.unrestrict(incident=incident, reason="it is over", by=SYSTEM, at=later(hours=4))
    tasks.sweep(later(hours=5))
    assert Fact.objects.count() == 1


def test_the_second_of_a_service_and_category_within_thirty_days_is_a_recurrence() -> None:
    sorted_as = {"service": ServiceFactory(), "category": CategoryFactory()}
    days = (0, 30, 61)
    found: list[Any] = [IncidentFactory(at=AT + timedelta(days=day), **sorted_as) for day in reversed(days)]
    unsorted: Any = IncidentFactory(at=AT)
    tasks.sweep(later(days=70))
    facts = Fact.objects.in_bulk()
    assert [facts[one.pk].recurrence for one in reversed(found)] == [0, 1, 0]
    assert facts[unsorted.pk].recurrence_why == Why.UNSORTED


def test_taking_one_away_moves_only_what_followed_it() -> None:
    sorted_as = {"service": ServiceFactory(), "category": CategoryFactory()}
    first: Any
    second: Any
    first, second = (IncidentFactory(at=AT + timedelta(days=day), **sorted_as) for day in (0, 20))
    tasks.sweep(later(days=21))
    assert Fact.objects.get(pk=second.pk).recurrence == 1
    incidents.actions.cancel(incident=first, reason="mistake", by=SYSTEM, at=later(days=22))
    tasks.sweep(later(days=23))
    assert Fact.objects.get(pk=second.pk).recurrence == 0
    call_command("metrics_rebuild", check=True)
