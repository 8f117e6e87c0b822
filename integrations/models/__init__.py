"""What goes out to other systems, and what comes in from them."""

from integrations.models.mail import FOR_A_PERSON, InboundMail, MailContent, MailSource, Source, Verdict
from integrations.models.webhooks import (
    DeliveryState,
    EndpointState,
    WebhookAttempt,
    WebhookCursor,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookLane,
)

__all__ = [
    "FOR_A_PERSON",
    "DeliveryState",
    "EndpointState",
    "InboundMail",
    "MailContent",
    "MailSource",
    "Source",
    "Verdict",
    "WebhookAttempt",
    "WebhookCursor",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookLane",
]
