"""Reads a raw message into plain values: the stdlib's parser behind limits, so that no mail can break or hang it.

Headers are taken raw and decoded here, one by one; parts are walked without recursion; text is decoded by what it says,
then by what it is. A parser that raises or takes too long is followed by the more tolerant one, then by headers alone.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import dataclasses
import email.policy
import email.utils
import hashlib
import quopri
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from email.parser import BytesParser
from typing import Any, TypeVar

from incidents.filetypes import Upload
from integrations.mail.markup import text_of

T = TypeVar("T")

MOST_PARTS, DEEPEST, MOST_HEADERS = 500, 30, 500
LONGEST_HEADER, LONGEST_TEXT, LONGEST_HTML = 8_000, 100_000, 500_000
#: Of processor time, at least and for each megabyte: for the strict parser, and half of it for the tolerant one after.
SECONDS, SECONDS_A_MEGABYTE = 1.0, 0.25
CUT = "[…]"
#: Parts that only prove or wrap the others.
_WRAPPING = frozenset({
    "application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature",
    "application/pgp-encrypted", "multipart/signed",
})  # fmt: skip
#: Codecs of Python that are no charset, or that take long.
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "unicode-escape"})
#: What mail programs say, and what they mean.
_MEANT = {
    "gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949", "ks_c_5601-1987": "cp949", "shift_jis": "cp932",
    "iso8859-1": "cp1252", "latin-1": "cp1252", "ascii": "utf-8", "unicode-1-1-utf-7": "utf-7", "utf8": "utf-8",
    "iso2022_jp": "iso2022_jp_ext",
}  # fmt: skip
#: Names in these are decoded after the addresses are told apart: a decoded name may look like anything.
_OF_PEOPLE = frozenset({"from", "sender", "to", "cc", "reply-to"})
_WORD = re.compile(r"=\?([A-Za-z0-9_:.()+-]{1,60})(?:\*[A-Za-z0-9-]{0,20})?\?([bBqQ])\?([^?]{0,4000})\?=")
_BETWEEN_WORDS = re.compile(r"(\?=)[ \t\r\n]+(?==\?)")
_ONE_PERSON = re.compile(r"\s*([^<>,;]{0,500}|\"[^<>\"]{0,500}\"\s*)<([^<>\s]{3,450})>\s*")
_ANGLED = re.compile(r"^([^<>]{0,500})<([^<>\s]{3,450})>")
_MESSAGE_ID = re.compile(r"<[^<>\s]{3,900}>")
_HEAD_ID = re.compile(rb"^message-id:[ \t]*(?:\r?\n[ \t]+)?(<[^>\r\n]{1,900}>)", re.IGNORECASE | re.MULTILINE)
_HEAD_FROM = re.compile(rb"^from:[^\r\n]{0,2000}", re.IGNORECASE | re.MULTILINE)
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_LOOSE_NAME = re.compile(r"[;\s](?:file)?name[ \t]{0,5}=[ \t]{0,5}([^;\r\n\"]{1,300})", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s<>@,;:\"()\[\]\\]{1,200}@[^\s<>@,;:\"()\[\]\\]{1,250}")


_PARSERS = ("email", "integrations", "bs4", "html", "mailparser_reply")


class TooSlow(Exception):
    """The parser took longer than a message is worth."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A message as plain values; `broken` says why nothing but its header could be read."""

    headers: tuple[tuple[str, str], ...] = ()
    sender: str = ""
    sender_name: str = ""
    recipients: tuple[str, ...] = ()
    subject: str = ""
    message_id: str = ""
    references: tuple[str, ...] = ()
    content_type: str = "text/plain"
    report_type: str = ""
    text: str = ""
    #: The plain text of the whole, quotes and all parts of a report, for looking things up in it.
    everything: str = ""
    #: Kinds of the parts, and the headers of an enclosed message.
    kinds: tuple[str, ...] = ()
    enclosed: tuple[tuple[str, str], ...] = ()
    #: Of a delivery report: the fields of each recipient.
    statuses: tuple[dict[str, str], ...] = ()
    files: tuple[Upload, ...] = ()
    left_out: tuple[str, ...] = ()
    broken: str = ""

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def first(self, name: str) -> str:
        return next(iter(self.all(name)), "")

    def has(self, *names: str) -> bool:
        return any(key in names for key, _ in self.headers)


