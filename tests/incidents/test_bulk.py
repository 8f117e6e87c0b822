"""One verb on several incidents by REST."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import Team
from incidents.models import Comment, Incident
from tests.accounts.factories import ApiKeyFactory, MembershipFactory, TeamFactory, UserFactory, bearer
from tests.incidents.factories import IncidentFactory

pytestmark = pytest.mark.django_db
BULK = "/api/v1/incidents/bulk/"


@pytest.fixture
def team() -> Team:
    return TeamFactory()


@pytest.fixture
def agent(team: Team) -> APIClient:
    user = UserFactory(roles=["agent"])
    MembershipFactory(user=user, team=team)
    key = ApiKeyFactory(user=user, scopes=["incidents:write"])
    return APIClient(headers={"Authorization": bearer(key)})


def rows(*found: Incident) -> list[dict[str, Any]]:
    return [{"incident": one.reference, "version": one.version} for one in found]


def send(client: APIClient, verb: str, incidents: list[dict[str, Any]], **more: Any) -> Any:
    return client.post(BULK, {"verb": verb, "incidents": incidents, **more}, format="json")


def test_each_gets_its_own_result_and_a_refusal_stops_no_other(agent: APIClient, team: Team) -> None:
    free, taken = IncidentFactory(team=team), IncidentFactory(team=team, assignee=UserFactory())
    foreign = IncidentFactory(team=TeamFactory())
    answer = send(agent, "claim", rows(taken, foreign, free))
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert (told["done"], told["refused"]) == (1, 2)
    assert [(one["status"], one["code"]) for one in told["results"]] == [
        (409, "already_held"), (404, "not_found"), (200, ""),
    ]  # fmt: skip
    assert Incident.objects.get(pk=free.pk).assignee_id is not None
    assert Incident.objects.get(pk=foreign.pk).version == foreign.version


def test_a_stale_row_is_refused_alone(agent: APIClient, team: Team) -> None:
    one, other = IncidentFactory.create_batch(2, team=team)
    given = [{"incident": one.reference, "version": 77}, *rows(other)]
    told = send(agent, "cancel", given, values={"reason": "mistake", "detail": "test"}).json()
    assert [result["status"] for result in told["results"]] == [412, 200]
    assert [Incident.objects.get(pk=found.pk).state for found in (one, other)] == ["new", "cancelled"]


def test_an_internal_note_goes_to_all(agent: APIClient, team: Team) -> None:
    found = IncidentFactory.create_batch(3, team=team)
    assert send(agent, "comments", rows(*found), values={"body": "same cause"}).json()["done"] == 3
    assert set(Comment.objects.values_list("incident_id", "is_public")) == {(one.pk, False) for one in found}


@pytest.mark.parametrize(
    ("verb", "more", "field"),
    [
        ("explode", {}, "verb"), ("hold", {"values": {}}, "reason"), ("claim", {"values": {"x": 1}}, "x"),
        ("claim", {"extra": 1}, "extra"),
    ],
)  # fmt: skip
def test_a_bad_call_changes_nothing_and_names_the_field(
    agent: APIClient, team: Team, verb: str, more: dict[str, Any], field: str
) -> None:
    incident = IncidentFactory(team=team)
    answer = send(agent, verb, rows(incident), **more)
    assert answer.status_code == 400
    assert field in [one["field"] for one in answer.json()["errors"]]
    assert Incident.objects.get(pk=incident.pk).version == incident.version


def test_more_than_fifty_or_none_are_refused(agent: APIClient, team: Team) -> None:
    one = rows(IncidentFactory(team=team))
    assert send(agent, "claim", one * 51).status_code == 400
    assert send(agent, "claim", []).status_code == 400


def test_the_same_key_carries_it_out_once(agent: APIClient, team: Team) -> None:
    incident = IncidentFactory(team=team)
    body = {"verb": "comments", "incidents": rows(incident), "values": {"body": "once"}}
    for _ in range(2):
        assert agent.post(BULK, body, format="json", headers={"Idempotency-Key": "k1"}).status_code == 200
    assert Comment.objects.count() == 1
