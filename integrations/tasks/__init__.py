"""Sweeps and senders of the integrations; fetching and judging mail."""

from integrations.tasks.mail import fetch_mail, judge_mail
from integrations.tasks.webhooks import prune_webhooks, send_due, sweep_webhooks

__all__ = ["fetch_mail", "judge_mail", "prune_webhooks", "send_due", "sweep_webhooks"]
