"""What it is and how much it matters: impact, urgency, priority, category, service, text, early times, the matrix."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Max

from audit.actions import Forbidden, Invalid, action, assert_fresh, record
from audit.actor import Actor
from incidents import permissions
from incidents.actions.frame import (
    UNSAID,
    IllegalTransition,
    Inactive,
    Unsaid,
    active_user,
    choice,
    later_than,
    line,
    locked,
    require,
    saved,
    settled,
    text,
)
from incidents.actions.opening import Times, check_times, derived_priority
from incidents.events import IncidentEvent
from incidents.models import OPEN_STATES, Category, DetectedBy, Incident, Kind, PriorityMatrix, Service, State
from incidents.priority import HIGHEST, LOWEST, problems

#: What `revise` takes; impact and urgency derive the priority, the rest is told as it is.
REVISABLE = (
    "title", "description", "kind", "requester", "occurred_at", "detected_at", "detected_by", "source_label",
    "external_ref", "category", "service", "impact", "urgency",
)  # fmt: skip


@action
def revise(
    *,
    incident: Incident,
    by: Actor,
    at: datetime,
    values: dict[str, Any],
    reason: str = "",
    expected_version: int | None = None,
) -> Incident:
    """Changes several fields in one save; what stays equal changes nothing.

    Records `incident.details_changed`, `incident.recategorised` and `incident.priority_changed` as they apply. Refused:
    fields that are not revisable, retired things, times out of order, values outside the matrix, cancelled incidents.
    """
    for field in values.keys() - set(REVISABLE):
        raise Invalid(f"{field} can't be changed this way", field=field, remedy=f"one of {', '.join(REVISABLE)}")
    incident = locked(incident, expected_version)
    require(permissions.can_work, by, incident, "change")
    if incident.state == State.CANCELLED:
        raise IllegalTransition(f"{incident.reference} is cancelled", field="state", remedy="log a new incident")
    old = {
        "category": incident.category_id, "service": incident.service_id, "priority": incident.priority,
        "kind": incident.kind,
    }  # fmt: skip
    for field, value in values.items():
        setattr(incident, field, _checked(incident, field, value))
    if {"occurred_at", "detected_at"} & values.keys():
        check_times(
            Times(
                occurred_at=incident.occurred_at,
                detected_at=incident.detected_at,
                reported_at=incident.reported_at,
            ),
            at,
        )
    if "requester" in values:
        # Who it is for decides whether the rule for VIPs holds; impact never follows from a person.
        vip = incident.requester is not None and incident.requester.is_vip
        incident.is_vip_raised = incident.matrix.vip_raises_urgency and vip
    if {"impact", "urgency", "requester"} & values.keys():
        derived = derived_priority(incident)
        incident.priority = incident.priority_override or derived
    changed = incident.changed_fields().keys()
    if not changed:
        return incident
    saved(incident)
    _record_revision(incident, by, at, reason, old, sorted(changed))
    return settled(incident)


def _checked(incident: Incident, field: str, value: Any) -> Any:
    if field in ("category", "service"):
        if value is not None and not value.is_active and value.pk != getattr(incident, f"{field}_id"):
            raise Inactive(f"{field} {value.name} is retired", field=field, remedy=f"choose an active {field}")
        return value
    if field == "requester":
        if value is not None and value.pk != incident.requester_id:
            active_user(value, "requester")
        return value
    if field == "title":
        return line("title", value, required=True, longest=300)
    if field in ("kind", "detected_by"):
        kinds = Kind if field == "kind" else DetectedBy
        return choice(field, value, kinds, optional=field == "detected_by")
    return text(field, value, longest=200) if field in ("source_label", "external_ref") else _plain(field, value)


def _plain(field: str, value: Any) -> Any:
    return text(field, value) if isinstance(value, str) else value


def _record_revision(
    incident: Incident, by: Actor, at: datetime, reason: str, old: dict[str, Any], changed: Sequence[str]
) -> None:
    sorts = {"category_id", "service_id"}
    details = [name for name in changed if name not in sorts | {"impact", "urgency", "priority", "is_vip_raised"}]
    if details:
        record(IncidentEvent.DETAILS_CHANGED, incident, by, at, reason=reason, fields=details)
    if "kind" in changed:
        record(IncidentEvent.CONVERTED, incident, by, at, reason=reason, old=old["kind"], new=incident.kind)
    if sorts & set(changed):
        record(
            IncidentEvent.RECATEGORISED, incident, by, at, reason=reason, old_category=old["category"],
            category=incident.category_id, old_service=old["service"], service=incident.service_id,
        )  # fmt: skip
    if {"impact", "urgency", "is_vip_raised"} & set(changed):
        record(
            IncidentEvent.PRIORITY_CHANGED, incident, by, at, reason=reason, old=old["priority"], new=incident.priority,
            cause="inputs",
        )  # fmt: skip


@action
def set_priority_inputs(
    *,
    incident: Incident,
    by: Actor,
    at: datetime,
    impact: int | None = None,
    urgency: int | None = None,
    reason: str = "",
    expected_version: int | None = None,
) -> Incident:
    """Another impact or urgency; the priority follows by the incident's version of the matrix, an override stays."""
    given = {"impact": impact, "urgency": urgency}
    return revise(
        incident=incident, values={field: value for field, value in given.items() if value is not None}, by=by, at=at,
        reason=reason, expected_version=expected_version,
    )  # fmt: skip


