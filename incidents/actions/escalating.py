"""Escalation to another tier or team, or by telling somebody above: by a person, a rule, or a share of an SLA."""

from __future__ import annotations

from datetime import datetime

from accounts.models import Membership, Team, User
from audit.actions import ActionRefused, Forbidden, Invalid, action, record
from audit.actor import SYSTEM, Actor
from audit.models import Event
from audit.queries import fetch, kept
from incidents import permissions
from incidents.actions.frame import (
    IllegalTransition,
    active_user,
    choice,
    locked,
    require,
    saved,
    settled,
    text,
)
from incidents.actions.ownership import assign
from incidents.actions.telling import tell_escalated
from incidents.events import IncidentEvent
from incidents.models import (
    EscalationKind,
    EscalationRule,
    EscalationTrigger,
    Incident,
    Participant,
    ParticipantRole,
    State,
)

#: Rules on the priority look at these; page policies care for the rest.
RULED_PRIORITIES = 2


class NobodyAbove(ActionRefused):
    """No higher tier, and nobody who leads: whom to escalate to has to be named."""

    code = "nobody_above"


@action
def escalate(
    *,
    incident: Incident,
    by: Actor,
    at: datetime,
    how: str,
    reason: str,
    team: Team | None = None,
    to: User | None = None,
    cause: str = "person",
    rule: int | None = None,
    expected_version: int | None = None,
) -> Incident:
    """Functional: gives it to `team`, or to the next tier. Hierarchical: tells `to`, or who leads above the actor.

    Records `incident.escalated`, and for another team `incident.assigned`. Who is told watches it from now on. Refused:
    without a reason, once resolved, to a retired team or deactivated person, to the team that has it, and when nobody
    above is known.
    """
    how = choice("how", how, EscalationKind)
    reason = text("reason", reason, required=True, longest=2000)
    if how == EscalationKind.FUNCTIONAL and to is not None:
        raise Invalid("a person is told, not made the next tier", field="to", remedy="name a team, or tell them")
    if how == EscalationKind.HIERARCHICAL and team is not None:
        raise Invalid("a team is no manager", field="team", remedy="name a person, or escalate to the team")
    incident = locked(incident, expected_version)
    require(permissions.can_work, by, incident, "escalate")
    if not incident.is_open:
        raise IllegalTransition(
            f"{incident.reference} is {State(incident.state).label}", field="state", remedy="reopen it first"
        )
    old_team = incident.team_id
    if how == EscalationKind.FUNCTIONAL:
        target = team or next_tier(incident)
        if target.pk == old_team:
            raise Invalid(f"{target} has it already", field="team", remedy="name another team")
        given = assign(incident=incident, team=target, reason=reason, cause="escalation", by=by, at=at)
        incident = locked(given)
        told: list[User] = []
    else:
        told = [to] if to is not None else people_above(incident, by)
        active_user(to, "to")
    _note(incident, at)
    record(
        IncidentEvent.ESCALATED, incident, by, at, reason=reason, how=how, old_team=old_team, team=incident.team_id,
        told=[user.pk for user in told], cause=cause, rule=rule,
    )  # fmt: skip
    _let_watch(incident, told, at)
    tell_escalated(incident, told, reason, by, at)
    return settled(incident)


@action
def escalate_to_team(
    *,
    incident: Incident,
    by: Actor,
    at: datetime,
    reason: str,
    team: Team | None = None,
    expected_version: int | None = None,
) -> Incident:
    """Functional escalation, as a button of its own; see `escalate`. Records `incident.escalated`."""
    return escalate(
        incident=incident, how=EscalationKind.FUNCTIONAL.value, team=team, reason=reason, by=by, at=at,
        expected_version=expected_version,
    )  # fmt: skip


@action
def tell_manager(
    *,
    incident: Incident,
    by: Actor,
    at: datetime,
    reason: str,
    to: User | None = None,
    expected_version: int | None = None,
) -> Incident:
    """Hierarchical escalation, as a button of its own; see `escalate`. Records `incident.escalated`."""
    return escalate(
        incident=incident, how=EscalationKind.HIERARCHICAL.value, to=to, reason=reason, by=by, at=at,
        expected_version=expected_version,
    )  # fmt: skip


