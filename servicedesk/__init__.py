"""The project: settings, URLs, the trial's servers, and the pages that show several apps at once."""

# Loaded with the project, so that every process sends its tasks through the configured application.
from .celery import app as celery_app

__all__ = ["celery_app"]
