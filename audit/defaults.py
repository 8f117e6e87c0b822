"""What every API view has by default: the JSON reader with its limits, and the throttle.

Its own module: the REST framework imports these while its views are still being imported.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import math
import time
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import orjson
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.utils.encoders import JSONEncoder

log = logging.getLogger(__name__)

#: Nesting that no honest body reaches; deeper ones exhaust the stack of whoever walks them.
MAX_DEPTH = 32
_INT64 = 2**63


class BodyTooLarge(APIException):
    """The body is larger than SERVICEDESK_MAX_BODY."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "body_too_large"

    def __init__(self) -> None:
        super().__init__(f"The body is larger than {settings.SERVICEDESK_MAX_BODY} bytes.")


def _whole(text: str) -> int:
    number = int(text) if len(text) <= 20 else _INT64
    if not -_INT64 <= number < _INT64:
        raise ValueError(f"the number {text[:20]}… does not fit into 64 bits")
    return number


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:20]} is too large")
    return number


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    known = dict(pairs)
    if len(known) != len(pairs):
        twice = next(name for name, _ in pairs if sum(1 for other, _ in pairs if other == name) > 1)
        raise ValueError(f"the name {twice[:80]!r} occurs twice in one object")
    return known


def _walk(value: Any) -> Iterator[tuple[str, int, Any]]:
    """(place, depth, value) of everything inside; without recursion, so that depth costs no stack."""
    waiting: list[tuple[str, int, Any]] = [("", 1, value)]
    while waiting:
        place, depth, here = waiting.pop()
        yield place, depth, here
        if isinstance(here, Mapping):
            for name, inner in here.items():
                yield f"{place}.{name}".lstrip("."), depth, name
                waiting.append((f"{place}.{name}".lstrip("."), depth + 1, inner))
        elif isinstance(here, list):
            waiting += [(f"{place}[{number}]", depth + 1, inner) for number, inner in enumerate(here)]


