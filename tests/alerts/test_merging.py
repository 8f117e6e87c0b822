"""Alerts follow a merge: the last recovery settles the incident that lives on."""

from __future__ import annotations

import datetime as dt

import pytest

from alerts.models import Alert
from audit.actor import SYSTEM
from incidents.actions import merge, unmerge
from incidents.models import Incident
from tests.alerts.factories import AT, AlertFactory
from tests.incidents.factories import IncidentFactory

pytestmark = pytest.mark.django_db

LATER = AT + dt.timedelta(hours=1)


def test_alerts_move_to_the_heir_and_back() -> None:
    source, target = IncidentFactory(at=AT), IncidentFactory(at=AT)
    moved, own = AlertFactory(incident=source), AlertFactory(incident=target)
    merge(incident=source, into=target, by=SYSTEM, at=LATER)
    assert set(Alert.objects.values_list("incident_id", flat=True)) == {target.pk}
    unmerge(incident=Incident.objects.get(pk=source.pk), by=SYSTEM, at=LATER)
    assert Alert.objects.get(pk=moved.pk).incident_id == source.pk
    assert Alert.objects.get(pk=own.pk).incident_id == target.pk
