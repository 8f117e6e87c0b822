"""What happens because time passed."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

import incidents.actions
from audit.actor import SYSTEM
from incidents.actions import comment, override_priority, put_on_hold, resolve, settle_workaround
from incidents.actions.frame import idle_after
from incidents.models import Incident
from incidents.tasks import sweep
from tests.accounts.factories import UserFactory
from tests.incidents.factories import AT, IMPORT, IncidentFactory, later, person
from tests.incidents.trail import events, fresh, kinds, last, mails

pytestmark = pytest.mark.django_db


def test_a_hold_comes_to_its_wake_up_and_says_so() -> None:
    incident = IncidentFactory(assignee=UserFactory(email="ines@example.org"))
    put_on_hold(incident=incident, hold_reason="awaiting_vendor", until=later(hours=2), by=SYSTEM, at=AT)
    assert sweep(later(hours=2, seconds=-1))["wake_ups"] == 0
    assert sweep(later(hours=2))["wake_ups"] == 1
    assert fresh(incident).state == "in_progress"
    assert kinds(incident)[-2:] == ["resumed", "wake_up_due"]
    assert (mails(incident)[-1].address, last(incident).actor_id) == ("ines@example.org", "incidents.wake_ups")
    assert sweep(later(hours=3))["wake_ups"] == 0


def test_what_is_resolved_closes_after_five_days() -> None:
    incident = resolve(incident=IncidentFactory(), code="fixed", by=SYSTEM, at=AT)
    assert sweep(later(days=5, seconds=-1))["auto_close"] == 0
    assert sweep(later(days=5))["auto_close"] == 1
    assert (fresh(incident).state, fresh(incident).closed_at, fresh(incident).closed_by_id) == (
        "closed", later(days=5), None,
    )  # fmt: skip


def test_an_unsettled_workaround_does_not_close_and_reminds() -> None:
    incident = resolve(incident=IncidentFactory(), code="fixed", fix_kind="workaround", by=SYSTEM, at=AT)
    sweep(later(days=5))
    assert (fresh(incident).state, fresh(incident).close_due_at) == ("resolved", later(days=10))
    assert kinds(incident)[-1] == "idle_reminder_due"
    sweep(later(days=10))
    assert kinds(incident).count("idle_reminder_due") == 2
    settle_workaround(incident=incident, outcome="removed", by=SYSTEM, at=later(days=11))
    assert sweep(later(days=15))["auto_close"] == 1


@pytest.mark.parametrize(
    ("at", "due"),
    [(AT, later(days=2)), (AT + dt.timedelta(days=3), AT + dt.timedelta(days=7)),
     (AT + dt.timedelta(days=5), AT + dt.timedelta(days=8))],
)  # fmt: skip
def test_the_idle_reminder_counts_weekdays(at: dt.datetime, due: dt.datetime) -> None:
    assert idle_after(at) == due


def test_who_lets_it_lie_is_reminded_again_and_again() -> None:
    incident = IncidentFactory(assignee=UserFactory())
    assert sweep(later(days=2))["idle"] == 1
    assert fresh(incident).idle_at == later(days=4)
    assert len(mails(incident)) == 1
    assert sweep(later(days=2, hours=1))["idle"] == 0


def test_a_comment_puts_the_reminder_off() -> None:
    incident = IncidentFactory()
    comment(incident=incident, body="Still waiting for the part.", by=person(None, "agent"), at=later(days=1))
    sweep(later(days=2))
    assert fresh(incident).idle_at == later(days=3)
    assert kinds(incident) == ["opened", "commented"]


def test_an_override_ends() -> None:
    incident = override_priority(
        incident=IncidentFactory(), priority=1, reason="fair", until=later(days=1), by=SYSTEM, at=AT
    )
    assert sweep(later(days=1))["priority_overrides"] == 1
    assert (fresh(incident).priority, fresh(incident).priority_override) == (5, None)


def test_imported_history_is_left_alone() -> None:
    held = IncidentFactory(imported=True, by=IMPORT)
    put_on_hold(incident=held, hold_reason="scheduled", until=later(hours=1), is_assumed=True, by=IMPORT, at=AT)
    done = resolve(incident=IncidentFactory(imported=True, by=IMPORT), code="other", by=IMPORT, at=AT)
    assert sum(sweep(later(days=90)).values()) == 0
    assert (fresh(held).state, fresh(done).state) == ("on_hold", "resolved")


def test_one_that_fails_does_not_keep_the_others_waiting(monkeypatch: Any, caplog: Any) -> None:
    bad, good = (resolve(incident=IncidentFactory(), code="fixed", by=SYSTEM, at=AT) for _ in range(2))
    close = incidents.actions.close_by_time

    def failing(*, incident: Incident, **more: Any) -> Incident:
        if incident.pk == bad.pk:
            raise RuntimeError("boom")
        return close(incident=incident, **more)

    monkeypatch.setattr(incidents.actions, "close_by_time", failing)
    assert sweep(later(days=5))["auto_close"] == 1
    assert (fresh(bad).state, fresh(good).state) == ("resolved", "closed")
    assert "boom" in caplog.text


def test_sweeps_ask_the_databases_clock() -> None:
    incident = resolve(incident=IncidentFactory(at=dt.datetime(2020, 1, 6, tzinfo=dt.UTC)), code="fixed", by=SYSTEM,
                       at=dt.datetime(2020, 1, 6, tzinfo=dt.UTC))  # fmt: skip
    assert sweep()["auto_close"] == 1
    assert events(incident)[-1].at.year >= 2026
