"""What goes out to other systems, and what comes in from them."""

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
    "DeliveryState",
    "EndpointState",
    "WebhookAttempt",
    "WebhookCursor",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookLane",
]
