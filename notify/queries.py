"""Reads of the outbox that several rooms share."""

from __future__ import annotations

import hashlib
from typing import Any

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import models

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


def mail_id(key: str) -> str:
    """The Message-ID of a key: the same for every repeat, so that a mail server or reader can drop the second."""
    digest = hashlib.sha256(key.encode()).hexdigest()[:32]
    return f"<{digest}@{settings.SERVICEDESK_MAIL_DOMAIN}>"


def thread_headers(dedup_key: str, thread: str) -> dict[str, str]:
    """Message-ID, and with a thread (an incident's reference) the headers that keep its mails together."""
    headers = {"Message-ID": mail_id(dedup_key)}
    if thread:
        headers |= {"In-Reply-To": mail_id(f"thread:{thread}"), "References": mail_id(f"thread:{thread}")}
    return headers
