"""Fetches unseen messages of one mailbox by IMAP; a message is marked as seen only when the caller says it is kept."""

from __future__ import annotations

import contextlib
import imaplib
import re
import ssl
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

#: Seconds that the server may be silent.
PATIENCE = 30.0
_UID = re.compile(rb"\bUID ([0-9]{1,10})\b")


class Unreachable(Exception):
    """The server can't be reached, refuses, or went away."""


def place_of(url: str) -> str:
    """The mailbox without the password, as it is shown."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.username or ''}@{parts.hostname or ''}{parts.path or '/INBOX'}"[:300]


def unseen(url: str, *, limit: int, longest: int) -> Iterator[tuple[bytes, Callable[[], None]]]:
    """(message, mark it as seen) for each unseen message, by UID; no more of one than `longest` bytes and one more."""
    try:
        with _connected(url) as link:
            for uid in _answer(link.uid("SEARCH", "UNSEEN"))[0].split()[:limit]:
                raw = _fetched(link, uid.decode("ascii", "replace"), longest)
                if raw is not None:
                    yield raw, lambda uid=uid: _mark(link, uid)  # type: ignore[misc]
    except (OSError, imaplib.IMAP4.error, ssl.SSLError, ValueError) as error:
        raise Unreachable(f"{type(error).__name__}: {str(error)[:300]}") from error


@contextlib.contextmanager
def _connected(url: str) -> Iterator[imaplib.IMAP4]:
    parts = urlsplit(url)
    host, folder = parts.hostname or "localhost", unquote(parts.path.strip("/")) or "INBOX"
    link: imaplib.IMAP4
    if parts.scheme == "imaps":
        context = ssl.create_default_context()
        link = imaplib.IMAP4_SSL(host, parts.port or 993, ssl_context=context, timeout=PATIENCE)
    elif parts.scheme == "imap":
        link = imaplib.IMAP4(host, parts.port or 143, timeout=PATIENCE)
    else:
        raise ValueError(f"{parts.scheme!r} is no way to fetch mail: use imaps:// or imap://")
    try:
        if parts.scheme == "imap" and not _is_plain(parts.query, host):
            link.starttls(ssl.create_default_context())
        link.login(unquote(parts.username or ""), unquote(parts.password or ""))
        _answer(link.select(_quoted(folder)))
        yield link
    finally:
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            link.logout()
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            link.shutdown()


def _is_plain(query: str, host: str) -> bool:
    """Without TLS only where it is said, and only on this machine."""
    return parse_qs(query).get("tls") == ["no"] and host in {"localhost", "127.0.0.1", "::1"}


def _quoted(folder: str) -> str:
    if not folder.isascii() or not folder.isprintable():
        raise ValueError("the folder's name is not plain ASCII")
    return '"' + folder.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _answer(reply: tuple[str, list[Any]]) -> list[Any]:
    status, data = reply
    if status != "OK":
        raise imaplib.IMAP4.error(f"the server said {status}: {str(data)[:200]}")
    return [one if one is not None else b"" for one in data]


def _fetched(link: imaplib.IMAP4, uid: str, longest: int) -> bytes | None:
    """The message without its flags touched; None where it is gone meanwhile."""
    for one in _answer(link.uid("FETCH", uid, f"(UID BODY.PEEK[]<0.{longest + 1}>)")):
        if isinstance(one, tuple) and len(one) == 2:
            return bytes(one[1])
    return None


def _mark(link: imaplib.IMAP4, uid: bytes) -> None:
    _answer(link.uid("STORE", uid.decode("ascii"), "+FLAGS.SILENT", r"(\Seen)"))
