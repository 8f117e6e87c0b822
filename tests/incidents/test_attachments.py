"""Files on an incident: who may add and fetch them, by which way, and how they are handed out."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError
from django.test import Client

import incidents.actions
from audit.actions import Forbidden
from incidents.actions import FileRefused
from incidents.filetypes import Upload
from incidents.models import Attachment, Comment, Incident
from incidents.models.attachment import attachment_storage
from tests.accounts.factories import ApiKeyFactory, MembershipFactory, TeamFactory, UserFactory, bearer
from tests.incidents.factories import AT, IncidentFactory, person
from tests.incidents.test_filetypes import picture
from tests.incidents.trail import kinds, last

pytestmark = pytest.mark.django_db
LOG = Upload("../server.log", b"error 502\n")


@pytest.fixture
def world() -> dict[str, Any]:
    """An incident of a requester in a team with an agent; and a stranger."""
    team, requester = TeamFactory(), UserFactory(roles=["requester"])
    agent = UserFactory(roles=["agent"])
    MembershipFactory(user=agent, team=team)
    return {
        "incident": IncidentFactory(team=team, requester=requester), "requester": requester, "agent": agent,
        "agent_actor": person(agent, "agent", teams=(team,)), "requester_actor": person(requester, "requester"),
        "stranger": UserFactory(roles=["agent"]),
    }  # fmt: skip


def kept(world: dict[str, Any], **more: Any) -> Attachment:
    values: dict[str, Any] = {
        "incident": world["incident"],
        "by": world["agent_actor"],
        "at": AT,
        "files": [LOG],
        **more,
    }
    return incidents.actions.attach(**values)[0]


def test_a_file_gets_a_random_place_and_keeps_its_name(world: dict[str, Any]) -> None:
    one = kept(world)
    assert (one.name, one.content_type, one.size) == ("server.log", "text/plain", 10)
    assert "server" not in str(one.file.name)
    assert one.file.read() == b"error 502\n"
    assert kinds(world["incident"])[-1] == "file_attached"
    assert last(world["incident"]).data["attachment"] == str(one.key)


def test_a_refused_file_leaves_neither_row_nor_comment_nor_file(world: dict[str, Any]) -> None:
    with pytest.raises(FileRefused, match=r"setup\.exe"):
        incidents.actions.comment_with_files(
            incident=world["incident"],
            by=world["agent_actor"],
            at=AT,
            body="see",
            files=[LOG, Upload("setup.exe", b"MZ\0")],
        )
    assert not Attachment.objects.exists()
    assert not Comment.objects.exists()


def stored() -> set[str]:
    """The names of all files that the storage holds."""
    place = attachment_storage()
    folders = [f"{one}/{two}" for one in place.listdir("")[0] for two in place.listdir(one)[0]]
    return {name for folder in folders for name in place.listdir(folder)[1]}


def test_a_failure_after_storing_takes_the_files_away_again(world: dict[str, Any], settings: Any) -> None:
    kept(world)
    before, settings.SERVICEDESK_ATTACHMENT_MAX_TOTAL = stored(), 1
    with pytest.raises(FileRefused, match="as many files"):
        kept(world)
    assert stored() == before


def test_too_many_files_at_once_are_refused(world: dict[str, Any], settings: Any) -> None:
    settings.SERVICEDESK_ATTACHMENT_MAX_COUNT = 2
    with pytest.raises(FileRefused, match="3 files"):
        kept(world, files=[LOG] * 3)


def test_a_file_is_as_public_as_its_comment_and_a_requesters_is_public(world: dict[str, Any]) -> None:
    comment = incidents.actions.comment_with_files(
        incident=world["incident"], by=world["agent_actor"], at=AT, files=[LOG], is_public=True
    )
    assert comment.body == "server.log"
    assert [one.is_public for one in comment.attachments.all()] == [True]
    assert kept(world, by=world["requester_actor"]).is_public
    assert not kept(world).is_public


def test_who_may_not_comment_may_not_attach(world: dict[str, Any]) -> None:
    with pytest.raises(Forbidden):
        kept(world, by=person(world["stranger"], "agent"))


def test_the_database_refuses_to_change_a_file(world: dict[str, Any]) -> None:
    one = kept(world)
    with pytest.raises(DatabaseError, match="refuses update"):
        Attachment.objects.filter(pk=one.pk).update(is_public=True)


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def page(incident: Incident, one: Attachment) -> str:
    return f"/desk/{incident.reference}/files/{one.key}/"


def test_a_file_is_handed_out_as_a_download_only(world: dict[str, Any], client: Client) -> None:
    one = kept(world, files=[Upload("<b>.png", picture("PNG"))])
    client.force_login(world["agent"])
    answer = client.get(page(world["incident"], one))
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == 'attachment; filename="_b_.png"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert body(answer).startswith(b"\x89PNG")


def test_markup_is_never_sent_as_markup(world: dict[str, Any], client: Client, settings: Any) -> None:
    settings.SERVICEDESK_ATTACHMENT_TYPES = ["text/html", "image/svg+xml"]
    client.force_login(world["agent"])
    for content in (b"<html><script>x</script>", b"<svg onload=x>"):
        answer = client.get(page(world["incident"], kept(world, files=[Upload("a.html", content)])))
        assert answer.headers["Content-Type"] == "application/octet-stream"


def test_files_outside_ones_view_do_not_exist(world: dict[str, Any], client: Client) -> None:
    internal, public = kept(world), kept(world, by=world["requester_actor"])
    for user, seen in ((world["stranger"], (404, 404)), (world["requester"], (404, 200)), (world["agent"], (200, 200))):
        client.force_login(user)
        assert tuple(client.get(page(world["incident"], one)).status_code for one in (internal, public)) == seen
    other = IncidentFactory(team=world["incident"].team)
    assert client.get(page(other, public)).status_code == 404


def test_a_lost_file_is_not_found(world: dict[str, Any], client: Client) -> None:
    one = kept(world)
    one.file.delete(save=False)
    client.force_login(world["agent"])
    assert client.get(page(world["incident"], one)).status_code == 404


def test_the_page_takes_files_with_a_comment_and_lists_them(world: dict[str, Any], client: Client) -> None:
    client.force_login(world["agent"])
    where = f"/desk/{world['incident'].reference}/"
    files = [SimpleUploadedFile("a.log", b"one"), SimpleUploadedFile("b.log", b"two")]
    assert client.post(f"{where}comment/", {"body": "", "is_public": "on", "attached": files}).status_code == 302
    shown = client.get(where).content.decode()
    assert "2 files" in shown
    assert "a.log" in shown
    refused = client.post(f"{where}comment/", {"body": "x", "attached": [SimpleUploadedFile("x.exe", b"MZ\0\0")]})
    assert refused.status_code == 400
    assert "x.exe is not taken" in refused.content.decode()


def test_files_by_rest(world: dict[str, Any], client: Client) -> None:
    key = {"Authorization": bearer(ApiKeyFactory())}
    where = f"/api/v1/incidents/{world['incident'].reference}/attachments/"
    made = client.post(
        where, {"file": [SimpleUploadedFile("a.log", b"one")], "body": "see", "is_public": "true"}, headers=key
    )
    assert made.status_code == 201, made.content
    (one,) = made.json()
    assert one["is_public"]
    assert one["comment"] is not None
    assert client.get(where, headers=key).json()["results"] == [one]
    got = client.get(one["href"].removeprefix("http://testserver"), headers=key)
    assert body(got) == b"one"
    assert client.get(f"{where}{'0' * 36}/", headers=key).status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"file": "text"}, 400), ({}, 400), ({"file": SimpleUploadedFile("a.exe", b"MZ\0\0")}, 400),
        ({"file": SimpleUploadedFile("a.txt", b"x" * 300)}, 413),
        ({"file": SimpleUploadedFile("a", b"x"), "no": "1"}, 400),
    ],
)  # fmt: skip
def test_rest_refuses_what_is_no_file(
    world: dict[str, Any], client: Client, settings: Any, body: dict[str, Any], status: int
) -> None:
    settings.SERVICEDESK_ATTACHMENT_MAX_BYTES = 200
    where = f"/api/v1/incidents/{world['incident'].reference}/attachments/"
    answer = client.post(where, body, headers={"Authorization": bearer(ApiKeyFactory())})
    assert answer.status_code == status, answer.content
    assert not Attachment.objects.exists()


def test_a_body_larger_than_all_files_together_is_not_read(
    world: dict[str, Any], client: Client, settings: Any
) -> None:
    settings.SERVICEDESK_ATTACHMENT_MAX_BYTES = settings.SERVICEDESK_MAX_BODY = 100
    client.force_login(world["agent"])
    files = [SimpleUploadedFile("a.log", b"x" * 5000)]
    where = f"/desk/{world['incident'].reference}/comment/"
    assert client.post(where, {"body": "x", "attached": files}).status_code == 400
