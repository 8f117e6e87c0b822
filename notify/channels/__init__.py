"""One file per channel: `send(message)` makes the call and says what came of it; it writes nothing."""

from __future__ import annotations

import dataclasses
import importlib
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from notify import client
from notify.models import Channel, Message


class Result(StrEnum):
    OK = "ok"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one call; `permanent` means that trying again is no use."""

    result: Result
    detail: str = ""
    retry_after: float | None = None
    permanent: bool = False
    provider_ref: str = ""


def send(message: Message) -> Outcome:
    """Sends by the message's channel."""
    if message.channel not in Channel.values:
        return Outcome(Result.FAILED, f"there is no channel {message.channel!r}", permanent=True)
    module: Any = importlib.import_module(f"notify.channels.{message.channel}")
    outcome: Outcome = module.send(message)
    return outcome


def body_of(message: Message) -> str:
    """The body with its capability; only senders call this, and it never reaches a log."""
    return message.body.replace("{link}", message.link)


def post(url: str, content: bytes, headers: dict[str, str], *, sent_at: float) -> Outcome:
    """Posts through the guarded client and reads the answer as an outcome; `sent_at` is the second of the call.

    408, 425, 429 and 5xx may be tried again, other refusals may not.
    """
    try:
        answer = client.post(url, content=content, headers=headers)
    except client.CallError as error:
        return Outcome(Result.FAILED, error.detail, permanent=error.permanent)
    except client.UnknownOutcomeError as error:
        return Outcome(Result.UNCERTAIN, str(error))
    if 200 <= answer.status < 300:
        return Outcome(Result.OK)
    later = answer.status in {408, 425, 429} or answer.status >= 500
    wait = retry_after(answer.headers.get("retry-after", ""), sent_at) if later else None
    return Outcome(Result.FAILED, f"the provider answered {answer.status}", wait, permanent=not later)


def retry_after(value: str, now: float) -> float | None:
    """`Retry-After` in seconds: a number, or a date; nonsense is no answer."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(min(int(value[:9]), 86_400))
    try:
        return max(0.0, min(parsedate_to_datetime(value).timestamp() - now, 86_400.0))
    except (ValueError, TypeError, OverflowError):
        return None
