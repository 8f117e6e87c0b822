"""The outbox: one message for each key, cancelled with its topic, no capability kept."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

import notify.actions
from accounts.models import User
from audit.actions import Invalid
from audit.actor import SYSTEM
from audit.models import Event
from notify.models import Message, State
from tests.accounts.factories import UserFactory
from tests.notify.factories import AT, MessageFactory

pytestmark = pytest.mark.django_db
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def person() -> User:
    return UserFactory()


def enqueue(about: User, **given: Any) -> Message:
    values: dict[str, Any] = {
        "channel": "mail", "address": "a@example.org", "subject": "Hello", "body": "Body", "dedup_key": "k",
        "topic": "incident:1", "about": about, "by": SYSTEM, "at": AT,
    }  # fmt: skip
    return notify.actions.enqueue(**values | given)


def test_the_same_key_again_returns_the_first_message(person: User) -> None:
    first = enqueue(person)
    assert enqueue(person, subject="Other").pk == first.pk
    assert Message.objects.get().subject == "Hello"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("subject", "Hello\r\nBcc: victim@example.org"),
        ("address", "a@example.org\nBcc: b@example.org"),
        ("headers", {"X-A": "b\nBcc: c"}),
        ("headers", {"X-A: b\nBcc": "c"}),
    ],
)
def test_header_injection_is_refused(person: User, field: str, value: Any) -> None:
    with pytest.raises(Invalid) as refused:
        enqueue(person, **{field: value})
    assert refused.value.field == field


def test_an_unknown_channel_is_refused(person: User) -> None:
    with pytest.raises(Invalid, match="no channel"):
        enqueue(person, channel="pigeon")


def test_mails_of_a_thread_refer_to_the_same_root(person: User) -> None:
    one, two = (enqueue(person, dedup_key=key, thread="INC-000001").headers for key in ("a", "b"))
    assert one["References"] == two["References"] == one["In-Reply-To"]
    assert one["Message-ID"] != two["Message-ID"]


def test_cancelling_a_topic_takes_its_queued_messages_out(person: User) -> None:
    mine = [enqueue(person, dedup_key=key) for key in "ab"]
    other = enqueue(person, dedup_key="c", topic="incident:2")
    assert notify.actions.cancel_topic(topic="incident:1", reason="solved", by=SYSTEM, at=AT) == 2
    assert set(Message.objects.filter(pk__in=[one.pk for one in mine]).values_list("state", "next_attempt_at")) == {
        (State.CANCELLED, None)
    }
    assert Message.objects.get(pk=other.pk).state == State.QUEUED
    assert Event.objects.filter(kind="message.cancelled", about_type="accounts.user").count() == 2


def test_cancelling_can_be_limited_to_contacts(person: User) -> None:
    enqueue(person)
    assert notify.actions.cancel_topic(topic="incident:1", contacts=[], reason="x", by=SYSTEM, at=AT) == 0


def test_a_call_that_began_is_not_cancelled_but_never_repeated(person: User) -> None:
    message = enqueue(person)
    token, _ = notify.actions.claim(limit=1, by=SYSTEM, at=AT)
    notify.actions.begin(message_id=message.pk, token=token, by=SYSTEM, at=AT)
    assert notify.actions.cancel_topic(topic="incident:1", reason="solved", by=SYSTEM, at=AT) == 0
    notify.actions.mark_failed(message_id=message.pk, token=token, error="500", by=SYSTEM, at=AT)
    assert Message.objects.get().state == State.CANCELLED


def test_an_uncertain_message_of_a_cancelled_topic_stays_uncertain_and_is_not_repeated(person: User) -> None:
    message = enqueue(person)
    token, _ = notify.actions.claim(limit=1, by=SYSTEM, at=AT)
    notify.actions.begin(message_id=message.pk, token=token, by=SYSTEM, at=AT)
    notify.actions.mark_uncertain(message_id=message.pk, token=token, error="silence", by=SYSTEM, at=AT)
    notify.actions.cancel_topic(topic="incident:1", reason="solved", by=SYSTEM, at=AT + MINUTE)
    found = Message.objects.get()
    assert (found.state, found.next_attempt_at, found.uncertain_count) == (State.UNCERTAIN, None, 1)


def test_a_mail_to_somebody_who_left_is_not_made(person: User) -> None:
    gone = UserFactory(is_active=False)
    for user, made in ((person, True), (gone, False)):
        message = notify.actions.enqueue_mail_to_user(
            user=user, subject="a\nb", body="c", dedup_key=str(user.pk), topic="t", about=user, by=SYSTEM, at=AT
        )
        assert (message is not None) is made


def test_delayed_messages_of_a_contact_can_be_brought_forward(person: User) -> None:
    from tests.notify.factories import ContactFactory

    contact = ContactFactory(user=person)
    enqueue(person, contact=contact, not_before=AT + MINUTE)
    assert notify.actions.claim(limit=5, by=SYSTEM, at=AT)[1] == []
    notify.actions.bring_forward(topic="incident:1", contacts=[contact.pk], by=SYSTEM, at=AT)
    assert len(notify.actions.claim(limit=5, by=SYSTEM, at=AT)[1]) == 1


def test_the_newest_urgent_message_goes_first_and_the_oldest_of_the_rest() -> None:
    old, new = MessageFactory(), MessageFactory()
    urgent_old, urgent_new = MessageFactory(is_urgent=True), MessageFactory(is_urgent=True)
    order = []
    for _ in range(4):
        order += notify.actions.claim(limit=1, by=SYSTEM, at=AT)[1]
    assert order == [urgent_new.pk, urgent_old.pk, old.pk, new.pk]


def test_a_hanging_channel_does_not_occupy_more_than_its_share() -> None:
    MessageFactory.create_batch(12, channel="webhook")
    mail = MessageFactory()
    claimed = [one for _ in range(12) for one in notify.actions.claim(limit=1, by=SYSTEM, at=AT)[1]]
    assert len(claimed) == 9
    assert mail.pk in claimed
