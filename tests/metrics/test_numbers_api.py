"""The numbers by REST."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

import accounts.actions
import incidents.actions
from audit.actor import SYSTEM
from metrics import tasks
from tests.accounts.factories import TeamFactory
from tests.incidents.factories import IncidentFactory
from tests.metrics.test_pages import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def solved() -> Any:
    now = timezone.now()
    for minutes in (30, 60, 90):
        incident: Any = IncidentFactory(team=TeamFactory(), at=now - timedelta(minutes=minutes))
        incident = incidents.actions.resolve(incident=incident, code="fixed", by=SYSTEM, at=now)
    tasks.sweep(now)
    return incident


def test_all_numbers_come_with_definition_and_the_range_before(solved: Any) -> None:
    body = signed_in("manager").get("/api/v1/metrics/").json()
    found = {one["metric"]: one for one in body["results"]}
    assert found["resolution"]["now"]["median"] == 3600
    assert (found["resolution"]["now"]["n"], found["resolution"]["before"]["n"]) == (3, 0)
    assert found["mttr"]["now"]["left_out"] == [{"reason": "unknown", "meaning": "a time or fact is unknown", "n": 3}]
    assert body["backlog"]["n"] == 0


def test_one_number_has_its_course_and_its_rows(solved: Any) -> None:
    client = signed_in("manager")
    one = client.get("/api/v1/metrics/resolution/").json()
    assert sum(part["n"] for part in one["series"]) == one["now"]["n"] == 3
    rows = client.get("/api/v1/metrics/resolution/rows/").json()
    assert [row["value"] for row in rows["results"]] == [5400, 3600, 1800]
    after = client.get("/api/v1/metrics/mttr/rows/?reason=unknown").json()
    assert {row["reason"] for row in after["results"]} == {"unknown"}


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ("from=2026-03-02&to=2026-03-01", "from"), ("to=9999-12-31", "to"), ("from=0001-01-01", "from"),
        ("tame=3", "tame"), ("priority=0", "priority"), ("team=1e999", "team"),
    ],
)  # fmt: skip
def test_a_bad_question_is_a_problem_that_names_its_field(asked: str, field: str) -> None:
    answer = signed_in("manager").get(f"/api/v1/metrics/?{asked}")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["errors"][0]["field"] == field


def test_rows_refuse_places_and_reasons_that_are_none_of_ours() -> None:
    client = signed_in("manager")
    for asked in ("after=abc", "after=99999999.1.1", "reason=whim"):
        assert client.get(f"/api/v1/metrics/mttr/rows/?{asked}").status_code == 400
    assert client.get("/api/v1/metrics/nothing/").status_code == 404


def test_only_who_oversees_reads_the_numbers(client: Any) -> None:
    assert signed_in("agent").get("/api/v1/metrics/").status_code == 403
    assert client.get("/api/v1/metrics/").status_code == 401


def test_the_number_of_statements_does_not_grow(solved: Any, django_assert_max_num_queries: Any) -> None:
    client = signed_in("manager")
    client.get("/api/v1/metrics/")
    with django_assert_max_num_queries(40):
        client.get("/api/v1/metrics/")


def test_a_key_needs_the_scope_of_the_numbers(client: Any) -> None:
    answers = []
    for scope in ("metrics:read", "incidents:read"):
        _, text = accounts.actions.issue_api_key(name=scope, scopes=[scope], by=SYSTEM, at=timezone.now())
        answers.append(client.get("/api/v1/metrics/", HTTP_AUTHORIZATION=f"Bearer {text}").status_code)
    assert answers == [200, 403]
