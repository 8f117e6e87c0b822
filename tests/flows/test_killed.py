"""Kill -9 between any two statements: no incident without clocks, no page lost, no step done twice."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection

from incidents.models import Incident
from notify.models import Message
from oncall import tasks as paging
from oncall.models import Page, PageNotification
from sla.models import Breach, Clock, ThresholdFired
from tests.oncall.factories import desk

ROOT = Path(__file__).resolve().parents[2]
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def database_address() -> str:
    """The clone that this test works on, for a process of its own."""
    settings = connection.settings_dict
    return f"postgresql:///{settings['NAME']}?host={quote(str(settings['HOST']), safe='')}&user={settings['USER']}"


def _die(verb: str, step: int = 1) -> list[str]:
    """Runs the verb killed before every `step`-th of its statements; the last try is let through."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.flows.dying", verb, str(step)],
        cwd=ROOT,
        env={**os.environ, "SERVICEDESK_CLUSTER": "test", "DATABASE_URL": database_address()},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    lines = ran.stdout.split("\n")[:-1]
    assert lines, ran.stderr[-2000:]
    assert lines[-1].startswith("done"), lines[-1]
    assert lines[-1].endswith(" 0"), lines[-1]
    return lines[:-1]


@pytest.mark.usefixtures("committed_db")
def test_an_incident_is_never_without_clocks_and_page() -> None:
    desk()
    killed = _die("open")
    assert len(killed) >= 5
    found = list(Incident.objects.filter(title__startswith="dying"))
    assert found
    for incident in found:
        assert Clock.objects.filter(incident=incident).exists()
        assert Page.objects.filter(incident=incident).count() == 1
    assert len(found) <= 2, "a statement before the commit left something behind"


@pytest.mark.usefixtures("committed_db")
def test_a_killed_sweep_loses_no_page_and_pages_nobody_twice() -> None:
    desk()
    _die("open", step=50)
    assert _die("pages", step=2)
    for minutes in range(0, 90, 5):
        paging.sweep(at=AT + timedelta(hours=2, minutes=minutes))
    for page in Page.objects.all():
        told = list(PageNotification.objects.filter(page=page).values_list("round", "level", "user_id", "contact_ref"))
        assert told
        assert len(told) == len(set(told))
        assert {level for _round, level, _user, _contact in told} >= {1, 2}
    keys = list(Message.objects.values_list("dedup_key", flat=True))
    assert len(keys) == len(set(keys))


@pytest.mark.usefixtures("committed_db")
def test_a_killed_sweep_of_clocks_breaches_once() -> None:
    desk()
    _die("open", step=50)
    assert _die("clocks", step=7)
    late = Clock.objects.filter(breached_at__isnull=False)
    assert late.exists()
    assert Breach.objects.count() == late.count()
    fired = list(ThresholdFired.objects.values_list("clock_id", "cycle", "percent"))
    assert len(fired) == len(set(fired))
