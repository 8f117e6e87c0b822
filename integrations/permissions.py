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


#: They see every mail, as they see every incident or every setting.
READS_ALL_MAIL = ("incident_manager", "admin", "auditor")
_WORKERS = ("agent", "lead", "incident_manager", "admin")


def can_read_mail(actor: Actor) -> bool:
    return actor.is_person and actor.has_role(*_WORKERS, "auditor")


def can_decide_mail(actor: Actor) -> bool:
    """Whether they may let a held mail in, put it aside, or have it judged again."""
    return actor.is_person and actor.has_role(*_WORKERS)
