"""The sweep tries owed deliveries again, gives up loudly, and old idempotency keys go."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from typing import Any

import pytest

from audit import subscriptions
from audit.actions import change_config, retry_delay
from audit.events import AuditEvent
from audit.models import Delivery, Event, IdempotencyKey
from audit.queries import database_time, owed
from audit.subscriptions import Recorded, subscribe
from audit.tasks import ATTEMPTS, prune_idempotency, sweep_deliveries
from tests.audit.app.models import Shelf, Thing
from tests.audit.factories import ANN, ShelfFactory

pytestmark = pytest.mark.django_db

AT = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
broken = True


def moody(told: Recorded) -> None:
    if broken:
        raise LookupError("not today")
    Thing.objects.create(name=f"{told.subject.name}, {told.by.label}", shelf=told.about)


@pytest.fixture
def delivery(monkeypatch: pytest.MonkeyPatch) -> Delivery:
    """One delivery that its handler failed once."""
    monkeypatch.setattr(subscriptions, "_subscriptions", {})
    monkeypatch.setitem(globals(), "broken", True)
    subscribe(AuditEvent.CONFIG_CHANGED)(moody)
    change_config(row=ShelfFactory(), values={"name": "new"}, by=ANN, at=AT)
    return Delivery.objects.get()


def test_the_sweep_runs_the_handler_with_the_row_as_it_is_now(delivery: Delivery, monkeypatch: Any) -> None:
    Shelf.objects.update(name="newer")
    monkeypatch.setitem(globals(), "broken", False)
    assert sweep_deliveries(at=AT) == 1
    thing = Thing.objects.get()
    assert thing.name == "newer, Ann"
    row = thing.history.get()
    assert (row.actor_id, row.actor_channel) == ("7", "job")
    delivery.refresh_from_db()
    assert (delivery.done_at, delivery.attempts, delivery.last_error) == (AT, 2, "")
    assert sweep_deliveries(at=AT) == 0


def test_a_delivery_that_fails_again_waits_longer_each_time(delivery: Delivery) -> None:
    assert sweep_deliveries(at=AT) == 0
    delivery.refresh_from_db()
    assert (delivery.attempts, delivery.next_attempt_at) == (2, AT + 4 * SECOND)
    assert sweep_deliveries(at=AT + 3 * SECOND) == 0
    delivery.refresh_from_db()
    assert delivery.attempts == 2


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 2), (5, 32), (9, 300), (10_000, 300)])
def test_the_wait_is_bounded(attempts: int, seconds: int) -> None:
    assert retry_delay(attempts) == seconds * SECOND


def test_after_twenty_attempts_it_is_given_up_loudly(delivery: Delivery, caplog: pytest.LogCaptureFixture) -> None:
    Delivery.objects.update(attempts=ATTEMPTS - 1)
    with caplog.at_level(logging.ERROR):
        sweep_deliveries(at=AT)
    delivery.refresh_from_db()
    assert (delivery.given_up_at, delivery.attempts) == (AT, ATTEMPTS)
    assert "not today" in caplog.text
    assert owed(database_time()).given_up == 1


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda: Shelf.objects.all().delete(), "gone"),
        (lambda: subscriptions._subscriptions.clear(), "no handler"),
    ],
)
def test_a_delivery_that_nobody_can_take_says_why(delivery: Delivery, spoil: Callable[[], object], told: str) -> None:
    spoil()
    sweep_deliveries(at=AT)
    delivery.refresh_from_db()
    assert told in delivery.last_error


def test_the_counts_that_readiness_shows(delivery: Delivery) -> None:
    now = database_time()
    assert owed(now).late == 0
    assert owed(now + 61 * SECOND).late == 1
    assert owed(now).unattributed >= 1
    assert owed(now + dt.timedelta(days=2)).unattributed == 0


def test_idempotency_keys_are_kept_for_a_day(settings: Any) -> None:
    settings.SERVICEDESK_IDEMPOTENCY_HOURS = 24
    for number, age in enumerate((23, 25)):
        IdempotencyKey.objects.create(
            principal="user:7", route="incidents", key=str(number), body_hash=b"", status=201,
            created_at=AT - dt.timedelta(hours=age),
        )  # fmt: skip
    assert prune_idempotency(at=AT) == 1
    assert IdempotencyKey.objects.get().key == "0"
    assert Event.objects.count() == 0
