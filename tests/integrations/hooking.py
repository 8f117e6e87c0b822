"""A process of its own that reads events and sends webhooks, for tests that kill it."""

from __future__ import annotations

import os

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "servicedesk.settings")
    import django

    django.setup()
    from integrations import tasks

    tasks.sweep_webhooks()
