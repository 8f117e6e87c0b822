"""The Celery application: it carries "now" (wake a sweep, send a row) and never a promise."""

from celery import Celery

app = Celery("servicedesk")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
