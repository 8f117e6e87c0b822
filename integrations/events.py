"""What the integrations tell upwards."""

from __future__ import annotations

from enum import StrEnum

from audit.events import Kind


class WebhookEvent(StrEnum):
    KEY_ISSUED = "webhook.key_issued"
    KEY_ROTATED = "webhook.key_rotated"
    PAUSED = "webhook.paused"
    ENABLED = "webhook.enabled"
    DISABLED = "webhook.disabled"
    GIVEN_UP = "webhook.given_up"
    REPLAYED = "webhook.replayed"


class MailEvent(StrEnum):
    JUDGED = "mail.judged"
    DISCARDED = "mail.discarded"


KINDS: dict[str, Kind] = {
    WebhookEvent.KEY_ISSUED: Kind("A webhook endpoint got its signing key.", ("check",)),
    WebhookEvent.KEY_ROTATED: Kind(
        "The signing key of a webhook endpoint was replaced; the old one signs too until then.", ("check", "old_until")
    ),
    WebhookEvent.PAUSED: Kind("A person stopped sending to a webhook endpoint; its events wait.", ()),
    WebhookEvent.ENABLED: Kind("A person let a webhook endpoint be sent to again.", ()),
    WebhookEvent.DISABLED: Kind(
        "The desk stopped sending to a webhook endpoint, because it is gone or failed for days; admins are told.",
        ("told",),
    ),
    WebhookEvent.GIVEN_UP: Kind(
        "A delivery to a webhook endpoint was given up after its last attempt.", ("delivery", "event_kind", "attempts")
    ),
    WebhookEvent.REPLAYED: Kind("A person had deliveries to a webhook endpoint sent again.", ("deliveries",)),
    MailEvent.JUDGED: Kind(
        "It was decided what a received mail is; `mail` is its key, `verdict` what came of it.", ("mail", "verdict")
    ),
    MailEvent.DISCARDED: Kind("A person put a received mail aside.", ("mail",)),
}
