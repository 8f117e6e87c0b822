"""Sets up webhook endpoints: address, kinds, eyes; issues and replaces signing keys; pauses and enables."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from audit.actions import (
    ActionRefused,
    Forbidden,
    Invalid,
    action,
    assert_fresh,
    change_config,
    create_config,
    record,
)
from audit.actor import Actor
from audit.models import Event
from integrations.events import WebhookEvent
from integrations.models import EndpointState, WebhookEndpoint
from integrations.permissions import can_configure_webhooks
from integrations.webhooks import signing
from notify.client import is_allowed

_OWN = frozenset({*WebhookEndpoint.MACHINE, "state", "disabled_because", "key_number"})
#: An old key may sign for at most so long after it was replaced.
LONGEST_OVERLAP = timedelta(days=7)
USUAL_OVERLAP = timedelta(days=1)


class NotActive(ActionRefused):
    """The webhook's state does not allow it."""

    code = "webhook_state"


def own_keys() -> list[str]:
    """The desk's own key, then those that it had before."""
    return [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]


def keys_of(endpoint: WebhookEndpoint, at: datetime) -> list[bytes]:
    """The keys that sign now, the current one first; empty when the desk's own key was replaced."""
    found = [signing.recovered(own_keys(), bytes(endpoint.key_salt), endpoint.key_check)]
    if endpoint.old_key_until is not None and endpoint.old_key_until > at:
        found.append(signing.recovered(own_keys(), bytes(endpoint.old_key_salt or b""), endpoint.old_key_check))
    return [key for key in found if key] if found[0] else []


def need_right(by: Actor, doing: str) -> None:
    if not can_configure_webhooks(by):
        raise Forbidden(f"{by.label} may not {doing}", remedy="ask an administrator")


def locked(endpoint: WebhookEndpoint, expected_version: int | None = None) -> WebhookEndpoint:
    fresh = WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=endpoint.pk)
    assert_fresh(fresh, expected_version)
    return fresh


def _new_key() -> tuple[bytes, str, str]:
    """Salt, check, and the key as it is shown this once."""
    salt = secrets.token_bytes(32)
    key = signing.derived(settings.SECRET_KEY, salt)
    return salt, signing.check(key), signing.shown(key)


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    if own := sorted(_OWN & set(values)):
        raise Invalid(f"{own[0]} is not set by hand", field=own[0], remedy="use the verbs of the webhook")
    checked = dict(values)
    if isinstance(kinds := checked.get("kinds"), Iterable) and not isinstance(kinds, str):
        checked["kinds"] = list(dict.fromkeys(kinds))
    _refuse_inside(str(checked.get("url", "")))
    return checked


def _refuse_inside(url: str) -> None:
    """Says at once what every call would say; names are checked when they are called."""
    try:
        address = ipaddress.ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return
    if not is_allowed(str(address)):
        raise Invalid(
            f"{address} is an address that the desk may not call",
            field="url",
            remedy="use a public address, or let SERVICEDESK_OUTGOING_ALLOW list it",
        )


@action
def create_webhook(
    *, values: Mapping[str, Any], by: Actor, at: datetime, reason: str = ""
) -> tuple[WebhookEndpoint, str]:
    """Creates an endpoint and its signing key, which is shown this once; it gets what happens from now on.

    Refused without the right, for a bad address or kind. Records `config.created` and `webhook.key_issued`.
    """
    need_right(by, "set up webhooks")
    salt, check, shown = _new_key()
    newest = Event.objects.order_by("-id").values_list("id", flat=True).first() or 0
    endpoint: WebhookEndpoint = create_config(
        model=WebhookEndpoint,
        values={**_checked(values), "key_salt": salt, "key_check": check, "begins_after": newest},
        by=by,
        at=at,
        reason=reason,
    )
    record(WebhookEvent.KEY_ISSUED, endpoint, by, at, check=check)
    return endpoint, shown


@action
def change_webhook(
    *,
    endpoint: WebhookEndpoint,
    values: Mapping[str, Any],
    by: Actor,
    at: datetime,
    expected_version: int | None = None,
    reason: str = "",
) -> WebhookEndpoint:
    """Changes name, address, kinds or eyes; never key or state. Records `config.changed`."""
    need_right(by, "change webhooks")
    changed: WebhookEndpoint = change_config(
        row=endpoint, values=_checked(values), by=by, at=at, expected_version=expected_version, reason=reason
    )
    return changed


@action
def rotate_webhook_key(
    *,
    endpoint: WebhookEndpoint,
    by: Actor,
    at: datetime,
    overlap: timedelta = USUAL_OVERLAP,
    expected_version: int | None = None,
    reason: str = "",
) -> tuple[WebhookEndpoint, str]:
    """Gives a new key, shown this once; the old one signs beside it for the overlap, so that no delivery is refused.

    Refused without the right, or for an overlap of more than seven days. Records `webhook.key_rotated`.
    """
    need_right(by, "replace signing keys")
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise Invalid("the old key may sign for 0 to 168 hours more", field="overlap_hours", remedy="choose less")
    fresh = locked(endpoint, expected_version)
    if overlap:
        fresh.old_key_salt, fresh.old_key_check = bytes(fresh.key_salt), fresh.key_check
        fresh.old_key_until = at + overlap
    else:
        fresh.old_key_salt, fresh.old_key_check, fresh.old_key_until = None, "", None
    fresh.key_salt, fresh.key_check, shown = _new_key()
    fresh.key_number += 1
    fresh.save()
    until = fresh.old_key_until.isoformat() if fresh.old_key_until else None
    record(WebhookEvent.KEY_ROTATED, fresh, by, at, reason=reason, check=fresh.key_check, old_until=until)
    return fresh, shown


@action
def pause_webhook(
    *, endpoint: WebhookEndpoint, by: Actor, at: datetime, expected_version: int | None = None, reason: str = ""
) -> WebhookEndpoint:
    """Stops sending; what happens meanwhile waits. Idempotent. Records `webhook.paused`."""
    need_right(by, "pause webhooks")
    fresh = locked(endpoint, expected_version)
    if fresh.state == EndpointState.PAUSED:
        return fresh
    if fresh.state != EndpointState.ACTIVE:
        raise NotActive(f"{fresh} is switched off", field="state", remedy="enable it first")
    fresh.pause()
    fresh.save()
    record(WebhookEvent.PAUSED, fresh, by, at, reason=reason)
    return fresh


@action
def enable_webhook(
    *, endpoint: WebhookEndpoint, by: Actor, at: datetime, expected_version: int | None = None, reason: str = ""
) -> WebhookEndpoint:
    """Sends again, what waits first. Idempotent. Records `webhook.enabled`.

    What happened while the desk had switched it off was not kept: `replay_since` fetches it.
    """
    need_right(by, "enable webhooks")
    fresh = locked(endpoint, expected_version)
    if fresh.state == EndpointState.ACTIVE:
        return fresh
    fresh.enable()
    fresh.failures, fresh.first_failure_at, fresh.held_until = 0, None, None
    fresh.save()
    record(WebhookEvent.ENABLED, fresh, by, at, reason=reason)
    return fresh
