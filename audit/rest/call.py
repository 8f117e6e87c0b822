"""What a request says beside its body: who acts, when, on which version of the object."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.module_loading import import_string
from rest_framework.request import Request

from audit.actions import Invalid
from audit.actor import Actor, ActorKind
from audit.models import Tracked

ANONYMOUS = Actor(kind=ActorKind.PERSON, id="", label="anonymous")
_TAG = re.compile(r'\s*(?:W/)?"([0-9]{1,18})(?:-[0-9a-f]+)?"\s*', re.ASCII)


def _base(request: HttpRequest | Request) -> HttpRequest:
    return request._request if isinstance(request, Request) else request


def now_of(request: HttpRequest | Request) -> datetime:
    """The moment of the request: the clock is read once."""
    base: Any = _base(request)
    if not hasattr(base, "_servicedesk_now"):
        base._servicedesk_now = timezone.now()
    now: datetime = base._servicedesk_now
    return now


def actor_of(request: HttpRequest | Request) -> Actor:
    """Who acts, found once per request: the API's key or session, or the person signed in on a page."""
    if isinstance(request, Request):
        return request.auth if isinstance(request.auth, Actor) else ANONYMOUS
    base: Any = request
    if not hasattr(base, "_servicedesk_actor"):
        user = getattr(base, "user", None)
        known = user is not None and user.is_authenticated
        base._servicedesk_actor = import_string(settings.AUDIT_ACTOR_FOR)(user) if known else ANONYMOUS
    actor: Actor = base._servicedesk_actor
    return actor


def expected_version_of(request: HttpRequest | Request, row: Tracked | None = None) -> int | None:
    """The version that If-Match names; None where the caller doesn't care. Of several, the one that still holds."""
    header = request.headers.get("If-Match", "").strip()
    if header in {"", "*"}:
        return None
    tags = [_TAG.fullmatch(one) for one in header.split(",")]
    if not all(tags):
        raise Invalid("If-Match holds no ETag of ours", field="If-Match", remedy='send the ETag as received, e.g. "7"')
    if row is not None and not hasattr(row, "version"):
        raise Invalid("this object has no version to match", field="If-Match", remedy="leave If-Match out")
    versions = [int(tag[1]) for tag in tags if tag]
    return row.version if row is not None and row.version in versions else versions[0]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One verb as called: the object that the caller may see, the parsed body, and what every action needs."""

    request: Request
    row: Any
    data: dict[str, Any]
    by: Actor
    at: datetime
    expected_version: int | None
