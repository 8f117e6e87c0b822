"""Which thread a mail belongs to: signed Message-IDs (RFC 5322, 3.6.4) and the reference in the subject.

A Message-ID of ours is `<inc-000123.opened.5f0c….signature@domain>`: whoever answers carries it back in In-Reply-To or
References, and nobody can make one up. It is all lower case, because some mail programs change the case. The domain is
not signed, so that mails from before a change of domain still find their thread. A reference in a subject proves
nothing: it only helps people who take part already.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import re

#: The kind of the Message-ID that all mails of a thread refer to, whether or not that mail was ever sent.
ROOT = "thread"
_SIGNED = re.compile(
    r"<?(?P<reference>[a-z]{1,8}-[0-9]{1,15})\.(?P<kind>[a-z_]{1,30})\.(?P<nonce>[a-z0-9]{1,40})"
    r"\.(?P<mac>[0-9a-f]{32})@[^\s<>@]{1,253}>?",
    re.ASCII,
)
_TOKEN = re.compile(r"\[([A-Z]{1,8}-[0-9]{1,15})\]", re.ASCII | re.IGNORECASE)
_LONGEST = 400


@dataclasses.dataclass(frozen=True, slots=True)
class Signed:
    """What a genuine Message-ID of ours says: the thread, what the mail was (`opened`, `commented`), which one."""

    reference: str
    kind: str
    nonce: str


def nonce_of(text: str) -> str:
    """A nonce that is the same for every repeat of one mail: 16 hexadecimal digits of its dedup key's hash."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def message_id(reference: str, kind: str, nonce: str, key: bytes, domain: str) -> str:
    """The Message-ID of one mail of a thread; ValueError for parts that could not be read back."""
    made = f"<{reference.lower()}.{kind}.{nonce}.{_mac(reference.lower(), kind, nonce, key)}@{domain}>"
    if _SIGNED.fullmatch(made) is None:
        raise ValueError(f"no Message-ID can be made of {reference!r}, {kind!r}, {nonce!r} at {domain!r}")
    return made


def read(message_id: str, key: bytes) -> Signed | None:
    """What one Message-ID says, with or without its angle brackets; None unless it was signed with this key."""
    if len(message_id) > _LONGEST:
        return None
    found = _SIGNED.fullmatch(message_id.strip().lower())
    if found is None:
        return None
    reference, kind, nonce = found["reference"], found["kind"], found["nonce"]
    if not hmac.compare_digest(found["mac"], _mac(reference, kind, nonce, key)):
        return None
    return Signed(reference.upper(), kind, nonce)


def subject_token(reference: str) -> str:
    """How a reference stands in a subject."""
    return f"[{reference}]"


def references_in(subject: str) -> list[str]:
    """The references that a subject names, in order and once each; they prove nothing about who wrote it."""
    return list(dict.fromkeys(one.upper() for one in _TOKEN.findall(subject[:2000])))


def _mac(reference: str, kind: str, nonce: str, key: bytes) -> str:
    text = f"mail-thread\0{reference}\0{kind}\0{nonce}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:32]
