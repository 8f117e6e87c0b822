"""ntfy: the text by POST to the topic's URL; title, priority and the link to tap go into headers."""

from __future__ import annotations

import time
from email.header import Header

from notify.channels import Outcome, body_of, post
from notify.models import Message

#: ntfy cuts at 4,096 bytes and would turn the rest into an attachment.
MAX_TEXT = 4_000


def _word(text: str) -> str:
    """A header value: plain when it is ASCII, else as an RFC 2047 word, which ntfy reads."""
    return text if text.isascii() else Header(text, "utf-8", maxlinelen=10_000).encode()


def send(message: Message) -> Outcome:
    headers = {
        "Title": _word(message.subject[:200]),
        "Priority": "urgent" if message.is_urgent else "default",
        "Tags": "rotating_light" if message.is_urgent else "bell",
        "Idempotency-Key": message.dedup_key,
        "Content-Type": "text/plain; charset=utf-8",
    }
    if message.link:
        headers["Click"] = message.link
    text = body_of(message).encode("utf-8", "replace")[:MAX_TEXT].decode("utf-8", "ignore")
    return post(message.address, text.encode(), headers, sent_at=time.time())
