"""Two at once: sweeps never page twice, an acknowledgement beats or follows an escalation, but never crosses it."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

import notify.tasks
import oncall.actions
from accounts.queries import actor_for
from audit.actions import ActionRefused
from audit.models import Event
from notify.models import Contact, Message, State
from oncall import tasks
from oncall.models import LinkUse, Page, PageState
from tests.notify.factories import Provider
from tests.oncall.factories import MINUTE, Desk, desk, told

pytestmark = pytest.mark.usefixtures("committed_db")
LONG_PAST = 30 * MINUTE


def together(*works: Callable[[], Any]) -> list[Any]:
    """Runs works in threads that start at one moment; returns what each returned or raised."""
    gate = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def run(place: int, work: Callable[[], Any]) -> None:
        gate.wait()
        try:
            results[place] = work()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place, work)) for place, work in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


@pytest.fixture
def by_webhook(provider: Provider) -> Desk:
    """A desk whose people are paged by webhook at the provider double, on the real clock."""
    at = desk()
    at.at = timezone.now()
    for contact in Contact.objects.all():
        contact.channel, contact.address = "webhook", f"{provider.url}/{contact.pk}"
        contact.save()
    return at


def _send_until_quiet(at: dt.datetime) -> None:
    for _ in range(50):
        if not notify.tasks.send_due(at=at) and not Message.objects.pending().exists():
            return
        time.sleep(0.02)


def test_two_sweeps_and_two_senders_page_nobody_twice(by_webhook: Desk, provider: Provider) -> None:
    for _ in range(10):
        by_webhook.open()
    for _ in range(2):
        together(*[lambda: tasks.sweep(at=by_webhook.at)] * 3)
        # A sweep passes by an incident that another worker holds; the next one takes it.
        tasks.sweep(at=by_webhook.at)
        together(*[lambda: notify.tasks.send_due(at=by_webhook.at)] * 3)
        _send_until_quiet(by_webhook.at)
        by_webhook.at += 5 * MINUTE
    assert set(provider.count().values()) == {1}
    assert len(provider.keys) == 20
    assert [told(page) for page in Page.objects.all()] == [[(1, 1, "Olu"), (1, 2, "Wen")]] * 10
    assert set(Message.objects.values_list("state", "uncertain_count")) == {(State.SENT, 0)}


def test_an_acknowledgement_racing_an_escalation(by_webhook: Desk) -> None:
    for number in range(12):
        _race_of_acknowledgement_and_escalation(by_webhook, number)


def _race_of_acknowledgement_and_escalation(by_webhook: Desk, number: int) -> None:
    """Whoever is first, nothing of the page is queued once both are done, and no page is decided after it."""
    incident = by_webhook.open()
    by_webhook.pass_time()
    at = by_webhook.at + 5 * MINUTE
    page = Page.objects.get(incident=incident)

    def acknowledge() -> Page:
        time.sleep(number * 0.004)
        return oncall.actions.acknowledge_page(page_id=page.pk, by=actor_for(by_webhook.olu), at=at)

    confirmed, _ = together(acknowledge, lambda: tasks.sweep(at=at))
    assert isinstance(confirmed, Page), confirmed
    after = Page.objects.get(incident=incident)
    assert (after.state, after.acknowledged_by_id) == (PageState.ACKNOWLEDGED, by_webhook.olu.pk)
    assert not Message.objects.pending().exists()
    kinds = list(
        Event.objects.filter(about_id=incident.pk, kind__startswith="page.")
        .order_by("id")
        .values_list("kind", flat=True)
    )
    assert kinds[-1] == "page.acknowledged"
    assert tasks.sweep(at=at + LONG_PAST) == 0


def test_of_two_people_who_confirm_at_once_one_has_it_and_the_other_is_told(by_webhook: Desk) -> None:
    for _ in range(8):
        _race_of_two_people(by_webhook)


def _race_of_two_people(by_webhook: Desk) -> None:
    page = Page.objects.get(incident=by_webhook.open())
    by_webhook.pass_time()
    by_webhook.pass_time(5)
    works = [
        lambda user=user: oncall.actions.acknowledge_page(page_id=page.pk, by=actor_for(user), at=by_webhook.at)
        for user in (by_webhook.olu, by_webhook.wen)
    ]
    results = together(*works)
    refused = [one for one in results if isinstance(one, ActionRefused)]
    assert len(refused) == 1
    assert "has it since" in refused[0].detail or "acknowledged" in refused[0].detail
    assert Event.objects.filter(kind="page.acknowledged", subject_id=page.pk).count() == 1


def test_a_double_tap_acts_once(by_webhook: Desk) -> None:
    by_webhook.open()
    by_webhook.pass_time()
    token = Message.objects.get().link.rstrip("/").rsplit("/", 1)[1]
    by = actor_for(by_webhook.olu)
    tap = lambda: oncall.actions.use_link(token=token, verb="acknowledge", by=by, at=by_webhook.at)  # noqa: E731
    answers = together(tap, tap, tap)
    assert answers[0] == answers[1] == answers[2]
    assert LinkUse.objects.count() == 1


def test_an_acknowledgement_between_claim_and_call_stops_the_message(
    by_webhook: Desk, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_webhook.open()
    by_webhook.pass_time()

    def acknowledge(place: str) -> None:
        if place == "notify.claimed":
            oncall.actions.acknowledge_page(
                page_id=Page.objects.get().pk, by=actor_for(by_webhook.olu), at=by_webhook.at
            )

    monkeypatch.setattr(notify.tasks, "failpoint", acknowledge)
    notify.tasks.send_due()
    assert provider.keys == []
    assert Message.objects.get().state == State.CANCELLED


def test_an_acknowledgement_during_the_call_leaves_the_truth_and_no_repeat(
    by_webhook: Desk, provider: Provider
) -> None:
    by_webhook.open()
    by_webhook.pass_time()
    provider.delay_s, provider.status = 0.5, 500

    def acknowledge() -> None:
        while not provider.keys:
            time.sleep(0.01)
        oncall.actions.acknowledge_page(page_id=Page.objects.get().pk, by=actor_for(by_webhook.olu), at=by_webhook.at)

    results = together(notify.tasks.send_due, acknowledge)
    assert results == [1, None]
    assert Message.objects.get().state == State.CANCELLED
    assert len(provider.keys) == 1


def test_a_locked_incident_does_not_hold_up_the_other_pages(by_webhook: Desk) -> None:
    busy, free = by_webhook.open(), by_webhook.open()
    with transaction.atomic():
        type(busy).objects.select_for_update().get(pk=busy.pk)
        assert together(lambda: tasks.sweep(at=by_webhook.at)) == [1]
    assert [page.incident_id for page in Page.objects.exclude(level=0)] == [free.pk]
    assert tasks.sweep(at=by_webhook.at) == 1


CHILD = """
import django
django.setup()
from django.conf import settings
from django.db import connection
connection.settings_dict["NAME"] = {name!r}
settings.SERVICEDESK_OUTGOING_ALLOW = ["127.0.0.1"]
import oncall.tasks, notify.tasks
{work}
"""


def _killed_at(failpoint: str, work: str) -> int:
    code = CHILD.format(name=connection.settings_dict["NAME"], work=work)
    here = {**os.environ, "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "servicedesk.settings")}
    address = connection.get_connection_params()
    url = f"postgres://{address['user']}:{address.get('password') or ''}@/{address['dbname']}?host={address['host']}"
    here |= {"SERVICEDESK_FAILPOINT": failpoint, "DATABASE_URL": url + f"&port={address.get('port') or 5432}"}
    return subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=here, timeout=60, check=False).returncode


@pytest.mark.parametrize(
    ("place", "calls", "uncertain"),
    [("notify.claimed", 1, 0), ("notify.before_call", 1, 1), ("notify.after_call", 2, 1), ("notify.recorded", 1, 0)],
)
def test_a_sender_killed_by_9_loses_no_page_and_repeats_only_under_the_same_key(
    by_webhook: Desk, provider: Provider, place: str, calls: int, uncertain: int
) -> None:
    by_webhook.open()
    by_webhook.pass_time()
    assert _killed_at(place, "notify.tasks.send_due()") == -9
    notify.tasks.send_due(at=timezone.now() + 2 * MINUTE)
    notify.tasks.send_due(at=timezone.now() + 3 * MINUTE)
    message = Message.objects.get()
    assert (message.state, message.uncertain_count) == (State.SENT, uncertain)
    assert provider.count() == Counter({message.dedup_key: calls})
    assert Event.objects.filter(kind="message.uncertain").count() == uncertain


@pytest.mark.parametrize("place", ["oncall.locked", "oncall.before_commit", "oncall.committed"])
def test_a_sweep_killed_by_9_loses_no_page_and_doubles_none(by_webhook: Desk, provider: Provider, place: str) -> None:
    by_webhook.open()
    assert _killed_at(place, "oncall.tasks.sweep()") == -9
    tasks.sweep(at=by_webhook.at)
    notify.tasks.send_due()
    assert told(Page.objects.get()) == [(1, 1, "Olu")]
    assert set(provider.count().values()) == {1}
