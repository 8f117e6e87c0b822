"""Events that commit late are read all the same: real commits, real threads."""

from __future__ import annotations

import threading

from django.db import connection, transaction

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
