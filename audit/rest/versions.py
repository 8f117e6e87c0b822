"""ETags, and what changed between the version that a caller saw and the present one."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

from django.http import HttpRequest
from rest_framework.request import Request

from audit.defaults import FastJSONRenderer
from audit.models import Tracked


def etag_of(row: Any, shown: Any) -> str:
    """`"<version>-<digest of what is shown>"`: the version serves If-Match, the whole If-None-Match.

    What is shown may change without the row (a clock, a name beside a link), so the version alone would lie in a 304.
    """
    digest = hashlib.sha256(FastJSONRenderer().render(shown)).hexdigest()[:12]
    version = getattr(row, "version", None)
    return f'"{version}-{digest}"' if version is not None else f'"{digest}"'


def is_fresh(request: HttpRequest | Request, etag: str) -> bool:
    """Whether the caller's If-None-Match holds, so that a 304 is enough."""
    header = request.headers.get("If-None-Match", "")
    return header.strip() == "*" or etag in {one.strip().removeprefix("W/") for one in header.split(",")}


def diff_since(row: Tracked, seen: int, names: Collection[str] | None = None) -> dict[str, list[Any]]:
    """Field -> [value at the version seen, value now], from the history; limited to `names` where given."""
    model = type(row)
    history = getattr(model, "history", None)
    if history is None:
        return {}
    old = history.filter(**{model._meta.pk.attname: row.pk, "version": seen}).first()
    now = model._base_manager.filter(pk=row.pk).first()
    if old is None or now is None:
        return {}
    return {
        field.name: [getattr(old, field.attname), getattr(now, field.attname)]
        for field in history.model.tracked_fields
        if (names is None or field.name in names) and getattr(old, field.attname) != getattr(now, field.attname)
    }


def changes(newer: Any, older: Any | None) -> dict[str, list[Any]]:
    """Field -> [old, new] between two history rows; a first row shows what was set."""
    found = {}
    for field in newer.tracked_fields:
        now = getattr(newer, field.attname)
        before = getattr(older, field.attname) if older is not None else None
        if now != before and field.name != "id":
            found[field.name] = [before, now]
    return found
