"""Merge, undo, claim, resolve and comment at the same moment: nothing is lost and nothing is half done.

`RACES` rounds; the issue's 300 run by `RACES=300`.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from audit.actions import ActionRefused
from audit.actor import SYSTEM
from audit.models import Delivery
from incidents.actions import claim, comment, merge, put_on_hold, resolve, unmerge
from incidents.models import Comment, Incident, IncidentLink, Merge, Task
from sla.models import QueueEntry
from tests.accounts.factories import UserFactory
from tests.incidents.factories import AT, IncidentFactory, later, person
from tests.incidents.test_races import ROUNDS, race
from tests.incidents.trail import fresh, kinds, versions

pytestmark = pytest.mark.usefixtures("committed_db")


def pair() -> list[Incident]:
    """Two incidents, the later one first in every second call, with a task and a link of the source."""
    made: list[Incident] = [IncidentFactory(), IncidentFactory(at=later(minutes=5))]
    random.shuffle(made)
    Task.objects.create(incident=made[0], title="t", created_at=AT)
    IncidentLink.objects.create(incident=made[0], other=IncidentFactory(), added_at=AT)
    return made


def whole(source: Incident, target: Incident) -> None:
    """Either merged with all that goes along, or not at all; one version for each change."""
    now, heir = fresh(source), fresh(target)
    row = Merge.objects.active().filter(source=source).first()
    assert (now.merged_into_id is not None) is (row is not None) is (now.state == "cancelled")
    holder = heir if row and row.target_id == target.pk else now
    assert Task.objects.get(title="t", incident__in=[source, target]).incident_id == holder.pk
    assert IncidentLink.objects.filter(incident=holder).count() == 1
    assert heir.reported_at == (min(now.reported_at, heir.reported_at) if row else heir.created_at)
    assert list(Delivery.objects.values_list("handler", "last_error")) == []
    for one in (now, heir):
        assert one.version == versions(one)
        assert QueueEntry.objects.filter(incident=one).exists() is (one.state not in ("closed", "cancelled"))


def done(results: list[Any]) -> list[Any]:
    assert None not in results, "somebody failed with an error instead of a refusal"
    return [one for one in results if not isinstance(one, ActionRefused)]


def test_two_that_merge_into_each_other_are_one() -> None:
    for _ in range(ROUNDS):
        one, other = pair()
        results = race(
            partial(merge, incident=one, into=other, by=SYSTEM, at=later(hours=1)),
            partial(merge, incident=other, into=one, by=SYSTEM, at=later(hours=1)),
        )
        assert len(done(results)) == 1
        assert sorted(fresh(found).state for found in (one, other)) == ["cancelled", "new"]


def test_merge_against_work_on_either_side() -> None:
    agent = person(UserFactory(), "incident_manager")
    for number in range(ROUNDS):
        source, target = pair()
        side = (source, target)[number % 2]
        others: list[Callable[[], Any]] = [
            partial(claim, incident=side, by=agent, at=later(hours=1)),
            partial(comment, incident=source, by=agent, at=later(hours=1), body="a"),
            partial(comment, incident=target, by=agent, at=later(hours=1), body="b"),
        ]
        results = race(partial(merge, incident=source, into=target, by=SYSTEM, at=later(hours=1)), *others)
        told = {one.pk for one in done(results) if isinstance(one, Comment)}
        assert told == set(Comment.objects.filter(incident__in=[source, target]).values_list("pk", flat=True))
        whole(source, target)


def test_undo_against_work_on_the_target_and_letters_to_the_old_number() -> None:
    agent = person(UserFactory(), "incident_manager")
    for verb in itertools.islice(itertools.cycle((hold, finish, take)), ROUNDS):
        source, target = pair()
        merge(incident=source, into=target, by=SYSTEM, at=later(hours=1))
        results = race(
            partial(unmerge, incident=fresh(source), by=SYSTEM, at=later(hours=2)),
            partial(unmerge, incident=fresh(source), by=SYSTEM, at=later(hours=2)),
            partial(verb, fresh(target), agent),
            partial(comment, incident=fresh(source), by=agent, at=later(hours=2), body="a"),
        )
        assert len(done(results)) == 3
        assert kinds(source).count("unmerged") == 1
        whole(source, target)


def hold(incident: Incident, by: Any) -> Any:
    return put_on_hold(incident=incident, hold_reason="scheduled", until=later(days=1), by=by, at=later(hours=2))


def finish(incident: Incident, by: Any) -> Any:
    return resolve(incident=incident, code="fixed", by=by, at=later(hours=2))


def take(incident: Incident, by: Any) -> Any:
    return claim(incident=incident, by=by, at=later(hours=2))
