"""One incident becomes part of another, and can be given back until that one closes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from accounts.models import User
from audit.actions import ActionRefused, action, assert_fresh, record
from audit.actor import Actor
from incidents import permissions, queries, times
from incidents.actions.frame import move, require, saved, settled, text
from incidents.actions.moving import move_along, move_back
from incidents.actions.ownership import hand_back_one
from incidents.events import IncidentEvent
from incidents.models import OPEN_STATES, Channel, Incident, Merge, State


class DifferentRequesters(ActionRefused):
    """Two people reported them; `readers` says who will read what, `confirmation` is what confirms exactly that."""

    code = "different_requesters"


class NotMergeable(ActionRefused):
    """The two can't become one as they are."""

    code = "not_mergeable"


class NotMerged(ActionRefused):
    """There is no merge to take back, or it is too late."""

    code = "not_merged"


def locked_together(*incidents: Incident) -> dict[int, Incident]:
    """The incidents again, locked in id order as sweeps do, so that two of these never wait for each other."""
    ids = {one.pk for one in incidents}
    rows = Incident.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk")
    found = {one.pk: one for one in rows}
    for one in incidents:
        found[one.pk].given = one  # type: ignore[attr-defined]
    return found


@action
def merge(
    *,
    incident: Incident,
    into: Incident,
    by: Actor,
    at: datetime,
    reason: str = "",
    confirmation: str = "",
    expected_version: int | None = None,
) -> Incident:
    """Makes the incident part of another; returns the one that lives on. Records `incident.absorbed` and `.merged`.

    The source keeps its number, thread and history; what is written to it lands in the target. The target takes the
    earlier times. Refused: with itself, unless both are open (the target may be resolved), into one's own child, across
    kinds of life (drill, import), who may not work on both, and two requesters without their confirmation.
    """
    reason = text("reason", reason, longest=2000)
    if incident.pk == into.pk:
        raise NotMergeable(f"{incident.reference} can't be merged with itself", field="into", remedy="name another one")
    children = list(Incident.objects.filter(parent_id=incident.pk))
    both = locked_together(incident, into, *children)
    source, target = both[incident.pk], both[into.pk]
    assert_fresh(source, expected_version)
    require(permissions.can_work, by, source, "merge")
    require(permissions.can_work, by, target, "merge into")
    _check(source, target, [both[one.pk] for one in children])
    readers = queries.readers_of_merge(source, target)
    if readers and confirmation != confirmation_of(readers):
        raise DifferentRequesters(
            f"{source.reference} and {target.reference} have different requesters. {' '.join(readers)}",
            field="confirmation",
            remedy="make one the parent of the other; or send it again with this confirmation, if that may be read so",
            readers=readers,
            confirmation=confirmation_of(readers),
        )
    return _merged(source, target, by, at, reason, " ".join(readers))


def confirmation_of(readers: Sequence[str]) -> str:
    """What confirms exactly these readers: somebody who began to watch meanwhile asks for another."""
    return hashlib.sha256("\n".join(readers).encode()).hexdigest()[:16] if readers else ""


def _check(source: Incident, target: Incident, children: Sequence[Incident]) -> None:
    for one, states in ((source, OPEN_STATES), (target, (*OPEN_STATES, State.RESOLVED.value))):
        if one.state not in states:
            raise NotMergeable(
                f"{one.reference} is {State(one.state).label}",
                field="into" if one is target else "state",
                remedy="link them instead" if one.merged_into_id is None else "merge with the one that it is part of",
            )
    if target.parent_id == source.pk or (target.parent_id is not None and children):
        raise NotMergeable(
            f"{target.reference} is a child", field="into", remedy="merge the other way round, or part the family first"
        )
    if source.is_restricted != target.is_restricted:
        raise NotMergeable("one of the two is restricted", field="into", remedy="restrict both, or neither")
    if (source.is_drill, source.is_imported) != (target.is_drill, target.is_imported):
        raise NotMergeable("a drill or imported history merges only with its like", field="into", remedy="link them")


