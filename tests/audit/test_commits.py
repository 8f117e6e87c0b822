"""What only real commits show: deferred constraints, and threads that write at once."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from audit import subscriptions
from audit.actions import Stale, action, change_config
from audit.actor import Actor
from audit.context import acting
from audit.events import AuditEvent
from audit.models import Delivery, StaleRow
from audit.queries import ask_first, history_faults
from audit.subscriptions import Recorded, subscribe
from audit.tasks import sweep_deliveries
from tests.audit.app.models import Shelf, Thing
from tests.audit.factories import ANN, ShelfFactory, ThingFactory

pytestmark = pytest.mark.usefixtures("committed_db")

AT = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)
THREADS = 8


def _together(work: Callable[[int], object]) -> list[object]:
    """Runs `work(number)` in eight threads that begin at the same moment."""
    ready = threading.Barrier(THREADS)

    def run(number: int) -> object:
        try:
            ready.wait(10)
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        return [one.result(60) for one in [pool.submit(run, number) for number in range(THREADS)]]


def test_a_bad_foreign_key_of_a_handler_does_not_fail_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    def bad_key(told: Recorded) -> None:
        Thing.objects.create(name="orphan", shelf_id=999_999)

    monkeypatch.setattr(subscriptions, "_subscriptions", {})
    subscribe(AuditEvent.CONFIG_CHANGED)(bad_key)
    change_config(row=ShelfFactory(), values={"name": "new"}, by=ANN, at=AT)
    assert Shelf.objects.get().name == "new"
    assert "IntegrityError" in Delivery.objects.get().last_error
    assert not Thing.objects.exists()


def test_attributing_outside_a_transaction_is_refused() -> None:
    with pytest.raises(RuntimeError, match="void"), acting(ANN):
        pass


def test_eight_writers_of_the_same_and_of_their_own_rows_leave_gapless_chains() -> None:
    shared = ThingFactory()
    own = [ThingFactory() for _ in range(THREADS)]

    def write(number: int) -> None:
        for step in range(10):
            with transaction.atomic(), acting(ANN):
                Thing.objects.filter(pk=shared.pk).update(counter=number * 100 + step + 1)
                Thing.objects.filter(pk=own[number].pk).update(counter=step + 1)

    _together(write)
    assert Thing.objects.get(pk=shared.pk).version == THREADS * 10 + 1
    assert [history_faults(Thing, one.pk) for one in (shared, *own)] == [[]] * (THREADS + 1)
    assert {Thing.objects.get(pk=one.pk).version for one in own} == {11}


def test_of_eight_saves_on_the_same_version_one_wins() -> None:
    shelf = ShelfFactory()

    def save(number: int) -> str:
        mine = Shelf.objects.get(pk=shelf.pk, version=1)
        barrier.wait(10)
        mine.name = f"by {number}"
        try:
            mine.save()
        except (StaleRow, DatabaseError) as refused:
            return type(refused).__name__
        return "won"

    barrier = threading.Barrier(THREADS)
    assert sorted(map(str, _together(save))) == ["StaleRow"] * (THREADS - 1) + ["won"]
    assert Shelf.history.count() == 2
    assert history_faults(Shelf, shelf.pk) == []


def test_of_eight_actions_on_the_same_version_one_wins_and_the_others_are_told() -> None:
    shelf = ShelfFactory()

    def change(number: int) -> str:
        try:
            change_config(row=shelf, values={"name": f"by {number}"}, by=ANN, at=AT, expected_version=1)
        except Stale as refused:
            return f"stale, now {refused.extra['current_version']}"
        return "won"

    assert sorted(map(str, _together(change))) == ["stale, now 2"] * (THREADS - 1) + ["won"]
    assert Shelf.history.count() == 2


def test_two_sweeps_at_once_deliver_each_event_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def note(told: Recorded) -> None:
        Thing.objects.create(name=f"event {told.event_id}")

    monkeypatch.setattr(subscriptions, "_subscriptions", {})
    subscribe(AuditEvent.CONFIG_CHANGED, deferred=True)(note)
    for shelf in [ShelfFactory() for _ in range(10)]:
        change_config(row=shelf, values={"name": f"new {shelf.pk}"}, by=ANN, at=AT)
    _together(lambda number: sweep_deliveries())
    sweep_deliveries()
    assert Thing.objects.count() == 10
    assert not Delivery.objects.open().exists()


def test_a_delivery_about_a_row_that_somebody_holds_waits_without_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "_subscriptions", {})
    subscribe(AuditEvent.CONFIG_CHANGED, deferred=True)(lambda told: None)
    shelf = ShelfFactory()
    change_config(row=shelf, values={"name": "new"}, by=ANN, at=AT)
    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        Shelf.objects.select_for_update(no_key=True).get(pk=shelf.pk)
        assert pool.submit(_swept).result(30) == 0
    assert Delivery.objects.get().attempts == 0
    assert sweep_deliveries() == 1


def _swept() -> int:
    try:
        return int(sweep_deliveries())
    finally:
        connection.close()


def test_the_first_question_of_a_request_replaces_a_connection_that_died() -> None:
    before = _backend()
    with psycopg.connect(**_parameters(), autocommit=True) as other:
        other.execute("select pg_terminate_backend(%s)", [before])
        while other.execute("select 1 from pg_stat_activity where pid = %s", [before]).fetchone():
            pass
    _check_is_due()
    assert ask_first("select 1", []) == [(1,)]
    assert _backend() != before


def test_a_first_question_that_is_wrong_is_not_asked_again() -> None:
    before = _backend()
    _check_is_due()
    with pytest.raises(DatabaseError):
        ask_first("select 1 / 0", [])
    assert _backend() == before


def _check_is_due() -> None:
    here: Any = connection
    here.health_check_enabled, here.health_check_done = True, False


def _backend() -> int:
    connection.ensure_connection()
    return int(connection.connection.info.backend_pid)


def _parameters() -> dict[str, Any]:
    known = connection.get_connection_params()
    return {name: known[name] for name in ("host", "port", "user", "password", "dbname") if name in known}


def test_a_failed_part_of_an_action_leaves_nothing_even_when_its_error_is_swallowed() -> None:
    with pytest.raises(transaction.TransactionManagementError):
        _swallowing(by=ANN, at=AT)
    assert not Thing.objects.exists()


@action
def _swallowing(*, by: Actor, at: dt.datetime) -> None:
    with contextlib.suppress(ValueError):
        _failing(by=by, at=at)
    Thing.objects.create(name="after")


@action(joins=True)
def _failing(*, by: Actor, at: dt.datetime) -> None:
    Thing.objects.create(name="before")
    raise ValueError("half way")
