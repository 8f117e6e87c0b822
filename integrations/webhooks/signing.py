"""Keys and signatures by the Standard Webhooks specification: HMAC-SHA256 over id, timestamp and body.

A key is never stored. It is derived from the desk's own key and a salt of the endpoint (docs/adr/0014-webhooks.md), so
that neither the database nor its backups, history and exports hold it. `check` tells which of several own keys made it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Sequence

PREFIX = "whsec_"
#: What the derived key is for; another purpose would use another text.
_PURPOSE = b"servicedesk.webhook.1"


def derived(own_key: str, salt: bytes) -> bytes:
    """The 32 bytes of a signing key: HKDF-SHA256 (RFC 5869), extract and one block of expand."""
    extracted = hmac.new(salt, own_key.encode(), hashlib.sha256).digest()
    return hmac.new(extracted, _PURPOSE + b"\x01", hashlib.sha256).digest()


def check(key: bytes) -> str:
    """What is kept of a key, to know it again; nothing of the key can be learned from it."""
    return hmac.new(key, b"check", hashlib.sha256).hexdigest()[:16]


def recovered(own_keys: Iterable[str], salt: bytes, known: str) -> bytes | None:
    """The key of a salt; None when the desk's own key was replaced without keeping the old one as a fallback."""
    for own in own_keys:
        key = derived(own, salt)
        if hmac.compare_digest(check(key), known):
            return key
    return None


def shown(key: bytes) -> str:
    """The form that a receiver's library takes."""
    return PREFIX + base64.b64encode(key).decode()


def signature(key: bytes, webhook_id: str, timestamp: int, body: bytes) -> str:
    signed = b".".join((webhook_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def headers(keys: Sequence[bytes], webhook_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers; while a key is being replaced the body is signed by both."""
    return {
        "Content-Type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(key, webhook_id, timestamp, body) for key in keys),
    }
