"""The tasks of an incident: added, changed, done, dropped, and brought to mind when they are late."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from accounts.models import User
from audit.actions import ActionRefused, action, assert_fresh, record
from audit.actor import Actor
from incidents import permissions
from incidents.actions.frame import active_user, aware, line, locked, require
from incidents.actions.telling import tell_task
from incidents.events import IncidentEvent
from incidents.models import Incident, State, Task

#: A late task is brought to mind once a day.
REMIND_EVERY = timedelta(days=1)


class TaskDone(ActionRefused):
    """The task is done already."""

    code = "task_done"


@action
def add_task(
    *,
    incident: Incident,
    title: str,
    by: Actor,
    at: datetime,
    owner: User | None = None,
    due_at: datetime | None = None,
) -> Task:
    """Notes a piece of work on an incident. Records `incident.task_added`.

    Refused: without a title, a deactivated owner, on what is closed or cancelled, and to who may not work on it.
    """
    title = line("title", title, required=True)
    active_user(owner, "owner")
    due_at = aware("due_at", due_at) if due_at is not None else None
    incident = locked(incident)
    require(permissions.can_work, by, incident, "add tasks to")
    if incident.state in (State.CLOSED, State.CANCELLED):
        raise ActionRefused(
            f"{incident.reference} is {State(incident.state).label}", field="state", remedy="open a new incident"
        )
    task = Task.objects.create(
        incident=incident, title=title, owner=owner, due_at=due_at, remind_at=due_at, created_at=at
    )
    record(
        IncidentEvent.TASK_ADDED, incident, by, at, task=task.pk, title=title, owner=task.owner_id,
        due_at=due_at.isoformat() if due_at else None,
    )  # fmt: skip
    return task


@action
def change_task(
    *, task: Task, values: dict[str, Any], by: Actor, at: datetime, expected_version: int | None = None
) -> Task:
    """Another title, owner or due time. Records `incident.task_changed`. Refused once it is done."""
    task = _locked(task, by, "change tasks of", expected_version)
    _is_open(task)
    for name, value in values.items():
        setattr(task, name, line("title", value, required=True) if name == "title" else value)
    if "owner" in values:
        active_user(values["owner"], "owner")
    changed = sorted(task.changed_fields())
    if not changed:
        return task
    task.remind_at = task.due_at
    task.save()
    record(IncidentEvent.TASK_CHANGED, task.incident, by, at, task=task.pk, title=task.title, fields=changed)
    return task


@action
def finish_task(*, task: Task, by: Actor, at: datetime, expected_version: int | None = None) -> Task:
    """It is done. Records `incident.task_done`. Refused when it is done already; its owner may too."""
    task = _locked(task, by, "finish tasks of", expected_version)
    _is_open(task)
    task.done_at, task.done_by_id, task.remind_at = at, by.user_id, None
    task.save()
    record(IncidentEvent.TASK_DONE, task.incident, by, at, task=task.pk, title=task.title)
    return task


@action
def drop_task(*, task: Task, by: Actor, at: datetime, reason: str = "", expected_version: int | None = None) -> None:
    """It need not be done; its history stays. Records `incident.task_dropped`. Refused when it is done."""
    task = _locked(task, by, "drop tasks of", expected_version)
    _is_open(task)
    record(IncidentEvent.TASK_DROPPED, task.incident, by, at, reason=reason, task=task.pk, title=task.title)
    task.delete()


@action
def remind_task(*, task: Task, by: Actor, at: datetime) -> Task:
    """Tells the owner, else the incident's assignee, that a task is late, once a day. Records `incident.task_late`.

    Changes nothing when it was done or moved meanwhile; a task of an incident that is over stays silent.
    """
    fresh = Task.objects.select_for_update(no_key=True).select_related("incident").filter(pk=task.pk).first()
    if fresh is None or fresh.remind_at is None or fresh.remind_at > at:
        return fresh or task
    over = fresh.incident.state in (State.CLOSED, State.CANCELLED)
    fresh.remind_at = None if over else at + REMIND_EVERY
    fresh.save()
    if not over:
        record(IncidentEvent.TASK_LATE, fresh.incident, by, at, task=fresh.pk, title=fresh.title, owner=fresh.owner_id)
        tell_task(fresh, by, at)
    return fresh


def _locked(task: Task, by: Actor, doing: str, expected_version: int | None) -> Task:
    """The task again, under the lock of its incident and its own: a merge may move it meanwhile."""
    locked(task.incident)
    rows = Task.objects.select_for_update(no_key=True).select_related("incident").filter(pk=task.pk)
    fresh = rows.first()
    if fresh is None or fresh.incident_id != task.incident_id:
        raise ActionRefused("the task was dropped or moved meanwhile", remedy="load the incident again")
    assert_fresh(fresh, expected_version)
    if by.user_id is None or fresh.owner_id != by.user_id:
        require(permissions.can_work, by, fresh.incident, doing)
    return fresh


def _is_open(task: Task) -> None:
    if task.done_at is not None:
        raise TaskDone(f"“{task.title}” is done already", field="done_at", remedy="add a new task")
