"""Two desks that answer each other stop after three rounds, whatever the other one puts into its answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

import incidents.actions
from audit.actor import SYSTEM
from incidents.models import Incident
from integrations.models import Verdict
from notify.models import Message
from tests.incidents.trail import fresh
from tests.integrations.mails import AT, answer_to, arrive, raw

pytestmark = pytest.mark.django_db
OTHER = "helpdesk@other.example.net"


def _plain(number: int, told: Message) -> bytes:
    """A receipt that says nothing of ours."""
    return raw(f"Your case {number} was received.", sender=OTHER, subject=f"[CASE-{number}] We have received your mail")


def _with_subject(number: int, told: Message) -> bytes:
    return raw(f"Case {number}:\n\n{told.body}", sender=OTHER, subject=f"[CASE-{number}] Received: {told.subject}")


def _threaded(number: int, told: Message) -> bytes:
    return raw(f"Case {number}", sender=OTHER, subject=told.subject, in_reply_to=told.headers["Message-ID"])


def sent() -> list[Message]:
    return list(Message.objects.filter(address=OTHER).exclude(state="cancelled").order_by("id"))


@pytest.mark.parametrize("answer", [_plain, _with_subject, _threaded])
@pytest.mark.parametrize("pause_s", [1, 120])
def test_two_desks_stop_after_three(answer: Callable[[int, Message], bytes], pause_s: int) -> None:
    at, number = AT, 0
    arrive(raw("Your mail was received.", sender=OTHER, subject="Case 0"), at=at)
    while number < len(sent()) and number < 20:
        at += dt.timedelta(seconds=pause_s)
        arrive(answer(number + 1, sent()[number]), at=at)
        number += 1
    assert len(sent()) <= 3
    assert Incident.objects.count() <= 4


def test_a_closed_incident_that_a_machine_answers_is_no_loop_either() -> None:
    at = AT
    incident = arrive(raw("Case 0", sender=OTHER), at=at).incident
    for number in range(6):
        assert incident is not None
        incidents.actions.resolve(incident=incident, code="fixed", by=SYSTEM, at=at)
        incidents.actions.close(incident=fresh(incident), confirmation="x", by=SYSTEM, at=at)
        at += dt.timedelta(minutes=30)
        incident = arrive(answer_to(incident, f"Case {number}", sender=OTHER), at=at).incident
    receipts = [one for one in sent() if ":opened" in one.dedup_key]
    assert len(receipts) <= 4


def test_many_mails_of_one_sender_are_not_all_let_in() -> None:
    verdicts = [arrive(raw(f"Mail {number}", sender=OTHER)).verdict for number in range(32)]
    assert verdicts.count(Verdict.HELD) == 2