def identity_of(raw: bytes) -> str:
    """The same for every copy of one message, whichever way it came: Message-ID, sender and body, else all of it."""
    found = _BLANK_LINE.search(raw)
    head, body = (raw[: found.start()], raw[found.end() :]) if found else (raw, b"")
    named = _HEAD_ID.search(head[:300_000])
    if named is None:
        return hashlib.sha256(raw).hexdigest()
    sender = _HEAD_FROM.search(head[:300_000])
    text = body.replace(b"\r\n", b"\n").rstrip()
    return hashlib.sha256(b"\0".join((named[1], sender[0] if sender else b"", text))).hexdigest()


def read(raw: bytes, seconds: float | None = None) -> Parsed:
    """The message; never raises. What could not be read is empty, and `broken` says why."""
    causes: list[str] = []
    budget = SECONDS + SECONDS_A_MEGABYTE * len(raw) / 1e6 if seconds is None else seconds
    for policy, share in ((email.policy.default, 1.0), (email.policy.compat32, 0.5)):
        try:
            with _at_most(budget * share):
                return _read(BytesParser(policy=policy).parsebytes(raw))
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a hostile message makes the parser do
            causes.append(type(error).__name__)
    return _heads_only(raw, "; ".join(causes))


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Ends what runs inside after so long, by a check at each call of a function."""
    ends, outer = time.thread_time() + seconds, sys.gettrace()

    def check(frame: Any, event: str, arg: Any) -> None:
        # Only in the parser's own frames: elsewhere (a collector's callback) the error would be lost.
        if frame.f_globals.get("__name__", "").startswith(_PARSERS) and time.thread_time() > ends:
            raise TooSlow

    sys.settrace(check)
    try:
        yield
    finally:
        sys.settrace(outer)


def _heads_only(raw: bytes, broken: str) -> Parsed:
    """Without a parser: the header lines of the beginning, so that a person sees whose message it is."""
    found = _BLANK_LINE.search(raw[:300_000])
    head = raw[: found.start() if found else 20_000].decode("utf-8", "replace")
    lines = re.sub(r"\r?\n[ \t]+", " ", head).splitlines()[:MOST_HEADERS]
    pairs = [line.partition(":") for line in lines if ":" in line]
    headers = tuple((name.strip().lower()[:80], decoded(value.strip())) for name, _, value in pairs)
    return _with_heads(Parsed(headers=headers, broken=broken or "unreadable"))


def _read(message: Message[Any, Any]) -> Parsed:
    headers = tuple(_raw_headers(message))
    parts = _Parts()
    parts.walk(message)
    return _with_heads(
        Parsed(
            headers=headers,
            content_type=_kind(message),
            report_type=_parameter(message, "report-type").lower()[:60],
            text=parts.text(),
            everything=clean("\n".join((*parts.plain, *parts.other, *parts.seen())))[:1_000_000],
            kinds=tuple(parts.kinds),
            enclosed=tuple(parts.enclosed),
            statuses=tuple(parts.statuses),
            files=tuple(parts.files),
            left_out=tuple(parts.left_out),
        )
    )  # fmt: skip


def _with_heads(parsed: Parsed) -> Parsed:
    name, sender = sender_of(parsed)
    answers = _MESSAGE_ID.findall(parsed.first("in-reply-to"))[:10]
    thread = [one for value in parsed.all("references")[:3] for one in _MESSAGE_ID.findall(value)]
    return dataclasses.replace(
        parsed,
        sender=sender,
        sender_name=name,
        recipients=tuple(one for value in (*parsed.all("to")[:5], *parsed.all("cc")[:5]) for _, one in people(value)),
        subject=" ".join(parsed.first("subject").split())[:2000],
        message_id=next(iter(_MESSAGE_ID.findall(parsed.first("message-id"))), ""),
        references=tuple(dict.fromkeys((*answers, *reversed(thread[-50:])))),
    )  # fmt: skip


def sender_of(parsed: Parsed) -> tuple[str, str]:
    """Name and address of who wrote it: From, else Sender; the first of several."""
    found = [one for field in ("from", "sender") for value in parsed.all(field)[:2] for one in people(value)]
    return found[0] if found else (decoded(parsed.first("from"))[:200], "")


def people(value: str) -> list[tuple[str, str]]:
    """(name, address) of an address field, addresses in lower case; what is no address is left out."""
    value = value[:LONGEST_HEADER]
    if (one := _ONE_PERSON.fullmatch(value)) and _ADDRESS.fullmatch(one[2]):
        return [(_line(one[1].strip(' "'))[:200], one[2].lower())]
    none: list[tuple[str, str]] = []
    pairs = _tried(lambda: email.utils.getaddresses([value]), none)
    found = [(_line(name)[:200], address.lower()) for name, address in pairs if _ADDRESS.fullmatch(address)]
    # A name with a comma outside quotes confuses the reader.
    if not found and (angled := _ANGLED.search(value)) and _ADDRESS.fullmatch(angled[2]):
        found.append((_line(angled[1].strip(' "'))[:200], angled[2].lower()))
    return found[:50]


def _raw_headers(message: Message[Any, Any]) -> Iterator[tuple[str, str]]:
    for number, (name, value) in enumerate(message.raw_items()):
        if number >= MOST_HEADERS:
            return
        key = clean(str(name)).strip().lower()[:80]
        yield key, unfolded(str(value)) if key in _OF_PEOPLE else decoded(str(value))


def unfolded(value: str) -> str:
    """A raw header value on one line; bytes by UTF-8 or Latin-1."""
    raw = value[:LONGEST_HEADER].encode("utf-8", "surrogateescape")
    return clean(re.sub(r"\r?\n[ \t]*", " ", _by_guess(raw))).strip()


def decoded(value: str) -> str:
    """A raw header value as text, its encoded words (RFC 2047) by their charset."""
    return clean(_WORD.sub(_word, _BETWEEN_WORDS.sub(r"\1", unfolded(value)))).strip()


def _word(found: re.Match[str]) -> str:
    charset, how, text = found.groups()
    try:
        if how in "bB":
            raw = base64.b64decode(text + "=" * (-len(text) % 4))
        else:
            raw = quopri.decodestring(text.replace("_", " ").encode("utf-8", "replace"), header=False)
    except (binascii.Error, ValueError):
        return found[0]
    return by_charset(raw, charset)


def by_charset(raw: bytes, charset: str) -> str:
    """Bytes as text: by the charset that is said, else by UTF-8, else by what never fails."""
    name = charset.strip().strip("\"'").lower().partition("*")[0]
    try:
        known = codecs.lookup(_MEANT.get(name, name)) if name and name.isascii() and "\0" not in name else None
        if known is not None and known.name not in _NO_CHARSETS and getattr(known, "_is_text_encoding", False):
            return _decoded_by(raw, _MEANT.get(known.name, known.name))
    except (LookupError, ValueError):
        pass
    return _by_guess(raw)


def _decoded_by(raw: bytes, charset: str) -> str:
    """Strictly, else as UTF-8 that was declared wrongly, else with what can't be read replaced."""
    try:
        return raw.decode(charset)
    except ValueError:
        pass
    try:
        return raw.decode("utf-8")
    except ValueError:
        return raw.decode("cp1252" if charset in {"utf-8", "ascii"} else charset, "replace")