@action
def recategorise(
    *,
    incident: Incident,
    by: Actor,
    at: datetime,
    category: Category | Unsaid | None = UNSAID,
    service: Service | Unsaid | None = UNSAID,
    reason: str = "",
    expected_version: int | None = None,
) -> Incident:
    """Another category, service, or both. Records `incident.recategorised`; refused for retired ones."""
    given = {"category": category, "service": service}
    sorts = {field: value for field, value in given.items() if not isinstance(value, Unsaid)}
    return revise(incident=incident, values=sorts, by=by, at=at, reason=reason, expected_version=expected_version)


@action
def override_priority(
    *,
    incident: Incident,
    by: Actor,
    at: datetime,
    priority: int | None,
    reason: str,
    until: datetime | None = None,
    expected_version: int | None = None,
) -> Incident:
    """Puts a priority above the derived one, or lifts that (`priority=None`). Records `incident.priority_overridden`.

    Takes a reason and may expire. Refused: who may not, once the incident is over, an end in the past.
    """
    reason = text("reason", reason, required=True, longest=2000)
    if priority is not None and (isinstance(priority, bool) or not HIGHEST <= priority <= LOWEST):
        raise Invalid(f"{priority} is no priority", field="priority", remedy=f"{HIGHEST} to {LOWEST}")
    if until is not None:
        later_than("until", until, at)
    incident = locked(incident, expected_version)
    require(permissions.can_override_priority, by, incident, "override the priority of")
    _put_override(incident, by, at, priority, reason, until, cause="override" if priority else "override_lifted")
    return settled(incident)


@action
def raise_priority_by_system(
    *, incident: Incident, by: Actor, at: datetime, reason: str, priority: int | None = None
) -> Incident:
    """A rule raises the priority, by one step or up to `priority`; it never lowers it, and nothing above P1 exists."""
    if not permissions.is_machinery(by):
        raise Forbidden("only a rule raises priority this way", remedy="use override_priority")
    incident = locked(incident)
    wanted = max(HIGHEST, incident.priority - 1) if priority is None else priority
    if wanted < incident.priority and incident.state in OPEN_STATES:
        _put_override(incident, by, at, wanted, reason, None, cause="rule")
    return settled(incident)


@action
def expire_override(*, incident: Incident, by: Actor, at: datetime) -> Incident:
    """The override has come to its end; changes nothing when it was moved or lifted meanwhile."""
    incident = locked(incident)
    if incident.priority_override_until is not None and incident.priority_override_until <= at:
        _put_override(incident, by, at, None, "its time ran out", None, cause="override_expired")
    return settled(incident)


