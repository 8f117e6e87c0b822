"""The requester is told what the clocks promise, and what came back told nobody anything."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

import incidents.actions
import notify.actions
from audit.actor import SYSTEM
from audit.models import Delivery
from incidents.models import Incident
from notify import channels
from notify.models import Message
from sla.models import Clock
from tests.accounts.factories import TeamFactory, UserFactory
from tests.incidents.factories import IncidentFactory, person
from tests.incidents.trail import fresh, last
from tests.sla.factories import CalendarFactory, SlaPolicyFactory

pytestmark = pytest.mark.django_db
#: A Tuesday, 09:02 in Madrid.
AT = dt.datetime(2026, 3, 10, 8, 2, tzinfo=dt.UTC)


def after(**delta: float) -> dt.datetime:
    return AT + dt.timedelta(**delta)


def mails(incident: Incident) -> list[Message]:
    return list(Message.objects.filter(topic=f"incident:{incident.pk}").order_by("id"))


def respond(incident: Incident) -> Clock:
    return Clock.objects.get(incident=incident, target="respond")


def reported(**given: Any) -> Incident:
    maria = UserFactory(name="Maria", time_zone="Europe/Madrid")
    return IncidentFactory(requester=maria, team=TeamFactory(), channel="portal", at=AT, **given)


def answer(incident: Incident, body: str, at: dt.datetime) -> Message:
    incidents.actions.comment(incident=incident, body=body, is_public=True, by=person(None, "admin"), at=at)
    return mails(incident)[-1]


@pytest.fixture(autouse=True)
def _policy() -> None:
    targets = {"respond": {str(priority): 3600 for priority in range(1, 6)}}
    SlaPolicyFactory(calendar=CalendarFactory(), position=1, targets=targets)


def test_the_receipt_promises_what_the_respond_clock_says_in_the_readers_zone() -> None:
    incident = reported()
    due = respond(incident).due_at
    assert due is not None
    local = due.astimezone(dt.timezone(dt.timedelta(hours=1)))
    (mail,) = mails(incident)
    assert f"{local:%H:%M} (Europe/Madrid)" in mail.body
    assert not Delivery.objects.exists()


def test_fixed_on_the_phone_sends_one_mail_with_two_links() -> None:
    incident = IncidentFactory(
        requester=UserFactory(), channel="phone", by=person(None, "agent"), reported_at=AT, at=after(seconds=450),
        resolved=incidents.actions.Resolution(code="fixed", notes="Restarted."),
    )  # fmt: skip
    (mail,) = mails(incident)
    sent = channels.body_of(mail)
    assert sent.count("/help/t/") == 2
    assert "?say=works" in sent
    assert "?say=broken" in sent


def test_an_answer_that_came_back_is_no_response_and_the_clock_runs_on() -> None:
    incident = reported()
    due = respond(incident).due_at
    mail = answer(incident, "We look at it.", after(minutes=5))
    assert respond(incident).state == "met"
    incidents.actions.withdraw_response(incident=incident, dedup_key=mail.dedup_key, by=SYSTEM, at=after(minutes=6))
    assert fresh(incident).first_response_at is None
    assert (respond(incident).state, respond(incident).due_at) == ("running", due)
    answer(incident, "By phone now.", after(minutes=9))
    assert (fresh(incident).first_response_at, respond(incident).state) == (after(minutes=9), "met")


def test_a_bounce_of_the_answers_mail_takes_it_back() -> None:
    incident = reported()
    mail = answer(incident, "We look at it.", after(minutes=5))
    Message.objects.filter(pk=mail.pk).update(state="sent", next_attempt_at=None)
    notify.actions.mark_bounced(message_id=mail.pk, error="550 no such user", by=SYSTEM, at=after(minutes=6))
    assert (fresh(incident).first_response_at, respond(incident).state) == (None, "running")
    assert not Delivery.objects.exists()


def test_a_later_word_that_arrived_counts_instead() -> None:
    incident = reported()
    first = answer(incident, "We look at it.", after(minutes=5))
    answer(incident, "It is the switch.", after(minutes=8))
    for moment in (9, 10):
        incidents.actions.withdraw_response(
            incident=incident, dedup_key=first.dedup_key, by=SYSTEM, at=after(minutes=moment)
        )
    assert fresh(incident).first_response_at == after(minutes=8)
    assert (respond(incident).state, respond(incident).stopped_at) == ("met", after(minutes=8))
    assert last(incident).kind != "incident.response_bounced" or last(incident).at == after(minutes=9)


@pytest.mark.parametrize(
    "key", ["page:1:2", "incident:1:opened:3", "incident:1:comment:x:3", "incident:1:comment:0:3", ""]
)
def test_other_mails_that_come_back_take_nothing_back(key: str) -> None:
    incident = reported()
    answer(incident, "We look at it.", after(minutes=5))
    incidents.actions.withdraw_response(incident=incident, dedup_key=key, by=SYSTEM, at=after(minutes=6))
    assert fresh(incident).first_response_at == after(minutes=5)
