"""Who may rate, who settles a low rating, and who may read the numbers; predicates that never query."""

from __future__ import annotations

from audit.actor import Actor, ActorKind
from incidents.permissions import Case, is_integration, is_machinery, is_own

#: Leads read those of the teams that they lead.
EVERYWHERE = ("manager", "incident_manager", "admin", "auditor")


def can_rate(actor: Actor, incident: Case) -> bool:
    """Only who reported it, as a person and not by a key: a robot has no opinion."""
    return actor.kind is ActorKind.PERSON and is_own(actor, incident)


def can_settle(actor: Actor, incident: Case) -> bool:
    """The lead of its team (or of what no team has), an incident manager or an admin; a named person."""
    if not actor.is_person or not actor.has_scope("ratings:write"):
        return False
    leads = actor.has_role("lead") and (incident.team_id is None or incident.team_id in actor.led_team_ids)
    return leads or actor.has_role("incident_manager", "admin")


def sees_all_numbers(actor: Actor) -> bool:
    if is_machinery(actor):
        return True
    return actor.has_scope("metrics:read") and (actor.has_role(*EVERYWHERE) or is_integration(actor))


def can_see_numbers(actor: Actor) -> bool:
    """A lead, a manager, an incident manager, an admin, an auditor, or a key with the scope."""
    return sees_all_numbers(actor) or (actor.has_scope("metrics:read") and actor.has_role("lead"))
