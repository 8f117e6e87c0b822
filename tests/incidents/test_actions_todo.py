"""Tasks: noted, changed, done, dropped, and brought to mind while late."""

from __future__ import annotations

import pytest

import incidents.actions as verbs
from audit.actions import ActionRefused, Forbidden
from audit.actor import SYSTEM
from incidents.actions import TaskDone
from incidents.models import Task
from incidents.tasks import sweep
from tests.accounts.factories import UserFactory
from tests.incidents.factories import AT, IncidentFactory, later, person
from tests.incidents.trail import kinds, mails

pytestmark = pytest.mark.django_db


def task(**given: object) -> Task:
    values = {"incident": IncidentFactory(), "title": "Order a toner", "by": SYSTEM, "at": AT, **given}
    return verbs.add_task(**values)  # type: ignore[arg-type]


def test_a_task_is_noted_changed_and_done() -> None:
    one = task(due_at=later(days=1))
    owner = UserFactory()
    one = verbs.change_task(task=one, values={"owner": owner, "title": "Order two"}, by=SYSTEM, at=AT)
    done = verbs.finish_task(task=one, by=person(owner, "agent"), at=later(hours=1))
    assert (done.done_at, done.done_by_id, done.remind_at) == (later(hours=1), owner.pk, None)
    assert kinds(one.incident)[-3:] == ["task_added", "task_changed", "task_done"]
    with pytest.raises(TaskDone):
        verbs.finish_task(task=done, by=SYSTEM, at=AT)


def test_a_late_task_is_brought_to_mind_once_a_day() -> None:
    one = task(owner=UserFactory(), due_at=later(hours=1))
    for hours in (2, 3, 27):
        sweep(later(hours=hours))
    told = [mail for mail in mails(one.incident) if "Order a toner" in mail.body]
    assert [mail.address for mail in told] == [one.owner.email] * 2 if one.owner else False
    assert kinds(one.incident).count("task_late") == 2


def test_a_done_or_dropped_task_and_one_of_a_closed_incident_stay_silent() -> None:
    done, dropped, over = (task(owner=UserFactory(), due_at=later(hours=1)) for _ in range(3))
    verbs.finish_task(task=done, by=SYSTEM, at=AT)
    verbs.drop_task(task=dropped, by=SYSTEM, at=AT)
    verbs.cancel(incident=over.incident, reason="mistake", by=SYSTEM, at=AT)
    sweep(later(hours=2))
    assert not any("task_late" in kinds(one.incident) for one in (done, dropped, over))


def test_nothing_is_noted_on_what_is_over_and_nothing_by_who_may_not() -> None:
    one = task()
    with pytest.raises(Forbidden):
        verbs.finish_task(task=one, by=person(UserFactory(), "requester"), at=AT)
    verbs.cancel(incident=one.incident, reason="mistake", by=SYSTEM, at=AT)
    with pytest.raises(ActionRefused):
        task(incident=one.incident)
