"""Major incidents: proposed by anyone, decided in minutes, led by name, told about in time, closed by a person."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from django.conf import settings
from django.utils import timezone

from accounts.models import User
from audit.actions import ActionRefused, Forbidden, Invalid, action, record
from audit.actor import Actor
from incidents import permissions
from incidents.actions.frame import IllegalTransition, active_user, locked, require, saved, text
from incidents.actions.talking import comment
from incidents.actions.telling import tell_closing
from incidents.events import IncidentEvent
from incidents.models import Comment, Incident, MajorIncident, MajorState, State

ROLES = ("commander", "communications_lead", "scribe")
#: So long after the resolution somebody has to close a major, unless a person says another day.
CLOSE_AFTER = timedelta(days=7)


class NoMajor(ActionRefused):
    """There is no proposal or major incident to do this with."""

    code = "no_major"


class MajorAlready(ActionRefused):
    """It is proposed or accepted already."""

    code = "major_already"


def _major(incident: Incident, state: str, doing: str) -> MajorIncident:
    """The live major of a locked incident, under its own lock."""
    row = MajorIncident.objects.select_for_update(no_key=True).filter(incident_id=incident.pk).live().first()
    if row is None or row.state != state:
        is_not = "no major incident" if state == MajorState.ACCEPTED else "not proposed as a major incident"
        raise NoMajor(
            f"{incident.reference} is {is_not}",
            field="state",
            remedy="propose it first" if row is None else "see its state",
        )
    row.incident = incident
    return row


@action
def propose_major(
    *, incident: Incident, reason: str, by: Actor, at: datetime, expected_version: int | None = None
) -> MajorIncident:
    """Says that this is a major incident; a manager has ten minutes (a setting). Records `incident.major_proposed`.

    Refused: without a reason, unless it is open, when it is proposed or accepted already, and to who may not comment.
    """
    reason = text("reason", reason, required=True, longest=2000)
    incident = locked(incident, expected_version)
    require(permissions.can_propose_major, by, incident, "propose as a major incident")
    if not incident.is_open:
        raise IllegalTransition(
            f"{incident.reference} is {State(incident.state).label}", field="state", remedy="reopen it first"
        )
    if MajorIncident.objects.filter(incident_id=incident.pk).live().exists():
        raise MajorAlready(f"{incident.reference} is proposed already", field="state", remedy="wait for the decision")
    deadline = at + timedelta(seconds=settings.SERVICEDESK_MAJOR_DECIDE_SECONDS)
    row = MajorIncident.objects.create(
        incident=incident, proposed_at=at, proposed_by_id=by.user_id, reason=reason, decide_by_at=deadline
    )
    record(
        IncidentEvent.MAJOR_PROPOSED, incident, by, at, reason=reason, major=row.pk, decide_by_at=deadline.isoformat()
    )
    return row


@action
def accept_major(
    *,
    incident: Incident,
    by: Actor,
    at: datetime,
    reason: str = "",
    commander: User | None = None,
    communications_lead: User | None = None,
    scribe: User | None = None,
    expected_version: int | None = None,
) -> MajorIncident:
    """It is one: roles are named, and the promise to tell how it stands begins. Records `incident.major_accepted`.

    Who accepts commands unless somebody is named. Refused: unless proposed, and to who may not decide.
    """
    incident, row = _decide(incident, by, MajorState.PROPOSED.value, expected_version)
    people = {"commander": commander, "communications_lead": communications_lead, "scribe": scribe}
    row.accept(at, _decider(by), text("reason", reason, longest=2000))
    for name, user in people.items():
        active_user(user, name)
        setattr(row, name, user)
    if row.commander is None:
        row.commander_id = by.user_id
    row.save()
    incident.is_major = True
    saved(incident)
    record(
        IncidentEvent.MAJOR_ACCEPTED, incident, by, at, reason=reason, major=row.pk,
        **{name: getattr(row, f"{name}_id") for name in ROLES},
    )  # fmt: skip
    return row


@action
def reject_major(
    *, incident: Incident, reason: str, by: Actor, at: datetime, expected_version: int | None = None
) -> MajorIncident:
    """It is none. Records `incident.major_rejected`. Refused: without a reason, unless proposed, who may not decide."""
    reason = text("reason", reason, required=True, longest=2000)
    incident, row = _decide(incident, by, MajorState.PROPOSED.value, expected_version)
    row.reject(at, _decider(by), reason)
    row.save()
    record(IncidentEvent.MAJOR_REJECTED, incident, by, at, reason=reason, major=row.pk)
    return row


@action
def demote_major(
    *, incident: Incident, reason: str, by: Actor, at: datetime, expected_version: int | None = None
) -> MajorIncident:
    """It is no longer one; its update promise ends. Records `incident.major_demoted`. Refused as accepting is."""
    reason = text("reason", reason, required=True, longest=2000)
    incident, row = _decide(incident, by, MajorState.ACCEPTED.value, expected_version)
    row.demote(at, _decider(by), reason)
    row.save()
    incident.is_major = False
    if incident.state == State.RESOLVED and not incident.is_imported:
        incident.close_due_at = at + timedelta(days=settings.SERVICEDESK_AUTO_CLOSE_DAYS)
    saved(incident)
    record(IncidentEvent.MAJOR_DEMOTED, incident, by, at, reason=reason, major=row.pk)
    return row


def _decide(incident: Incident, by: Actor, state: str, expected_version: int | None) -> tuple[Incident, MajorIncident]:
    incident = locked(incident, expected_version)
    require(permissions.can_decide_major, by, incident, "decide about a major incident of")
    return incident, _major(incident, state, "decide")


def _decider(by: Actor) -> int:
    if by.user_id is None:
        raise Forbidden("a named person decides", remedy="let an incident manager do it")
    return by.user_id


@action
def set_major_roles(*, incident: Incident, by: Actor, at: datetime, values: dict[str, User | None]) -> MajorIncident:
    """Names commander, communications lead, scribe. Records `incident.major_roles_set`.

    Refused: an unknown role, a deactivated person, unless accepted, and to who may not work on it.
    """
    for name, user in values.items():
        if name not in ROLES:
            raise Invalid(f"{name} is no role", field=name, remedy=f"one of {', '.join(ROLES)}")
        active_user(user, name)
    incident = locked(incident)
    require(permissions.can_work, by, incident, "name the roles of")
    row = _major(incident, MajorState.ACCEPTED.value, "name roles")
    for name, user in values.items():
        setattr(row, name, user)
    if row.changed_fields():
        row.save()
        people = {name: getattr(row, f"{name}_id") for name in ROLES}
        record(IncidentEvent.MAJOR_ROLES_SET, incident, by, at, major=row.pk, **people)
    return row


@action
def give_update(*, incident: Incident, body: str, by: Actor, at: datetime) -> Comment:
    """Tells everyone how it stands, as a public comment; the update clock starts anew. Records `incident.updated`.

    Refused: unless it is a major incident, and to who may not work on it.
    """
    require(permissions.can_work, by, locked(incident), "give updates on")
    row = _major(incident, MajorState.ACCEPTED.value, "give updates")
    written = comment(incident=incident, body=body, is_public=True, by=by, at=at)
    record(IncidentEvent.UPDATED, Incident.objects.get(pk=incident.pk), by, at, major=row.pk, comment=written.pk)
    return written


@action
def plan_closing(*, incident: Incident, owner: User, close_on: date, by: Actor, at: datetime) -> MajorIncident:
    """Says who closes a major incident and on which day. Records `incident.closing_planned`.

    Refused: a deactivated person, a day in the past, unless it is a major incident, who may not work on it.
    """
    active_user(owner, "owner")
    if close_on < at.date():
        raise Invalid("the day is over", field="close_on", remedy="choose today or later")
    incident = locked(incident)
    require(permissions.can_work, by, incident, "plan the closing of")
    row = _major(incident, MajorState.ACCEPTED.value, "plan its closing")
    _plan(row, owner.pk, close_on)
    record(IncidentEvent.CLOSING_PLANNED, incident, by, at, major=row.pk, owner=owner.pk, close_on=close_on.isoformat())
    return row


def _plan(row: MajorIncident, owner_id: int | None, close_on: date) -> None:
    row.closing_owner_id, row.close_on = owner_id, close_on
    row.remind_at = datetime.combine(close_on, time(8), tzinfo=timezone.get_default_timezone())
    row.save()


@action(joins=True)
def keep_open(*, incident: Incident, by: Actor, at: datetime) -> None:
    """A resolved major never closes by itself: a closing owner and a day instead. Records `incident.closing_planned`.

    The commander closes it a week later, unless somebody planned otherwise. Changes nothing for any other incident.
    """
    if not incident.is_major:
        return
    fresh = locked(incident)
    row = _major(fresh, MajorState.ACCEPTED.value, "plan its closing")
    if row.closing_owner_id is None or row.close_on is None or row.close_on < at.date():
        _plan(row, row.commander_id or row.decided_by_id, (at + CLOSE_AFTER).date())
        record(
            IncidentEvent.CLOSING_PLANNED, fresh, by, at, major=row.pk, owner=row.closing_owner_id,
            close_on=row.close_on.isoformat() if row.close_on else None,
        )  # fmt: skip
    if fresh.close_due_at is not None:
        fresh.close_due_at = None
        saved(fresh)


@action
def sweep_proposal(*, major: MajorIncident, by: Actor, at: datetime) -> MajorIncident:
    """Nobody decided in time: it is said, and whoever is on call for majors is paged. Records `incident.major_overdue`.

    Changes nothing when it was decided meanwhile.
    """
    incident = locked(major.incident)
    row = MajorIncident.objects.select_for_update(no_key=True).get(pk=major.pk)
    if row.decide_by_at is None or row.decide_by_at > at:
        return row
    row.decide_by_at, row.overdue_at = None, at
    row.save()
    record(IncidentEvent.MAJOR_OVERDUE, incident, by, at, major=row.pk, reason=row.reason)
    return row


@action
def remind_closing(*, major: MajorIncident, by: Actor, at: datetime) -> MajorIncident:
    """Tells the closing owner of a resolved major that its day has come, daily. Records `incident.closing_due`."""
    incident = locked(major.incident)
    row = MajorIncident.objects.select_for_update(no_key=True).get(pk=major.pk)
    if row.remind_at is None or row.remind_at > at:
        return row
    is_over = incident.state in (State.CLOSED, State.CANCELLED)
    row.remind_at = None if is_over else at + timedelta(days=1)
    row.save()
    if incident.state == State.RESOLVED:
        record(IncidentEvent.CLOSING_DUE, incident, by, at, major=row.pk, owner=row.closing_owner_id)
        tell_closing(incident, row, by, at)
    return row
