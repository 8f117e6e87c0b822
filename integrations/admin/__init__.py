"""The integrations in the admin."""

from integrations.admin import mail, webhooks

__all__ = ["mail", "webhooks"]
