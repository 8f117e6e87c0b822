"""What every API has in common, shown on the teams, users and keys: refusals, pages, ETags, repeats."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

import accounts.actions
from accounts.models import ApiKey, Team
from audit.models import Event, IdempotencyKey
from tests.accounts.factories import ApiKeyFactory, TeamFactory, UserFactory, bearer

pytestmark = pytest.mark.django_db
TEAMS = "/api/v1/teams/"


def client_of(*roles: str, scopes: list[str] | None = None) -> APIClient:
    client = APIClient()
    client.raise_request_exception = False
    key = ApiKeyFactory(user=UserFactory(roles=list(roles)), scopes=scopes or ["*:write"])
    client.credentials(HTTP_AUTHORIZATION=bearer(key))
    return client


@pytest.fixture
def admin() -> APIClient:
    return client_of("admin")


def _problem(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(response.content)
    assert {"type", "title", "status", "detail", "instance", "errors", "request_id"} <= set(body)
    assert body["status"] == status
    assert all(one["cause"] and one["remedy"] for one in body["errors"])
    return body


def test_a_stranger_is_asked_for_a_key() -> None:
    response = APIClient().get(TEAMS)
    _problem(response, 401)
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_an_unknown_field_is_refused_by_name(admin: APIClient) -> None:
    body = _problem(admin.post(TEAMS, {"name": "A", "slug": "a", "teir": 2, "version": 7}), 400)
    causes = {one["field"]: one["cause"] for one in body["errors"]}
    assert "Did you mean tier?" in causes["teir"]
    assert "read-only" in causes["version"]
    assert not Team.objects.exists()


def test_a_refusal_names_every_field_and_a_way_out(admin: APIClient) -> None:
    body = _problem(admin.post(TEAMS, {"slug": "not a slug", "tier": 9}), 400)
    assert {one["field"] for one in body["errors"]} == {"name", "slug", "tier"}


def test_configuration_is_created_changed_and_removed_by_its_actions(admin: APIClient) -> None:
    made = admin.post(TEAMS, {"name": "Network", "slug": "network"})
    assert (made.status_code, made["Location"]) == (201, f"http://testserver{TEAMS}{made.data['id']}/")
    changed = admin.patch(made["Location"], {"tier": 2}, headers={"If-Match": made["ETag"]})
    assert (changed.status_code, changed.data["tier"], changed.data["version"]) == (200, 2, 2)
    assert admin.delete(made["Location"], headers={"If-Match": changed["ETag"]}).status_code == 204
    kinds = list(Event.objects.order_by("id").values_list("kind", flat=True))
    assert kinds == ["config.created", "config.changed", "config.removed"]


def test_put_is_not_offered(admin: APIClient) -> None:
    _problem(admin.put(f"{TEAMS}{TeamFactory().pk}/", {"name": "x"}), 405)


def test_a_stale_change_is_refused_with_what_changed_meanwhile(admin: APIClient) -> None:
    team = TeamFactory(name="Old")
    seen = admin.get(f"{TEAMS}{team.pk}/")["ETag"]
    assert admin.patch(f"{TEAMS}{team.pk}/", {"name": "New"}).status_code == 200
    body = _problem(admin.patch(f"{TEAMS}{team.pk}/", {"tier": 3}, headers={"If-Match": seen}), 412)
    assert body["diff"] == {"name": ["Old", "New"]}
    assert body["current_version"] == 2
    assert Team.objects.get().tier == 1


def test_a_stale_removal_is_refused(admin: APIClient) -> None:
    team = TeamFactory()
    _problem(admin.delete(f"{TEAMS}{team.pk}/", headers={"If-Match": '"7"'}), 412)
    assert Team.objects.exists()


def test_the_plain_version_is_a_good_if_match_and_nonsense_is_none(admin: APIClient) -> None:
    url = f"{TEAMS}{TeamFactory().pk}/"
    assert admin.patch(url, {"tier": 2}, headers={"If-Match": '"1"'}).status_code == 200
    _problem(admin.patch(url, {"tier": 3}, headers={"If-Match": "yesterday"}), 400)


def test_a_known_etag_answers_304_until_what_is_shown_changes(admin: APIClient) -> None:
    url = f"{TEAMS}{TeamFactory().pk}/"
    seen = admin.get(url)["ETag"]
    assert admin.get(url, headers={"If-None-Match": seen}).status_code == 304
    admin.patch(url, {"tier": 2})
    assert admin.get(url, headers={"If-None-Match": seen}).status_code == 200


def test_pages_walk_through_all_rows_once_and_without_a_count(
    admin: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    TeamFactory.create_batch(7)
    seen, url = [], f"{TEAMS}?limit=3"
    while url:
        page = admin.get(url).data
        seen += [one["id"] for one in page["results"]]
        url = page["next"]
    assert seen == sorted(Team.objects.values_list("id", flat=True), reverse=True)


def test_a_list_takes_the_same_queries_for_any_number_of_rows(
    admin: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    admin.get(TEAMS)
    for rows in (2, 10):
        TeamFactory.create_batch(rows)
        # The key with its person, roles and teams; then the rows and their members.
        with django_assert_num_queries(3):
            admin.get(TEAMS)


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=-1", "limit=x", "limit=²", "cursor=%00", "cursor=bm9wZQ", "cursor=WzFlOTk5XQ", "cursor=W251bGxd",
     "cursor=" + "A" * 5000, "cursor=W3siYSI6MX1d", "tier=1e999999999", "tier=-1e999999999", "tier=x", "parent=%00",
     "nope=1", "search=" + "a" * 300, "search=%00", "order=name"],
)  # fmt: skip
def test_a_hostile_query_is_refused(admin: APIClient, query: str) -> None:
    _problem(admin.get(f"{TEAMS}?{query}"), 400)


@pytest.mark.parametrize("query", ["limit=100000", "search=%25", "search=%ed%a0%80", "tier=99999999999999999999999"])
def test_an_odd_query_is_answered(admin: APIClient, query: str) -> None:
    TeamFactory()
    assert admin.get(f"{TEAMS}?{query}").status_code in {200, 400}


@pytest.mark.parametrize("key", ["9" * 40, "-1", "x", "1e9", "%00", "0x1"])
def test_a_key_that_can_be_none_is_not_found(admin: APIClient, key: str) -> None:
    _problem(admin.get(f"{TEAMS}{key}/"), 404)


DEEP = b'{"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"name": "a\\u0000b", "slug": "a"}', "name"),
        (b'{"name": "\\ud800", "slug": "a"}', "name"),
        (b'{"name": "a", "slug": "a", "tier": 99999999999999999999}', "64 bits"),
        (b'{"name": "a", "slug": "a", "tier": 1e400}', "too large"),
        (b'{"name": "a", "slug": "a", "tier": ' + b"9" * 10_000 + b"}", "64 bits"),
        (b'{"name": "a", "slug": "a", "tier": NaN}', "NaN"),
        (b'{"name": "a", "name": "b"}', "twice"),
        (b'{"name": "a",', "line 1"),
        (b'{"name": "\xff"}', "UTF-8"),
        (DEEP, "nested"),
        (b'{"name": ' + b'{"a":' * 40 + b"1" + b"}" * 40 + b"}", "nested"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_hostile_body_is_refused_with_its_place(admin: APIClient, body: bytes, says: str) -> None:
    response = admin.post(TEAMS, body, content_type="application/json")
    assert says in _problem(response, 400)["detail"]
    assert not Team.objects.exists()


@pytest.mark.parametrize(
    "body", [[], "x", 1, None, {"name": [], "slug": {}}, {"name": "a", "slug": "a", "parent": 2**62},
             {"name": "a", "slug": "a", "parent": True}, {"name": "a", "slug": "a", "parent": 1.5},
             {"name": "a", "slug": "a", "parent": [1]}, {"name": "a" * 500, "slug": "a"}],
)  # fmt: skip
def test_a_body_of_the_wrong_shape_is_refused(admin: APIClient, body: Any) -> None:
    _problem(admin.post(TEAMS, json.dumps(body), content_type="application/json"), 400)


def test_a_body_over_the_cap_is_too_large(admin: APIClient, settings: Any) -> None:
    settings.SERVICEDESK_MAX_BODY = 1000
    _problem(admin.post(TEAMS, {"name": "a" * 2000}), 413)


def test_another_content_type_is_not_taken(admin: APIClient) -> None:
    _problem(admin.post(TEAMS, "name=a", content_type="application/x-www-form-urlencoded"), 415)


def test_a_key_stays_within_its_scopes() -> None:
    reader = client_of("admin", scopes=["teams:read"])
    assert reader.get(TEAMS).status_code == 200
    assert "teams:write" in _problem(reader.post(TEAMS, {"name": "A", "slug": "a"}), 403)["detail"]
    _problem(reader.get("/api/v1/users/"), 403)


def test_what_is_out_of_scope_does_not_exist() -> None:
    requester, other = client_of("requester"), UserFactory()
    _problem(requester.get(f"/api/v1/users/{other.pk}/"), 404)
    _problem(requester.get(f"{TEAMS}{TeamFactory().pk}/"), 404)
    assert requester.get("/api/v1/users/?search=person").data["results"][0]["email"] != other.email


def test_without_the_role_a_change_is_forbidden_with_a_way_out() -> None:
    body = _problem(client_of("agent").post(TEAMS, {"name": "A", "slug": "a"}), 403)
    assert "admin" in body["errors"][0]["remedy"]


def test_a_fault_of_ours_says_nothing_inner(admin: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**values: Any) -> None:
        raise RuntimeError("secret inner word")

    monkeypatch.setattr(accounts.actions, "create_team", broken)
    response = admin.post(TEAMS, {"name": "A", "slug": "a"})
    assert "secret" not in json.dumps(_problem(response, 500))


def test_a_conflict_that_only_the_database_sees_is_a_409(admin: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    TeamFactory(name="Network")
    monkeypatch.setattr(accounts.actions, "create_team", lambda **_: Team(name="Network", slug="x").save())
    body = _problem(admin.post(TEAMS, {"name": "A", "slug": "a"}), 409)
    assert "Network" not in json.dumps(body)


def test_history_shows_who_changed_what_and_no_secret(admin: APIClient) -> None:
    made = admin.post("/api/v1/api-keys/", {"name": "Prometheus", "scopes": ["alerts:write"]})
    assert made.status_code == 201, made.content
    admin.post(f"/api/v1/api-keys/{made.data['id']}/revoke/", {"reason": "leaked"})
    rows = admin.get(f"/api/v1/api-keys/{made.data['id']}/history/").data["results"]
    assert [(row["version"], row["change"]) for row in rows] == [(2, "changed"), (1, "created")]
    assert set(rows[0]["changes"]) == {"revoked_at"}
    assert (rows[0]["actor"]["kind"], rows[0]["reason"]) == ("key", "leaked")
    assert "secret" not in json.dumps(rows, default=str)


def test_a_session_needs_its_csrf_token() -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(UserFactory(roles=["admin"]))
    assert client.get(TEAMS).status_code == 200
    _problem(client.post(TEAMS, {"name": "A", "slug": "a"}), 403)


@pytest.mark.usefixtures("one_window")
def test_too_many_requests_are_told_when_to_come_back(admin: APIClient, settings: Any) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": {"key": 3}}
    answers = [admin.get(TEAMS) for _ in range(4)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429]
    _problem(answers[-1], 429)
    assert 1 <= int(answers[-1]["Retry-After"]) <= 61


def test_limits_are_off_while_the_cache_is_down(admin: APIClient, settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache",
                                   "LOCATION": "unix:///nowhere/at.all"}}  # fmt: skip
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": {"key": 1}}
    assert [admin.get(TEAMS).status_code for _ in range(3)] == [200] * 3


def test_a_verb_stands_in_the_schema_with_its_body_headers_and_refusals() -> None:
    response = Client().get("/api/schema/?format=json")
    paths = json.loads(response.content)["paths"]
    grant = paths["/api/v1/users/{id}/grant-role/"]["post"]
    assert grant["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/RoleInputRequest")
    assert "requestBody" not in paths["/api/v1/users/{id}/reactivate/"]["post"]
    assert {one["name"] for one in grant["parameters"]} >= {"Idempotency-Key", "If-Match"}
    assert "application/problem+json" in grant["responses"]["default"]["content"]


# --- Idempotency ----------------------------------------------------------------------------------------------------


def _make(client: APIClient, key: str, **body: Any) -> Any:
    return client.post(TEAMS, {"name": "A", "slug": "a", **body}, headers={"Idempotency-Key": key})


def test_the_same_key_and_body_give_the_same_answer_and_one_row(admin: APIClient) -> None:
    first, second = _make(admin, "k1"), _make(admin, "k1")
    assert (second.status_code, second.data, second["ETag"], second["Location"]) == (
        201, json.loads(first.content), first["ETag"], first["Location"],
    )  # fmt: skip
    assert second["Idempotency-Replayed"] == "true"
    assert Team.objects.count() == 1


def test_the_same_key_with_another_body_is_refused(admin: APIClient) -> None:
    _make(admin, "k1")
    assert _problem(_make(admin, "k1", name="B"), 422)["errors"][0]["field"] == "Idempotency-Key"


def test_the_key_of_another_principal_is_another_key(admin: APIClient) -> None:
    _make(admin, "k1")
    _problem(_make(client_of("admin"), "k1"), 400)


def test_a_refused_request_may_be_repeated_with_its_key(admin: APIClient) -> None:
    _problem(_make(admin, "k1", tier=9), 400)
    assert _make(admin, "k1").status_code == 201


def test_a_key_is_forgotten_after_a_day(admin: APIClient) -> None:
    _make(admin, "k1")
    IdempotencyKey.objects.update(created_at="2020-01-01T00:00:00Z")
    assert _make(admin, "k1", name="B", slug="b").status_code == 201


@pytest.mark.parametrize("key", ["x" * 201, "a b", "ä"])
def test_a_key_that_is_none_is_refused(admin: APIClient, key: str) -> None:
    _problem(_make(admin, key), 400)


def test_a_secret_shown_once_is_not_stored_with_the_key(admin: APIClient) -> None:
    def issue() -> Any:
        return admin.post("/api/v1/api-keys/", {"name": "A", "scopes": ["*:read"]}, headers={"Idempotency-Key": "k"})

    first, second = issue(), issue()
    assert first.data["key"].startswith("sdk_")
    assert (second.status_code, second.data["key"], second.data["id"]) == (201, None, first.data["id"])
    assert ApiKey.objects.filter(name="A").count() == 1
