"""Sending: at least once, the same key, uncertain where nobody knows, given up in time."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

import notify.actions
from audit.actor import SYSTEM
from audit.models import Event
from notify import channels, tasks
from notify.channels import Outcome, Result
from notify.models import MailboxMail, Message, State
from tests.notify.factories import AT, MessageFactory

pytestmark = pytest.mark.django_db
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def outcome(monkeypatch: pytest.MonkeyPatch) -> list[Outcome]:
    """What the next call gives; the calls made are counted in `seen`."""
    outcomes: list[Outcome] = []
    monkeypatch.setattr(channels, "send", lambda message: outcomes.pop(0))
    return outcomes


def test_a_mail_is_sent_and_its_link_is_wiped() -> None:
    MessageFactory(body="Tap {link}", link="https://desk/r/secret/")
    assert tasks.send_due(at=AT) == 1
    message = Message.objects.get()
    assert (message.state, message.link, message.attempts, message.sent_at) == (State.SENT, "", 1, AT)
    assert MailboxMail.objects.get().body == "Tap https://desk/r/secret/"
    assert Event.objects.get(kind="message.sent").subject_id == message.pk


def test_a_message_cancelled_between_claim_and_call_is_not_sent() -> None:
    message = MessageFactory()
    token, _ = notify.actions.claim(limit=1, by=SYSTEM, at=AT)
    notify.actions.cancel_topic(topic=message.topic, reason="acknowledged", by=SYSTEM, at=AT)
    assert notify.actions.begin(message_id=message.pk, token=token, by=SYSTEM, at=AT) is None


def test_a_message_past_its_time_is_cancelled_instead_of_sent() -> None:
    MessageFactory(expires_at=AT)
    assert tasks.send_due(at=AT) == 0
    assert Message.objects.get().state == State.CANCELLED


def test_failures_back_off_and_end_in_an_event(outcome: list[Outcome]) -> None:
    message, at, waits = MessageFactory(is_urgent=True), AT, []
    outcome += [Outcome(Result.FAILED, "500")] * 4
    while (row := Message.objects.get(pk=message.pk)).next_attempt_at:
        waits.append((row.next_attempt_at - at).total_seconds())
        at = row.next_attempt_at
        tasks.send_due(at=at)
    assert waits == [0, 2, 4, 8]
    assert row.state == State.FAILED
    assert Event.objects.get(kind="message.failed").data["attempts"] == 4


def test_a_permanent_failure_is_given_up_at_once(outcome: list[Outcome]) -> None:
    MessageFactory()
    outcome.append(Outcome(Result.FAILED, "410", permanent=True))
    tasks.send_due(at=AT)
    assert Message.objects.get().state == State.FAILED


@pytest.mark.parametrize(("wait", "state"), [(20, State.QUEUED), (120, State.FAILED)])
def test_retry_after_is_obeyed_unless_a_page_can_not_wait_so_long(
    outcome: list[Outcome], wait: int, state: str
) -> None:
    MessageFactory(is_urgent=True)
    outcome.append(Outcome(Result.FAILED, "429", retry_after=wait))
    tasks.send_due(at=AT)
    message = Message.objects.get()
    assert message.state == state
    if state == State.QUEUED:
        assert message.next_attempt_at == AT + dt.timedelta(seconds=wait)


def test_an_unknown_outcome_is_shown_counted_and_repeated_under_the_same_key(outcome: list[Outcome]) -> None:
    MessageFactory(is_urgent=True)
    outcome += [Outcome(Result.UNCERTAIN, "silence"), Outcome(Result.OK)]
    tasks.send_due(at=AT)
    assert Message.objects.get().state == State.UNCERTAIN
    tasks.send_due(at=AT + MINUTE)
    message = Message.objects.get()
    assert (message.state, message.uncertain_count, message.attempts) == (State.SENT, 1, 2)
    assert Event.objects.get(kind="message.uncertain").data["again"] is True
    assert Event.objects.get(kind="message.sent").data["uncertain"] == 1


def test_unknown_outcomes_end_as_uncertain_when_patience_ends(outcome: list[Outcome]) -> None:
    message = MessageFactory(is_urgent=True)
    outcome += [Outcome(Result.UNCERTAIN, "silence")] * 4
    for minute in range(6):
        tasks.send_due(at=AT + minute * MINUTE)
    row = Message.objects.get(pk=message.pk)
    assert (row.state, row.uncertain_count, row.next_attempt_at) == (State.UNCERTAIN, 4, None)


def test_a_message_that_breaks_its_sender_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    poison = MessageFactory()
    MessageFactory()
    real = channels.send

    def send(message: Message) -> Outcome:
        if message.pk == poison.pk:
            raise RuntimeError("poison")
        return real(message)

    monkeypatch.setattr(channels, "send", send)
    tasks.send_due(at=AT)
    assert sorted(Message.objects.values_list("state", flat=True)) == [State.SENT, State.UNCERTAIN]


def test_a_claim_whose_sender_disappeared_before_the_call_is_simply_taken_again() -> None:
    MessageFactory()
    notify.actions.claim(limit=1, by=SYSTEM, at=AT)
    tasks.send_due(at=AT + 2 * MINUTE)
    assert Message.objects.get().uncertain_count == 0
    assert MailboxMail.objects.get().copies == 1


def test_a_claim_whose_sender_disappeared_in_the_call_is_uncertain_and_repeated() -> None:
    message = MessageFactory()
    token, _ = notify.actions.claim(limit=1, by=SYSTEM, at=AT)
    notify.actions.begin(message_id=message.pk, token=token, by=SYSTEM, at=AT)
    tasks.send_due(at=AT + 2 * MINUTE)
    assert Message.objects.get().state == State.UNCERTAIN
    tasks.send_due(at=AT + 3 * MINUTE)
    assert (Message.objects.get().state, Message.objects.get().uncertain_count) == (State.SENT, 1)


def test_a_worker_that_was_hung_can_not_write_its_outcome() -> None:
    message = MessageFactory()
    token, _ = notify.actions.claim(limit=1, by=SYSTEM, at=AT)
    notify.actions.begin(message_id=message.pk, token=token, by=SYSTEM, at=AT)
    notify.actions.release_abandoned(message_id=message.pk, token=token, by=SYSTEM, at=AT + 5 * MINUTE)
    late: dict[str, Any] = {"message_id": message.pk, "token": token, "by": SYSTEM, "at": AT + 5 * MINUTE}
    assert notify.actions.mark_sent(**late) is None
    assert notify.actions.mark_failed(error="x", **late) is None
    assert Message.objects.get().state == State.UNCERTAIN


def test_a_delivery_is_recorded_once() -> None:
    message = MessageFactory()
    tasks.send_due(at=AT)
    for _ in range(2):
        notify.actions.mark_delivered(message_id=message.pk, by=SYSTEM, at=AT)
    assert Event.objects.filter(kind="message.delivered").count() == 1
