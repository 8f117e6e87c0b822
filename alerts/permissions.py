"""Who may see and set up what of the alert intake."""

from __future__ import annotations

from audit.actor import Actor, ActorKind
from incidents.permissions import is_machinery

#: The alerts themselves follow their incident; sources are settings.
SETTINGS_ROLES = frozenset({"admin"})
SOURCE_READERS = frozenset({"admin", "auditor", "agent", "lead", "responder", "incident_manager"})


def can_see_sources(actor: Actor) -> bool:
    if actor.kind is ActorKind.KEY and not actor.has_scope("alert-sources:read"):
        return False
    return is_machinery(actor) or actor.has_role(*SOURCE_READERS)


def can_configure(actor: Actor) -> bool:
    if actor.kind is ActorKind.KEY and not actor.has_scope("alert-sources:write"):
        return False
    return actor.has_role(*SETTINGS_ROLES)


def can_see_unlinked_alerts(actor: Actor) -> bool:
    """Alerts without an incident (a recovery of something never reported) belong to those who run the intake."""
    return is_machinery(actor) or actor.has_role("admin", "auditor", "incident_manager")