def _by_guess(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def clean(text: str) -> str:
    """Without what the database can't store: NUL and halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _line(text: str) -> str:
    return " ".join("".join(one if one.isprintable() else " " for one in decoded(text)).split())


def _tried(ask: Callable[[], T], otherwise: T) -> T:
    """An answer of the stdlib's parser, whose lazy reading of headers raises whatever it likes."""
    try:
        return ask()
    except (TooSlow, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - see above
        return otherwise


def _parameter(part: Message[Any, Any], name: str) -> str:
    found: Any = _tried(lambda: str(part.get_param(name, "")), "")
    return clean(found)


def _kind(part: Message[Any, Any]) -> str:
    return clean(str(_tried(part.get_content_type, "text/plain"))).lower()[:100]


class _Parts:
    """What the walk over the parts collects."""

    def __init__(self) -> None:
        self.plain: list[str] = []
        self.html: list[str] = []
        self.other: list[str] = []
        self.kinds: list[str] = []
        self.enclosed: list[tuple[str, str]] = []
        self.statuses: list[dict[str, str]] = []
        self.files: list[Upload] = []
        self.left_out: list[str] = []
        self._shown: list[str] | None = None

    def walk(self, message: Message[Any, Any]) -> None:
        waiting = [(message, 0)]
        while waiting:
            part, depth = waiting.pop()
            if len(self.kinds) >= MOST_PARTS or depth > DEEPEST:
                self.left_out.append("parts beyond the limit")
                return
            kind, payload = _kind(part), part._payload  # type: ignore[attr-defined]
            self.kinds.append(kind)
            if kind.startswith("multipart/") and isinstance(payload, list):
                waiting += [(one, depth + 1) for one in reversed(payload) if isinstance(one, Message)]
            elif kind == "message/delivery-status":
                self._status(payload, part)
            elif kind == "message/rfc822" and isinstance(payload, list) and payload:
                self._enclosed(part, payload[0])
            elif kind not in _WRAPPING:
                self._leaf(part, kind)

    def _status(self, payload: Any, part: Message[Any, Any]) -> None:
        blocks = payload if isinstance(payload, list) else []
        for block in blocks[:100]:
            if isinstance(block, Message):
                self.statuses.append(dict(_raw_headers(block)))
        if not blocks:
            self.other.append(by_charset(_bytes(part), "utf-8")[:LONGEST_TEXT])

    def _enclosed(self, part: Message[Any, Any], inner: Message[Any, Any]) -> None:
        heads = list(_raw_headers(inner))
        self.enclosed += heads
        self.other += [f"{name}: {value}" for name, value in heads]
        whole = _tried(lambda: inner.as_bytes(policy=email.policy.compat32), b"")
        name = _name(part) or f"{dict(heads).get('subject') or 'message'}.eml"
        if whole:
            self.files.append(Upload(name, whole))
        else:
            self.left_out.append(name)

    def _leaf(self, part: Message[Any, Any], kind: str) -> None:
        content, name = _bytes(part), _name(part)
        is_file = bool(name) or _tried(part.get_content_disposition, None) == "attachment"
        if kind.startswith("multipart/") and not is_file:
            # Its boundary is missing or wrong: what is inside is at least text.
            self.plain.append(clean(_by_guess(content))[:LONGEST_TEXT])
        elif kind.startswith("text/") and not is_file:
            text = clean(by_charset(content, _parameter(part, "charset")))
            target = {"text/plain": self.plain, "text/html": self.html}.get(kind, self.other)
            target.append(text[: LONGEST_HTML if kind == "text/html" else 10 * LONGEST_TEXT])
        elif kind.startswith("message/"):
            self.other.append(clean(by_charset(content, "utf-8"))[:LONGEST_TEXT])
        elif content or name:
            self.files.append(Upload(name or f"part-{len(self.kinds)}", content))

    def shown(self) -> list[str]:
        """The HTML parts as text."""
        if self._shown is None:
            self._shown = [text_of(one) for one in self.html]
        return self._shown

    def seen(self) -> list[str]:
        """The HTML as text where there is nothing else to look things up in."""
        return [] if self.plain else self.shown()

    def text(self) -> str:
        """What a person reads: the plain text, else the HTML as text; cut where it is longer than a comment may be."""
        plain = "\n\n".join(one.strip("\r\n") for one in self.plain if one.strip())
        text = plain or "\n\n".join(one for one in self.shown() if one.strip())
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - len(CUT) - 1] + f"\n{CUT}"


def _bytes(part: Message[Any, Any]) -> bytes:
    """The content of a part, decoded; one whose encoding is broken as it stands."""
    found: Any = _tried(lambda: part.get_payload(decode=True), None)
    if isinstance(found, bytes):
        return found
    raw = part._payload  # type: ignore[attr-defined]
    return raw.encode("utf-8", "surrogateescape") if isinstance(raw, str) else b""


def _name(part: Message[Any, Any]) -> str:
    """What the part calls itself; a name with blanks and without quotes is read as it was meant."""
    strict = _line(str(_tried(part.get_filename, None) or ""))
    raw = {name.lower(): str(value)[:LONGEST_HEADER] for name, value in list(part.raw_items())[:50]}
    for field in ("content-disposition", "content-type"):
        found = _LOOSE_NAME.search(raw.get(field, ""))
        if found and found[1].strip().startswith(strict):
            return _line(found[1].strip())[:300]
    is_text = raw.get("content-type", "text/").strip().lower().startswith(("text/", "multipart/"))
    location = "" if is_text else raw.get("content-location", "").strip().rstrip("/").rpartition("/")[2]
    return (strict or _line(location))[:300]
