"""The same key, the same answer: what a POST did is stored in the transaction that did it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils.crypto import salted_hmac
from rest_framework.request import Request
from rest_framework.response import Response

from audit.actions import ActionRefused, Invalid
from audit.defaults import FastJSONRenderer
from audit.models import IdempotencyKey
from audit.rest.call import actor_of, now_of

HEADER = "Idempotency-Key"
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_KEPT_HEADERS = ("ETag", "Location")


class StillRunning(ActionRefused):
    """The first request with this key has not ended."""

    code = "still_running"


class KeyReused(ActionRefused):
    """The key was used for something else."""

    status = 422
    code = "key_reused"


def _body_hash(request: Request) -> bytes:
    text = json.dumps(request.data, sort_keys=True, separators=(",", ":"), default=str)
    query = request.META.get("QUERY_STRING", "")
    # With the desk's key: a body may hold a password, which a plain hash would leave open to guessing.
    return salted_hmac("audit.rest.idempotency", f"{query}\n{text}", algorithm="sha256").digest()


def _lock(principal: str, route: str, key: str) -> None:
    number = hashlib.sha256("\n".join((principal, route, key)).encode()).digest()[:8]
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_xact_lock(%s)", [int.from_bytes(number, "big", signed=True)])
        (locked,) = cursor.fetchone()
    if not locked:
        raise StillRunning(
            "the first request with this key is still running", field=HEADER, remedy="repeat it in a moment"
        )


def once(request: Request, run: Callable[[], Response], *, hidden: Iterable[str] = ()) -> Response:
    """Runs a POST at most once per principal, route and key; answers a repeat with the first answer.

    Only what succeeded is kept: a refusal changed nothing, so asking again is safe. `hidden` names fields of the
    answer that are shown once and never stored.
    """
    key = request.headers.get(HEADER, "")
    if not key:
        return run()
    if not _KEY.fullmatch(key):
        raise Invalid("the key is 1 to 200 visible ASCII characters", field=HEADER, remedy="send for example a UUID")
    actor, at, digest = actor_of(request), now_of(request), _body_hash(request)
    principal, route = f"{actor.kind}:{actor.id}", f"{request.method} {request.get_full_path_info().partition('?')[0]}"
    with transaction.atomic():
        _lock(principal, route, key)
        same = IdempotencyKey.objects.filter(principal=principal, route=route, key=key)
        known = same.first()
        if known is not None and known.created_at > at - timedelta(hours=settings.SERVICEDESK_IDEMPOTENCY_HOURS):
            return _again(known, digest)
        same.delete()
        response = run()
        answer = json.loads(FastJSONRenderer().render(response.data)) if response.data is not None else None
        if isinstance(answer, dict):
            answer |= {name: None for name in hidden if name in answer}
        IdempotencyKey.objects.create(
            principal=principal,
            route=route,
            key=key,
            body_hash=digest,
            status=response.status_code,
            answer=answer,
            headers={name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers},
            created_at=at,
        )
    return response


def _again(known: IdempotencyKey, digest: bytes) -> Response:
    if bytes(known.body_hash) != digest:
        raise KeyReused("this key was used with another body", field=HEADER, remedy="use a new key for a new request")
    headers: dict[str, Any] = {**known.headers, "Idempotency-Replayed": "true"}
    return Response(known.answer, status=known.status, headers=headers)
