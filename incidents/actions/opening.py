"""How an incident begins: logged, reported, raised by an alert, imported, or come back after closing."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any

from accounts.models import Team, User
from audit.actions import ActionRefused, Forbidden, Invalid, action, insert, record
from audit.actor import Actor, ActorKind
from audit.queries import fetch, kept
from incidents import permissions
from incidents.actions.ending import Resolution, apply_resolution, record_resolution
from incidents.actions.escalating import RULED_PRIORITIES, escalate_by_rules
from incidents.actions.frame import (
    IllegalTransition,
    Inactive,
    active_team,
    active_user,
    aware,
    choice,
    idle_after,
    line,
    locked,
    require,
    settled,
    text,
)
from incidents.actions.routing import Routed, route
from incidents.events import IncidentEvent
from incidents.models import (
    VOICE_CHANNELS,
    Category,
    Channel,
    DetectedBy,
    EscalationTrigger,
    Incident,
    Kind,
    PriorityMatrix,
    Service,
    State,
)
from incidents.priority import raised_urgency

#: Setting `reported_at` back further than this takes a reason.
UNREASONED_BACKDATING = timedelta(minutes=15)


class NoMatrix(ActionRefused):
    """No version of the priority matrix is in force."""

    code = "no_matrix"


class TimesOutOfOrder(Invalid):
    """occurred <= detected <= reported <= now does not hold."""

    code = "times_out_of_order"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When it began, was noticed, and reached the desk, as told."""

    occurred_at: datetime | None
    detected_at: datetime | None
    reported_at: datetime


def check_times(times: Times, at: datetime) -> None:
    """Refuses times that can't be true; the reason is that every metric is a difference of two of them."""
    for field in ("occurred_at", "detected_at", "reported_at"):
        value = getattr(times, field)
        if value is not None and aware(field, value) > at:
            raise TimesOutOfOrder(f"{field} lies in the future", field=field, remedy="give the moment it really was")
    pairs = (("occurred_at", "detected_at"), ("occurred_at", "reported_at"), ("detected_at", "reported_at"))
    for earlier, later in pairs:
        first, second = getattr(times, earlier), getattr(times, later)
        if first is not None and second is not None and first > second:
            raise TimesOutOfOrder(
                f"{earlier} ({first.isoformat()}) is after {later} ({second.isoformat()})",
                field=earlier,
                remedy="it occurred, then was detected, then reported: correct one of the two, or leave it empty",
            )


@action
def open_incident(
    *,
    title: str,
    by: Actor,
    at: datetime,
    description: str = "",
    kind: str = Kind.INCIDENT.value,
    channel: str = Channel.PORTAL.value,
    impact: int | None = None,
    urgency: int | None = None,
    category: Category | None = None,
    service: Service | None = None,
    team: Team | None = None,
    assignee: User | None = None,
    requester: User | None = None,
    occurred_at: datetime | None = None,
    detected_at: datetime | None = None,
    detected_by: str = "",
    reported_at: datetime | None = None,
    reported_at_reason: str = "",
    source_label: str = "",
    external_ref: str = "",
    is_drill: bool = False,
    resolved: Resolution | None = None,
    started: bool = False,
    recurrence_of: Incident | None = None,
    matrix: PriorityMatrix | None = None,
    imported: bool = False,
) -> Incident:
    """Opens an incident, `started` or already `resolved` in one step if so. Records `incident.opened`.

    Without a team a routing rule finds one, else the service's owner takes it, else the triage team. Impact and urgency
    not given are the lowest, or impact as the service's criticality suggests. Refused: who may not log, what a
    requester may not fill in, retired things, times out of order, `reported_at` set forward, or back by more than 15
    minutes without a reason.
    """
    if channel == Channel.ALERT and not imported:
        detected_at = detected_at or at
        detected_by = detected_by or DetectedBy.MONITOR
    times = Times(occurred_at=occurred_at, detected_at=detected_at, reported_at=reported_at or at)
    _may_open(by, imported=imported, is_drill=is_drill)
    if not permissions.can_triage(by):
        _only_as_requester(by, requester, team, assignee, resolved, times, at, started, channel)
    if not imported:
        _check_backdating(times, reported_at_reason, at)
        _all_active(category, service, team, assignee, requester)
    check_times(times, at)
    incident = Incident(
        title=line("title", title, required=True),
        description=text("description", description),
        kind=choice("kind", kind, Kind),
        channel=choice("channel", channel, Channel),
        source_label=line("source_label", source_label, longest=200),
        external_ref=line("external_ref", external_ref, longest=200),
        state=_first_state(assignee, started=started, resolved=resolved),
        category=category,
        service=service,
        assignee=assignee,
        logged_by_id=by.user_id,
        recurrence_of=recurrence_of,
        detected_by=choice("detected_by", detected_by, DetectedBy, optional=True),
        created_at=at,
        is_drill=is_drill,
        is_imported=imported,
        occurred_at=times.occurred_at,
        detected_at=times.detected_at,
        reported_at=times.reported_at,
    )
    _set_requester(incident, requester, by)
    _judge(incident, impact, urgency, requester, matrix)
    routed = route(incident, team, assignee, requester)
    incident.team_id = routed.team_id
    _first_contact(incident, by, at, started=started, resolved=resolved)
    insert(incident)
    _record_opening(incident, by, at, reported_at_reason, resolved, routed)
    if resolved is None and incident.priority <= RULED_PRIORITIES:
        escalate_by_rules(incident=incident, trigger=EscalationTrigger.PRIORITY.value, by=by, at=at)
    return settled(incident)


