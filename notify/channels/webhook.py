"""Webhook: one JSON object by POST, with the dedup key as `Idempotency-Key`.

The receiver answers 2xx when it has the message; a repeat carries the same key, so it can be dropped.

    {"id": "page:12:1:2:7:31", "attempt": 1, "topic": "page:12", "urgent": true, "subject": "...", "text": "...",
     "link": "https://.../r/...", "data": {"kind": "page", "reference": "INC-000123", "priority": 1, ...}}
"""

from __future__ import annotations

import time

import orjson

from notify.channels import Outcome, body_of, post
from notify.models import Message


def send(message: Message) -> Outcome:
    payload = {
        "id": message.dedup_key,
        "attempt": message.attempts,
        "topic": message.topic,
        "urgent": message.is_urgent,
        "subject": message.subject,
        "text": body_of(message),
        "link": message.link,
        "data": message.data,
    }
    headers = {"Content-Type": "application/json", "Idempotency-Key": message.dedup_key}
    return post(message.address, orjson.dumps(payload), headers, sent_at=time.time())
