"""Routing rules by REST and on their page."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import ApiKey
from incidents.models import RoutingRule
from tests.accounts.factories import ApiKeyFactory, TeamFactory, UserFactory, bearer
from tests.incidents.factories import IncidentFactory, ServiceFactory
from tests.incidents.test_routing import rule

pytestmark = pytest.mark.django_db


def held_by(key: ApiKey) -> dict[str, str]:
    return {"Authorization": bearer(key)}


@pytest.fixture
def admin() -> APIClient:
    return APIClient(headers=held_by(ApiKeyFactory(user=UserFactory(roles=["admin"]), scopes=["*:write"])))


def page(role: str) -> Client:
    client = Client()
    client.force_login(UserFactory(roles=[role]))
    return client


def test_a_rule_is_made_changed_and_removed_by_rest(admin: APIClient) -> None:
    team = TeamFactory()
    made = admin.post("/api/v1/routing-rules/", {"name": "VPN", "position": 5, "team": team.pk, "kinds": ["question"]})
    assert made.status_code == 201, made.content
    place = made.headers["Location"]
    assert admin.patch(place, {"position": 6}, headers={"If-Match": made.headers["ETag"]}).json()["position"] == 6
    stale = admin.patch(place, {"position": 7}, headers={"If-Match": made.headers["ETag"]})
    assert (stale.status_code, stale.json()["diff"]) == (412, {"position": [5, 6]})
    assert admin.delete(place).status_code == 204
    assert not RoutingRule.objects.exists()


def test_a_draft_is_tried_by_rest_without_being_saved(admin: APIClient) -> None:
    team = TeamFactory()
    moved, _ = IncidentFactory(kind="question", team=TeamFactory()), IncidentFactory(service=ServiceFactory())
    draft = {"name": "draft", "position": 1, "team": team.pk, "kinds": ["question"]}
    answer = admin.post("/api/v1/routing-rules/dry-run/", {"last": 10, "rule": draft}, format="json")
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert (told["considered"], told["moved"], told["by_rule"]) == (2, 1, {"draft": 1, "service": 1})
    assert [(one["incident"], one["would_be"]) for one in told["incidents"]] == [(moved.reference, str(team))]
    assert not RoutingRule.objects.exists()


@pytest.mark.parametrize("body", [{"last": 0}, {"last": 10**6}, {"rule": {"name": "x"}}, {"nonsense": 1}])
def test_a_bad_dry_run_names_the_field(admin: APIClient, body: dict[str, Any]) -> None:
    answer = admin.post("/api/v1/routing-rules/dry-run/", body, format="json")
    assert answer.status_code == 400
    assert next(iter(body)) in str(answer.json())


def test_rest_says_why_an_incident_is_where_it_is(admin: APIClient) -> None:
    made = rule(TeamFactory())
    why = admin.get(f"/api/v1/incidents/{IncidentFactory().reference}/routing/").json()
    assert (why["by"], why["rule"], why["team"]) == ("rule", made.name, str(made.team))


def test_a_requester_reads_neither_rules_nor_why() -> None:
    rule(TeamFactory())
    user = UserFactory(roles=["requester"])
    client = APIClient(headers=held_by(ApiKeyFactory(user=user, scopes=["*:write"])))
    assert client.get("/api/v1/routing-rules/").json()["results"] == []
    assert client.post("/api/v1/routing-rules/dry-run/", {}, format="json").status_code == 404
    own = IncidentFactory(requester=user)
    assert client.get(f"/api/v1/incidents/{own.reference}/routing/").status_code == 404
    assert page("requester").get("/policies/routing/").status_code == 404


def test_the_page_tries_by_get_and_saves_by_post() -> None:
    client, team = page("admin"), TeamFactory()
    moved = IncidentFactory(kind="question", team=TeamFactory())
    typed = {"name": "Questions", "position": 10, "kinds": ["question"], "team": team.pk, "is_active": "on"}
    shown = client.get("/policies/routing/", typed)
    assert moved.reference in shown.content.decode()
    assert not RoutingRule.objects.exists()
    assert client.post("/policies/routing/", typed).status_code == 302
    made = RoutingRule.objects.get()
    assert (made.name, made.kinds, made.team_id) == ("Questions", ["question"], team.pk)


def test_the_page_refuses_a_stale_save_and_a_bad_one() -> None:
    client, made = page("admin"), rule(TeamFactory())
    typed = {"name": "new", "position": 10, "team": made.team_id, "is_active": "on", "expected_version": made.version}
    assert client.post(f"/policies/routing/?rule={made.pk}", typed | {"position": ""}).status_code == 400
    assert client.post(f"/policies/routing/?rule={made.pk}", typed).status_code == 302
    assert client.post(f"/policies/routing/?rule={made.pk}", typed | {"name": "later"}).status_code == 409
    assert RoutingRule.objects.get().name == "new"


def test_a_reader_may_try_and_not_save() -> None:
    client, team = page("auditor"), TeamFactory()
    typed = {"name": "Questions", "position": 10, "team": team.pk, "is_active": "on"}
    assert client.get("/policies/routing/", typed).status_code == 200
    assert client.post("/policies/routing/", typed).status_code == 409
    assert not RoutingRule.objects.exists()


@pytest.mark.parametrize("key", ["0", "x", "9" * 30, "999999"])
def test_an_unknown_rule_is_not_found(key: str) -> None:
    assert page("admin").get("/policies/routing/", {"rule": key}).status_code == 404
