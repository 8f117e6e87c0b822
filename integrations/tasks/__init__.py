"""Sweeps and senders of the integrations."""

from integrations.tasks.webhooks import prune_webhooks, send_due, sweep_webhooks

__all__ = ["prune_webhooks", "send_due", "sweep_webhooks"]
