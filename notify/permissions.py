"""Who may touch a person's contacts: the person and an admin."""

from __future__ import annotations

from audit.actor import Actor


def can_change_contact(actor: Actor, user_id: int) -> bool:
    return actor.user_id == user_id or actor.has_role("admin")


def can_vouch_for_contact(actor: Actor) -> bool:
    return actor.has_role("admin")


def can_see_outbox(actor: Actor) -> bool:
    return actor.has_role("admin", "auditor")
