"""Who may do what to an incident: the table of SEMANTICS part 1 as predicates that never query.

`is_paged` says that the actor was paged for this incident; whoever asks looks it up, because predicates may not.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from audit.actor import Actor, ActorKind

#: Roles that work on an incident of their team.
TEAM_ROLES = ("agent", "lead", "responder")
_EVERYWHERE = ("incident_manager", "admin")
#: Roles of people who may confirm that they are on it; who has none of them is no use to a page.
RESPONDERS = (*TEAM_ROLES, *_EVERYWHERE)


class Case(Protocol):
    """What the predicates read of an incident."""

    state: str
    team_id: int | None
    assignee_id: int | None
    requester_id: int | None
    logged_by_id: int | None
    first_response_at: datetime | None
    is_restricted: bool


def is_machinery(actor: Actor) -> bool:
    """The system itself and its jobs: their limits stand in the actions that they call."""
    return actor.kind in (ActorKind.SYSTEM, ActorKind.JOB)


def _is_robot(actor: Actor) -> bool:
    return is_machinery(actor) or actor.kind is ActorKind.MAIL


def is_integration(actor: Actor) -> bool:
    """A key that acts for no person; its scopes are its rights."""
    return actor.kind is ActorKind.KEY and not actor.is_person and actor.has_role("integration")


def sees_all(actor: Actor) -> bool:
    """Whether nothing is hidden from the actor, restricted incidents included; an auditor's look at those is logged."""
    if is_machinery(actor):
        return True
    return actor.has_scope("incidents:read") and actor.has_role("incident_manager", "auditor")


def oversees(actor: Actor) -> bool:
    """Whether the actor sees every incident that is not restricted."""
    if sees_all(actor):
        return True
    return actor.has_scope("incidents:read") and (actor.has_role("manager", "admin") or is_integration(actor))


def _may_look(actor: Actor, incident: Case) -> bool:
    return sees_all(actor) or (oversees(actor) and not incident.is_restricted)


def _everywhere(actor: Actor, incident: Case) -> bool:
    """An incident manager works on everything, an admin on everything that is not restricted."""
    return actor.has_role("incident_manager") or (actor.has_role("admin") and not incident.is_restricted)


def is_logged_reader(actor: Actor, incident: Case) -> bool:
    """Whether the actor's look at this incident has to stand in its trail."""
    return incident.is_restricted and actor.has_role("auditor") and not actor.has_role("incident_manager")


def _key_may(actor: Actor, incident: Case) -> bool:
    return is_integration(actor) and not incident.is_restricted


def _writes(actor: Actor) -> bool:
    return actor.has_scope("incidents:write")


def is_own(actor: Actor, incident: Case) -> bool:
    return actor.user_id is not None and incident.requester_id == actor.user_id


def is_staff_for(actor: Actor, incident: Case, *, is_participant: bool = False, is_paged: bool = False) -> bool:
    """Whether the actor may read the internal part: who works at it or oversees it, not who only reported it."""
    if _may_look(actor, incident) or (is_paged and _responds(actor)) or _of_team(actor, incident, *TEAM_ROLES):
        return True
    logged = _logged(actor, incident) and not is_own(actor, incident)
    return actor.is_person and actor.has_role(*TEAM_ROLES) and (is_participant or logged)


def _logged(actor: Actor, incident: Case) -> bool:
    """Who logged a restricted incident no longer sees it by that alone."""
    return incident.logged_by_id == actor.user_id and not incident.is_restricted


def _responds(actor: Actor) -> bool:
    """Being paged gives nobody a role: who lost them all since can't act by an old link."""
    return actor.is_person and actor.has_role(*RESPONDERS)


def _of_team(actor: Actor, incident: Case, *roles: str) -> bool:
    """The actor has one of the roles, and the incident is their team's, their own work, or nobody's yet."""
    if not actor.has_role(*roles):
        return False
    if actor.user_id is not None and incident.assignee_id == actor.user_id:
        return True
    if incident.team_id is None:
        return not incident.is_restricted and actor.has_role(*(role for role in roles if role in ("agent", "lead")), "")
    return incident.team_id in actor.team_ids | actor.led_team_ids


def _leads(actor: Actor, incident: Case) -> bool:
    """A lead decides for the teams they lead and those below, and for what no team has yet."""
    if incident.team_id is None:
        return actor.has_role("lead") and not incident.is_restricted
    return actor.has_role("lead") and incident.team_id in actor.led_team_ids


def can_see(actor: Actor, incident: Case, *, is_participant: bool = False) -> bool:
    """The single-row form of `Incident.objects.visible_to`."""
    if _may_look(actor, incident):
        return True
    if not actor.is_person or not actor.has_scope("incidents:read"):
        return False
    return (
        is_participant or is_own(actor, incident) or _logged(actor, incident) or _of_team(actor, incident, *TEAM_ROLES)
    )