def _merged(source: Incident, target: Incident, by: Actor, at: datetime, reason: str, confirmed: str) -> Incident:
    own, brought = times.of(target), times.of(source)
    start = source.detected_at if source.channel == Channel.ALERT and source.detected_at else source.reported_at
    state = str(source.state)
    move(source, "merging", source.merge, target.pk, at)
    fields = {name: _plain(old) for name, (old, _new) in source.changed_fields().items()}
    row = Merge.objects.create(
        source=source, target=target, merged_at=at, merged_by_id=by.user_id, reason=reason, confirmed=confirmed,
        source_before={**fields, "state": state}, own_times=own.as_json(),
    )  # fmt: skip
    row.moved = move_along(source, target, at)
    row.save()
    saved(source)
    _take_times(target, times.earliest(own, [brought]))
    saved(target)
    record(
        IncidentEvent.ABSORBED, target, by, at, reason=reason, source=source.reference, merge=row.pk,
        start_at=start.isoformat(), own=own.as_json(), earliest=times.of(target).as_json(),
    )  # fmt: skip
    record(
        IncidentEvent.MERGED, source, by, at, reason=reason, target=target.reference, merge=row.pk, old=state,
        confirmed=confirmed,
    )  # fmt: skip
    return settled(target)


def _plain(value: Any) -> Any:
    """As the field's own `to_python` reads it again; of a list it reads only a text."""
    if isinstance(value, list):
        return json.dumps([_plain(one) for one in value])
    return value.isoformat() if isinstance(value, datetime) else value


def _take_times(target: Incident, found: times.EarlyTimes) -> None:
    for name in times.NAMES:
        setattr(target, name, getattr(found, name))


@action
def unmerge(
    *, incident: Incident, by: Actor, at: datetime, reason: str = "", expected_version: int | None = None
) -> Incident:
    """Takes a merge back: fields, clocks, links, watchers and tasks as they were. Records `.unmerged` and `.released`.

    What was written since stays with the target. Refused once the target closed, was cancelled or was merged itself,
    and to who may not work on both.
    """
    reason = text("reason", reason, longest=2000)
    row = Merge.objects.active().select_related("target").filter(source_id=incident.pk).first()
    if row is None:
        raise NotMerged(f"{incident.reference} is not merged", field="state", remedy="nothing is to be taken back")
    children = Incident.objects.filter(pk__in=row.moved.get("children", ()), parent_id=row.target_id)
    both = locked_together(incident, row.target, *children)
    source, target = both[row.source_id], both[row.target_id]
    assert_fresh(source, expected_version)
    row = Merge.objects.select_for_update(no_key=True).get(pk=row.pk)
    if row.undone_at is not None:
        raise NotMerged(f"{source.reference} was given back already", field="state", remedy="look at it again")
    require(permissions.can_work, by, source, "take the merge back of")
    require(permissions.can_work, by, target, "take a merge out of")
    if target.state in (State.CLOSED, State.CANCELLED):
        what = "part of another one itself" if target.merged_into_id else State(target.state).label
        way = "take that merge back first" if target.merged_into_id else "open a new linked incident"
        raise NotMerged(f"{target.reference} is {what}: it is too late", field="state", remedy=way)
    _give_back(row, source, target, by, at, reason)
    return settled(source)


def _give_back(row: Merge, source: Incident, target: Incident, by: Actor, at: datetime, reason: str) -> None:
    before = dict(row.source_before)
    move(source, "taking back", source.unmerge, before.pop("state"))
    for name, value in before.items():
        field: Any = source._meta.get_field(name)
        setattr(source, name, field.to_python(value))
    saved(source)
    row.undone_at, row.undone_by_id = at, by.user_id
    row.save()
    _times_without(row, target)
    saved(target)
    move_back(row, source, target)
    record(IncidentEvent.UNMERGED, source, by, at, reason=reason, target=target.reference, merge=row.pk)
    record(IncidentEvent.RELEASED, target, by, at, reason=reason, source=source.reference, merge=row.pk)
    if source.assignee_id and not User.objects.filter(pk=source.assignee_id, is_active=True).exists():
        hand_back_one(source, by, at)


def _times_without(row: Merge, target: Incident) -> None:
    """The target's early times without this merge; one that a person corrected since stays as corrected."""
    others = list(Merge.objects.active().filter(target_id=target.pk).select_related("source").order_by("pk"))
    following = next((one for one in others if one.pk > row.pk), None)
    if following is not None:
        following.own_times = row.own_times
        following.save()
    earlier = [one for one in others if one.pk < row.pk]
    own = times.read((earlier[0] if earlier else row).own_times)
    sources = [(one.pk, times.of(one.source)) for one in others] + [(row.pk, times.of(row.source))]
    was = times.earliest(own, [one for _pk, one in sources])
    now = times.earliest(own, [one for pk, one in sources if pk != row.pk])
    for name in times.NAMES:
        if getattr(target, name) == getattr(was, name):
            setattr(target, name, getattr(now, name))
