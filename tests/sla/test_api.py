"""Clocks, calendars and policies by REST: who sees what, filters, and refusals that name the field."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.models import User
from sla.models import Calendar, SlaPolicy
from sla.tasks import sweep
from tests.accounts.factories import ApiKeyFactory, UserFactory, bearer
from tests.sla.factories import Desk, SlaPolicyFactory

AT = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
CLOCKS, CALENDARS, POLICIES = "/api/v1/clocks/", "/api/v1/calendars/", "/api/v1/sla-policies/"
WEEK = {"mon": [["09:00", "13:00"], ["14:00", "18:00"]]}


def client_for(user: User) -> APIClient:
    client = APIClient()
    client.raise_request_exception = False
    client.default_format = "json"
    client.credentials(HTTP_AUTHORIZATION=bearer(ApiKeyFactory(user=user, scopes=["*:write"])))
    return client


@pytest.fixture
def admin(db: None) -> APIClient:
    return client_for(UserFactory(roles=["admin"]))


def causes(response: Any, status: int) -> dict[str, str]:
    assert response.status_code == status, response.content
    return {one["field"]: one["cause"] for one in json.loads(response.content)["errors"]}


def test_a_clock_says_what_was_promised_by_which_version(desk: Desk, admin: APIClient) -> None:
    SlaPolicyFactory(name="Standard")
    desk.open(AT)
    desk.resolve(AT + timedelta(minutes=5))
    (clock,) = admin.get(CLOCKS, {"incident": desk.incident.reference, "target": "resolve"}).json()["results"]
    assert (clock["incident"], clock["state"], clock["elapsed_s"]) == (desk.incident.reference, "met", 300)
    assert (clock["policy"], clock["policy_version"], clock["due_at"]) == ("Standard", 1, "2026-03-10T10:00:00Z")


def test_clocks_are_filtered_by_state_target_and_breach(desk: Desk, admin: APIClient) -> None:
    SlaPolicyFactory()
    desk.open(AT, assignee=desk.agent)
    sweep(AT + 2 * HOUR)
    desk.open(AT + 2 * HOUR, assignee=desk.agent)
    for query, count in (
        ({"breached": "true"}, 1),
        ({"breached": "false"}, 1),
        ({"state": "running", "target": "resolve"}, 2),
        ({"state": "paused"}, 0),
        ({"due_before": "2026-03-10T10:30:00Z"}, 1),
        ({"incident": "INC-999999"}, 0),
    ):
        assert len(admin.get(CLOCKS, query).json()["results"]) == count, query


def test_a_person_sees_the_clocks_of_the_incidents_they_see(desk: Desk) -> None:
    SlaPolicyFactory()
    desk.open(AT)
    clock = desk.clock()
    stranger = client_for(UserFactory(roles=["requester"]))
    assert len(client_for(desk.requester).get(CLOCKS).json()["results"]) == 2
    assert stranger.get(CLOCKS).json()["results"] == []
    assert stranger.get(f"{CLOCKS}{clock.pk}/").status_code == 404


def test_nothing_writes_a_clock(desk: Desk, admin: APIClient) -> None:
    SlaPolicyFactory()
    desk.open(AT)
    assert admin.post(CLOCKS, {"state": "met"}).status_code == 405
    assert admin.patch(f"{CLOCKS}{desk.clock().pk}/", {"state": "met"}).status_code == 405


def test_a_list_of_clocks_costs_the_same_for_one_and_for_many(
    desk: Desk, admin: APIClient, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    SlaPolicyFactory()
    for _ in range(3):
        desk.open(AT)
    admin.get(CLOCKS)
    with django_assert_max_num_queries(8):
        admin.get(CLOCKS)


def test_a_calendar_is_made_changed_and_versioned(admin: APIClient) -> None:
    made = admin.post(CALENDARS, {"name": "Madrid", "zone": "Europe/Madrid", "week": WEEK, "country": "ES"})
    assert made.status_code == 201, made.content
    place = f"{CALENDARS}{made.json()['id']}/"
    changed = admin.patch(place, {"holidays": ["2026-08-14"]}, headers={"If-Match": made["ETag"]})
    assert (changed.status_code, changed.json()["current_version"]) == (200, 2), changed.content
    assert admin.patch(place, {"name": "Stale"}, headers={"If-Match": made["ETag"]}).status_code == 412


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"week": {}}, "week"),
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"holidays": ["soon"]}, "holidays"),
        ({"opening": 1}, "opening"),
    ],
)
def test_a_bad_calendar_is_refused_by_field(admin: APIClient, body: dict[str, Any], field: str) -> None:
    before = Calendar.objects.count()
    assert field in causes(admin.post(CALENDARS, {"name": "X", "zone": "UTC", "week": WEEK, **body}), 400)
    assert Calendar.objects.count() == before


def test_a_policy_is_made_with_its_targets_and_thresholds(admin: APIClient) -> None:
    body = {
        "name": "Gold",
        "position": 1,
        "calendar": Calendar.objects.all()[0].pk,
        "priorities": [1],
        "targets": {"resolve": {"1": 3600}},
        "thresholds": [{"percent": 80, "actions": [{"do": "notify", "to": ["team_lead"]}]}],
    }
    made = admin.post(POLICIES, body)
    assert made.status_code == 201, made.content
    assert (made.json()["current_version"], made.json()["on_reopen"]) == (1, "resume")
    bad = {**body, "name": "Bad", "position": 2}
    assert "can't be kept" in causes(admin.post(POLICIES, {**bad, "targets": {"resolve": {"1": 0}}}), 400)["targets"]
    falling = [{"percent": 90}, {"percent": 80}]
    assert "ascending" in causes(admin.post(POLICIES, {**bad, "thresholds": falling}), 400)["thresholds"]


def test_only_an_admin_changes_policies_and_requesters_do_not_see_them(db: None) -> None:
    policy = SlaPolicy.objects.all()[0]
    agent, requester = client_for(UserFactory(roles=["agent"])), client_for(UserFactory(roles=["requester"]))
    assert agent.get(POLICIES).json()["results"]
    assert agent.patch(f"{POLICIES}{policy.pk}/", {"name": "Mine"}).status_code == 403
    assert requester.get(POLICIES).json()["results"] == []
    assert requester.get(f"{POLICIES}{policy.pk}/").status_code == 404
