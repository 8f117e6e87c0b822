"""Tells the workers "now" after a commit; a lost wake-up costs a second, because beat asks every second anyway."""

from __future__ import annotations

import logging
import queue
import threading
import time

from celery import current_app
from django.db import connection, transaction

log = logging.getLogger(__name__)

SENDER = "notify.tasks.send_due"
#: After a broker failed, nothing is tried for this long.
PAUSE_SECONDS = 5.0
#: Commits that follow each other this closely share a wake-up.
GAP_SECONDS = 0.1


class _Wake:
    """A callable that is equal to another of the same task, so that one commit wakes each task once."""

    def __init__(self, task: str) -> None:
        self.task = task

    def __call__(self) -> None:
        _publisher.wake(self.task)


def wake_after_commit(task: str = SENDER) -> None:
    """Wakes a task when the running transaction has committed; once per transaction, never raising, never waiting."""
    waiting = [function for _, function, *_ in connection.run_on_commit if isinstance(function, _Wake)]
    if all(one.task != task for one in waiting):
        transaction.on_commit(_Wake(task), robust=True)


class _Publisher:
    """A thread of this process that publishes: to a request it would cost more than an insert, and a slow broker more
    than the request. It is started by the first wake-up, and again in a process that was forked."""

    def __init__(self) -> None:
        self.wanted: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.thread: threading.Thread | None = None

    def wake(self, task: str) -> None:
        self.wanted.put(task)
        if self.thread is None or not self.thread.is_alive():
            self.thread = threading.Thread(target=self._run, name="notify.wakeup", daemon=True)
            self.thread.start()

    def _run(self) -> None:
        while True:
            tasks = {self.wanted.get()}
            while not self.wanted.empty():
                tasks.add(self.wanted.get())
            time.sleep(GAP_SECONDS if all(publish(task) for task in sorted(tasks)) else PAUSE_SECONDS)


_publisher = _Publisher()


def publish(task: str) -> bool:
    """Wakes a task now; False when the broker did not take it."""
    if not current_app.conf.broker_url:
        return True
    try:
        current_app.send_task(task, ignore_result=True, retry=False, expires=10)
    except Exception as error:  # noqa: BLE001 - any transport error: the row is the truth, and beat wakes the sweep
        log.warning("could not wake %s, its beat will: %s", task, type(error).__name__)
        return False
    return True
