"""Waking: after the commit, once, never waiting for a broker that is not there."""

from __future__ import annotations

import time
from typing import Any

import pytest
from celery import current_app

from notify import wakeup


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr(wakeup, "_publisher", wakeup._Publisher())
    monkeypatch.setattr(current_app.conf, "broker_url", "memory://")
    monkeypatch.setattr(current_app, "send_task", lambda name, **given: names.append(name))
    return names


def _eventually(condition: Any) -> bool:
    ends = time.monotonic() + 5
    while not condition() and time.monotonic() < ends:
        time.sleep(0.01)
    return bool(condition())


@pytest.mark.django_db
def test_a_commit_wakes_each_task_once(published: list[str], django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        for task in (wakeup.SENDER, wakeup.SENDER, "oncall.tasks.sweep"):
            wakeup.wake_after_commit(task)
        assert published == []
    assert len(callbacks) == 2
    assert _eventually(lambda: sorted(published) == [wakeup.SENDER, "oncall.tasks.sweep"])


@pytest.mark.django_db
def test_a_broken_broker_neither_raises_nor_waits_nor_is_asked_again_at_once(
    published: list[str], monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    calls: list[str] = []

    def broken(name: str, **given: Any) -> None:
        calls.append(name)
        time.sleep(0.5)
        raise ConnectionError

    monkeypatch.setattr(current_app, "send_task", broken)
    begun = time.monotonic()
    for _ in range(3):
        with django_capture_on_commit_callbacks(execute=True):
            wakeup.wake_after_commit()
    assert time.monotonic() - begun < 0.4
    assert _eventually(lambda: calls)
    time.sleep(0.7)
    assert calls == [wakeup.SENDER]


def test_without_a_broker_nothing_is_published(published: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current_app.conf, "broker_url", "")
    assert wakeup.publish(wakeup.SENDER)
    assert published == []