def _may_open(by: Actor, *, imported: bool, is_drill: bool) -> None:
    if not permissions.can_log(by):
        raise Forbidden(f"{by.label} may not log incidents", remedy="ask for a role that may, or a key with its scope")
    if imported and by.kind is not ActorKind.JOB:
        raise Forbidden("only an import job may carry history", field="imported", remedy="use manage.py replay")
    if is_drill and not permissions.can_drill(by):
        raise Forbidden(f"{by.label} may not open drills", field="is_drill", remedy="ask an incident manager")


def _only_as_requester(
    by: Actor, requester: User | None, team: Any, assignee: Any, resolved: Any, times: Times, at: datetime,
    started: bool, channel: str,
) -> None:  # fmt: skip
    """A requester reports what is wrong for themselves; sorting and times are the desk's work."""
    own_channel = channel in (Channel.PORTAL, Channel.API)
    foreign = {
        "requester": requester is not None and requester.pk != by.user_id,
        "team": team is not None,
        "assignee": assignee is not None,
        "resolved": resolved is not None,
        "started": started,
        "reported_at": times.reported_at != at,
        "detected_at": times.detected_at is not None,
        "channel": not own_channel,
    }
    for field, is_said in foreign.items():
        if is_said:
            raise Forbidden(f"a requester may not set {field}", field=field, remedy="leave it out")


def _check_backdating(times: Times, reason: str, at: datetime) -> None:
    if at - aware("reported_at", times.reported_at) > UNREASONED_BACKDATING and not reason.strip():
        raise Invalid(
            "reported_at lies more than 15 minutes back",
            field="reported_at_reason",
            remedy="say in reported_at_reason why it is saved so late",
        )


def _all_active(
    category: Category | None, service: Service | None, team: Team | None, assignee: User | None, requester: User | None
) -> None:
    for field, row in (("category", category), ("service", service)):
        if row is not None and not row.is_active:
            raise Inactive(f"{field} {row.name} is retired", field=field, remedy=f"choose an active {field}")
    active_team(team)
    active_user(assignee, "assignee")
    active_user(requester, "requester")


def _first_state(assignee: User | None, *, started: bool, resolved: Resolution | None) -> str:
    if resolved is not None:
        return State.RESOLVED.value
    if started:
        return State.IN_PROGRESS.value
    return State.ASSIGNED.value if assignee is not None else State.NEW.value


def _set_requester(incident: Incident, requester: User | None, by: Actor) -> None:
    if requester is not None:
        incident.requester = requester
        incident.organisation_id = requester.organisation_id
    elif not permissions.can_triage(by):
        incident.requester_id = by.user_id


def current_matrix() -> PriorityMatrix:
    found = kept("incidents.matrix", lambda: fetch(PriorityMatrix, "where is_current"))
    if not found:
        raise NoMatrix("no priority matrix is in force", remedy="ask an admin to save one")
    return found[0]


