"""Who may see and set up what of the integrations; predicates that never query."""

from __future__ import annotations

from audit.actor import Actor, ActorKind

#: Webhooks are settings.
SETTINGS_ROLES = frozenset({"admin"})
WEBHOOK_READERS = frozenset({"admin", "auditor"})


def can_see_webhooks(actor: Actor) -> bool:
    return actor.has_scope("webhooks:read") and (
        actor.kind in (ActorKind.SYSTEM, ActorKind.JOB) or actor.has_role(*WEBHOOK_READERS)
    )


def can_configure_webhooks(actor: Actor) -> bool:
    return actor.has_scope("webhooks:write") and (
        actor.kind in (ActorKind.SYSTEM, ActorKind.JOB) or actor.has_role(*SETTINGS_ROLES)
    )
