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
from tests.incidents.factories import AT, IncidentFactory, later

pytestmark = pytest.mark.django_db


def test_the_sweep_reads_an_incident_into_facts() -> None:
    incident = IncidentFactory(at=AT, detected_at=AT - timedelta(minutes=5), channel="phone", reported_at=AT)
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
