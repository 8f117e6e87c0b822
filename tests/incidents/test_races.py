"""Two people at once, on real connections: one wins, the other is told, and one version is written.

`RACES` rounds of each race; the issue's 200 run by `RACES=200`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from audit.actions import ActionRefused
from audit.actor import SYSTEM, Actor
from incidents.actions import (
    AlreadyAcknowledged,
    AlreadyHeld,
    IllegalTransition,
    acknowledge,
    cancel,
    change_matrix,
    claim,
    open_incident,
    put_on_hold,
    resolve,
    start,
)
from incidents.models import Incident, PriorityMatrix
from incidents.tasks import sweep
from tests.accounts.factories import UserFactory
from tests.incidents.factories import AT, IncidentFactory, later, person
from tests.incidents.trail import fresh, kinds, versions

ROUNDS = int(os.environ.get("RACES", "5"))

pytestmark = pytest.mark.usefixtures("committed_db")


def race(*runs: Callable[[], Any]) -> list[Any]:
    """Runs all at the same moment, each on a connection of its own; results and refusals in order."""
    gate = threading.Barrier(len(runs))
    results: list[Any] = [None] * len(runs)

    def one(place: int, run: Callable[[], Any]) -> None:
        try:
            gate.wait(timeout=30)
            results[place] = run()
        except ActionRefused as refusal:
            results[place] = refusal
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=pair) for pair in enumerate(runs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


def agents() -> tuple[Actor, Actor]:
    first, second = UserFactory(), UserFactory()
    return person(first, "agent"), person(second, "agent")


def refusals(results: list[Any]) -> list[ActionRefused]:
    return [one for one in results if isinstance(one, ActionRefused)]


@pytest.mark.parametrize(
    ("verb", "refused"), [(acknowledge, AlreadyAcknowledged), (claim, AlreadyHeld), (start, IllegalTransition)]
)
def test_of_two_one_wins_and_the_other_is_told(verb: Any, refused: type[ActionRefused]) -> None:
    one, other = agents()
    for _ in range(ROUNDS):
        incident = IncidentFactory()
        results = race(*(partial(verb, incident=incident, by=by, at=AT) for by in (one, other)))
        (told,) = refusals(results)
        assert isinstance(told, refused)
        winner = next(one for one in results if isinstance(one, Incident))
        assert fresh(incident).assignee_id == winner.assignee_id
        assert (versions(incident), len(kinds(incident))) == (2, 2)
        if "holder" in told.extra:
            assert told.extra["holder"] == str(User.objects.get(pk=winner.assignee_id or 0))


def test_two_different_ends_are_one_end() -> None:
    for _ in range(ROUNDS):
        incident = IncidentFactory()
        results = race(
            partial(resolve, incident=incident, code="fixed", by=SYSTEM, at=AT),
            partial(cancel, incident=incident, reason="mistake", by=SYSTEM, at=AT),
        )
        assert len(refusals(results)) == 1
        assert fresh(incident).state in ("resolved", "cancelled")
        assert versions(incident) == 2


def test_two_sweeps_wake_an_incident_once() -> None:
    incidents = [
        put_on_hold(incident=IncidentFactory(), hold_reason="scheduled", until=later(hours=1), by=SYSTEM, at=AT)
        for _ in range(ROUNDS)
    ]
    results = race(lambda: sweep(later(hours=2)), lambda: sweep(later(hours=2)))
    assert sum(one["wake_ups"] for one in results) == len(incidents)
    for incident in incidents:
        assert kinds(incident).count("wake_up_due") == 1


def test_two_admins_saving_the_matrix_make_two_versions() -> None:
    admin = person(UserFactory(), "admin")
    rows = ([[1, 2], [3, 4]], [[2, 2], [3, 3]])
    saved = race(*(partial(change_matrix, rows=one, by=admin, at=AT) for one in rows))
    assert sorted(one.number for one in saved) == [2, 3]
    assert PriorityMatrix.objects.get(is_current=True).number == 3


def test_numbers_are_unique_when_many_open_at_once() -> None:
    opened = race(*(lambda: open_incident(title="x", by=SYSTEM, at=AT) for _ in range(8)))
    assert len({one.number for one in opened}) == 8
