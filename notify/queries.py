"""Reads of the outbox that several rooms share."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import models

from notify import threading
from notify.models import Message


def about_of(message: Message, *, lock: bool = False) -> models.Model:
    """The thing on whose timeline the message stands; the message itself when that is gone.

    With `lock` it is locked as actions lock it: before the message, so that both orders are one.
    """
    app, _, name = message.about_type.partition(".")
    model: Any = ContentType.objects.get_by_natural_key(app, name).model_class()
    rows = model._base_manager.filter(pk=message.about_id)
    found: models.Model | None = (rows.select_for_update(no_key=True) if lock else rows).first()
    return message if found is None else found


def mail_key() -> bytes:
    """What Message-IDs are signed with, derived from the desk's secret."""
    return hmac.new(settings.SECRET_KEY.encode(), b"notify.threading", hashlib.sha256).digest()


def mail_id(key: str) -> str:
    """The Message-ID of a key: the same for every repeat, so that a mail server or reader can drop the second."""
    digest = hashlib.sha256(key.encode()).hexdigest()[:32]
    return f"<{digest}@{settings.SERVICEDESK_MAIL_DOMAIN}>"


def thread_headers(dedup_key: str, thread: str, kind: str = "mail") -> dict[str, str]:
    """Message-ID, and with a thread (an incident's reference) a signed one and those that keep its mails together."""
    if not thread:
        return {"Message-ID": mail_id(dedup_key)}
    key, domain = mail_key(), settings.SERVICEDESK_MAIL_DOMAIN
    root = threading.message_id(thread, threading.ROOT, "0", key, domain)
    own = threading.message_id(thread, kind, threading.nonce_of(dedup_key), key, domain)
    return {"Message-ID": own, "In-Reply-To": root, "References": root}


def message_of(message_id: str) -> Message | None:
    """The message of the outbox that was sent with this Message-ID, for a bounce or a reply; None for no
    mail of ours."""
    signed = threading.read(message_id, mail_key())
    if signed is None:
        return None
    given = "<" + message_id.strip().lower().strip("<>") + ">"
    return Message.objects.filter(**{"headers__Message-ID": given}).first()
