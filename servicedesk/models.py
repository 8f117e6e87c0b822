"""The one table of the project itself: the marks by which the sweeps show that they run."""

from __future__ import annotations

from django.db import models


class Heartbeat(models.Model):
    """When a worker last did what beat asked for; it proves that beat, broker, worker and database work together."""

    name = models.TextField(primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} at {self.at:%Y-%m-%d %H:%M:%S}"
