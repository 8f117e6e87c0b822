"""The frame of every change: attribution, handlers that may fail, refusals, and the generic configuration actions."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from audit import subscriptions
from audit.actions import (
    ActionRefused,
    Forbidden,
    Invalid,
    Stale,
    action,
    change_config,
    create_config,
    record,
    record_all,
    remove_config,
)
from audit.actor import SYSTEM, Actor
from audit.context import SETTING, acting, entry
from audit.events import AuditEvent
from audit.models import Delivery, Event
from audit.subscriptions import Recorded, subscribe
from tests.audit.app.models import Shelf, Thing
from tests.audit.factories import ANN, BEA, ShelfFactory, ThingFactory

pytestmark = pytest.mark.django_db

AT = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)
Told = Callable[[Recorded], None]


@pytest.fixture
def listen(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Subscribes handlers to `config.changed` for one test."""
    monkeypatch.setattr(subscriptions, "_subscriptions", {})

    def add(*handlers: Told, **how: bool) -> None:
        for handler in handlers:
            subscribe(AuditEvent.CONFIG_CHANGED, **how)(handler)

    return add


def _context() -> str:
    with connection.cursor() as cursor:
        cursor.execute("select current_setting(%s, true)", [SETTING])
        return str(cursor.fetchone()[0] or "")


@action
def rename(*, shelf: Shelf, name: str, by: Actor, at: dt.datetime, reason: str = "") -> Shelf:
    """Renames and tells."""
    shelf.name = name
    shelf.save()
    record(AuditEvent.CONFIG_CHANGED, shelf, by, at, model="specimens.shelf", label=name, fields=["name"])
    return shelf


@action
def annotate(*, shelf: Shelf, by: Actor, at: dt.datetime) -> Thing:
    """Writes something else."""
    thing: Thing = Thing.objects.create(name="note")
    return thing


def raising(told: Recorded) -> None:
    Thing.objects.create(name="half done")
    raise LookupError("no such template")


def bad_key(told: Recorded) -> None:
    Thing.objects.create(name="orphan", shelf_id=999_999)


