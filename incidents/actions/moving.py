"""What goes along with a merge and comes back with its undo: watchers, tasks, links, children."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from incidents import queries
from incidents.actions.frame import saved
from incidents.models import Incident, IncidentLink, Merge, Participant, Task


def move_along(source: Incident, target: Incident, at: datetime) -> dict[str, Any]:
    """Moves everything under the locks of both, and returns the ids by which it can come back."""
    return {
        "watchers": _add_watchers(source, target, at),
        "tasks": _move_tasks(source, target),
        "links": _move_links(source, target),
        "children": _move_children(source.pk, target.pk),
    }


def move_back(row: Merge, source: Incident, target: Incident) -> None:
    """What the merge moved and nobody moved on or removed since."""
    for watcher in Participant.objects.filter(incident=target, user_id__in=row.moved["watchers"], role="watcher"):
        watcher.delete()
    for task in Task.objects.filter(pk__in=row.moved["tasks"], incident=target):
        task.incident = source
        task.save()
    for pk, end in row.moved["links"]:
        link = IncidentLink.objects.filter(pk=pk, **{end: target.pk}).first()
        if link is not None:
            setattr(link, end, source.pk)
            link.save()
    for child in Incident.objects.filter(pk__in=row.moved["children"], parent_id=target.pk).order_by("pk"):
        child.parent_id = source.pk
        saved(child)


def _add_watchers(source: Incident, target: Incident, at: datetime) -> list[int]:
    """Copies, so that the source's own list stays as it was; with two requesters only people of the desk go along."""
    added = [one.pk for one in queries.watchers_that_follow(source, target)]
    for user_id in added:
        Participant.objects.create(incident=target, user_id=user_id, role="watcher", added_at=at)
    return added


def _move_tasks(source: Incident, target: Incident) -> list[int]:
    moved = list(Task.objects.filter(incident=source).order_by("pk"))
    for task in moved:
        task.incident = target
        task.save()
    return [task.pk for task in moved]


def _move_links(source: Incident, target: Incident) -> list[list[Any]]:
    """Those between the two, and those that the target has already, stay where they are."""
    moved: list[list[Any]] = []
    links = list(IncidentLink.objects.touching(source).order_by("pk"))
    known = set(IncidentLink.objects.touching(target).values_list("incident_id", "other_id", "kind"))
    for link in links:
        end = "incident_id" if link.incident_id == source.pk else "other_id"
        far = link.other_id if end == "incident_id" else link.incident_id
        wanted = (target.pk, far, link.kind) if end == "incident_id" else (far, target.pk, link.kind)
        if far == target.pk or wanted in known:
            continue
        setattr(link, end, target.pk)
        link.save()
        moved.append([link.pk, end])
    return moved


def _move_children(source_id: int, target_id: int) -> list[int]:
    children = list(Incident.objects.filter(parent_id=source_id).exclude(pk=target_id).order_by("pk"))
    for child in children:
        child.parent_id = target_id
        saved(child)
    return [child.pk for child in children]