def _judge(
    incident: Incident, impact: int | None, urgency: int | None, requester: User | None, matrix: PriorityMatrix | None
) -> None:
    """Impact, urgency and the priority that follows from them by the matrix in force."""
    judge = matrix or current_matrix()
    sides = judge.matrix
    if impact is None:
        impact = suggested_impact(incident.service, sides.impacts)
    incident.matrix = judge
    incident.impact = impact
    incident.urgency = sides.urgencies if urgency is None else urgency
    incident.is_vip_raised = judge.vip_raises_urgency and requester is not None and requester.is_vip
    incident.priority = derived_priority(incident)


def suggested_impact(service: Service | None, impacts: int) -> int:
    """Criticality 1 suggests the highest impact, 2 the next, anything else the lowest."""
    return min(service.criticality, impacts) if service is not None and service.criticality <= 2 else impacts


def derived_priority(incident: Incident) -> int:
    """What the incident's own version of the matrix says; a cell outside it is refused by naming the sides."""
    sides = incident.matrix.matrix
    given = (("impact", incident.impact, sides.impacts), ("urgency", incident.urgency, sides.urgencies))
    for field, value, side in given:
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= side:
            raise Invalid(f"{field} {value!r} is not in the priority matrix", field=field, remedy=f"1 to {side}")
    return sides.priority(incident.impact, raised_urgency(incident.urgency, is_vip=incident.is_vip_raised))


def _first_contact(incident: Incident, by: Actor, at: datetime, *, started: bool, resolved: Resolution | None) -> None:
    """On phone, chat and in person the contact itself is the first response, by whoever takes it."""
    if incident.channel in VOICE_CHANNELS and by.is_person and not incident.is_imported and permissions.can_triage(by):
        incident.first_response_at = incident.reported_at
    if started and incident.assignee_id is None:
        incident.assignee_id = by.user_id
    if resolved is not None:
        apply_resolution(incident, resolved, by, at)
        incident.resolved_at, incident.resolved_by_id = at, by.user_id
        if incident.first_response_at is not None:
            # Fixed while they talked: who took the call had it from its first second.
            incident.acknowledged_at, incident.acknowledged_by_id = incident.reported_at, by.user_id
        if incident.assignee_id is None:
            incident.assignee_id = by.user_id
    elif not incident.is_imported:
        incident.idle_at = idle_after(at)


def _record_opening(
    incident: Incident, by: Actor, at: datetime, reason: str, resolved: Resolution | None, routed: Routed
) -> None:
    record(
        IncidentEvent.OPENED, incident, by, at, reason=reason.strip(), state=str(incident.state),
        channel=incident.channel, priority=incident.priority, team=incident.team_id, assignee=incident.assignee_id,
        is_first_contact=incident.first_response_at is not None, reported_at=incident.reported_at.isoformat(),
        is_imported=incident.is_imported, routed=routed.told(),
    )  # fmt: skip
    if resolved is not None:
        record_resolution(incident, resolved, by, at, {"hold_reason": "", "held_s": 0})


@action
def open_again_linked(
    *, incident: Incident, by: Actor, at: datetime, description: str = "", reason: str = ""
) -> Incident:
    """After closing: opens a new incident with the fields copied, linked as a recurrence. Records `incident.recurred`.

    Refused while the incident is not closed (reopen it instead), and to who could not reopen it.
    """
    old = locked(incident)
    if old.state != State.CLOSED:
        raise IllegalTransition(
            f"{old.reference} is {State(old.state).label}, not closed", field="state", remedy="reopen it instead"
        )
    require(permissions.can_open_again, by, old, "open again")
    told: dict[str, Any] = {}
    if permissions.can_triage(by):
        told = {"team": _if_active(old.team), "requester": _if_active(old.requester)}
    fresh = open_incident(
        title=old.title, description=description or old.description, kind=old.kind, impact=old.impact,
        urgency=old.urgency, category=_if_active(old.category), service=_if_active(old.service), recurrence_of=old,
        channel=_comes_back_by(by, old, is_triaged=bool(told)), is_drill=old.is_drill and permissions.can_drill(by),
        matrix=old.matrix, by=by, at=at, **told,
    )  # fmt: skip
    record(IncidentEvent.RECURRED, old, by, at, reason=reason, recurrence=fresh.reference)
    return fresh


def _comes_back_by(by: Actor, old: Incident, *, is_triaged: bool) -> str:
    if by.kind is ActorKind.MAIL:
        return Channel.MAIL.value
    return old.channel if is_triaged else Channel.PORTAL.value


def _if_active(row: Any) -> Any:
    return row if row is not None and row.is_active else None
