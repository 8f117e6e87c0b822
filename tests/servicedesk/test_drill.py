"""The drill: its stage is set up once, its story passes with sweeps and fails without, and it counts nowhere."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

import alerts.queries
import audit.tasks
import notify.tasks
import oncall.tasks
import sla.tasks
from accounts.models import User
from alerts.models import AlertSource
from incidents.models import Incident
from notify.models import Contact, MailboxMail, Message
from oncall.models import Page
from postmortems.models import PostMortem
from servicedesk.drill import stage
from servicedesk.drill.story import Drill, report
from servicedesk.watchdog import violations
from tests.incidents.factories import IncidentFactory

#: The story's twenty minutes in four seconds.
SCALE = 1 / 300


@pytest.fixture(autouse=True)
def _mailbox(settings: Any) -> None:
    settings.EMAIL_BACKEND = "notify.channels.mailbox.EmailBackend"
    settings.SERVICEDESK_MAILBOX = True


@contextmanager
def sweeping() -> Iterator[None]:
    """What beat and worker do, in a thread."""
    stop = threading.Event()

    def sweep() -> None:
        while not stop.wait(0.1):
            for one in (sla.tasks.sweep, oncall.tasks.sweep, notify.tasks.send_due, audit.tasks.sweep_deliveries):
                one()
        connection.close()

    thread = threading.Thread(target=sweep)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.django_db
def test_the_stage_is_set_up_once_and_each_drill_has_a_key_of_its_own() -> None:
    first = stage.set_up(timezone.now())
    second = stage.set_up(timezone.now())
    assert (second.source, second.first, second.second) == (first.source, first.first, first.second)
    assert AlertSource.objects.get().is_drill
    assert User.objects.count() == Contact.objects.count() == 2
    assert alerts.queries.source_of_key(first.key) is None
    assert alerts.queries.source_of_key(second.key) == second.source


@pytest.mark.django_db
def test_its_people_are_reached_by_the_test_channel_only() -> None:
    stage.set_up(timezone.now())
    assert set(Contact.objects.values_list("channel", flat=True)) == {"test"}
    assert all(one.address.endswith(".invalid") for one in Contact.objects.all())


@pytest.mark.usefixtures("committed_db")
def test_the_story_passes_step_by_step_and_counts_nowhere() -> None:
    began = timezone.now()
    real = IncidentFactory(at=began, title="A real one")
    drill = Drill(stage.set_up(began), scale=SCALE, late_after=20)
    with sweeping():
        assert drill.run(), drill.steps
    told = report(drill, True, began)
    assert (told["ok"], told["scale"]) == (True, SCALE)
    names = [step["name"] for step in told["steps"]]
    assert names == [
        "alert received, incident opened", "level 1 paged", "message to level 1 sent", "level 2 paged",
        "message to level 2 sent", "acknowledged by the link", "nothing goes out after the acknowledgement",
        "recovered at the source, resolved", "page ended", "post-mortem drafted with its timeline",
        "nobody paged twice",
    ]  # fmt: skip
    assert all(step["ok"] for step in told["steps"])
    counts_nowhere(real)


def counts_nowhere(real: Incident) -> None:
    """All that it made says so; nothing that counts was made, and nobody outside the drill was told."""
    made = Incident.objects.get(is_drill=True)
    assert list(Incident.objects.filter(is_drill=False)) == [real]
    assert [page.is_drill for page in Page.objects.all()] == [True]
    assert [one.is_drill for one in PostMortem.objects.all()] == [True]
    outsiders = MailboxMail.objects.exclude(recipients__overlap=[stage.FIRST, stage.SECOND])
    assert not outsiders.exists()
    assert not Message.objects.exclude(address__endswith=".invalid").exists()
    assert made.state == "resolved"
    assert {one["reference"] for one in violations(timezone.now())} == {real.reference}


@pytest.mark.usefixtures("committed_db")
def test_without_a_worker_it_ends_non_zero_at_the_step_that_is_missing() -> None:
    printed = io.StringIO()
    with pytest.raises(CommandError, match="the drill failed"):
        call_command("drill", "--json", "--late-after", "2", stdout=printed)
    told = json.loads(printed.getvalue())
    assert told["ok"] is False
    assert [(step["name"], step["ok"]) for step in told["steps"]] == [
        ("alert received, incident opened", True), ("level 1 is paged", False),
    ]  # fmt: skip


@pytest.mark.usefixtures("committed_db")
def test_a_step_that_comes_late_fails_it() -> None:
    drill = Drill(stage.set_up(timezone.now()), scale=SCALE, late_after=0.0)
    with sweeping():
        assert not drill.run()
    assert not drill.steps[-1].ok


@pytest.mark.django_db
@pytest.mark.parametrize("scale", ["0", "-1", "2"])
def test_time_is_only_ever_compressed(scale: str) -> None:
    with pytest.raises(CommandError, match="above 0 and up to 1"):
        call_command("drill", "--scale", scale, stdout=io.StringIO())
