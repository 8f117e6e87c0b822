"""The auditor's pages: complete, in order, at a fixed cost, only for whom they are, and never changing a thing."""

from __future__ import annotations

import csv
import datetime as dt
import io
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

import accounts.actions
import incidents.actions
from accounts.models import Team
from accounts.queries import actor_for
from audit.actor import SYSTEM
from audit.context import acting
from audit.models import Event
from incidents.models import Incident
from servicedesk.trail import queries, reviews, tables
from servicedesk.trail.queries import Filters
from tests.accounts.factories import ApiKeyFactory, TeamFactory, UserFactory, bearer
from tests.incidents.factories import AT, IncidentFactory, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def auditor(client: Client) -> Client:
    client.force_login(UserFactory(roles=["auditor"], name="Ada Auditor"))
    return client


def lines(**filters: Any) -> list[queries.Line]:
    return queries.page(SYSTEM, Filters(**filters), limit=200).lines


def test_every_tracked_model_has_its_table_in_the_trail() -> None:
    labels = set(tables.all_tracked())
    assert {"incidents.incident", "accounts.team", "sla.calendar", "oncall.escalationpolicy"} <= labels
    assert len(labels) > 30


def test_old_and_new_stand_beside_who_when_how_and_why() -> None:
    team = TeamFactory(name="Network")
    with acting(person(), reason="merger"):
        team.name = "Networks"
        team.save()
    (line, _created) = lines(model="accounts.team", object=team.pk)
    assert (line.change, line.version, line.reason, line.label) == ("changed", 2, "merger", "Networks")
    assert [(one.field, one.old, one.new) for one in line.changes] == [("name", "Network", "Networks")]


def test_a_removed_object_leaves_its_line() -> None:
    team = TeamFactory()
    pk = team.pk
    team.delete()
    assert [one.change for one in lines(model="accounts.team", object=pk)] == ["removed", "created"]


def test_pages_show_each_line_once_in_order() -> None:
    for _ in range(7):
        IncidentFactory()
        TeamFactory()
    whole = [(one.at, one.model, one.history_id) for one in lines()]
    assert whole == sorted(whole, reverse=True)
    seen, place = [], None
    while True:
        one = queries.page(SYSTEM, Filters(), place, limit=4)
        seen += [(line.at, line.model, line.history_id) for line in one.lines]
        if one.next is None:
            break
        place = one.next
    assert seen == whole


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"who": "wen"}, 1), ({"channel": "code"}, 2), ({"channel": "page"}, 0), ({"change": "~"}, 1),
        ({"field": "name"}, 1), ({"field": "tier"}, 0), ({"since": dt.datetime(2100, 1, 1, tzinfo=dt.UTC)}, 0),
        ({"until": dt.datetime(2000, 1, 1, tzinfo=dt.UTC)}, 0), ({"request_id": "r1"}, 0),
    ],
)  # fmt: skip
def test_filters(filters: dict[str, Any], found: int) -> None:
    with acting(SYSTEM):
        team = TeamFactory()
    with acting(person(UserFactory(name="Wen Zhang"))):
        team.name = "Other"
        team.save()
    assert len([one for one in lines(model="accounts.team", **filters) if one.object == team.pk]) == found


def test_an_unindexed_filter_looks_at_a_bounded_stretch_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "LOOKED_AT", 3)
    team = TeamFactory(name="Wanted")
    with acting(person(UserFactory(name="Rare Person"))):
        team.slug = "wanted"
        team.save()
    with acting(SYSTEM):
        for _ in range(10):
            TeamFactory()
    place, pages = None, 0
    found: list[queries.Line] = []
    while pages < 30:
        one = queries.page(SYSTEM, Filters(who="rare", model="accounts.team"), place)
        found, pages, place = found + one.lines, pages + 1, one.next
        if place is None:
            break
    assert [line.object for line in found] == [team.pk]
    assert 2 <= pages < 10


def test_the_number_of_statements_does_not_grow(auditor: Client) -> None:
    counts = []
    for _ in range(2):
        for _ in range(8):
            IncidentFactory()
        with CaptureQueriesContext(connection) as statements:
            assert auditor.get("/audit/").status_code == 200
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 8


def test_the_trail_reads_by_the_index_on_the_date() -> None:
    with connection.cursor() as cursor:
        cursor.execute("select tablename, indexdef from pg_indexes where indexdef like '%(history_date%'")
        indexed = {row[0] for row in cursor.fetchall()}
    assert {one.table for one in tables.all_tracked().values()} <= indexed


@pytest.mark.parametrize("path", ["/audit/", "/audit/access/", "/audit/configuration/"])
@pytest.mark.parametrize("role", ["requester", "agent", "lead", "responder", "incident_manager", "manager"])
def test_for_others_they_do_not_exist(client: Client, path: str, role: str) -> None:
    client.force_login(UserFactory(roles=[role]))
    assert client.get(path).status_code == 404
    assert client.post("/audit/trail.csv").status_code == 404


@pytest.mark.parametrize("path", ["/audit/", "/audit/access/", "/audit/configuration/", "/audit/?model=accounts.team"])
@pytest.mark.parametrize("role", ["auditor", "admin"])
def test_they_show_and_change_nothing(client: Client, path: str, role: str) -> None:
    client.force_login(UserFactory(roles=[role]))
    IncidentFactory()
    before = Event.objects.count()
    answer = client.get(path)
    assert answer.status_code == 200
    assert Event.objects.count() == before
    assert client.post(path).status_code == 405


