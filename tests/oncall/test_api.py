"""Rotas, policies, pages and rules by REST."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from incidents.models import Incident
from oncall.models import BreachRule, EscalationPolicy, Page, Schedule
from tests.accounts.factories import ApiKeyFactory, UserFactory, bearer
from tests.oncall.factories import AT, Desk, desk, responder, service

pytestmark = pytest.mark.django_db
API = "/api/v1"
LAYER = {"name": "x", "start_on": "2026-01-05", "handover_time": "09:00"}


def client_for(user: User | None, *scopes: str) -> APIClient:
    client = APIClient()
    client.default_format = "json"
    client.credentials(HTTP_AUTHORIZATION=bearer(ApiKeyFactory(user=user, scopes=list(scopes) or ["*:write"])))
    return client


@pytest.fixture
def admin() -> APIClient:
    return client_for(UserFactory(roles=["admin"]))


@pytest.fixture
def paged() -> Desk:
    at = desk(ack_timeout_s=1800)
    at.open()
    at.pass_time()
    return at


def rota(*people: User) -> dict[str, Any]:
    return {
        "name": "Primary",
        "zone": "Europe/Madrid",
        "layers": [
            {
                "name": "Weekly", "unit": "weekly", "start_on": "2026-01-05", "handover_time": "09:00",
                "members": [user.pk for user in people],
            }
        ],
    }  # fmt: skip


def fields(answer: Any) -> set[str]:
    return {one["field"] for one in answer.json()["errors"]}


def test_a_rota_is_made_read_changed_and_asked(admin: APIClient) -> None:
    olu, wen = responder(name="Olu"), responder()
    made = admin.post(f"{API}/schedules/", rota(olu, wen))
    assert made.status_code == 201, made.json()
    address = f"{API}/schedules/{made.json()['id']}/"
    shown = admin.get(address)
    assert shown.json()["layers"][0]["members"] == [olu.pk, wen.pk]
    on_call = admin.get(f"{address}on-call/", {"at": "2026-03-02T09:00:00Z"}).json()
    assert (on_call["users"], on_call["names"]) == ([olu.pk], ["Olu"])
    override = {"user": wen.pk, "starts_at": "2026-03-02T08:00:00Z", "ends_at": "2026-03-02T18:00:00Z"}
    changed = admin.patch(address, {"overrides": [override]}, headers={"If-Match": shown["ETag"]})
    assert changed.status_code == 200, changed.json()
    assert admin.get(f"{address}on-call/", {"at": "2026-03-02T09:00:00Z"}).json()["users"] == [wen.pk]
    stale = admin.patch(address, {"name": "Other"}, headers={"If-Match": shown["ETag"]})
    assert stale.status_code == 412
    assert admin.get(f"{address}on-call/", {"at": "yesterday"}).status_code == 400
    assert admin.delete(address).status_code == 204


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"colour": "red"}, "colour"),
        (
            {"layers": [{"name": "x", "start_on": "2026-01-05", "handover_time": "09:00", "members": []}]},
            "layers.0.members",
        ),
        (
            {"layers": [{"name": "x", "start_on": "soon", "handover_time": "09:00", "members": [0]}]},
            "layers.0.start_on",
        ),
        ({"version": 7}, "version"),
    ],
)
def test_a_bad_rota_answers_400_with_the_field(admin: APIClient, change: dict[str, Any], field: str) -> None:
    answer = admin.post(f"{API}/schedules/", {**rota(responder()), **change})
    assert answer.status_code == 400
    assert field in fields(answer)
    assert not Schedule.objects.exists()


def test_a_policy_is_made_assigned_and_refused_when_it_loops(admin: APIClient) -> None:
    olu, payments = responder(), service()
    body = {"name": "P", "levels": [{"delay_s": 300, "targets": [{"user": olu.pk}]}]}
    made = admin.post(f"{API}/escalation-policies/", body)
    assert made.status_code == 201, made.json()
    address = f"{API}/escalation-policies/{made.json()['id']}/"
    assigned = admin.post(f"{address}assign/", {"service": payments.pk})
    assert assigned.json()["services"] == [payments.pk]
    loop = admin.patch(address, {"fallback_policy": made.json()["id"]})
    assert (loop.status_code, fields(loop)) == (400, {"fallback_policy"})
    assert admin.delete(address).status_code == 409
    assert admin.post(f"{address}unassign/", {"service": payments.pk}).json()["services"] == []
    assert admin.delete(address).status_code == 204
    assert not EscalationPolicy.objects.exists()


@pytest.mark.parametrize("levels", [[], [{"delay_s": 1, "targets": []}], [{"delay_s": 1, "targets": [{}]}]])
def test_a_policy_with_nobody_in_it_answers_400(admin: APIClient, levels: list[Any]) -> None:
    answer = admin.post(f"{API}/escalation-policies/", {"name": "P", "levels": levels})
    assert answer.status_code == 400, answer.json()
    assert not EscalationPolicy.objects.exists()


def test_who_was_paged_reads_and_acknowledges_the_page(paged: Desk) -> None:
    client = client_for(paged.olu)
    incident = Incident.objects.get()
    [shown] = client.get(f"{API}/pages/", {"incident": incident.reference, "state": "running"}).json()["results"]
    assert shown["notifications"][0]["state"] == "queued"
    answer = client.post(f"{API}/pages/{shown['id']}/acknowledge/")
    assert (answer.status_code, answer.json()["state"]) == (200, "acknowledged")
    assert Incident.objects.get().acknowledged_by == paged.olu
    extended = client.post(f"{API}/pages/{shown['id']}/extend/")
    assert extended.json()["escalate_at"] > answer.json()["escalate_at"]
    assert client.post(f"{API}/pages/{shown['id']}/pass-on/").json()["state"] == "running"


def test_the_second_caller_is_told_who_has_it(paged: Desk) -> None:
    paged.pass_time(5)
    page = Page.objects.get()
    client_for(paged.olu).post(f"{API}/pages/{page.pk}/acknowledge/")
    late = client_for(paged.wen).post(f"{API}/pages/{page.pk}/acknowledge/")
    assert late.status_code == 409
    assert "Olu has it since" in late.json()["detail"]


def test_pages_of_incidents_out_of_scope_answer_404(paged: Desk) -> None:
    page = Page.objects.get()
    stranger = client_for(UserFactory(roles=["requester"]))
    assert stranger.get(f"{API}/pages/").json()["results"] == []
    assert stranger.get(f"{API}/pages/{page.pk}/").status_code == 404
    assert stranger.post(f"{API}/pages/{page.pk}/acknowledge/").status_code == 404


def test_a_requester_does_not_read_whom_the_desk_paged_for_them() -> None:
    requester = UserFactory(roles=["requester"])
    at = desk()
    incident = at.open(requester=requester)
    at.pass_time()
    client = client_for(requester)
    assert client.get(f"{API}/incidents/{incident.reference}/").status_code == 200
    assert client.get(f"{API}/pages/").json()["results"] == []
    assert client.get(f"{API}/pages/{Page.objects.get().pk}/").status_code == 404


def test_a_page_has_no_version_to_match(paged: Desk) -> None:
    answer = client_for(paged.olu).post(f"{API}/pages/{Page.objects.get().pk}/acknowledge/", HTTP_IF_MATCH='"1"')
    assert (answer.status_code, fields(answer)) == (400, {"If-Match"})


def test_a_key_without_a_person_never_acknowledges(paged: Desk) -> None:
    page = Page.objects.get()
    assert client_for(None).post(f"{API}/pages/{page.pk}/acknowledge/").status_code == 403


def test_a_requester_sees_no_rota_policy_or_rule() -> None:
    at = desk()
    BreachRule.objects.create(name="Breach", escalation_policy=at.policy)
    client = client_for(UserFactory(roles=["requester"]))
    for resource in ("schedules", "escalation-policies", "breach-rules"):
        assert client.get(f"{API}/{resource}/").json()["results"] == []


def test_a_breach_rule_is_configuration(admin: APIClient) -> None:
    at = desk()
    body = {"name": "Late", "target": "respond", "percent": 75, "escalation_policy": at.policy.pk}
    made = admin.post(f"{API}/breach-rules/", body)
    assert made.status_code == 201, made.json()
    assert admin.post(f"{API}/breach-rules/", {**body, "name": "Bad", "target": "dinner"}).status_code == 400
    agent = client_for(UserFactory(roles=["agent"]))
    assert agent.patch(f"{API}/breach-rules/{made.json()['id']}/", {"percent": 90}).status_code == 403


def test_lists_take_as_many_queries_for_many_rows_as_for_few(
    paged: Desk, admin: APIClient, django_assert_max_num_queries: Any
) -> None:
    for _ in range(5):
        paged.open()
    paged.at = AT
    paged.pass_time()
    with django_assert_max_num_queries(12):
        assert len(admin.get(f"{API}/pages/").json()["results"]) == 6
