"""What each channel sends."""

from __future__ import annotations

import smtplib
from email.header import decode_header
from typing import Any

import pytest
from django.core import mail as django_mail
from django.core.mail import EmailMessage

from notify import channels
from notify.channels import Result, mail
from notify.models import MailboxMail
from tests.notify.factories import MessageFactory, Provider

pytestmark = pytest.mark.django_db


def test_a_webhook_gets_one_object_with_the_dedup_key(provider: Provider) -> None:
    message = MessageFactory(
        channel="webhook", address=provider.url, dedup_key="page:1:1:1:2:3", body="Tap {link}", link="https://d/r/t/",
        data={"reference": "INC-000001"}, is_urgent=True, attempts=2,
    )  # fmt: skip
    assert channels.send(message).result is Result.OK
    assert provider.bodies == [
        {
            "id": "page:1:1:1:2:3", "attempt": 2, "topic": "topic:1", "urgent": True, "subject": "Subject",
            "text": "Tap https://d/r/t/", "link": "https://d/r/t/", "data": {"reference": "INC-000001"},
        }
    ]  # fmt: skip
    assert provider.keys == ["page:1:1:1:2:3"]


def test_ntfy_gets_title_priority_and_a_link_to_tap(provider: Provider) -> None:
    message = MessageFactory(
        channel="ntfy", address=provider.url, subject="P1 Zahlung fällt aus", body="Tap {link}", link="https://d/r/t/",
        is_urgent=True,
    )  # fmt: skip
    assert channels.send(message).result is Result.OK
    headers = provider.headers[0]
    [(title, encoding)] = decode_header(headers["title"])
    assert title.decode(encoding or "ascii") == "P1 Zahlung fällt aus"
    assert (headers["priority"], headers["click"]) == ("urgent", "https://d/r/t/")
    assert provider.texts == [b"Tap https://d/r/t/"]


def test_a_long_ntfy_text_is_cut_between_characters(provider: Provider) -> None:
    channels.send(MessageFactory(channel="ntfy", address=provider.url, body="ñ" * 5000))
    assert len(provider.texts[0]) <= 4000
    provider.texts[0].decode()


def test_a_mail_carries_its_headers_and_says_that_a_machine_wrote_it() -> None:
    message = MessageFactory(
        headers={"Message-ID": "<a@desk>", "References": "<root@desk>"}, html="<p>{link}</p>", link="L"
    )
    assert channels.send(message).provider_ref == "<a@desk>"
    kept = MailboxMail.objects.get()
    assert kept.headers["References"] == "<root@desk>"
    assert kept.headers["Auto-Submitted"] == "auto-generated"
    assert kept.html == "<p>L</p>"


def test_the_mailbox_counts_a_mail_that_comes_again() -> None:
    message = MessageFactory()
    for _ in range(2):
        channels.send(message)
    assert MailboxMail.objects.get().copies == 2


def test_the_mailbox_refuses_a_header_with_a_line_break() -> None:
    bad = EmailMessage("a\nBcc: b@example.org", "body", "d@example.org", ["a@example.org"])
    with pytest.raises(django_mail.BadHeaderError):
        django_mail.get_connection().send_messages([bad])


class Server:
    """A mail server that fails as told."""

    def __init__(self, at_open: Exception | None = None, at_send: Exception | None = None) -> None:
        self.at_open, self.at_send = at_open, at_send

    def open(self) -> None:
        if self.at_open:
            raise self.at_open

    def send_messages(self, mails: Any) -> None:
        if self.at_send:
            raise self.at_send

    def close(self) -> None:
        raise smtplib.SMTPServerDisconnected("rude")


@pytest.mark.parametrize(
    ("server", "result", "permanent"),
    [
        (Server(at_open=ConnectionRefusedError()), Result.FAILED, False),
        (Server(at_open=smtplib.SMTPAuthenticationError(535, b"no")), Result.FAILED, True),
        (Server(at_send=smtplib.SMTPServerDisconnected("gone")), Result.UNCERTAIN, False),
        (Server(at_send=TimeoutError()), Result.UNCERTAIN, False),
        (Server(at_send=smtplib.SMTPRecipientsRefused({"a": (550, b"unknown")})), Result.FAILED, True),
        (Server(at_send=smtplib.SMTPRecipientsRefused({"a": (450, b"later")})), Result.FAILED, False),
        (Server(at_send=smtplib.SMTPDataError(421, b"busy")), Result.FAILED, False),
        (Server(), Result.OK, False),
    ],
)
def test_outcomes_of_mail_servers(
    monkeypatch: pytest.MonkeyPatch, server: Server, result: Result, permanent: bool
) -> None:
    monkeypatch.setattr(mail, "get_connection", lambda **given: server)
    outcome = channels.send(MessageFactory())
    assert (outcome.result, outcome.permanent) == (result, permanent)


def test_an_unknown_channel_fails_for_good() -> None:
    outcome = channels.send(MessageFactory(channel="pigeon"))
    assert (outcome.result, outcome.permanent) == (Result.FAILED, True)


def test_the_test_channel_lands_in_the_mailbox_whatever_the_mail_settings_say(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    assert channels.send(MessageFactory(channel="test")).result is Result.OK
    assert MailboxMail.objects.count() == 1
