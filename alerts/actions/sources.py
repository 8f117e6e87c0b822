"""Creates and changes alert sources, and issues and replaces their keys."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from alerts import queries
from alerts.events import AlertEvent
from alerts.models import AlertSource
from alerts.permissions import can_configure
from audit.actions import Forbidden, Invalid, action, assert_fresh, change_config, create_config, record
from audit.actor import Actor

_ALPHABET = string.ascii_lowercase + string.digits


def _new_key() -> tuple[str, str, str]:
    """Prefix, whole key, hash."""
    prefix = "sdi_" + "".join(secrets.choice(_ALPHABET) for _ in range(8))
    key = f"{prefix}_{secrets.token_urlsafe(24)}"
    return prefix, key, queries.key_hash(key)


@action
def create_source(*, values: Mapping[str, Any], by: Actor, at: datetime, reason: str = "") -> tuple[AlertSource, str]:
    """Creates a source and its key, which is shown this once. Records `config.created`, `alert_source.key_issued`."""
    prefix, key, hashed = _new_key()
    source: AlertSource = create_config(
        model=AlertSource, values={**values, "key_prefix": prefix, "key_hash": hashed}, by=by, at=at, reason=reason
    )
    record(AlertEvent.KEY_ISSUED, source, by, at, prefix=prefix)
    return source, key


@action
def change_source(
    *,
    source: AlertSource,
    values: Mapping[str, Any],
    by: Actor,
    at: datetime,
    expected_version: int | None = None,
    reason: str = "",
) -> AlertSource:
    """Changes a source, never its key. Records `config.changed`."""
    if {"key_prefix", "key_hash"} & set(values):
        raise Invalid("the key of a source is only ever replaced as a whole", field="key", remedy="rotate the key")
    changed: AlertSource = change_config(
        row=source, values=values, by=by, at=at, expected_version=expected_version, reason=reason
    )
    return changed


@action
def rotate_key(
    *, source: AlertSource, by: Actor, at: datetime, expected_version: int | None = None, reason: str = ""
) -> tuple[AlertSource, str]:
    """Gives a source a new key, shown this once; the old one is dead at once. Records `alert_source.key_rotated`."""
    if not can_configure(by):
        raise Forbidden(f"{by.label} may not replace intake keys", remedy="ask an administrator")
    fresh = AlertSource.objects.select_for_update(no_key=True).get(pk=source.pk)
    assert_fresh(fresh, expected_version)
    old_prefix = fresh.key_prefix
    fresh.key_prefix, key, fresh.key_hash = _new_key()
    fresh.save()
    record(AlertEvent.KEY_ROTATED, fresh, by, at, reason=reason, prefix=fresh.key_prefix, old_prefix=old_prefix)
    return fresh, key
