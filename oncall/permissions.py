"""Who may change rotas and policies. What a paged person may do follows from the incident, see incidents."""

from __future__ import annotations

from audit.actor import Actor

#: Roles that see rotas and policies.
READERS = ("agent", "lead", "responder", "incident_manager", "manager", "admin", "auditor", "integration")


def can_see_rotas(actor: Actor) -> bool:
    return actor.has_role(*READERS)


def can_change_schedule(actor: Actor, team_id: int | None) -> bool:
    """An admin any; a lead those of the teams that they lead."""
    return actor.has_role("admin") or (team_id is not None and team_id in actor.led_team_ids)


def can_change_policy(actor: Actor) -> bool:
    return actor.has_role("admin")
