"""What requests remember of the configuration is never older than the request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.models import Team
from audit.context import entry, stamp
from audit.defaults import count
from audit.queries import kept, stamp_sql
from incidents.models import Incident, PriorityMatrix
from oncall.models import Page
from tests.accounts.factories import ApiKeyFactory, UserFactory, bearer
from tests.incidents.factories import ServiceFactory
from tests.oncall.factories import LevelFactory, LevelTargetFactory, PolicyAssignmentFactory

pytestmark = pytest.mark.django_db
INCIDENTS = "/api/v1/incidents/"


@pytest.fixture
def log(db: None) -> Callable[..., Incident]:
    client = APIClient()
    key = ApiKeyFactory(user=UserFactory(roles=["incident_manager"]), scopes=["*:write"])

    def post(**more: Any) -> Incident:
        values = {"title": "Gateway is down", "impact": 1, "urgency": 1, **more}
        answer = client.post(INCIDENTS, values, headers={"Authorization": bearer(key)}, format="json")
        assert answer.status_code == 201, answer.content
        return Incident.objects.get(number=int(answer.data["reference"][4:]))

    return post


def test_a_change_past_the_actions_is_seen_by_the_next_request(log: Callable[..., Incident]) -> None:
    assert log().priority == 1
    PriorityMatrix.objects.filter(is_current=True).update(rows=[[4, 4, 4], [4, 4, 4], [4, 4, 4]])
    assert log().priority == 4


def test_a_policy_pages_from_the_moment_it_is_assigned(log: Callable[..., Incident]) -> None:
    service = ServiceFactory(owner_team=Team.objects.first())
    log(service=service.pk)
    assert not Page.objects.exists()
    level = LevelFactory()
    LevelTargetFactory(level=level, user=UserFactory())
    assignment = PolicyAssignmentFactory(policy=level.policy, service=service, team=None)
    incident = log(service=service.pk)
    assert Page.objects.get().incident == incident
    assignment.delete()
    log(service=service.pk)
    assert Page.objects.count() == 1


def test_logging_an_incident_takes_few_statements(
    log: Callable[..., Incident], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    service, requester = ServiceFactory(), UserFactory()
    given = {"service": service.pk, "requester": requester.pk}
    log(**given)
    # The goal is 16 at most; the savepoint stands for begin and commit, and this test reads the incident again.
    with django_assert_max_num_queries(1 + 11):
        log(**given)


def test_holding_an_incident_takes_few_statements(
    log: Callable[..., Incident], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    incident = log(service=ServiceFactory().pk, requester=UserFactory().pk)
    key = bearer(ApiKeyFactory(user=UserFactory(roles=["incident_manager"]), scopes=["*:write"]))
    client, path = APIClient(headers={"Authorization": key}), f"{INCIDENTS}{incident.reference}/"
    hold = {"reason": "scheduled", "until": (timezone.now() + timedelta(days=1)).isoformat()}
    client.post(f"{path}claim/")
    # In a test begin and commit are two statements of a savepoint, and the actor is unset after it.
    with django_assert_max_num_queries(3 + 13):
        assert client.post(f"{path}hold/", hold, format="json").status_code == 200
    with django_assert_max_num_queries(3 + 13):
        assert client.post(f"{path}resume/").status_code == 200


def _stamp() -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"select {stamp_sql()}")
        return str(cursor.fetchone()[0])


def test_the_stamp_changes_with_any_write_of_a_kept_table() -> None:
    seen = {_stamp()}
    with connection.cursor() as cursor:
        cursor.execute("update incidents_prioritymatrix set name = 'Other'")
    seen.add(_stamp())
    assert len(seen) == 2


def test_without_a_request_nothing_is_remembered_and_a_save_ends_it() -> None:
    calls: list[int] = []

    def load() -> int:
        calls.append(1)
        return len(calls)

    assert [kept("t", load), kept("t", load)] == [1, 2]
    with entry("api"):
        stamp.set("one")
        assert [kept("t", load), kept("t", load)] == [3, 3]
        matrix = PriorityMatrix.objects.get(is_current=True)
        matrix.name = "Other"
        matrix.save()
        assert kept("t", load) == 4
    assert stamp.get() is None


def test_a_process_tells_the_others_every_so_many_calls() -> None:
    assert [count("t", "somebody", 60, step=3) for _ in range(7)] == [1, 2, 3, 4, 5, 6, 7]