def _put_override(
    incident: Incident,
    by: Actor,
    at: datetime,
    priority: int | None,
    reason: str,
    until: datetime | None,
    *,
    cause: str,
) -> None:
    """Sets or lifts the override of a locked incident and tells what is in force now."""
    if incident.state not in OPEN_STATES:
        raise IllegalTransition(
            f"{incident.reference} is {State(incident.state).label}", field="state", remedy="reopen it first"
        )
    old, derived = incident.priority, derived_priority(incident)
    incident.priority_override = priority
    incident.priority_override_reason = "" if priority is None else reason
    incident.priority_override_until = until if priority is not None else None
    incident.priority = priority or derived
    if not incident.changed_fields():
        return
    saved(incident)
    record(
        IncidentEvent.PRIORITY_OVERRIDDEN, incident, by, at, reason=reason, override=priority, derived=derived,
        until=until.isoformat() if until else None,
    )  # fmt: skip
    if incident.priority != old:
        new = incident.priority
        record(IncidentEvent.PRIORITY_CHANGED, incident, by, at, reason=reason, old=old, new=new, cause=cause)


@action
def change_matrix(
    *,
    by: Actor,
    at: datetime,
    rows: Sequence[Sequence[int]],
    impacts: Sequence[str] | None = None,
    urgencies: Sequence[str] | None = None,
    name: str = "",
    vip_raises_urgency: bool | None = None,
    is_current: bool = True,
    expected_version: int | None = None,
    reason: str = "",
) -> PriorityMatrix:
    """Saves a new version of the priority matrix; incidents keep the version they were judged by.

    `expected_version` is the version number it was made on. Refused: the role, rows that make no matrix. The same
    again changes nothing. Records `matrix.changed`.
    """
    if not (permissions.is_machinery(by) or by.has_role(*PriorityMatrix.configured_by)):
        raise Forbidden(f"{by.label} may not change the priority matrix", remedy="ask an admin")
    with connection.cursor() as cursor:
        # Not the row's lock: who waits for that would find it no longer in force, and no other.
        cursor.execute("select pg_advisory_xact_lock(%s)", [_MATRIX_LOCK])
    now = PriorityMatrix.objects.select_for_update().filter(is_current=True).first()
    if now is not None and expected_version is not None:
        assert_fresh(now, expected_version)
    for name_of_list, given in (("rows", rows), ("impacts", impacts), ("urgencies", urgencies)):
        if given is not None and not isinstance(given, list | tuple):
            raise Invalid(f"{name_of_list} is no list", field=name_of_list, remedy="give a list, one entry per side")
    sides = [list(row) if isinstance(row, list | tuple) else row for row in rows]
    if wrong := problems(sides):
        raise Invalid("; ".join(wrong), field="rows", remedy="give rows of priorities from 1 to 5, one per impact")
    fresh = PriorityMatrix(
        name=name or (now.name if now else "Priority matrix"),
        rows=sides,
        impacts=list(impacts) if impacts is not None else _names(now.impacts if now else [], len(sides)),
        urgencies=list(urgencies) if urgencies is not None else _names(now.urgencies if now else [], len(sides[0])),
        vip_raises_urgency=bool(now and now.vip_raises_urgency) if vip_raises_urgency is None else vip_raises_urgency,
        created_at=at,
    )
    if now is not None and is_current and all(getattr(now, one) == getattr(fresh, one) for one in _MATRIX_FIELDS):
        return now
    fresh.number = (PriorityMatrix.objects.aggregate(last=Max("number"))["last"] or 0) + 1
    fresh.is_current = False
    _refuse_bad_matrix(fresh)
    if now is not None and is_current:
        now.is_current = False
        now.save()
    fresh.is_current = is_current
    fresh.save()
    record(IncidentEvent.MATRIX_CHANGED, fresh, by, at, reason=reason, number=fresh.number, is_current=is_current)
    return fresh


_MATRIX_LOCK = 7_302_001
_MATRIX_FIELDS = ("name", "rows", "impacts", "urgencies", "vip_raises_urgency")


def _refuse_bad_matrix(matrix: PriorityMatrix) -> None:
    try:
        matrix.full_clean()
    except ValidationError as error:
        field, texts = next(iter(error.message_dict.items()))
        raise Invalid(" ".join(texts), field=field, remedy="rows of 1 to 5, one per impact") from error


def _names(known: list[str], side: int) -> list[str]:
    return known if len(known) == side else [str(number) for number in range(1, side + 1)]