@pytest.mark.parametrize(
    "query",
    ["since=yesterday", "model=auth.user", "object=-1&model=accounts.team", "object=1", "field=x%22%3Bdrop", "change=x",
     "since=0001-01-01T00:00:00%2B23:59"],
)  # fmt: skip
def test_a_filter_that_makes_no_sense_is_named(auditor: Client, query: str) -> None:
    assert auditor.get(f"/audit/?{query}").status_code == 400


@pytest.mark.parametrize("cursor", ["x", "WzFd", "WyJ4IiwieSIsInoiXQ", "%00"])
def test_a_foreign_cursor_breaks_nothing(auditor: Client, cursor: str) -> None:
    assert auditor.get(f"/audit/?cursor={cursor}").status_code in (200, 404)


def test_a_restricted_incident_is_for_auditors_and_not_for_admins(client: Client) -> None:
    incident = IncidentFactory(title="Layoffs")
    Incident.objects.filter(pk=incident.pk).update(is_restricted=True, restricted_reason="personnel")
    admin, auditor = (actor_for(UserFactory(roles=[role])) for role in ("admin", "auditor"))
    asked = Filters(model="incidents.incident", object=incident.pk)
    assert queries.page(admin, asked).lines == []
    assert len(queries.page(auditor, asked).lines) == 2


def test_what_hangs_on_an_incident_is_found_by_its_links() -> None:
    participant = tables.all_tracked()["incidents.participant"].model
    assert tables.path_to_incident(participant) == ("incident",)
    assert not tables.is_configuration("incidents.participant")
    assert not tables.is_configuration("incidents.incident")
    assert tables.is_configuration("sla.calendar")


def test_an_export_is_whole_safe_and_recorded(auditor: Client) -> None:
    for number in range(3):
        TeamFactory(name=f"=cmd|' /C calc'!A{number}")
    answer = auditor.post("/audit/trail.csv?model=accounts.team")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))  # type: ignore[attr-defined]
    assert len(rows) == len(lines(model="accounts.team"))
    assert all(row["label"].startswith("'=") for row in rows[:3])
    event = Event.objects.get(kind="user.exported")
    assert event.data == {"what": "trail", "filters": "model=accounts.team"}
    assert auditor.get("/audit/trail.csv").status_code == 405


def test_who_has_which_role(auditor: Client) -> None:
    boss, wen = UserFactory(roles=["admin"], name="Bo Boss"), UserFactory(name="Wen Zhang")
    accounts.actions.grant_role(user=wen, role="lead", by=actor_for(boss), at=AT)
    accounts.actions.note_sign_in(user=wen, address="10.0.0.9", by=actor_for(wen), at=AT)
    (row,) = reviews.access("lead")
    assert (row.name, row.granted_by, row.granted_at, row.signed_in_at) == ("Wen Zhang", "Bo Boss", AT, AT)
    page = auditor.get("/audit/access/?role=lead").content.decode()
    assert "Bo Boss" in page
    text = b"".join(auditor.post("/audit/access.csv?role=lead").streaming_content).decode()  # type: ignore[attr-defined]
    assert "Wen Zhang" in text


def test_the_settings_as_of_a_moment_and_what_differs(auditor: Client) -> None:
    kept, gone = TeamFactory(name="Kept"), TeamFactory(name="Gone")
    with connection.cursor() as cursor:
        cursor.execute("select clock_timestamp()")
        moment = cursor.fetchone()[0]
    kept.name = "Renamed"
    kept.save()
    gone.delete()
    TeamFactory(name="New")
    then, now = (reviews.as_of(at, ["accounts.team"]) for at in (moment, moment + dt.timedelta(days=1)))
    assert {row["name"] for row in then.values()} >= {"Kept", "Gone"}
    assert not {"Gone", "Kept"} & {row["name"] for row in now.values()}
    told = {(one.label, one.change) for one in reviews.compared(then, now)}
    assert told == {("Renamed", "changed"), ("Gone", "removed"), ("New", "created")}
    page = auditor.get("/audit/configuration/", {"at": moment.isoformat(), "model": "accounts.team"}).content.decode()
    assert "Gone" in page
    assert Team.objects.filter(name="New").exists()


def test_by_rest_the_same_filters_give_the_same_lines(client: Client) -> None:
    key = bearer(ApiKeyFactory(user=UserFactory(roles=["auditor"]), scopes=["audit-trail:read"]))
    for _ in range(3):
        TeamFactory()
    answer = client.get("/api/v1/audit-trail/?model=accounts.team&limit=2", headers={"Authorization": key})
    assert answer.status_code == 200
    shown = answer.json()
    assert [one["label"] for one in shown["results"]] == [one.label for one in lines(model="accounts.team")[:2]]
    assert parse_qs(urlsplit(shown["next"]).query)["cursor"]
    more = client.get(shown["next"], headers={"Authorization": key}).json()
    assert more["next"] is None
    for path, status in (("?nonsense=1", 400), ("?model=x", 400), ("?cursor=x", 400)):
        assert client.get(f"/api/v1/audit-trail/{path}", headers={"Authorization": key}).status_code == status


def test_a_machines_key_and_an_agent_read_no_trail_by_rest(client: Client) -> None:
    machine = bearer(ApiKeyFactory())
    agent = bearer(ApiKeyFactory(user=UserFactory(roles=["agent"])))
    for key in (machine, agent):
        assert client.get("/api/v1/audit-trail/", headers={"Authorization": key}).status_code == 404


def test_an_incidents_life_is_in_the_trail() -> None:
    incident = IncidentFactory()
    incidents.actions.resolve(incident=incident, by=SYSTEM, at=AT, code="fixed", notes="Paper.")
    newest = lines(model="incidents.incident", object=incident.pk)[0]
    assert {"state", "resolution_code"} <= {one.field for one in newest.changes}
