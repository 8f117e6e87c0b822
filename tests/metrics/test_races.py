"""Events that commit late are read all the same: real commits, real threads."""

from __future__ import annotations

import threading

from django.db import connection, transaction

import metrics.actions
from metrics import tasks
from metrics.models import Fact
from tests.incidents.factories import AT, IncidentFactory, later


def test_an_event_that_commits_late_is_read_all_the_same(committed_db: None) -> None:
    """Another transaction has taken an id and not yet committed; the sweep must not pass over it."""
    started, go_on = threading.Event(), threading.Event()

    def slowly() -> None:
        with transaction.atomic():
            IncidentFactory(at=AT)
            started.set()
            go_on.wait(20)
        connection.close()

    other = threading.Thread(target=slowly)
    other.start()
    started.wait(20)
    IncidentFactory(at=AT)
    tasks.sweep(later(hours=1))
    assert Fact.objects.count() == 1
    go_on.set()
    other.join()
    tasks.sweep(later(hours=1))
    assert Fact.objects.count() == 2


def test_many_events_behind_a_running_transaction_are_read_in_the_same_sweep(committed_db: None) -> None:
    """The running transaction holds back what is settled, not what is read."""
    started, go_on = threading.Event(), threading.Event()

    def slowly() -> None:
        with transaction.atomic():
            IncidentFactory(at=AT)
            started.set()
            go_on.wait(20)
        connection.close()

    other = threading.Thread(target=slowly)
    other.start()
    started.wait(20)
    for _ in range(3):
        IncidentFactory(at=AT)
    place = -1
    while place:
        _, place = metrics.actions.read_on(by=tasks.SWEEPER, at=AT, after=max(place, 0), events=2)
    assert Fact.objects.count() == 3
    go_on.set()
    other.join()
    tasks.sweep(later(hours=1))
    assert Fact.objects.count() == 4
