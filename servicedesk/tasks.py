"""The heartbeat: a second's mark that beat, broker, worker and database work together."""

from __future__ import annotations

from celery import shared_task
from django.db import connection

#: The name of the mark that /readyz looks for.
SWEEPS = "sweeps"


@shared_task
def heartbeat() -> None:
    """Marks that a wake-up of beat reached a worker; by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into servicedesk_heartbeat (name, at) values (%s, clock_timestamp()) "
            "on conflict (name) do update set at = excluded.at",
            [SWEEPS],
        )
