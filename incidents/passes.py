"""Signed passes: what lets a requester into one incident, or the list of their own, without an account.

A pass names person, incident and end, and is signed; nothing is stored, so nothing can leak from the database and no
mail costs a row. It opens only as long as the person is active and still the requester, which whoever reads it checks.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import hmac
import struct
from datetime import UTC, datetime
from enum import StrEnum

_FORM = struct.Struct(">cQQI")
_MAC = 16
#: Characters of a pass in a URL; whatever is longer or shorter is none.
LENGTH = 50


class Purpose(StrEnum):
    INCIDENT = "i"
    LIST = "l"


@dataclasses.dataclass(frozen=True, slots=True)
class Pass:
    """A genuine pass, perhaps an expired one: whose it is, to which incident (0: their list), until when."""

    purpose: Purpose
    user_id: int
    number: int
    expires_at: datetime


def issue(purpose: Purpose, user_id: int, number: int, expires_at: datetime, key: bytes) -> str:
    """The pass as it stands in a URL; its end is a whole second."""
    body = _FORM.pack(purpose.value.encode(), user_id, number, int(expires_at.timestamp()))
    return base64.urlsafe_b64encode(body + _signature(body, key)).decode().rstrip("=")


def read(token: str, key: bytes) -> Pass | None:
    """What a pass says, expired or not; None unless it was signed with this key."""
    if len(token) != LENGTH or not token.isascii():
        return None
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    body, signature = raw[: _FORM.size], raw[_FORM.size :]
    if len(body) != _FORM.size or not hmac.compare_digest(signature, _signature(body, key)):
        return None
    purpose, user_id, number, ends = _FORM.unpack(body)
    return Pass(Purpose(purpose.decode()), user_id, number, datetime.fromtimestamp(ends, tz=UTC))


def _signature(body: bytes, key: bytes) -> bytes:
    return hmac.new(key, b"incidents.passes\0" + body, hashlib.sha256).digest()[:_MAC]
