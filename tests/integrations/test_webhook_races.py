"""Real commits, real threads, real kills: nothing is passed by, nothing is lost, and a slow receiver harms itself."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from audit.actor import SYSTEM
from audit.models import Event
from integrations import actions, tasks
from integrations.models import WebhookCursor, WebhookDelivery, WebhookEndpoint, WebhookLane
from tests.flows.test_killed import database_address
from tests.incidents.factories import IncidentFactory
from tests.integrations.factories import WebhookEndpointFactory
from tests.notify.factories import Provider, running_provider

pytestmark = pytest.mark.usefixtures("committed_db")
ROOT = Path(__file__).resolve().parents[2]
WRITERS = 8
EACH = int(os.environ.get("WEBHOOK_EVENTS", "15"))


@pytest.fixture
def receiver(settings: Any) -> Iterator[Provider]:
    settings.SERVICEDESK_OUTGOING_ALLOW = ["127.0.0.0/8"]
    with running_provider() as provider:
        yield provider


def _capture_all() -> None:
    while actions.capture_events(by=SYSTEM, at=dt.datetime.now(dt.UTC)):
        pass


def _sweep() -> None:
    tasks.sweep_webhooks()
    connection.close()


def test_eight_writers_and_no_event_is_passed_by() -> None:
    """Beside it, what `id > last` would have read: printed, for the decision's record."""
    _capture_all()
    WebhookEndpointFactory(kinds=["*"])
    first = Event.objects.order_by("-id").values_list("id", flat=True).first() or 0
    naive, last = 0, first

    def write(number: int) -> None:
        for count in range(EACH):
            with transaction.atomic():
                IncidentFactory(title=f"Writer {number}, {count}")
                time.sleep(0.002 * ((number + count) % 4))
        connection.close()

    writers = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for one in writers:
        one.start()
    while any(one.is_alive() for one in writers):
        new = list(Event.objects.filter(id__gt=last).values_list("id", flat=True))
        naive, last = naive + len(new), max([last, *new])
        actions.capture_events(by=SYSTEM, at=dt.datetime.now(dt.UTC))
    for _ in range(4):
        _capture_all()
    wanted = Event.objects.filter(id__gt=first, about_type="incidents.incident")
    assert WebhookDelivery.objects.count() == wanted.count()
    assert set(WebhookDelivery.objects.values_list("event_id", flat=True)) == set(wanted.values_list("id", flat=True))
    cursor = WebhookCursor.singleton().get()
    assert (cursor.seen, cursor.low) == ([], Event.objects.order_by("-id")[0].pk)
    sys.stdout.write(f"events {Event.objects.filter(id__gt=first).count()}, read by id > last: {naive}\n")


@pytest.mark.parametrize(
    "place",
    [
        "before_call",
        "after_call",
        pytest.param("recorded", marks=pytest.mark.proof),
        pytest.param("captured", marks=pytest.mark.proof),
    ],
)
def test_a_sender_that_is_killed_loses_nothing(receiver: Provider, place: str) -> None:
    _capture_all()
    WebhookEndpointFactory(url=receiver.url)
    made = [IncidentFactory() for _ in range(3)]
    environment = {
        **os.environ, "SERVICEDESK_CLUSTER": "test", "DATABASE_URL": database_address(),
        "SERVICEDESK_OUTGOING_ALLOW": "127.0.0.0/8",
    }  # fmt: skip
    killed = subprocess.run(
        [sys.executable, "-m", "tests.integrations.hooking"], cwd=ROOT, timeout=120, check=False,
        env={**environment, "SERVICEDESK_FAILPOINT": f"webhooks.{place}@{1 if place == 'captured' else 2}"},
    )  # fmt: skip
    assert killed.returncode == -9
    later = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=2)
    for _ in range(3):
        tasks.sweep_webhooks(at=later)
    wanted = set(Event.objects.filter(about_id__in=[one.pk for one in made]).values_list("id", flat=True))
    told = [json.loads(text)["event"] for text in receiver.texts]
    assert set(told) == wanted & set(WebhookDelivery.objects.values_list("event_id", flat=True))
    assert len(told) - len(set(told)) == (1 if place == "after_call" else 0)
    ids = {headers["webhook-id"] for headers in receiver.headers}
    assert len(ids) == len(set(told))
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"delivered"}
    assert not WebhookLane.objects.exclude(next_attempt_at=None).exists()


def test_a_slow_receiver_keeps_no_other_waiting(receiver: Provider) -> None:
    _capture_all()
    with running_provider() as quick:
        receiver.delay_s = 1.0
        WebhookEndpointFactory(url=receiver.url, name="A slow one")
        WebhookEndpointFactory(url=quick.url, name="B quick one")
        for _ in range(3):
            IncidentFactory()
        began = time.monotonic()
        sweep = threading.Thread(target=_sweep)
        sweep.start()
        while len(quick.texts) < 3 and time.monotonic() < began + 10:
            time.sleep(0.02)
        assert len(quick.texts) >= 3
        assert len(receiver.texts) <= 2
        sweep.join()


def test_two_sweeps_at_once_send_nothing_twice(receiver: Provider) -> None:
    _capture_all()
    WebhookEndpointFactory(url=receiver.url)
    for _ in range(6):
        IncidentFactory()

    sweeps = [threading.Thread(target=_sweep) for _ in range(3)]
    for one in sweeps:
        one.start()
    for one in sweeps:
        one.join()
    tasks.sweep_webhooks()
    ids = [headers["webhook-id"] for headers in receiver.headers]
    assert len(ids) == len(set(ids)) == WebhookDelivery.objects.count()
    assert WebhookEndpoint.objects.get().failures == 0
