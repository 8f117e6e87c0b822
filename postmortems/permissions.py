"""Who may read, write and publish post-mortems."""

from __future__ import annotations

from typing import TYPE_CHECKING

import incidents.permissions
from audit.actor import Actor, ActorKind

if TYPE_CHECKING:
    from postmortems.models import ActionItem, PostMortem

SETTINGS_ROLES = frozenset({"admin"})
#: A post-mortem is the desk's own document: a requester reads their incident, not its post-mortem.
READERS = frozenset({"agent", "lead", "responder", "incident_manager", "manager", "admin", "auditor"})


def can_read_any(actor: Actor) -> bool:
    if actor.kind is ActorKind.KEY and not actor.is_person:
        return actor.has_scope("postmortems:read")
    return actor.kind in (ActorKind.SYSTEM, ActorKind.JOB) or actor.has_role(*READERS)


def can_write(actor: Actor, postmortem: PostMortem, *, is_paged: bool = False) -> bool:
    """Whoever may work the incident (so may those who were paged for it), and the owner of the document."""
    if actor.kind is ActorKind.KEY and not actor.has_scope("postmortems:write"):
        return False
    if actor.user_id is not None and actor.user_id == postmortem.owner_id:
        return True
    return can_read_any(actor) and incidents.permissions.can_work(actor, postmortem.incident, is_paged=is_paged)


def can_publish(actor: Actor, postmortem: PostMortem, *, is_paged: bool = False) -> bool:
    """A named person who may write it; whether it must be a second one is for the gate to say."""
    return actor.is_person and can_write(actor, postmortem, is_paged=is_paged)


def can_progress(actor: Actor, item: ActionItem, *, is_paged: bool = False) -> bool:
    """The owner of an action item may say how far it is; so may whoever writes the document."""
    if actor.user_id is not None and actor.user_id == item.owner_id:
        return actor.kind is not ActorKind.KEY or actor.has_scope("postmortems:write")
    return can_write(actor, item.postmortem, is_paged=is_paged)


def can_configure(actor: Actor) -> bool:
    if actor.kind is ActorKind.KEY and not actor.has_scope("postmortem-templates:write"):
        return False
    return actor.has_role(*SETTINGS_ROLES)
