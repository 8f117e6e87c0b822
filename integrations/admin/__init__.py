"""The integrations in the admin."""

from integrations.admin import webhooks

__all__ = ["webhooks"]