def _note(incident: Incident, at: datetime) -> None:
    incident.escalation_count += 1
    incident.escalated_at = at
    saved(incident)


def _let_watch(incident: Incident, people: list[User], at: datetime) -> None:
    for user in people:
        Participant.objects.get_or_create(
            incident_id=incident.pk, user=user, role=ParticipantRole.WATCHER, defaults={"added_at": at}
        )


def next_tier(incident: Incident) -> Team:
    """The service's owner team if it is of a higher tier, else the nearest team above of one."""
    current = incident.team
    tier = current.tier if current is not None else 0
    owner = incident.service.owner_team if incident.service is not None else None
    above, seen = current.parent if current is not None else None, set()
    candidates: list[Team | None] = [owner]
    while above is not None and above.pk not in seen:
        seen.add(above.pk)
        candidates.append(above)
        above = above.parent
    for one in candidates:
        if one is not None and one.is_active and one.tier > tier:
            return one
    raise NobodyAbove("no team of a higher tier is known", field="team", remedy="name the team that shall have it")


def people_above(incident: Incident, by: Actor) -> list[User]:
    """Who leads the team, else the nearest team above it; else the incident managers. Never only the actor."""
    team, seen = incident.team, set()
    while team is not None and team.pk not in seen:
        leads = Membership.objects.filter(team=team, is_lead=True, user__is_active=True).exclude(
            user_id=by.user_id or 0
        )
        found = [one.user for one in leads.select_related("user").order_by("user_id")]
        if found:
            return found
        seen.add(team.pk)
        team = team.parent
    managers = User.objects.active().filter(groups__name="incident_manager").exclude(pk=by.user_id or 0).order_by("pk")
    found = list(managers)
    if not found:
        raise NobodyAbove("nobody leads here", field="to", remedy="name the person to tell, or ask an admin for a lead")
    return found


def _rules() -> list[EscalationRule]:
    return kept("incidents.escalation_rules", lambda: fetch(EscalationRule, "where is_active order by id"))


def _fits(rule: EscalationRule, incident: Incident) -> bool:
    if rule.trigger == EscalationTrigger.PRIORITY:
        return incident.priority <= rule.value
    return incident.reassignment_count >= rule.value


@action(joins=True)
def escalate_by_rules(*, incident: Incident, trigger: str, by: Actor, at: datetime) -> None:
    """Escalates by each rule of a trigger that the incident reaches and that has not done so before.

    Records `incident.escalated` by the system. Where nobody above is known the rule passes: the desk's own check of its
    settings says so. Nothing happens once it is resolved, and for imported incidents.
    """
    if incident.is_imported or not incident.is_open:
        return
    if trigger == EscalationTrigger.PRIORITY and incident.priority > RULED_PRIORITIES:
        return
    for rule in _rules():
        if rule.trigger == trigger and _fits(rule, incident) and not _was_escalated(incident, rule):
            _escalate_by(rule, incident, at)


def _was_escalated(incident: Incident, rule: EscalationRule) -> bool:
    told = Event.objects.filter(about_type=Incident._meta.label_lower, about_id=incident.pk)
    return told.filter(kind=str(IncidentEvent.ESCALATED), data__rule=rule.pk).exists()


def _escalate_by(rule: EscalationRule, incident: Incident, at: datetime) -> None:
    shown = {
        EscalationTrigger.PRIORITY.value: f"it has priority P{incident.priority}",
        EscalationTrigger.REASSIGNMENTS.value: f"it changed its team {incident.reassignment_count} times",
    }
    try:
        escalate(
            incident=incident, how=rule.how, team=rule.team, reason=f"{rule.name}: {shown[rule.trigger]}",
            cause=str(rule.trigger), rule=rule.pk, by=SYSTEM, at=at,
        )  # fmt: skip
    except (NobodyAbove, Invalid, Forbidden):
        # Nobody above, or it is there already: what made the rule look must not fail by it.
        return
