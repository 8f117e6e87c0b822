"""Post-mortems by REST: drafted, written together, reviewed, published."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from postmortems.models import ActionItem, Template
from tests.accounts.factories import ApiKeyFactory, MembershipFactory, TeamFactory, UserFactory, bearer
from tests.incidents.factories import IncidentFactory
from tests.postmortems.factories import ActionItemFactory, PostMortemFactory

pytestmark = pytest.mark.django_db


def client_of(user: User | None, *scopes: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=bearer(ApiKeyFactory(user=user, scopes=list(scopes) or ["*:write"])))
    return client


def of_role(*roles: str) -> APIClient:
    return client_of(UserFactory(roles=list(roles)))


@pytest.fixture
def manager() -> APIClient:
    return of_role("incident_manager")


def address(row: Any, resource: str = "postmortems") -> str:
    return f"/api/v1/{resource}/{row.pk}/"


def test_a_postmortem_lives_its_life(manager: APIClient) -> None:
    incident, owner = IncidentFactory(impact=3, urgency=3), UserFactory()
    made = manager.post("/api/v1/postmortems/", {"incident": incident.reference})
    assert made.status_code == 201, made.content
    assert (made.data["incident"], made.data["state"]) == (incident.reference, "draft")
    url = made["Location"]
    assert {one["field"] for one in made.data["missing"]} >= {"sections[1]", "owner", "state"}
    for section in manager.get(f"{url}sections/").data["results"]:
        if section["kind"] == "text":
            written = manager.post(f"{url}sections/", {"position": section["position"], "body": "We know."})
            assert (written.status_code, written.data["body"]) == (200, "We know.")
    item = {"title": "Add an alert", "owner": owner.pk, "due_on": "2099-01-01", "verification": "fire it"}
    assert manager.post(f"{url}action-items/", item).status_code == 201
    entry = {"at": "2026-03-09T09:05:00Z", "text": "Called the vendor"}
    assert manager.post(f"{url}timeline/", entry).status_code == 201
    assert manager.patch(url, {"owner": owner.pk}).data["owner"] == owner.pk
    assert manager.post(f"{url}submit/").data["state"] == "in_review"
    alone = manager.post(f"{url}publish/")
    assert (alone.status_code, [one["field"] for one in alone.json()["missing"]]) == (409, ["published_by"])
    assert of_role("incident_manager").post(f"{url}publish/").data["state"] == "published"


def test_the_gate_answers_409_with_all_that_is_missing(manager: APIClient) -> None:
    answer = manager.post(f"{address(PostMortemFactory())}publish/")
    assert answer.status_code == 409
    assert answer["Content-Type"].startswith("application/problem+json")
    assert len(answer.json()["missing"]) == 7
    assert all(one["remedy"] for one in answer.json()["missing"])


def test_a_reviewer_returns_it_and_somebody_gives_it_up(manager: APIClient) -> None:
    url = address(PostMortemFactory())
    manager.post(f"{url}submit/")
    assert manager.post(f"{url}return/").status_code == 400
    assert manager.post(f"{url}return/", {"reason": "no cause"}).data["state"] == "draft"
    assert manager.post(f"{url}cancel/", {"reason": "duplicate"}).data["state"] == "cancelled"


def test_sections_are_written_with_their_etag_and_have_a_history(manager: APIClient) -> None:
    url = address(PostMortemFactory().sections.get(position=1), "postmortem-sections")
    etag = manager.get(url)["ETag"]
    assert manager.patch(url, {"body": "one"}, headers={"If-Match": etag}).status_code == 200
    stale = manager.patch(url, {"body": "two"}, headers={"If-Match": etag})
    assert stale.status_code == 412
    assert stale.json()["diff"] == {"body": ["", "one"]}
    assert len(manager.get(f"{url}history/").data["results"]) == 2
    assert manager.patch(url, {"title": "x"}).status_code == 400


def test_entries_of_the_trail_are_hidden_and_shown_but_not_changed(manager: APIClient) -> None:
    postmortem = PostMortemFactory()
    listed = manager.get(f"{address(postmortem)}timeline/").data["results"]
    assert listed[0]["source_event"]
    url = f"/api/v1/postmortem-entries/{listed[0]['id']}/"
    assert manager.patch(url, {"text": "nicer"}).status_code == 409
    assert manager.post(f"{url}hide/", {"reason": "noise"}).data["hidden_reason"] == "noise"
    assert manager.post(f"{url}show/").data["hidden_at"] is None
    own = manager.post(f"{address(postmortem)}timeline/", {"at": "2026-03-09T09:05:00Z", "text": "x"}).data
    assert manager.patch(f"/api/v1/postmortem-entries/{own['id']}/", {"text": "y"}).data["text"] == "y"


def test_action_items_move_by_verbs(manager: APIClient) -> None:
    url = address(ActionItemFactory(), "action-items")
    assert manager.post(f"{url}start/").data["state"] == "in_progress"
    assert manager.post(f"{url}finish/").data["state"] == "done"
    assert manager.post(f"{url}verify/").status_code == 403
    other = of_role("incident_manager")
    assert other.post(f"{url}verify/").data["state"] == "verified"
    assert other.post(f"{url}reopen/", {"reason": "broke again"}).data["state"] == "open"
    assert other.patch(url, {"due_on": "2099-02-01"}).data["due_on"] == "2099-02-01"
    assert other.post(f"{url}cancel/", {"reason": "no"}).data["state"] == "cancelled"
    assert ActionItem.objects.get().version == 7


def test_the_same_idempotency_key_adds_one_item(manager: APIClient) -> None:
    url = f"{address(PostMortemFactory())}action-items/"
    for _ in range(2):
        assert manager.post(url, {"title": "x"}, headers={"Idempotency-Key": "k1"}).status_code == 201
    assert ActionItem.objects.count() == 1


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("", {"incident": "INC-999999"}),
        ("", {"incident": "x"}),
        ("", {}),
        ("sections/", {"position": 99, "body": ""}),
        ("sections/", {"position": 1, "body": "a\x00"}),
        ("timeline/", {"at": "2026-03-09T09:05:00", "text": "no zone"}),
        ("timeline/", {"at": "2199-03-09T09:05:00Z", "text": "future"}),
        ("action-items/", {"title": ""}),
        ("action-items/", {"title": "x", "colour": "red"}),
        ("action-items/", {"title": "x", "owner": 10**12}),
        ("return/", {"reason": ""}),
    ],
)
def test_bad_input_is_refused_by_name(manager: APIClient, path: str, content: dict[str, Any]) -> None:
    url = address(PostMortemFactory()) if path else "/api/v1/postmortems/"
    answer = manager.post(f"{url}{path}", content)
    assert answer.status_code == 400, answer.content
    assert answer.json()["errors"][0]["cause"]


def test_state_is_not_assigned_by_a_patch(manager: APIClient) -> None:
    url = address(PostMortemFactory())
    for field in ("state", "published_at", "is_drill", "incident", "version"):
        assert manager.patch(url, {field: "published"}).status_code == 400
    assert manager.delete(url).status_code == 405


def test_strangers_find_nothing_by_any_door() -> None:
    team = TeamFactory()
    caller = UserFactory(roles=["requester"])
    postmortem = PostMortemFactory(incident=IncidentFactory(team=team, requester=caller))
    item = ActionItemFactory(postmortem=postmortem)
    section = postmortem.sections.get(position=1)
    for client in (of_role("agent"), client_of(caller)):
        assert client.get("/api/v1/postmortems/").data["results"] == []
        assert client.get("/api/v1/action-items/").data["results"] == []
        assert client.get(f"/api/v1/postmortems/?incident__number={postmortem.incident.number}").data["results"] == []
        for url in (
            address(postmortem), address(item, "action-items"), address(section, "postmortem-sections"),
            f"{address(postmortem)}timeline/",
        ):  # fmt: skip
            assert client.get(url).status_code == 404
        assert client.post(f"{address(postmortem)}submit/").status_code == 404
        assert client.post(f"{address(item, 'action-items')}start/").status_code == 404
    member = client_of(MembershipFactory(user=UserFactory(roles=["agent"]), team=team).user)
    assert member.get(address(postmortem)).status_code == 200


def test_an_auditor_reads_and_changes_nothing() -> None:
    postmortem, auditor = PostMortemFactory(), of_role("auditor")
    assert auditor.get(address(postmortem)).status_code == 200
    assert auditor.post(f"{address(postmortem)}submit/").status_code == 403
    assert auditor.patch(address(postmortem), {"title": "x"}).status_code == 403


def test_a_key_needs_its_scope() -> None:
    manager, postmortem = UserFactory(roles=["incident_manager"]), PostMortemFactory()
    reader = client_of(manager, "postmortems:read", "incidents:read")
    assert reader.get(address(postmortem)).status_code == 200
    assert reader.post(f"{address(postmortem)}submit/").status_code == 403
    assert client_of(manager, "incidents:write").get(address(postmortem)).status_code == 403


def test_templates_are_saved_whole_with_their_sections() -> None:
    admin = of_role("admin")
    content = {"name": "Mine", "sections": [{"title": "What"}, {"title": "When", "kind": "timeline"}]}
    made = admin.post("/api/v1/postmortem-templates/", content)
    assert made.status_code == 201, made.content
    assert [one["title"] for one in made.data["sections"]] == ["What", "When"]
    changed = admin.patch(made["Location"], {"sections": [{"title": "Only"}]}, headers={"If-Match": made["ETag"]})
    assert [one["title"] for one in changed.data["sections"]] == ["Only"]
    assert admin.patch(made["Location"], {"sections": []}).status_code == 400
    assert of_role("agent").post("/api/v1/postmortem-templates/", {**content, "name": "Theirs"}).status_code == 403


def test_obligation_rules_are_settings() -> None:
    admin, full = of_role("admin"), Template.objects.get(name="Full post-mortem")
    listed = admin.get("/api/v1/obligation-rules/").data["results"]
    assert [(one["priority_at_most"], one["due_days"]) for one in listed] == [(2, 5)]
    content = {"name": "All", "position": 2, "template": full.pk, "due_days": 10}
    assert admin.post("/api/v1/obligation-rules/", content).status_code == 201
    assert admin.post("/api/v1/obligation-rules/", {**content, "name": "B"}).status_code == 400
    assert (
        admin.post("/api/v1/obligation-rules/", {**content, "name": "C", "position": 3, "due_days": 0}).status_code
        == 400
    )
    assert admin.delete(f"/api/v1/postmortem-templates/{full.pk}/").status_code == 409
