"""The Celery application: it carries "now" (wake a sweep, send a row) and never a promise."""

import os

from celery import Celery

# `celery --app servicedesk worker` needs no environment.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "servicedesk.settings")

app = Celery("servicedesk")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
