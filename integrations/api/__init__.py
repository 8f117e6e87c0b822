"""REST of the integrations."""

from integrations.api.webhooks import ROUTES

__all__ = ["ROUTES"]
