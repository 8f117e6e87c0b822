"""The API as a whole: every resource is there, every POST takes an Idempotency-Key, every object has an ETag."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.response import Response
from rest_framework.test import APIClient

from audit.rest.views import ApiViewSet
from tests.accounts.factories import ApiKeyFactory, bearer
from tests.incidents.factories import IncidentFactory

pytestmark = pytest.mark.django_db

#: As issue 2 lists them.
RESOURCES = {
    "incidents", "clocks", "pages", "alerts", "alert-sources", "categories", "services", "teams", "users",
    "priority-matrix", "calendars", "sla-policies", "schedules", "escalation-policies", "postmortems",
    "postmortem-templates", "contacts", "breach-rules", "events", "api-keys",
}  # fmt: skip
VERBS = {
    "incidents": {
        "assign", "claim", "start", "acknowledge", "hold", "change-hold", "resume", "resolve", "reopen", "close",
        "cancel", "override-priority", "comments", "timeline", "history",
    },
    "postmortems": {"submit", "publish", "action-items"},
}  # fmt: skip


def routes(patterns: list[Any] | None = None, before: str = "/") -> Iterator[tuple[str, Any]]:
    for one in get_resolver().url_patterns if patterns is None else patterns:
        path = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from routes(one.url_patterns, path)
        elif isinstance(one, URLPattern) and path.startswith("/api/v1/"):
            yield path, one.callback


def address(pattern: str) -> str:
    """The pattern with 1 (an incident: INC-000001) for each parameter."""
    text = re.sub(r"\(\?P<reference>[^()]*\)", "INC-000001", pattern)
    return re.sub(r"\(\?P<\w+>[^()]*\)|<\w+:\w+>", "1", text).replace("^", "").replace("$", "")


def of_method(method: str) -> list[str]:
    """Addresses of the viewsets' routes that take the method."""
    return sorted({address(path) for path, view in routes() if method in getattr(view, "actions", {})})


@pytest.fixture
def key() -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=bearer(ApiKeyFactory()))
    return client


def test_every_resource_is_there(key: APIClient) -> None:
    listed = {one.removeprefix("/api/v1/").strip("/") for one in of_method("get")}
    assert listed >= RESOURCES
    assert {name: key.get(f"/api/v1/{name}/").status_code for name in RESOURCES} == dict.fromkeys(RESOURCES, 200)


@pytest.mark.parametrize("resource", VERBS)
def test_every_verb_is_there(resource: str) -> None:
    mounted = {address(path) for path, _ in routes()}
    row = "INC-000001" if resource == "incidents" else "1"
    assert {f"/api/v1/{resource}/{row}/{verb}/" for verb in VERBS[resource]} <= mounted


def test_every_post_is_answered_once_per_key(key: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each hands its work to `once`; what that does with a key is tested where it is written."""

    def seen(self: ApiViewSet, run: Any) -> Response:
        return Response({"once": True}, status=299)

    monkeypatch.setattr(ApiViewSet, "once", seen)
    posts = of_method("post")
    assert len(posts) > 60
    assert {path: status for path in posts if (status := key.post(path, {}).status_code) != 299} == {}


def test_the_same_key_opens_one_incident_and_another_body_is_refused(key: APIClient) -> None:
    headers = {"Idempotency-Key": "d1c7"}
    first = key.post("/api/v1/incidents/", {"title": "Printer jams"}, headers=headers)
    again = key.post("/api/v1/incidents/", {"title": "Printer jams"}, headers=headers)
    other = key.post("/api/v1/incidents/", {"title": "Other"}, headers=headers)
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert first.json() == again.json()
    assert key.get("/api/v1/incidents/").json()["results"][1:] == []


def test_every_change_of_an_object_asks_for_its_version(key: APIClient) -> None:
    """PATCH and DELETE refuse an ETag that is none of ours, wherever they are."""
    IncidentFactory()
    changed = [(path, method) for method in ("patch", "delete") for path in of_method(method)]
    assert len(changed) > 20
    answers = {
        (path, method): getattr(key, method)(path, {}, headers={"If-Match": '"nonsense"'}).status_code
        for path, method in changed
    }
    assert {place: status for place, status in answers.items() if status not in {400, 403, 404, 405}} == {}


@pytest.mark.parametrize("name", sorted(RESOURCES - {"incidents"}))
def test_unknown_filters_and_unknown_objects_are_told_apart(key: APIClient, name: str) -> None:
    refused = key.get(f"/api/v1/{name}/", {"nonsense": "1"})
    assert (refused.status_code, refused["Content-Type"]) == (400, "application/problem+json")
    absent = key.get(f"/api/v1/{name}/999999999/")
    assert (absent.status_code, absent["Content-Type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("name", sorted(RESOURCES - {"alerts", "clocks", "events", "pages"}))
def test_unknown_fields_are_refused_by_name(key: APIClient, name: str) -> None:
    answer = key.post(f"/api/v1/{name}/", {"nonsense": 1})
    assert answer.status_code in {400, 403}, answer.content
    if answer.status_code == 400:
        assert "nonsense" in {one["field"] for one in answer.json()["errors"]}
