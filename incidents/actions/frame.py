"""What every verb on an incident does first and last: lock and read again, ask the predicate, move, save."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import models
from django_fsm import TransitionNotAllowed

from accounts.models import Team, User
from audit.actions import ActionRefused, Forbidden, Invalid, assert_fresh
from audit.actor import Actor
from audit.texts import is_blank, one_line
from incidents.actions.routing import route
from incidents.models import Incident, Participant, ParticipantRole, State

#: Weekdays without a sign of life after which the owner is reminded; sla may set another moment by `schedule_idle`.
IDLE_WEEKDAYS = 2
LONGEST_TEXT = 100_000

#: What still can be done in each state, for the remedy of a refused verb.
NEXT_VERBS: dict[str, str] = {
    State.NEW: "assign, claim, acknowledge, start, hold, resolve or cancel it",
    State.ASSIGNED: "acknowledge, start, assign, hold, resolve or cancel it",
    State.IN_PROGRESS: "assign, hold, resolve or cancel it",
    State.ON_HOLD: "resume it, change the hold, resolve or cancel it",
    State.RESOLVED: "close or reopen it",
    State.CLOSED: "it is final: open a new linked incident",
    State.CANCELLED: "it is final: log a new incident",
    "merged": "do it on the incident that it became part of, or take the merge back",
}


class Unsaid:
    """Tells "not mentioned" from "nobody"."""


UNSAID: Final = Unsaid()


class IllegalTransition(ActionRefused):
    """The verb is not possible in the incident's state."""

    code = "illegal_transition"


class Inactive(ActionRefused):
    """What was named is retired; nothing new may hang on it."""

    code = "inactive"
    status = 400


def locked(incident: Incident, expected_version: int | None = None) -> Incident:
    """The incident again, under its lock; refuses a change made on an older version.

    `no_key` lets rows that only point at the incident be written meanwhile. The requester comes along: most verbs mail.
    """
    fresh = (
        Incident.objects.select_related("requester").select_for_update(no_key=True, of=("self",)).get(pk=incident.pk)
    )
    fresh.given = incident  # type: ignore[attr-defined]
    assert_fresh(fresh, expected_version)
    return fresh


def saved(incident: Incident) -> None:
    """Saves what changed, and tells the object that the caller holds that it is out of date now."""
    incident.save(update_fields=list(incident.changed_fields()))
    given = getattr(incident, "given", None)
    if given is not None:
        given.is_superseded = True


def settled(incident: Incident) -> Incident:
    """What a verb returns: read again when a handler changed the incident by an action of its own."""
    if getattr(incident, "is_superseded", False):
        return Incident.objects.get(pk=incident.pk)
    return incident


def require(predicate: Callable[..., bool], by: Actor, incident: Incident, doing: str) -> None:
    """Refuses what the table of who may do what does not allow; being paged is looked up only when it decides."""
    if predicate(by, incident):
        return
    if by.user_id is not None and "is_paged" in (predicate.__kwdefaults__ or {}):
        roles = Participant.objects.filter(incident_id=incident.pk, user_id=by.user_id)
        if predicate(by, incident, is_paged=True) and roles.filter(role=ParticipantRole.PAGED).exists():
            return
    raise Forbidden(
        f"{by.label} may not {doing} {incident.reference}",
        remedy="ask its team, its lead or an incident manager",
    )


def move(incident: Incident, verb: str, transition: Callable[..., None], *values: Any) -> None:
    """Runs an FSM transition; a state that does not allow it is a refusal that names the way out."""
    try:
        transition(*values)
    except TransitionNotAllowed as error:
        raise IllegalTransition(
            f"{incident.reference} is {State(incident.state).label}: {verb} is not possible",
            field="state",
            remedy=NEXT_VERBS["merged" if incident.merged_into_id is not None else incident.state],
            state=incident.state,
        ) from error


def choice(field: str, value: str, choices: type[models.TextChoices], *, optional: bool = False) -> str:
    if (optional and not value) or value in choices._value2member_map_:
        return str(value)
    raise Invalid(f"{value!r} is no {field}", field=field, remedy=f"one of {', '.join(choices.values)}")


def text(field: str, value: str, *, required: bool = False, longest: int = LONGEST_TEXT) -> str:
    """Text as typed, trimmed; refuses NUL (PostgreSQL can't store it), what is too long, and an empty required one."""
    if "\x00" in value:
        raise Invalid(f"{field} holds a NUL character", field=field, remedy="remove it")
    if len(value) > longest:
        raise Invalid(f"{field} is {len(value)} characters long", field=field, remedy=f"at most {longest}")
    trimmed = value.strip()
    if required and is_blank(trimmed):
        raise Invalid(f"{field} is empty", field=field, remedy=f"say the {field}")
    return trimmed


def line(field: str, value: str, *, required: bool = False, longest: int = 300) -> str:
    """One line, without line breaks and controls of direction: titles stand in mail subjects and lists."""
    return text(field, one_line(value), required=required, longest=longest)


def aware(field: str, value: datetime) -> datetime:
    if value.tzinfo is None:
        raise Invalid(f"{field} has no time zone", field=field, remedy="give an instant like 2026-03-10T09:02:00+01:00")
    return value


def later_than(field: str, value: datetime, at: datetime) -> datetime:
    if aware(field, value) <= at:
        raise Invalid(f"{field} {value:%Y-%m-%d %H:%M} is not in the future", field=field, remedy="choose a later one")
    return value


def active_team(team: Team | None, field: str = "team") -> None:
    if team is not None and not team.is_active:
        raise Inactive(f"team {team} is retired", field=field, remedy="choose an active team")


def active_user(user: User | None, field: str) -> None:
    if user is not None and not user.is_active:
        raise Inactive(f"{user} is deactivated", field=field, remedy="choose an active person")


def queue_of(incident: Incident, team_id: int | None, assignee_id: int | None) -> int | None:
    """The team as given; what would be nobody's is routed as if it came in now."""
    if team_id is not None or assignee_id is not None or incident.is_imported:
        return team_id
    return route(incident, None, None, incident.requester).team_id


def idle_after(at: datetime) -> datetime:
    """Two weekdays later at the same UTC time: the safe default where no calendar says better."""
    return weekdays_after(at, IDLE_WEEKDAYS)


def weekdays_after(at: datetime, days: int) -> datetime:
    moment, left = at.astimezone(UTC), days
    while left:
        moment += timedelta(days=1)
        left -= moment.weekday() < 5
    return moment


def stay_awake(incident: Incident, at: datetime) -> None:
    """Puts the idle reminder off; imported history reminds nobody, and a hold has its own wake-up."""
    if incident.state in (State.NEW, State.ASSIGNED, State.IN_PROGRESS) and not incident.is_imported:
        incident.idle_at = idle_after(at)


def name_of(user_id: int | None) -> str:
    return "somebody" if user_id is None else str(User.objects.get(pk=user_id))
