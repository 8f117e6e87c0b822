"""Puts messages into the outbox, and takes them out again before they are sent."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.db import models

from audit.actions import Invalid, action, insert, record
from audit.actor import Actor
from audit.subscriptions import subject_key
from notify.events import MessageEvent
from notify.models import Channel, Contact, Message, State
from notify.queries import about_of, thread_headers
from notify.wakeup import wake_after_commit

_CONTROL = {chr(code) for code in range(32)} - {"\t"} | {"\x7f", "\u2028", "\u2029", "\x85"}


def _single_line(name: str, value: str) -> str:
    """Refuses what would start a second header line or end the headers."""
    if not _CONTROL.isdisjoint(value):
        raise Invalid(f"{name} holds a line break or control character", field=name, remedy="keep it on one line")
    return value


def _checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not name or not all(33 <= ord(one) <= 126 and one != ":" for one in name):
            raise Invalid(f"{name!r} is no header name", field="headers", remedy="letters, digits and dashes only")
        _single_line("headers", value)
    return dict(headers)


@action(joins=True)
def enqueue(
    *,
    channel: str,
    address: str,
    subject: str,
    body: str,
    dedup_key: str,
    topic: str,
    about: models.Model,
    by: Actor,
    at: datetime,
    headers: Mapping[str, str] | None = None,
    thread: str = "",
    kind: str = "mail",
    html: str = "",
    data: Mapping[str, Any] | None = None,
    link: str = "",
    not_before: datetime | None = None,
    expires_at: datetime | None = None,
    contact: Contact | None = None,
    urgent: bool = False,
) -> Message:
    """Puts a message into the outbox; the same dedup key again returns the first one unchanged.

    `thread` (a reference) keeps mails of one thing together, and `kind` stands in their signed Message-IDs; `link` is a
    capability that replaces `{link}` in the body when it is sent and is wiped afterwards. Refused: an unknown channel,
    a line break in address, subject or headers. A sender is woken after the commit. Sending records `message.sent`, so
    nothing is recorded here.
    """
    if channel not in Channel.values:
        raise Invalid(f"{channel!r} is no channel", field="channel", remedy=f"one of {', '.join(Channel.values)}")
    about_type, about_id = subject_key(about)
    message = Message(
        channel=channel,
        address=_single_line("address", address),
        contact=contact,
        subject=_single_line("subject", subject),
        body=body.replace("\x00", ""),
        html=html.replace("\x00", ""),
        data=dict(data or {}),
        headers={**thread_headers(dedup_key, thread, kind), **_checked_headers(headers or {})},
        link=link,
        dedup_key=dedup_key,
        topic=topic,
        about_type=about_type,
        about_id=about_id,
        is_urgent=urgent,
        created_at=at,
        not_before=not_before,
        expires_at=expires_at,
        next_attempt_at=not_before or at,
    )
    if not insert(message, once="dedup_key"):
        message = Message.objects.get(dedup_key=dedup_key)
    wake_after_commit()
    return message


@action(joins=True)
def enqueue_mail_to_user(
    *,
    user: Any,
    subject: str,
    body: str,
    dedup_key: str,
    topic: str,
    about: models.Model,
    by: Actor,
    at: datetime,
    thread: str = "",
    kind: str = "mail",
    html: str = "",
    link: str = "",
    not_before: datetime | None = None,
    expires_at: datetime | None = None,
    urgent: bool = False,
) -> Message | None:
    """Enqueues a mail to the login address of an active person; None for somebody who left or has no address."""
    if not user.is_active or not user.email:
        return None
    return enqueue(
        channel=Channel.MAIL, address=user.email, subject=" ".join(subject.split()), body=body, dedup_key=dedup_key,
        topic=topic, about=about, by=by, at=at, thread=thread, kind=kind, html=html, link=link, not_before=not_before,
        expires_at=expires_at, urgent=urgent,
    )  # fmt: skip


@action
def cancel_topic(
    *,
    topic: str,
    reason: str,
    by: Actor,
    at: datetime,
    contacts: Collection[int] | None = None,
    address: str | None = None,
) -> int:
    """Cancels what a topic has queued, in the caller's transaction; returns how many. Records `message.cancelled`.

    With `contacts` or `address` only what goes there. A call that has begun can't be taken back: such a message expires
    now, so it is never repeated, and its outcome is recorded as it was. An uncertain one stays so and is not repeated
    either.
    """
    rows = Message.objects.pending().filter(topic=topic)
    if contacts is not None:
        rows = rows.filter(contact__in=contacts)
    if address is not None:
        rows = rows.filter(address=address)
    cancelled = 0
    for message in rows.order_by("id").select_for_update():
        if message.called_at is not None:
            message.expires_at = at
            message.save(update_fields=["expires_at"])
        elif message.state == State.UNCERTAIN:
            _end(message, at, reason)
            message.save()
        else:
            _cancel(message, reason, by, at)
            cancelled += 1
    return cancelled


@action
def bring_forward(*, topic: str, contacts: Collection[int], by: Actor, at: datetime) -> int:
    """Makes delayed messages of a topic to these contacts due now, because an earlier contact failed."""
    waiting = Message.objects.pending().filter(topic=topic, contact__in=contacts, state=State.QUEUED, lease_until=None)
    moved = waiting.filter(next_attempt_at__gt=at).update(next_attempt_at=at, not_before=at)
    if moved:
        wake_after_commit()
    return moved


def _end(message: Message, at: datetime, error: str = "") -> None:
    """No sender touches the row again; the capability in it is wiped."""
    message.next_attempt_at = None
    message.lease_until, message.lease_token, message.called_at = None, "", None
    message.link = ""
    message.ended_at = at
    if error:
        message.last_error = error[:2000]


def _cancel(message: Message, reason: str, by: Actor, at: datetime) -> None:
    message.cancel()
    _end(message, at, reason)
    message.save()
    record(MessageEvent.CANCELLED, message, by, at, about=about_of(message), reason=reason, **_facts(message))


def _facts(message: Message) -> dict[str, Any]:
    return {"channel": message.channel, "topic": message.topic, "contact": message.contact_id}