def bad_sql(told: Recorded | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select 1 / 0")


def as_another(told: Recorded) -> None:
    annotate(shelf=told.subject, by=BEA, at=told.at)


def saving(told: Recorded) -> None:
    told.subject.name += "!"
    told.subject.save()
    raise ValueError("after the save")


@action(joins=True)
def misplace(*, by: Actor, at: dt.datetime) -> None:
    """Fails in the middle, as part of the action that called it."""
    Thing.objects.create(name="half done")
    raise LookupError("lost")


def misplacing(told: Recorded) -> None:
    misplace(by=told.by, at=told.at)


def hiding(told: Recorded) -> None:
    with contextlib.suppress(LookupError):
        misplace(by=told.by, at=told.at)


def test_an_action_that_joins_costs_no_savepoint_and_stands_alone_otherwise(django_assert_num_queries: Any) -> None:
    with transaction.atomic(), acting(ANN), django_assert_num_queries(1), pytest.raises(LookupError):
        misplace(by=ANN, at=AT)
    with pytest.raises(LookupError):
        misplace(by=ANN, at=AT)
    assert not Thing.objects.exists()


@pytest.mark.parametrize("broken", [raising, bad_key, bad_sql, saving, misplacing, hiding])
def test_a_failing_handler_leaves_a_delivery_and_the_action_succeeds(listen: Any, broken: Told) -> None:
    listen(as_another, broken)
    shelf = rename(shelf=ShelfFactory(), name="new", by=ANN, at=AT)
    delivery = Delivery.objects.get()
    assert delivery.handler == f"{__name__}.{broken.__name__}"
    assert (delivery.attempts, delivery.next_attempt_at, delivery.done_at) == (1, AT, None)
    assert delivery.last_error
    assert Shelf.objects.get().name == shelf.name == "new"
    assert list(Thing.objects.values_list("name", flat=True)) == ["note"]


def test_after_a_failed_handler_the_object_in_memory_can_still_be_saved(listen: Any) -> None:
    listen(saving)
    shelf = rename(shelf=ShelfFactory(), name="new", by=ANN, at=AT)
    assert shelf.version == 2
    shelf.name = "newer"
    shelf.save()
    assert Shelf.objects.get().name == "newer"


@pytest.mark.parametrize("order", list(itertools.permutations([as_another, raising, bad_key])))
def test_handlers_do_the_same_in_any_order(listen: Any, order: tuple[Told, ...]) -> None:
    listen(*order)
    shelf = rename(shelf=ShelfFactory(), name="new", by=ANN, at=AT)
    owed = {one.handler.rpartition(".")[2] for one in Delivery.objects.all()}
    assert owed == {"raising", "bad_key"}
    assert list(Thing.objects.values_list("name", flat=True)) == ["note"]
    assert list(shelf.history.order_by("version").values_list("actor_kind", flat=True)) == ["db", "person"]


def test_a_required_handler_fails_the_action(listen: Any) -> None:
    listen(raising, required=True)
    shelf = ShelfFactory(name="old")
    with pytest.raises(LookupError), transaction.atomic():
        rename(shelf=shelf, name="new", by=ANN, at=AT)
    assert Shelf.objects.get().name == "old"
    assert not Event.objects.exists()


def test_a_deferred_handler_is_only_owed(listen: Any) -> None:
    listen(raising, deferred=True)
    rename(shelf=ShelfFactory(), name="new", by=ANN, at=AT)
    assert list(Delivery.objects.values_list("attempts", "last_error")) == [(0, "")]


def test_an_inner_action_by_another_actor_gives_the_outer_one_back(listen: Any) -> None:
    listen(as_another)
    with transaction.atomic(), acting(ANN, reason="outer"):
        shelf = rename(shelf=ShelfFactory(), name="new", by=ANN, at=AT)
        shelf.name = "after"
        shelf.save()
    assert Thing.history.get().actor_id == BEA.id
    last = shelf.history.latest()
    assert (last.actor_id, last.history_change_reason) == (ANN.id, "outer")


def test_an_inner_action_of_the_same_actor_keeps_the_reason_and_costs_no_statement(
    django_assert_num_queries: Any,
) -> None:
    with transaction.atomic(), acting(ANN, reason="outer"):
        with django_assert_num_queries(3):  # savepoint, insert, release
            thing = annotate(shelf=Shelf(), by=ANN, at=AT)
        rename(shelf=ShelfFactory(), name="new", by=ANN, at=AT, reason="inner")
    assert thing.history.get().history_change_reason == "outer"
    assert Shelf.history.get(name="new").history_change_reason == "inner"


@pytest.mark.parametrize("broken", [raising, bad_key, bad_sql])
def test_a_failed_handler_gives_the_actor_back(listen: Any, broken: Told) -> None:
    listen(lambda told: _as(BEA, broken, told))
    with transaction.atomic(), acting(ANN):
        before = _context()
        shelf = rename(shelf=ShelfFactory(), name="new", by=ANN, at=AT)
        assert _context() == before != ""
    assert shelf.history.latest().actor_id == ANN.id


def _as(by: Actor, handler: Told, told: Recorded) -> None:
    with transaction.atomic(), acting(by):
        handler(told)


def test_what_follows_an_action_in_the_same_transaction_is_not_attributed_to_its_actor() -> None:
    rename(shelf=ShelfFactory(), name="new", by=ANN, at=AT)
    assert _context() == ""
    assert ShelfFactory().history.get().actor_kind == "db"


def test_an_error_caught_inside_a_transaction_gives_the_actor_back() -> None:
    with transaction.atomic(), acting(ANN):
        before = _context()
        try:
            with acting(BEA):
                raise KeyError
        except KeyError:
            pass
        assert _context() == before


def test_an_error_of_the_database_is_not_hidden_by_giving_the_actor_back() -> None:
    with pytest.raises(DatabaseError, match="division by zero"), transaction.atomic(), acting(ANN), acting(BEA):
        bad_sql(None)


def test_an_event_tells_who_when_where_and_why() -> None:
    with entry("api", "r9"):
        shelf = rename(shelf=ShelfFactory(), name="new", by=ANN, at=AT)
    event = Event.objects.get()
    assert (event.kind, event.subject_type, event.subject_id) == ("config.changed", "specimens.shelf", shelf.pk)
    assert (event.actor_kind, event.actor_id, event.on_behalf_of, event.channel) == ("person", "7", "Bob", "api")
    assert (event.at, event.request_id) == (AT, "r9")
    assert event.recorded_at > AT


@pytest.mark.parametrize("broken", [raising, bad_key])
def test_events_recorded_together_fail_one_by_one(listen: Any, broken: Told) -> None:
    def second_fails(told: Recorded) -> None:
        if told.subject.name == "bad":
            broken(told)
        Thing.objects.create(name=f"told of {told.subject.name}")

    listen(second_fails)
    shelves = [ShelfFactory(name=name) for name in ("first", "bad", "third")]
    with transaction.atomic(), acting(ANN):
        record_all([(AuditEvent.CONFIG_CHANGED, one, one, {"label": one.name}) for one in shelves], by=ANN, at=AT)
    assert list(Event.objects.order_by("id").values_list("subject_id", flat=True)) == [one.pk for one in shelves]
    assert set(Thing.objects.values_list("name", flat=True)) == {"told of first", "told of third"}
    assert Delivery.objects.get().event.subject_id == shelves[1].pk


def test_an_undeclared_kind_and_a_naive_time_are_refused() -> None:
    shelf = ShelfFactory()
    with pytest.raises(LookupError, match=r"shelf\.eaten"):
        record("shelf.eaten", shelf, ANN, AT)
    with pytest.raises(ValueError, match="aware"):
        record(AuditEvent.CONFIG_CHANGED, shelf, ANN, AT.replace(tzinfo=None))


def test_an_action_takes_only_keywords_with_actor_and_time() -> None:
    with pytest.raises(TypeError, match="keyword"):
        action(lambda by, at: None)
    with pytest.raises(TypeError, match="by="):
        action(lambda *, by: None)
    with pytest.raises(TypeError, match="Actor"):
        rename(shelf=ShelfFactory(), name="x", by="ann", at=AT)  # type: ignore[arg-type]


def test_a_save_that_met_a_newer_version_is_shown_as_stale() -> None:
    mine = Shelf.objects.get(pk=ShelfFactory().pk)
    Shelf.objects.update(name="theirs")
    with pytest.raises(Stale) as refused:
        rename(shelf=mine, name="mine", by=ANN, at=AT)
    assert refused.value.status == 412
    assert refused.value.remedy


def test_a_refusal_of_the_database_is_shown_as_stale() -> None:
    @action
    def force(*, by: Actor, at: dt.datetime) -> None:
        Shelf.objects.update(version=77)

    ShelfFactory()
    with pytest.raises(Stale, match="version 1"):
        force(by=ANN, at=AT)


def test_configuration_is_created_changed_and_removed_with_its_events() -> None:
    shelf = create_config(model=Shelf, values={"name": "a"}, by=ANN, at=AT)
    change_config(row=shelf, values={"name": "b"}, by=ANN, at=AT, expected_version=1)
    remove_config(row=shelf, by=ANN, at=AT)
    assert list(Event.objects.order_by("id").values_list("kind", flat=True)) == [
        "config.created", "config.changed", "config.removed",
    ]  # fmt: skip
    assert list(Shelf.history.order_by("version").values_list("name", "history_type")) == [
        ("a", "+"), ("b", "~"), ("b", "-"),
    ]  # fmt: skip


def test_a_stale_change_of_configuration_is_refused_with_the_difference() -> None:
    shelf = ShelfFactory(name="a")
    change_config(row=shelf, values={"name": "b"}, by=ANN, at=AT)
    with pytest.raises(Stale) as refused:
        change_config(row=shelf, values={"name": "c"}, by=ANN, at=AT, expected_version=1)
    assert refused.value.extra == {"current_version": 2, "diff": {"name": ["a", "b"]}}


def test_configuration_needs_the_role_and_valid_values() -> None:
    with pytest.raises(Forbidden) as forbidden:
        create_config(model=Shelf, values={"name": "a"}, by=SYSTEM, at=AT)
    assert "admin" in forbidden.value.remedy
    ShelfFactory(name="a")
    with pytest.raises(Invalid) as invalid:
        create_config(model=Shelf, values={"name": "a"}, by=ANN, at=AT)
    assert (invalid.value.field, invalid.value.remedy) == ("name", "correct the value")


def test_a_change_of_nothing_records_nothing() -> None:
    shelf = ShelfFactory(name="a")
    change_config(row=shelf, values={"name": "a"}, by=ANN, at=AT)
    assert not Event.objects.exists()
    assert issubclass(Stale, ActionRefused)
    assert ThingFactory().version == 1
