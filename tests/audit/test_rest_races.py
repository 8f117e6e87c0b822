"""Two requests with one idempotency key at the same moment, with real commits."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connections
from rest_framework.test import APIClient

import accounts.actions
from accounts.models import Team
from audit.models import Event
from tests.accounts.factories import ApiKeyFactory, UserFactory, bearer


def _client() -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=bearer(ApiKeyFactory(user=UserFactory(roles=["admin"]))))
    return client


def _make(client: APIClient) -> Any:
    return client.post("/api/v1/teams/", {"name": "A", "slug": "a"}, headers={"Idempotency-Key": "k1"})


def test_while_the_first_runs_a_repeat_is_told_so(committed_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    client, running, go_on = _client(), threading.Event(), threading.Event()
    real = accounts.actions.create_team

    def slow(**values: Any) -> Team:
        running.set()
        assert go_on.wait(10)
        return real(**values)

    monkeypatch.setattr(accounts.actions, "create_team", slow)
    answers: list[Any] = []

    def first() -> None:
        answers.append(_make(client))
        connections.close_all()

    thread = threading.Thread(target=first)
    thread.start()
    assert running.wait(10)
    meanwhile = _make(client)
    go_on.set()
    thread.join(10)
    assert (meanwhile.status_code, meanwhile.data["type"]) == (409, "urn:servicedesk:problem:still_running")
    assert answers[0].status_code == 201
    assert _make(client).data["id"] == answers[0].data["id"]


def test_of_two_at_once_one_acts_and_both_may_ask_again(committed_db: None) -> None:
    client, barrier, answers = _client(), threading.Barrier(2), []

    def ask() -> None:
        barrier.wait(10)
        answers.append(_make(client).status_code)
        connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(10)
    assert 201 in answers
    assert set(answers) <= {201, 409}
    assert Team.objects.count() == 1
    assert Event.objects.filter(kind="config.created").count() == 1
