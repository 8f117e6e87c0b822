"""Waiting for the requester: reminders, the end of the wait, and what a reply does where."""

from __future__ import annotations

from typing import Any

import pytest

from audit.actions import Invalid
from audit.actor import SYSTEM, Actor
from incidents.actions import add_participant, change_hold, comment, put_on_hold, resolve, settle_reply
from incidents.models import Comment, Incident
from incidents.tasks import sweep
from tests.accounts.factories import UserFactory
from tests.incidents.factories import AT, IncidentFactory, later, person
from tests.incidents.trail import fresh, kinds, mails

pytestmark = pytest.mark.django_db


def held(reason: str = "awaiting_requester", **more: Any) -> tuple[Incident, Actor]:
    """On hold since a Monday, and its requester as actor."""
    caller = UserFactory(email="maria@example.org")
    incident: Incident = IncidentFactory(requester=caller, assignee=UserFactory(email="ines@example.org"))
    incident = put_on_hold(incident=incident, hold_reason=reason, by=SYSTEM, at=AT, **more)
    return incident, person(caller, "requester")


def test_reminders_come_on_days_two_and_four_and_the_end_on_day_five() -> None:
    incident, _ = held()
    assert (incident.follow_up_at, incident.hold_until) == (later(days=2), later(days=7))
    assert [sweep(later(days=day))["follow_ups"] for day in (1, 2, 3, 4, 5, 6, 7)] == [0, 1, 0, 1, 0, 0, 1]
    assert (fresh(incident).state, fresh(incident).resolution_code) == ("resolved", "no_answer")
    assert [one.address for one in mails(incident)][-3:] == ["maria@example.org"] * 3


def test_only_who_waits_for_a_requester_goes_without_a_wake_up() -> None:
    with pytest.raises(Invalid):
        held("awaiting_vendor")
    with pytest.raises(Invalid):
        put_on_hold(incident=IncidentFactory(), hold_reason="awaiting_requester", by=SYSTEM, at=AT)


def test_a_wake_up_before_the_end_comes_first_and_stops_the_reminders() -> None:
    incident, _ = held(until=later(days=3))
    assert sweep(later(days=2))["follow_ups"] == 1
    assert sweep(later(days=3))["wake_ups"] == 1
    assert (fresh(incident).state, fresh(incident).follow_ups) == ("in_progress", [])
    assert sweep(later(days=7))["follow_ups"] == 0


def test_another_reason_stops_the_reminders_and_back_again_starts_them() -> None:
    incident, _ = held()
    incident = change_hold(incident=incident, hold_reason="awaiting_vendor", until=later(days=3), by=SYSTEM, at=AT)
    assert incident.follow_up_at is None
    incident = change_hold(incident=incident, hold_reason="awaiting_requester", by=SYSTEM, at=later(days=1))
    assert incident.follow_up_at == later(days=3)


def test_after_an_outage_one_reminder_stands_for_all_and_the_end_is_put_off() -> None:
    incident, _ = held()
    assert sweep(later(days=8))["follow_ups"] == 1
    assert (fresh(incident).state, kinds(incident).count("follow_up_sent")) == ("on_hold", 1)
    assert fresh(incident).follow_up_at == fresh(incident).hold_until == later(days=11)
    assert sweep(later(days=11))["follow_ups"] == 1
    assert fresh(incident).resolution_code == "no_answer"


def test_no_answer_days_of_zero_ask_for_a_wake_up(settings: Any) -> None:
    settings.SERVICEDESK_NO_ANSWER_DAYS = 0
    with pytest.raises(Invalid):
        held()


def test_a_reply_resumes_and_tells_assignee_and_watchers_once() -> None:
    incident, maria = held()
    watcher = UserFactory(email="wen@example.org", roles=["agent"])
    add_participant(incident=incident, user=watcher, by=SYSTEM, at=AT)
    comment(incident=incident, body="The third floor.", by=maria, at=later(hours=1))
    assert (fresh(incident).state, fresh(incident).replied_at) == ("in_progress", None)
    assert [one.address for one in mails(incident)][-2:] == ["ines@example.org", "wen@example.org"]


@pytest.mark.parametrize("reason", ["awaiting_vendor", "awaiting_change", "scheduled"])
def test_on_any_other_hold_a_reply_flags_and_tells(reason: str) -> None:
    incident, maria = held(reason, until=later(days=3))
    comment(incident=incident, body="Any news?", by=maria, at=later(hours=1))
    assert (fresh(incident).state, fresh(incident).replied_at) == ("on_hold", later(hours=1))
    assert kinds(incident)[-1] == "replied"
    assert mails(incident)[-1].address == "ines@example.org"


def test_thanks_after_an_ordinary_resolution_reopens_nothing_until_somebody_looked() -> None:
    incident, maria = held()
    resolve(incident=incident, code="fixed", by=SYSTEM, at=AT)
    comment(incident=incident, body="Thanks!", by=maria, at=later(hours=1))
    assert (fresh(incident).state, fresh(incident).replied_at) == ("resolved", later(hours=1))
    assert settle_reply(incident=incident, by=SYSTEM, at=later(hours=2)).replied_at is None


def test_a_public_answer_of_the_desk_settles_the_flag_and_a_note_does_not() -> None:
    incident, maria = held("awaiting_vendor", until=later(days=3))
    agent = person(None, "incident_manager")
    comment(incident=incident, body="Any news?", by=maria, at=later(hours=1))
    comment(incident=incident, body="She asks again.", by=agent, at=later(hours=2))
    assert fresh(incident).replied_at == later(hours=1)
    comment(incident=incident, body="Tomorrow.", is_public=True, by=agent, at=later(hours=3))
    assert fresh(incident).replied_at is None


@pytest.mark.parametrize("nature", ["auto_reply", "bounce"])
@pytest.mark.parametrize("code", ["", "fixed", "no_answer"])
def test_automatic_replies_and_bounces_do_nothing(nature: str, code: str) -> None:
    incident, maria = held()
    if code:
        resolve(incident=incident, code=code, by=SYSTEM, at=AT)
    before, sent = fresh(incident), len(mails(incident))
    comment(incident=incident, body="I am out of office.", nature=nature, by=maria, at=later(hours=1))
    after = fresh(incident)
    assert (after.state, after.version, len(mails(incident))) == (before.state, before.version, sent)
    written = Comment.objects.get()
    assert (written.is_public, written.nature) == (False, nature)
