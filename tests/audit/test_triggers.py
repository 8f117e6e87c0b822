"""No way of writing escapes the history: each of them appears, with gapless versions and a chain that verifies."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin import ModelAdmin, site
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import F
from django.test import RequestFactory

from audit.context import acting, entry
from audit.models import Event, HistorySchema, StaleRow, UnattributedWrite
from audit.queries import history_faults
from audit.triggers import InstallTriggers, check, install
from tests.audit.app.models import Errand, Shelf, Thing
from tests.audit.factories import ANN, ShelfFactory, ThingFactory

pytestmark = pytest.mark.django_db


def _sql(statement: str, *parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def _sqlstate(error: BaseException) -> str:
    return str(getattr(error.__cause__, "sqlstate", ""))


def _save(thing: Thing) -> None:
    thing.name = "saved"
    thing.save()


def _save_named_fields(thing: Thing) -> None:
    thing.name = "saved"
    thing.save(update_fields=["name"])


def _bulk_update(thing: Thing) -> None:
    thing.name = "bulk"
    Thing.objects.bulk_update([thing], ["name"])


def _upsert(thing: Thing) -> None:
    Thing.objects.bulk_create(
        [Thing(pk=thing.pk, name="upserted")], update_conflicts=True, unique_fields=["id"], update_fields=["name"]
    )


def _on_conflict(thing: Thing) -> None:
    _sql(
        "insert into specimens_shelf (name, version) values (%s, 1) on conflict (name) do update set name = %s",
        thing.shelf.name, "renamed",
    )  # fmt: skip


def _set_null(thing: Thing) -> None:
    thing.shelf.delete()


def _loaddata(thing: Thing) -> None:
    path = Path("/tmp") / f"specimen-{thing.pk}.json"
    fields = {"name": "loaded", "version": thing.version, "state": thing.state, "uid": str(thing.uid)}
    path.write_text(json.dumps([{"model": "specimens.thing", "pk": thing.pk, "fields": fields}]))
    call_command("loaddata", str(path), verbosity=0)
    path.unlink()


def _admin_action(thing: Thing) -> None:
    from django.contrib.admin.actions import delete_selected

    class Silent(ModelAdmin):
        def has_delete_permission(self, request: Any, obj: Any = None) -> bool:
            return True

        def get_deleted_objects(self, objs: Any, request: Any) -> Any:
            return [], {}, set(), []

        def message_user(self, *args: Any, **kwargs: Any) -> None: ...

        def log_deletions(self, request: Any, queryset: Any) -> Any: ...

    delete_selected(Silent(Thing, site), RequestFactory().post("/", {"post": "yes"}), Thing.objects.filter(pk=thing.pk))


CHANGES: dict[str, tuple[Callable[[Thing], object], str]] = {
    "save": (_save, "~"),
    "save with update_fields": (_save_named_fields, "~"),
    "queryset.update": (lambda thing: Thing.objects.filter(pk=thing.pk).update(name="updated"), "~"),
    "update with F()": (lambda thing: Thing.objects.filter(pk=thing.pk).update(counter=F("counter") + 1), "~"),
    "bulk_update": (_bulk_update, "~"),
    "update_or_create": (lambda thing: Thing.objects.update_or_create(pk=thing.pk, defaults={"name": "other"}), "~"),
    "upsert": (_upsert, "~"),
    "raw SQL": (lambda thing: _sql("update specimens_thing set name = 'raw' where id = %s", thing.pk), "~"),
    "set null by cascade": (_set_null, "~"),
    "loaddata": (_loaddata, "~"),
    "delete": (lambda thing: thing.delete(), "-"),
    "queryset.delete": (lambda thing: Thing.objects.filter(pk=thing.pk).delete(), "-"),
    "raw delete": (lambda thing: _sql("delete from specimens_thing where id = %s", thing.pk), "-"),
    "admin action": (_admin_action, "-"),
}
CREATIONS: dict[str, Callable[[], object]] = {
    "save": lambda: Thing(name="new").save(),
    "create": lambda: Thing.objects.create(name="new"),
    "bulk_create": lambda: Thing.objects.bulk_create([Thing(name="new"), Thing(name="new")]),
    "get_or_create": lambda: Thing.objects.get_or_create(name="new"),
    "update_or_create": lambda: Thing.objects.update_or_create(name="new"),
    "factory": lambda: ThingFactory(name="new"),
}


@pytest.mark.parametrize("way", CHANGES)
def test_every_way_of_changing_is_in_the_history(way: str) -> None:
    change, sign = CHANGES[way]
    thing = Thing.objects.get(pk=ThingFactory().pk)
    change(thing)
    rows = list(Thing.history.filter(id=thing.pk or rows_pk(thing)).order_by("version"))
    assert [(row.version, row.history_type) for row in rows] == [(1, "+"), (2, sign)]
    assert history_faults(Thing, rows[0].id) == []


def rows_pk(thing: Thing) -> int:
    """Deleting clears the key in memory; the newest history row still has it."""
    return int(Thing.history.order_by("-history_id")[0].id)


@pytest.mark.parametrize("way", CREATIONS)
def test_every_way_of_creating_is_in_the_history(way: str) -> None:
    CREATIONS[way]()
    made = list(Thing.objects.filter(name="new"))
    assert made
    assert [(row.version, row.history_type) for row in Thing.history.filter(name="new")] == [(1, "+")] * len(made)
    assert [history_faults(Thing, thing.pk) for thing in made] == [[]] * len(made)


def test_on_conflict_do_update_is_a_new_version() -> None:
    thing = ThingFactory()
    _on_conflict(thing)
    assert list(Shelf.history.order_by("version").values_list("version", "name")) == [
        (1, thing.shelf.name), (2, "renamed"),
    ]  # fmt: skip


def test_an_object_that_comes_back_continues_its_versions() -> None:
    shelf = ShelfFactory()
    Shelf.objects.filter(pk=shelf.pk).delete()
    again = Shelf(id=shelf.pk, name="back")
    again.save(force_insert=True)
    Shelf.objects.filter(pk=shelf.pk).update(name="changed")
    assert list(Shelf.history.order_by("version").values_list("version", "history_type")) == [
        (1, "+"), (2, "-"), (3, "+"), (4, "~"),
    ]  # fmt: skip
    assert history_faults(Shelf, shelf.pk) == []


def test_saving_without_a_change_writes_nothing() -> None:
    shelf = Shelf.objects.get(pk=ShelfFactory().pk)
    shelf.save()
    Shelf.objects.update(name=F("name"))
    assert Shelf.history.count() == 1
    assert shelf.version == 1


@pytest.mark.parametrize("bulk", [True, False])
def test_a_change_outside_the_history_makes_no_version(bulk: bool) -> None:
    thing = Thing.objects.get(pk=ThingFactory().pk)
    moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    if bulk:
        Thing.objects.update(seen_at=moment)
    else:
        thing.seen_at = moment
        thing.save()
    fresh = Thing.objects.get(pk=thing.pk)
    assert (fresh.version, fresh.seen_at, Thing.history.count()) == (1, moment, 1)


def test_a_change_inside_a_json_value_is_noticed() -> None:
    thing = Thing.objects.get(pk=ThingFactory(data={"a": [1]}).pk)
    thing.data["a"].append(2)
    thing.save()
    assert Thing.history.get(version=2).data == {"a": [1, 2]}


def test_fields_left_out_of_a_save_are_still_to_be_saved() -> None:
    thing = Thing.objects.get(pk=ThingFactory().pk)
    thing.name, thing.counter = "new", 5
    thing.save(update_fields=["name"])
    thing.save()
    assert Thing.objects.get(pk=thing.pk).counter == 5
    assert thing.version == 3


@pytest.mark.parametrize("others", [1, 2])
def test_a_save_on_an_older_version_is_refused(others: int) -> None:
    mine = Shelf.objects.get(pk=ShelfFactory().pk)
    for number in range(others):
        Shelf.objects.update(name=f"theirs {number}")
    mine.name = "mine"
    with pytest.raises(StaleRow), transaction.atomic():
        mine.save()
    assert Shelf.objects.get().name == f"theirs {others - 1}"
    assert mine.version == 1


@pytest.mark.parametrize("version", [0, 3, 99])
def test_a_write_for_another_version_is_refused_by_the_database(version: int) -> None:
    ShelfFactory()
    with pytest.raises(DatabaseError) as refused, transaction.atomic():
        Shelf.objects.update(version=version)
    assert _sqlstate(refused.value) == "SD001"


def test_an_object_keeps_its_identity() -> None:
    shelf = ShelfFactory()
    with pytest.raises(DatabaseError, match="keeps its identity"), transaction.atomic():
        _sql("update specimens_shelf set id = id + 1 where id = %s", shelf.pk)


def test_the_row_tells_who_when_where_and_why() -> None:
    with entry("api", "req-1"), transaction.atomic(), acting(ANN, reason="because"):
        thing = ThingFactory()
    row = thing.history.get()
    assert (row.history_user_id, row.actor_kind, row.actor_id, row.actor_label) == (7, "person", "7", "Ann")
    assert (row.on_behalf_of, row.actor_channel, row.request_id) == ("Bob", "api", "req-1")
    assert row.history_change_reason == "because"
    with connection.cursor() as cursor:
        cursor.execute("select pg_current_xact_id()::text::bigint, clock_timestamp()")
        xid, now = cursor.fetchone()
    assert row.xid == xid
    assert dt.timedelta(0) < now - row.history_date < dt.timedelta(seconds=10)


def test_a_write_by_nobody_is_recorded_and_raises_the_alarm() -> None:
    shelf = ShelfFactory()
    row = shelf.history.get()
    assert (row.actor_kind, row.actor_id, row.actor_channel) == ("db", connection.settings_dict["USER"], "db")
    alarm = UnattributedWrite.objects.get(model="specimens.shelf")
    assert (alarm.object_id, alarm.object_version, alarm.role) == (str(shelf.pk), 1, row.actor_id)


def test_an_attributed_write_raises_no_alarm() -> None:
    with transaction.atomic(), acting(ANN):
        ShelfFactory()
    assert not UnattributedWrite.objects.filter(model="specimens.shelf").exists()


@pytest.mark.parametrize(
    "write",
    [
        lambda thing: Thing.objects.filter(pk=thing.pk).update(state="done"),
        lambda thing: _sql("update specimens_thing set state = 'done' where id = %s", thing.pk),
        lambda thing: _sql("update specimens_thing set state = 'done', version = 2 where id = %s", thing.pk),
        lambda thing: _sql("update specimens_thing set state = 'nonsense' where id = %s", thing.pk),
        lambda thing: Thing.objects.bulk_update([Thing(pk=thing.pk, state="done")], ["state"]),
    ],
)
def test_a_jump_past_the_state_machine_is_refused(write: Callable[[Thing], object]) -> None:
    thing = ThingFactory()
    with pytest.raises(DatabaseError) as refused, transaction.atomic():
        write(thing)
    assert _sqlstate(refused.value) == "SD002"
    assert Thing.objects.get(pk=thing.pk).state == "open"


def test_the_steps_of_the_state_machine_pass() -> None:
    thing = ThingFactory()
    thing.start()
    thing.save()
    Thing.objects.update(state="done")
    assert list(thing.history.order_by("version").values_list("state", flat=True)) == ["open", "working", "done"]


def test_a_thing_may_begin_only_in_the_states_that_its_model_names() -> None:
    ThingFactory(state="done")
    with pytest.raises(DatabaseError, match="may not begin"), transaction.atomic():
        ThingFactory(state="working")


def test_states_are_guarded_without_history_too() -> None:
    errand = Errand.objects.create()
    Errand.objects.update(lease_until=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    errand.mark_sent()
    errand.save()
    with pytest.raises(DatabaseError) as refused, transaction.atomic():
        Errand.objects.update(state="queued")
    assert _sqlstate(refused.value) == "SD002"
    with pytest.raises(DatabaseError, match="may not begin"), transaction.atomic():
        Errand.objects.create(state="sent")
    assert Errand.objects.update(state="failed") == 1


@pytest.mark.parametrize("imported", [True, False])
def test_only_an_import_leaves_a_final_state(imported: bool) -> None:
    thing = ThingFactory(state="done", is_imported=imported)
    if imported:
        assert Thing.objects.filter(pk=thing.pk).update(state="working") == 1
        return
    with pytest.raises(DatabaseError), transaction.atomic():
        Thing.objects.filter(pk=thing.pk).update(state="working", is_imported=True)


@pytest.mark.parametrize(
    "table", ["specimens_historicalthing", "audit_event", "audit_unattributedwrite", "audit_historyschema"]
)
@pytest.mark.parametrize("statement", ["delete from {}", "update {} set id = id", "truncate {} cascade"])
def test_the_trail_refuses_change_and_removal(table: str, statement: str) -> None:
    column = "history_id = history_id" if "historical" in table else "id = id"
    with pytest.raises(DatabaseError) as refused, transaction.atomic():
        _sql(statement.format(table).replace("id = id", column))
    assert _sqlstate(refused.value) == "SD003"


def test_a_tracked_table_refuses_truncate() -> None:
    with pytest.raises(DatabaseError, match="refuses truncate"), transaction.atomic():
        _sql("truncate specimens_thing")


def test_one_version_of_an_object_stands_in_the_history_once() -> None:
    thing = ThingFactory()
    row = thing.history.get()
    row.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save(force_insert=True)


def test_history_tools_read_what_the_triggers_wrote() -> None:
    thing = ThingFactory(name="first", price=Decimal("1.50"))
    between = thing.history.latest().history_date
    Thing.objects.update(name="second", email="other@example.org")
    newest, oldest = thing.history.all()
    assert {change.field for change in newest.diff_against(oldest).changes} == {"name", "email"}
    assert Thing.history.as_of(between).get().name == "first"
    assert Thing.history.as_of(between).get().version == 1
    assert (thing.history.latest().name, newest.prev_record, oldest.next_record) == ("second", oldest, newest)
    assert oldest.prev_record is None


def test_reading_the_past_costs_one_query(django_assert_num_queries: Any) -> None:
    for _ in range(3):
        ShelfFactory()
    moment = Shelf.history.latest().history_date
    with django_assert_num_queries(1):
        assert len(Shelf.history.as_of(moment)) == 3


def test_installed_and_generated_triggers_are_the_same() -> None:
    assert check() == []


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("alter table specimens_thing disable trigger audit_write_update", "is switched off"),
        ("drop trigger audit_guard_update on specimens_thing", "is missing"),
        ("drop trigger audit_states on specimens_errand", "is missing"),
        ("drop trigger audit_append_only on specimens_historicalthing", "is missing"),
        ("alter function audit_write_specimens_thing() reset all", "differs"),
        (
            "create or replace function audit_write_specimens_thing() returns trigger language plpgsql "
            "set search_path = pg_catalog, pg_temp as 'begin return null; end'",
            "differs",
        ),
        (
            "create or replace trigger audit_write after insert on specimens_thing for each row "
            "execute function audit_write_specimens_thing()",
            "differs",
        ),
        ("alter table specimens_historicalthing rename column data to datum", "columns changed"),
    ],
)
def test_a_touched_trigger_is_told(statement: str, told: str) -> None:
    _sql(statement)
    assert any(told in one and "specimens" in one for one in check())


def test_a_new_column_gets_a_schema_version_and_old_rows_still_verify() -> None:
    for table in ("thing", "historicalthing"):
        _sql(f"alter table specimens_{table} rename column ratio to ratio_later")
        _sql(f"alter table specimens_{table} alter column ratio_later drop not null")
    install(connection, "specimens")
    _sql(
        "insert into specimens_thing (id, name, version, state, is_imported, counter, data, tags, numbers, uid) "
        "values (77, 'old', 1, 'open', false, 0, '{}', '{}', '{}', gen_random_uuid())"
    )
    for table in ("thing", "historicalthing"):
        _sql(f"alter table specimens_{table} rename column ratio_later to ratio")
    install(connection, "specimens")
    Thing.objects.filter(pk=77).update(ratio=2.5)
    numbers = list(Thing.history.filter(id=77).order_by("version").values_list("schema_version", flat=True))
    assert numbers[0] < numbers[1]
    assert HistorySchema.objects.filter(model="specimens.thing", schema_version=numbers[1]).exists()
    assert history_faults(Thing, 77) == []
    assert check() == []


def test_installing_again_changes_nothing() -> None:
    before = HistorySchema.objects.count()
    install(connection, "specimens")
    assert HistorySchema.objects.count() == before
    assert check() == []


def test_triggers_can_be_taken_out_and_put_back() -> None:
    operation = InstallTriggers("specimens")
    with connection.schema_editor(atomic=False) as editor:
        operation.database_backwards("specimens", editor, None, None)
        assert any("specimens_thing is missing" in one for one in check())
        operation.database_forwards("specimens", editor, None, None)
    assert check() == []


def test_rows_written_before_their_triggers_are_refused_at_install() -> None:
    with connection.schema_editor(atomic=False) as editor:
        InstallTriggers("specimens").database_backwards("specimens", editor, None, None)
        ShelfFactory()
        with pytest.raises(ImproperlyConfigured, match="rows without history"):
            InstallTriggers("specimens").database_forwards("specimens", editor, None, None)


def test_events_may_be_added_but_not_changed() -> None:
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    event = Event.objects.create(
        kind="config.created", subject_type="x", subject_id=1, about_type="x", about_id=1, at=now, actor_kind="job",
        actor_id="a", actor_label="a", channel="job",
    )  # fmt: skip
    event.kind = "config.removed"
    with pytest.raises(DatabaseError), transaction.atomic():
        event.save()
