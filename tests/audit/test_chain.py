"""The chain catches what somebody with the owner's rights did to the history."""

from __future__ import annotations

import hashlib

import pytest
from django.db import connection, transaction

from audit import chain
from audit.context import acting, entry
from audit.queries import history_faults, history_rows, schemas
from tests.audit.app.models import Thing
from tests.audit.factories import ANN, ThingFactory

pytestmark = pytest.mark.django_db

TABLE = "specimens_historicalthing"


@pytest.fixture
def thing() -> Thing:
    """Three versions by a named person."""
    with transaction.atomic(), entry("page", "r1"), acting(ANN, reason="ticket 5"):
        thing: Thing = ThingFactory(data={"b": 1, "a": [None, "ü"]}, tags=["x", 'q"'], numbers=[1, 2], blob=b"\x00\xff")
        Thing.objects.update(name="second", price="3.10")
        Thing.objects.update(email=None, born_on="2001-02-03", due_at="2026-03-29T01:30:00Z")
    return thing


def _tamper(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute(statement.replace("TABLE", TABLE))
        cursor.execute("set local session_replication_role = origin")


def test_an_untouched_history_verifies(thing: Thing) -> None:
    assert history_faults(Thing, thing.pk) == []
    assert len(history_rows(Thing, thing.pk)) == 3


@pytest.mark.parametrize(
    "setting",
    ["timezone = 'Asia/Kathmandu'", "datestyle = 'German'", "client_encoding = 'LATIN1'", "intervalstyle = 'iso_8601'",
     "extra_float_digits = -5", "bytea_output = 'escape'"],
)  # fmt: skip
def test_the_hash_does_not_depend_on_the_session(thing: Thing, setting: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"set local {setting}")
        Thing.objects.update(counter=9, ratio=0.1)
        cursor.execute(f"reset {setting.split()[0]}")
    assert history_faults(Thing, thing.pk) == []


@pytest.mark.parametrize(
    "statement",
    [
        "update TABLE set name = 'forged' where version = 2",
        "update TABLE set price = 3.1 * 2 where version = 2",
        "update TABLE set data = '{}' where version = 1",
        "update TABLE set due_at = null where version = 3",
        "update TABLE set blob = '' where version = 1",
        "update TABLE set email = 'forged@example.org' where version = 2",
        "update TABLE set email = 'added@example.org' where version = 3",
        "update TABLE set born_on = null where version = 3",
        "update TABLE set actor_id = '8' where version = 2",
        "update TABLE set actor_kind = 'job' where version = 2",
        "update TABLE set actor_label = 'Zed' where version = 2",
        "update TABLE set on_behalf_of = '' where version = 2",
        "update TABLE set history_user_id = null where version = 2",
        "update TABLE set history_change_reason = 'other' where version = 2",
        "update TABLE set actor_channel = 'mail', request_id = 'r2' where version = 2",
        "update TABLE set history_date = history_date + interval '1 microsecond' where version = 2",
        "update TABLE set xid = xid + 1 where version = 2",
        "update TABLE set history_type = '-' where version = 2",
        "update TABLE set version = 99 where version = 2; update TABLE set version = 2 where version = 3; "
        "update TABLE set version = 3 where version = 99",
        "delete from TABLE where version = 2",
        "delete from TABLE where version = 1",
        "delete from TABLE where version = 3",
        "delete from TABLE",
        "update TABLE set row_hash = sha256('x') where version = 3",
        "update TABLE set prev_hash = null where version = 2",
        "delete from specimens_thing",
    ],
)
def test_what_was_touched_is_found(thing: Thing, statement: str) -> None:
    _tamper(statement)
    assert history_faults(Thing, thing.pk) != []


def test_a_row_inserted_at_the_end_is_found(thing: Thing) -> None:
    columns = (
        "id, name, state, is_imported, counter, data, tags, numbers, uid, ratio, history_date, history_type, xid, "
        "salts, schema_version, actor_kind, actor_id, actor_label, on_behalf_of, actor_channel, request_id, "
        "commitments, row_hash"
    )
    _tamper(
        f"insert into TABLE ({columns}, version, prev_hash) select {columns}, 4, row_hash from TABLE "
        "where version = 3; update specimens_thing set version = 4"
    )
    assert any("does not" in fault or "committed" in fault for fault in history_faults(Thing, thing.pk))


def test_an_erased_value_leaves_every_hash_valid(thing: Thing) -> None:
    _tamper("update TABLE set email = null, salts = salts || '{\"email\": null}', actor_label = '', "
            "history_change_reason = null")  # fmt: skip
    faults = history_faults(Thing, thing.pk)
    assert faults == [f"version {n}: {name} is not the value that was committed to" for n in (1, 2, 3)
                      for name in ("actor_label", "history_change_reason")]  # fmt: skip
    _tamper("""update TABLE set salts = salts || '{"actor_label": null, "history_change_reason": null}'""")
    assert history_faults(Thing, thing.pk) == []


def test_a_personal_value_can_not_be_guessed_from_its_commitment(thing: Thing) -> None:
    first, second = history_rows(Thing, thing.pk)[:2]
    value = first.values["email"]
    assert value is not None
    assert first.commitments["email"] != hashlib.sha256(value).digest()
    assert first.commitments["email"] != second.commitments["email"]
    assert len(first.salts["email"] or b"") == 16


def test_the_same_bytes_give_the_same_hash_without_a_database(thing: Thing) -> None:
    columns = schemas(Thing)
    rows = history_rows(Thing, thing.pk)
    assert [chain.row_hash(row, columns[row.schema_version]) for row in rows] == [row.row_hash for row in rows]


def test_the_form_is_that_of_the_decision_record() -> None:
    text, null = "00000011000000026162", "00000014ffffffff"
    assert chain.encode([(17, b"ab"), (20, None)]).hex() == "00000002" + text + null
