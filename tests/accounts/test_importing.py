"""People by CSV: a dry run tells row by row what the real run does, by the same actions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from accounts.actions import ImportReport, import_people
from accounts.models import User
from accounts.queries import actor_for
from accounts.roster import MOST_ROWS, UnreadableSheet, read, safe_cell
from audit.actions import Forbidden, Invalid
from audit.models import Event
from tests.accounts.factories import AT, ApiKeyFactory, OrganisationFactory, TeamFactory, UserFactory, bearer

db = pytest.mark.django_db
SHEET = """email;name;phone;roles;teams;organisation;is_vip
olu@example.org;Olú Adé;+34 600;agent|lead;network*;Acme;sí
wen@example.org;Wen;;;;;
"""


def run(text: str | bytes, *, dry_run: bool = False, boss: User | None = None) -> ImportReport:
    boss = boss or UserFactory(roles=["admin"])
    content = text.encode() if isinstance(text, str) else text
    return import_people(content=content, dry_run=dry_run, by=actor_for(boss), at=AT)


def outcomes(report: ImportReport) -> list[str]:
    return [row.outcome for row in report.rows]


@pytest.fixture
def acme(db: None) -> Any:
    return OrganisationFactory(name="Acme"), TeamFactory(slug="network")


def test_people_are_created_with_roles_and_teams_and_changed_the_next_time(acme: Any) -> None:
    assert outcomes(run(SHEET)) == ["created", "created"]
    olu = User.objects.get(email="olu@example.org")
    assert (olu.name, olu.is_vip, olu.organisation, olu.is_staff) == ("Olú Adé", True, acme[0], True)
    assert olu.memberships.get().is_lead
    assert not olu.can_sign_in
    assert outcomes(run(SHEET)) == ["unchanged", "unchanged"]
    again = run("email,name,roles\nWEN@example.org,Wen Li,agent\nolu@example.org,,\n")
    assert again.rows[0].changes == {"name": ["Wen", "Wen Li"], "roles": [["requester"], ["agent", "requester"]]}
    assert outcomes(again) == ["changed", "unchanged"]
    assert User.objects.get(email="olu@example.org").name == "Olú Adé"


def test_a_dry_run_says_the_same_and_does_nothing(acme: Any) -> None:
    boss = UserFactory(roles=["admin"])
    people, events = User.objects.get_queryset().count(), Event.objects.count()
    told = run(SHEET, dry_run=True, boss=boss)
    assert (User.objects.get_queryset().count(), Event.objects.count()) == (people, events)
    assert told.rows == run(SHEET, boss=boss).rows


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ("=HYPERLINK(1)@example.org,x,,", "email"),
        (",x,,", "email"),
        ("nobody,x,,", "email"),
        ("a@example.org,=cmd|' /C calc'!A0,,", "name"),
        ("a@example.org,@SUM(1),,", "name"),
        ("a@example.org,x,king,", "role"),
        ("a@example.org,x,,nowhere", "teams"),
        ("a@example.org,x,,,,,", ""),
        ("gone@example.org,x,,", "email"),
    ],
)
def test_a_bad_row_is_refused_with_its_column_and_keeps_no_other_back(acme: Any, row: str, field: str) -> None:
    UserFactory(email="gone@example.org", is_active=False)
    report = run(f"email,name,roles,teams\n{row}\nfine@example.org,Fine,,\n")
    assert outcomes(report) == ["refused", "created"]
    assert (report.rows[0].line, report.rows[0].errors[0]["field"]) == (2, field)
    assert report.rows[0].errors[0]["cause"]


def test_an_address_stands_once_and_nobody_gives_themselves_a_role(acme: Any) -> None:
    boss = UserFactory(roles=["admin"], email="boss@example.org")
    twice = run("email\na@example.org\nA@example.org\nboss@example.org\n", boss=boss)
    assert outcomes(twice) == ["created", "refused", "unchanged"]
    assert outcomes(run("email,roles\nboss@example.org,auditor\n", boss=boss)) == ["refused"]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"", "line 1"),
        (b"name\nx\n", "line 1"),
        (b"email,salary\nx,1\n", "line 1"),
        (b"email,email\nx,y\n", "line 1"),
        (b"email\n\x00\n", "file"),
        (b'email\n"open\n', "line 2"),
        (b"email\n" + b"a@b.org\n" * (MOST_ROWS + 1), "file"),
        (b"x" * 3_000_000, "file"),
        (b"\xff\xfe\x00", "file"),
    ],
)
def test_a_file_that_is_none_is_refused_as_a_whole(content: bytes, place: str) -> None:
    with pytest.raises(UnreadableSheet) as refused:
        read(content)
    assert refused.value.place == place


@pytest.mark.parametrize(
    ("encoding", "said"), [("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8"), ("utf-16", "UTF-16"), ("cp1252", "Windows-1252")]
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_every_spreadsheets_way_of_writing_is_read(encoding: str, said: str, delimiter: str) -> None:
    text = f"E-Mail{delimiter}name\r\nx@example.org{delimiter}Muñoz\r\n".replace("E-Mail", "email")
    sheet = read(text.encode(encoding))
    assert (sheet.encoding, sheet.rows[0].values["name"], bool(sheet.note)) == (said, "Muñoz", said == "Windows-1252")


@given(st.binary(max_size=300))
def test_no_file_breaks_the_reader(content: bytes) -> None:
    try:
        rows = read(b"email,name\n" + content).rows
    except UnreadableSheet:
        return
    assert all(row.line > 1 for row in rows)


@given(st.text(max_size=20))
def test_no_cell_that_we_write_is_a_formula(text: str) -> None:
    assert not safe_cell(text).startswith(("=", "+", "-", "@", "\t", "\r"))


@db
def test_only_an_admin_imports() -> None:
    with pytest.raises(Forbidden):
        run("email\nx\n", boss=UserFactory(roles=["lead"]))
    with pytest.raises(Invalid):
        run("nothing")


def test_the_api_is_a_dry_run_unless_told_otherwise(acme: Any) -> None:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=bearer(ApiKeyFactory(user=UserFactory(roles=["admin"]))))
    tried = client.post("/api/v1/users/import/", {"csv": SHEET})
    assert (tried.status_code, tried.data["is_dry_run"], tried.data["outcomes"]) == (200, True, {"created": 2})
    assert not User.objects.get_queryset().filter(email="olu@example.org").exists()
    done = client.post("/api/v1/users/import/", {"csv": SHEET, "dry_run": False})
    assert done.data["rows"][0]["changes"]["roles"] == [[], ["agent", "lead"]]
    assert client.post("/api/v1/users/import/", {"csv": "x"}).status_code == 400


def test_the_command_tries_and_with_apply_does(acme: Any, tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "people.csv"
    file.write_text(SHEET + "bad;;;;;;\n", encoding="utf-8")
    with pytest.raises(SystemExit):
        call_command("import_people", str(file), json=True)
    assert json.loads(capsys.readouterr().out)["outcomes"] == {"created": 2, "refused": 1}
    assert not User.objects.get_queryset().filter(email="olu@example.org").exists()
    with pytest.raises(SystemExit):
        call_command("import_people", str(file), apply=True)
    assert "line 4 bad: refused" in capsys.readouterr().out
    assert User.objects.get_queryset().filter(email="olu@example.org").exists()


def test_the_page_shows_each_row_before_it_does_anything(acme: Any, client: Client) -> None:
    client.force_login(UserFactory(roles=["admin"]))
    page = "/admin/accounts/user/import/"
    assert b"Import" in client.get(page).content
    tried = client.post(page, {"csv": SHEET + "=x;;;;;;\n"})
    assert b"olu@example.org" in tried.content
    assert b"begins like a formula" in tried.content
    assert not User.objects.get_queryset().filter(email="olu@example.org").exists()
    assert client.post(page, {"csv": SHEET, "apply": "1"}).status_code == 200
    assert User.objects.get_queryset().filter(email="olu@example.org").exists()
    client.force_login(UserFactory(roles=["agent"]))
    assert client.get(page).status_code == 403