def can_log(actor: Actor) -> bool:
    roles = ("requester", *TEAM_ROLES, *_EVERYWHERE)
    return _is_robot(actor) or (_writes(actor) and (actor.has_role(*roles) or is_integration(actor)))


def can_triage(actor: Actor) -> bool:
    """Whether the actor may fill in more than a requester does: team, assignee, channel, requester, times."""
    return _is_robot(actor) or (_writes(actor) and (actor.has_role(*TEAM_ROLES, *_EVERYWHERE) or is_integration(actor)))


def can_comment(actor: Actor, incident: Case, *, is_participant: bool = False) -> bool:
    if _is_robot(actor):
        return True
    if not _writes(actor):
        return False
    if _key_may(actor, incident) or _everywhere(actor, incident) or is_own(actor, incident):
        return True
    if not actor.has_role(*TEAM_ROLES):
        return False
    return is_participant or _logged(actor, incident) or _of_team(actor, incident, *TEAM_ROLES)


def can_note(actor: Actor, incident: Case, *, is_participant: bool = False) -> bool:
    """Internal comments: who may comment, except in the capacity of the requester."""
    if is_own(actor, incident) and not actor.has_role(*TEAM_ROLES, *_EVERYWHERE):
        return False
    return can_comment(actor, incident, is_participant=is_participant)


def can_work(actor: Actor, incident: Case, *, is_paged: bool = False) -> bool:
    """Claim, assign, start, hold, resume, resolve, contain, classify."""
    if is_machinery(actor):
        return True
    if not _writes(actor):
        return False
    if _key_may(actor, incident) or _everywhere(actor, incident) or (is_paged and _responds(actor)):
        return True
    return _of_team(actor, incident, *TEAM_ROLES)


def can_acknowledge(actor: Actor, incident: Case, *, is_paged: bool = False) -> bool:
    """Only a named person: no key without one, no job, no mail robot."""
    return actor.is_person and can_work(actor, incident, is_paged=is_paged)


def can_confirm(actor: Actor, incident: Case) -> bool:
    """The requester says of a resolved incident of their own that it works, or that it does not."""
    return is_own(actor, incident) and _writes(actor) and incident.state == "resolved"


def can_close(actor: Actor, incident: Case) -> bool:
    return can_confirm(actor, incident) or _ends(actor, incident)


def can_reopen(actor: Actor, incident: Case) -> bool:
    return can_confirm(actor, incident) or _ends(actor, incident)


def can_open_again(actor: Actor, incident: Case) -> bool:
    """After closing: who could have reopened it, the requester, and the mail robot for the requester's answer."""
    return (is_own(actor, incident) and _writes(actor)) or _ends(actor, incident) or actor.kind is ActorKind.MAIL


def can_cancel(actor: Actor, incident: Case) -> bool:
    """An agent before the first response; afterwards it takes a lead or an incident manager."""
    return can_override_priority(actor, incident) or (incident.first_response_at is None and _ends(actor, incident))


def can_override_priority(actor: Actor, incident: Case) -> bool:
    if is_machinery(actor):
        return True
    return _writes(actor) and actor.is_person and (_everywhere(actor, incident) or _leads(actor, incident))


def _ends(actor: Actor, incident: Case) -> bool:
    """The machinery, an incident manager, an admin, or the incident's team; neither a responder nor an integration."""
    if is_machinery(actor):
        return True
    if not _writes(actor) or not actor.is_person:
        return False
    return _everywhere(actor, incident) or _of_team(actor, incident, "agent", "lead")


def can_restrict(actor: Actor, incident: Case) -> bool:
    """A lead of its team, an incident manager; an admin may restrict, and then no longer sees it."""
    return can_override_priority(actor, incident)


def can_drill(actor: Actor) -> bool:
    """Drills leave every metric, so not everybody may declare one."""
    return is_machinery(actor) or (_writes(actor) and actor.has_role(*_EVERYWHERE))


def can_route_to(actor: Actor, team_id: int) -> bool:
    """Rules: an admin any, a lead those that bring work to a team that they lead."""
    return actor.has_role("admin") or (actor.has_role("lead") and team_id in actor.led_team_ids)


def can_keep_views(actor: Actor) -> bool:
    """Views and canned replies of one's own: everybody who looks at the queue."""
    return _writes(actor) and actor.has_role(*TEAM_ROLES, *_EVERYWHERE, "manager")


def can_propose_major(actor: Actor, incident: Case, *, is_paged: bool = False) -> bool:
    """Who reported it and who works on it; an admin as such does neither."""
    if is_own(actor, incident):
        return _writes(actor)
    is_only_admin = actor.has_role("admin") and not actor.has_role("incident_manager", *TEAM_ROLES)
    return not is_only_admin and can_work(actor, incident, is_paged=is_paged)


def can_decide_major(actor: Actor, incident: Case) -> bool:
    """An incident manager, or the lead of its team."""
    if not (_writes(actor) and actor.is_person):
        return False
    return actor.has_role("incident_manager") or _leads(actor, incident)
