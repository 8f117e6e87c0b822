"""Everything that changes the outbox or a person's contacts."""

from notify.actions.contacts import (
    ContactInUse,
    LinkExpired,
    add_contact,
    change_contact,
    remove_contact,
    send_verification,
    verify_contact,
    vouch_for_contact,
)
from notify.actions.outbox import bring_forward, cancel_topic, enqueue, enqueue_mail_to_user
from notify.actions.sending import (
    begin,
    claim,
    mark_bounced,
    mark_delivered,
    mark_failed,
    mark_sent,
    mark_uncertain,
    release_abandoned,
)

__all__ = [
    "ContactInUse",
    "LinkExpired",
    "add_contact",
    "begin",
    "bring_forward",
    "cancel_topic",
    "change_contact",
    "claim",
    "enqueue",
    "enqueue_mail_to_user",
    "mark_bounced",
    "mark_delivered",
    "mark_failed",
    "mark_sent",
    "mark_uncertain",
    "release_abandoned",
    "remove_contact",
    "send_verification",
    "verify_contact",
    "vouch_for_contact",
]