def refuse_hostile(value: Any) -> None:
    """Refuses values that the database can't store: NUL, half surrogate pairs, nesting without end."""
    for place, depth, here in _walk(value):
        if depth > MAX_DEPTH:
            raise ParseError(f"JSON: nested deeper than {MAX_DEPTH} levels.")
        if isinstance(here, str) and ("\x00" in here or not _encodes(here)):
            shown = place.encode("ascii", "backslashreplace").decode().replace("\x00", "\\x00")[:200]
            raise ParseError(f"JSON: a character that is no text at {shown or 'the top'}.")


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def parse_json(body: bytes) -> Any:
    """Reads JSON strictly: UTF-8, finite numbers of 64 bits, no name twice, bounded depth. Says where it is broken."""
    try:
        value = json.loads(
            body.decode("utf-8"),
            parse_int=_whole, parse_float=_finite, parse_constant=_no_constant, object_pairs_hook=_unique,
        )  # fmt: skip
    except json.JSONDecodeError as error:
        raise ParseError(f"JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from error
    except UnicodeDecodeError as error:
        raise ParseError(f"JSON: the body is not UTF-8 at byte {error.start}.") from error
    except ValueError as error:
        raise ParseError(f"JSON: {error}.") from error
    except RecursionError as error:
        raise ParseError(f"JSON: nested deeper than {MAX_DEPTH} levels.") from error
    refuse_hostile(value)
    return value


def read_limited(stream: Any, length: int | None) -> bytes:
    """Reads a body of at most SERVICEDESK_MAX_BODY bytes, whatever its Content-Length says."""
    limit = int(settings.SERVICEDESK_MAX_BODY)
    if length is not None and length > limit:
        raise BodyTooLarge
    body: bytes = stream.read(limit + 1)
    if len(body) > limit:
        raise BodyTooLarge
    return body


class LimitedUpload(FileUploadHandler):
    """Refuses a body of files that says it is larger than they may be together, before a byte of it is kept."""

    def handle_raw_input(
        self, input_data: Any, meta: dict[str, str], content_length: int, boundary: Any, encoding: str | None = None
    ) -> None:
        most = settings.SERVICEDESK_ATTACHMENT_MAX_BYTES * settings.SERVICEDESK_ATTACHMENT_MAX_COUNT
        if content_length > most + settings.SERVICEDESK_MAX_BODY:
            raise RequestDataTooBig("The files are larger than they may be.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None


class FileParser(MultiPartParser):
    """A form with files, as the one route that takes them: each file is read into memory within its limit."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        found = super().parse(stream, media_type, parser_context)
        files = {name: found.files.getlist(name) for name in found.files}
        if any(one.size > settings.SERVICEDESK_ATTACHMENT_MAX_BYTES for each in files.values() for one in each):
            raise FileTooLarge
        return found.data.dict() | {
            name: [ReceivedFile(str(one.name or ""), one.read()) for one in each] for name, each in files.items()
        }


@dataclasses.dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file of a request; its text is its hash, so that a repeated request is told from another one."""

    name: str
    content: bytes = dataclasses.field(repr=False)

    def __str__(self) -> str:
        return f"{self.name} {hashlib.sha256(self.content).hexdigest()}"


class FileTooLarge(APIException):
    """One of the files is larger than SERVICEDESK_ATTACHMENT_MAX_BYTES."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "file_too_large"

    def __init__(self) -> None:
        super().__init__(f"A file is larger than {settings.SERVICEDESK_ATTACHMENT_MAX_BYTES} bytes.")


class StrictJSONParser(BaseParser):
    """The one parser of the API; see `parse_json`."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        request = (parser_context or {}).get("request")
        declared = str(request.META.get("CONTENT_LENGTH") or "") if request is not None else ""
        return parse_json(read_limited(stream, int(declared) if declared.isdecimal() and len(declared) < 19 else None))


class FastJSONRenderer(JSONRenderer):
    """The stock renderer's JSON, several times faster; whatever it does not know is left to the stock one."""

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        if data is None or "indent" in (accepted_media_type or ""):
            return super().render(data, accepted_media_type, renderer_context)
        try:
            return orjson.dumps(data, default=self._plain, option=_AS_STOCK)
        except TypeError:
            return super().render(data, accepted_media_type, renderer_context)

    @staticmethod
    def _plain(value: Any) -> Any:
        return _STOCK.default(value)


_AS_STOCK = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_NON_STR_KEYS
_STOCK = JSONEncoder()


class HasActor(BasePermission):
    """Somebody has to act; what they may do is for the actions to say."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return request.auth is not None


def address_of(request: HttpRequest | Request) -> str:
    """The address that the connection came from; behind a trusted proxy the one that the proxy appended."""
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "") if getattr(settings, "SERVICEDESK_PROXY", False) else ""
    return str(forwarded.rsplit(",", 1)[-1].strip() or request.META.get("REMOTE_ADDR") or "")[:64]


def count(what: str, who: str, window: int, step: int = 1) -> int:
    """Counts one more in the running window of so many seconds and returns how many there were.

    With `step` this process tells the others only every so many, so each may pass a limit by that much. A cache that
    is down counts nothing: a limit must never be the reason why nobody can acknowledge.
    """
    key = _window(what, who, window)
    if step > 1 and (known := _untold(key, step)) is not None:
        return known
    try:
        try:
            total = int(cache.incr(key, step))
        except ValueError:
            # Of two that begin a window at once, one adds and the other counts on.
            total = step if cache.add(key, step, timeout=window + 1) else int(cache.incr(key, step))
        _told[key] = (total, 0)
        return total
    except Exception:  # noqa: BLE001 - whatever the driver of the cache raises
        log.warning("the cache does not answer; limits are off until it does")
        return 0


#: Window -> (the total when it was told last, how many came since).
_told: dict[str, tuple[int, int]] = {}
_MOST_WINDOWS = 10_000


def _untold(key: str, step: int) -> int | None:
    """Counts in this process alone; None when it is time to tell the others."""
    if len(_told) > _MOST_WINDOWS:
        _told.clear()
    total, since = _told.get(key, (0, 0))
    if since + 1 >= step:
        return None
    _told[key] = (total, since + 1)
    return total + since + 1


def counted(what: str, who: str, window: int) -> int:
    """How many there were in the running window, without counting."""
    try:
        return int(cache.get(_window(what, who, window), 0))
    except Exception:  # noqa: BLE001 - whatever the driver of the cache raises
        log.warning("the cache does not answer; limits are off until it does")
        return 0


def _window(what: str, who: str, window: int) -> str:
    digest = hashlib.sha256(who.encode("utf-8", "replace")).hexdigest()[:32]
    return f"limit:{what}:{digest}:{int(time.time()) // window}"


#: A thousandth of a limit may be counted by one process alone.
_STEPS = 1000


class PrincipalThrottle(BaseThrottle):
    """So many requests a minute for each key, person and stranger's address, by DEFAULT_THROTTLE_RATES."""

    window = 60

    def allow_request(self, request: Request, view: Any) -> bool:
        kind, who = self._principal(request)
        limit = settings.REST_FRAMEWORK.get("DEFAULT_THROTTLE_RATES", {}).get(kind)
        if not limit:
            return True
        return count(f"api-{kind}", who, self.window, step=max(1, int(limit) // _STEPS)) <= int(limit)

    def _principal(self, request: Request) -> tuple[str, str]:
        actor: Any = request.auth
        if actor is None:
            return "stranger", address_of(request)
        return str(actor.kind), str(actor.id)

    def wait(self) -> float:
        return self.window - time.time() % self.window
