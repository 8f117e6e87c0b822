"""Tells the workers "now" after a commit; a lost wake-up costs a second, because beat asks every second anyway."""

from __future__ import annotations

import logging
import time

from celery import current_app
from django.db import connection, transaction

log = logging.getLogger(__name__)

SENDER = "notify.tasks.send_due"
#: After a broker failed, requests don't wait for it again for this long.
PAUSE_SECONDS = 5.0

_silent_until = 0.0


class _Wake:
    """A callable that is equal to another of the same task, so that one commit wakes each task once."""

    def __init__(self, task: str) -> None:
        self.task = task

    def __call__(self) -> None:
        _publish(self.task)


def wake_after_commit(task: str = SENDER) -> None:
    """Wakes a task when the running transaction has committed; once per transaction, never raising, never waiting."""
    waiting = [function for _, function, *_ in connection.run_on_commit if isinstance(function, _Wake)]
    if all(one.task != task for one in waiting):
        transaction.on_commit(_Wake(task), robust=True)


def _publish(task: str) -> None:
    global _silent_until
    if time.monotonic() < _silent_until or not current_app.conf.broker_url:
        return
    try:
        current_app.send_task(task, ignore_result=True, retry=False, expires=10)
    except Exception as error:  # noqa: BLE001 - any transport error: the row is the truth, and beat wakes the sweep
        _silent_until = time.monotonic() + PAUSE_SECONDS
        log.warning("could not wake %s, its beat will: %s", task, type(error).__name__)
