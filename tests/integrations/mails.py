"""Messages as they arrive, and one factory for each model."""

from __future__ import annotations

import datetime as dt
from typing import Any

import factory
from factory.django import DjangoModelFactory

import integrations.actions
from audit.actor import job
from incidents.models import Incident
from integrations.models import InboundMail, MailContent, MailSource
from notify.models import Message
from notify.queries import thread_headers

#: A Monday morning.
AT = dt.datetime(2026, 3, 9, 9, 0, tzinfo=dt.UTC)
JOB = job("test")


MARIA = "Maria <maria@example.org>"


def raw(text: str = "It is on fire.", *, sender: str = MARIA, subject: str = "Printer", **heads: str) -> bytes:
    """A message; `in_reply_to=` becomes In-Reply-To."""
    fields = {"from": sender, "to": "desk@servicedesk.localhost", "subject": subject} | {
        name.replace("_", "-"): value for name, value in heads.items()
    }
    lines = [f"{name.title()}: {value}" for name, value in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n" + text).encode()


def arrive(message: bytes, at: dt.datetime = AT, **more: Any) -> InboundMail:
    """Stored and judged, as the task does it."""
    mail, _ = integrations.actions.receive(raw=message, source="pipe", by=JOB, at=at, **more)
    return integrations.actions.judge(mail=mail, by=JOB, at=at)


def answer_to(incident: Incident, text: str = "It still burns.", **more: Any) -> bytes:
    """A reply in the incident's thread."""
    return raw(text, in_reply_to=thread_headers("test", incident.reference)["Message-ID"], **more)


def mails_to(address: str) -> list[Message]:
    return list(Message.objects.filter(address=address).order_by("id"))


class InboundMailFactory(DjangoModelFactory[InboundMail]):
    """A held mail of a stranger."""

    class Meta:
        model = InboundMail

    sha256 = dedup_key = factory.Sequence(lambda n: f"{n:064x}")
    size = 100
    source = "pipe"
    received_at = AT
    sender = "stranger@example.net"
    subject = "Hello"
    verdict = "held"
    judged_at = AT


class MailContentFactory(DjangoModelFactory[MailContent]):
    class Meta:
        model = MailContent

    mail = factory.SubFactory(InboundMailFactory)
    raw = raw()


class MailSourceFactory(DjangoModelFactory[MailSource]):
    class Meta:
        model = MailSource

    name = factory.Sequence(lambda n: f"imaps://desk@host{n}/INBOX")
