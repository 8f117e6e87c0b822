"""What the outbox and the contacts tell upwards."""

from __future__ import annotations

from enum import StrEnum

from audit.events import Kind


class MessageEvent(StrEnum):
    SENT = "message.sent"
    DELIVERED = "message.delivered"
    FAILED = "message.failed"
    UNCERTAIN = "message.uncertain"
    CANCELLED = "message.cancelled"
    BOUNCED = "message.bounced"


class ContactEvent(StrEnum):
    ADDED = "contact.added"
    CHANGED = "contact.changed"
    REMOVED = "contact.removed"
    VERIFICATION_SENT = "contact.verification_sent"
    VERIFIED = "contact.verified"


_MESSAGE = ("channel", "topic", "contact")
_CONTACT = ("user", "channel")

KINDS: dict[str, Kind] = {
    MessageEvent.SENT: Kind("A provider accepted a message.", (*_MESSAGE, "attempts", "uncertain")),
    MessageEvent.DELIVERED: Kind("A provider confirmed that a message arrived.", _MESSAGE),
    MessageEvent.FAILED: Kind("A message can't be delivered and is given up.", (*_MESSAGE, "attempts", "error")),
    MessageEvent.UNCERTAIN: Kind(
        "Nobody knows whether a provider accepted a message; `again` says whether it is sent again with the same key.",
        (*_MESSAGE, "attempts", "error", "again"),
    ),
    MessageEvent.BOUNCED: Kind("A sent mail came back: it did not reach the person.", (*_MESSAGE, "error")),
    MessageEvent.CANCELLED: Kind("A queued message was cancelled before it was sent.", _MESSAGE),
    ContactEvent.ADDED: Kind("A way to reach a person was added; it is used once verified.", _CONTACT),
    ContactEvent.CHANGED: Kind("A way to reach a person was changed.", (*_CONTACT, "fields")),
    ContactEvent.REMOVED: Kind("A way to reach a person was removed.", _CONTACT),
    ContactEvent.VERIFICATION_SENT: Kind("A verification link was sent to a contact.", _CONTACT),
    ContactEvent.VERIFIED: Kind("A contact was verified, by link or by an admin.", (*_CONTACT, "by_link")),
}
