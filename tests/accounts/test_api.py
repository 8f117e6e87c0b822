"""People, teams and keys by REST."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import ApiKey, User
from tests.accounts.factories import ApiKeyFactory, OrganisationFactory, TeamFactory, UserFactory, bearer

pytestmark = pytest.mark.django_db


def client_of(user: User | None, *scopes: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=bearer(ApiKeyFactory(user=user, scopes=list(scopes) or ["*:write"])))
    return client


@pytest.fixture
def admin() -> APIClient:
    return client_of(UserFactory(roles=["admin"]))


def test_a_person_is_made_shown_and_changed(admin: APIClient) -> None:
    made = admin.post("/api/v1/users/", {"email": "Olu@Example.org", "roles": ["agent"], "password": "a-good-long-one"})
    assert made.status_code == 201, made.content
    assert (made.data["email"], made.data["roles"], made.data["is_staff"]) == ("olu@example.org", ["agent"], True)
    assert "password" not in made.data
    changed = admin.patch(made["Location"], {"time_zone": "Africa/Lagos"}, headers={"If-Match": made["ETag"]})
    assert (changed.status_code, changed.data["time_zone"]) == (200, "Africa/Lagos")


@pytest.mark.parametrize(
    "field", ["is_active", "is_staff", "roles", "memberships", "is_superuser", "groups", "id", "version"]
)
def test_state_and_roles_are_not_assigned_by_a_patch(admin: APIClient, field: str) -> None:
    user = UserFactory()
    assert admin.patch(f"/api/v1/users/{user.pk}/", {field: True}).status_code == 400
    assert admin.delete(f"/api/v1/users/{user.pk}/").status_code == 405


def test_a_person_leaves_and_comes_back_by_verbs(admin: APIClient) -> None:
    url = f"/api/v1/users/{UserFactory().pk}"
    gone = admin.post(f"{url}/deactivate/", {"reason": "left"})
    assert (gone.status_code, gone.data["is_active"]) == (200, False)
    assert admin.post(f"{url}/reactivate/").data["is_active"] is True


def test_roles_are_granted_and_revoked_by_verbs(admin: APIClient) -> None:
    url = f"/api/v1/users/{UserFactory().pk}"
    assert admin.post(f"{url}/grant-role/", {"role": "lead"}).data["roles"] == ["lead"]
    assert admin.post(f"{url}/revoke-role/", {"role": "lead"}).data["roles"] == []
    assert admin.post(f"{url}/grant-role/", {"role": "king"}).status_code == 400


def test_a_requester_sees_nobody_else_by_list_search_filter_or_number() -> None:
    other, me = UserFactory(name="Secret Person"), UserFactory(roles=["requester"])
    client = client_of(me)
    for query in ("", "?search=secret", f"?email={other.email}", "?limit=200"):
        assert {one["id"] for one in client.get(f"/api/v1/users/{query}").data["results"]} <= {me.pk}
    for verb in ("", "history/", "deactivate/"):
        assert client.get(f"/api/v1/users/{other.pk}/{verb}").status_code in {404, 405}
    assert client.get(f"/api/v1/users/{me.pk}/history/").status_code == 404


def test_a_requester_learns_nothing_of_other_organisations_through_a_body() -> None:
    me = UserFactory(roles=["requester"])
    hidden = OrganisationFactory()
    for known in (hidden.pk, 2**40):
        answer = client_of(me).patch(f"/api/v1/users/{me.pk}/", {"organisation": known})
        assert (answer.status_code, answer.data["errors"][0]["remedy"]) == (
            400, "name an object that exists and that you may see",
        )  # fmt: skip


def test_the_members_of_a_team_are_set_by_verbs(admin: APIClient) -> None:
    team, user = TeamFactory(), UserFactory()
    url = f"/api/v1/teams/{team.pk}"
    put = admin.post(f"{url}/set-member/", {"user": user.pk, "is_lead": True})
    assert put.data["memberships"] == [{"user": user.pk, "team": team.pk, "is_lead": True}]
    assert admin.post(f"{url}/remove-member/", {"user": user.pk}).data["memberships"] == []


def test_a_key_is_shown_in_the_answer_to_its_making_only(admin: APIClient) -> None:
    made = admin.post("/api/v1/api-keys/", {"name": "Prometheus", "scopes": ["alerts:write"]})
    assert made.data["key"].startswith(f"sdk_{made.data['prefix']}_")
    shown: Any = admin.get(made["Location"]).data
    assert "key" not in shown
    assert "secret_hash" not in shown


def test_people_see_and_revoke_their_own_keys_only() -> None:
    me = UserFactory(roles=["agent"])
    client, foreign = client_of(me), ApiKeyFactory(user=UserFactory())
    assert client.post(f"/api/v1/api-keys/{foreign.pk}/revoke/").status_code == 404
    mine = client.post("/api/v1/api-keys/", {"name": "mine", "scopes": ["incidents:read"], "user": me.pk}).data
    assert client.post(f"/api/v1/api-keys/{mine['id']}/revoke/").data["revoked_at"] is not None
    assert ApiKey.objects.get(pk=foreign.pk).revoked_at is None


def test_a_machines_key_makes_requesters_and_no_staff() -> None:
    machine = client_of(None, "users:write")
    assert machine.post("/api/v1/users/", {"email": "caller@example.org"}).status_code == 201
    assert machine.post("/api/v1/users/", {"email": "boss@example.org", "roles": ["admin"]}).status_code == 403


def test_nobody_learns_who_has_an_account_by_asking_for_the_address() -> None:
    me, other = UserFactory(roles=["requester"]), UserFactory()
    client = client_of(me)
    for email in (other.email, "free@example.org"):
        assert client.post("/api/v1/users/", {"email": email, "roles": ["requester"]}).status_code == 403
        assert client.patch(f"/api/v1/users/{me.pk}/", {"email": email}).status_code == 403
    taken = client_of(UserFactory(roles=["admin"])).post("/api/v1/users/", {"email": other.email})
    assert (taken.status_code, taken.json()["errors"][0]["field"]) == (409, "email")


@pytest.mark.parametrize(
    "zone", ["localtime", "posixrules", "Factory", "right/Europe/Madrid", "posix/UTC", "Mars/Base"]
)
@pytest.mark.parametrize("path", ["users", "calendars", "schedules"])
def test_a_zone_means_the_same_everywhere_or_is_refused(admin: APIClient, path: str, zone: str) -> None:
    bodies = {
        "users": {"email": "a@example.org", "time_zone": zone},
        "calendars": {"name": "x", "zone": zone, "week": {"mon": [["09:00", "17:00"]]}},
        "schedules": {"name": "x", "zone": zone, "layers": []},
    }
    refused = admin.post(f"/api/v1/{path}/", bodies[path])
    assert (refused.status_code, refused.json()["errors"][0]["field"].removeprefix("time_")) == (400, "zone")


def test_a_name_of_a_setting_can_be_read(admin: APIClient) -> None:
    refused = admin.post("/api/v1/teams/", {"name": "\u200b", "slug": "x"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "name")
    assert admin.post("/api/v1/teams/", {"name": "Net\u202ework", "slug": "x"}).data["name"] == "Network"
