"""Turns a Bearer key or a session into the actor, which stands in `request.auth`."""

from __future__ import annotations

import hmac
import re
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from rest_framework.authentication import BaseAuthentication
from rest_framework.authentication import SessionAuthentication as StockSession
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from accounts import actions
from accounts.models import ApiKey, User, hash_of_secret
from accounts.queries import Holder, actor_for, holder_of
from audit.actor import Actor
from audit.context import stamp
from audit.defaults import address_of, count

KEY = re.compile(r"sdk_([0-9a-f]{4,16})_([0-9a-f]{64})", re.ASCII)
#: Wrong keys from one address in this many seconds before it has to wait.
WRONG_KEYS, WINDOW = 100, 60
# Compared when no key has the prefix, so that the answer takes as long as with a wrong secret.
_NOBODY = hash_of_secret("nobody")


def _person(user_id: int | None) -> Any:
    """`request.user` of a key; read from the database only where something asks for it, as the API does not."""
    return SimpleLazyObject(lambda: User.objects.get_queryset().get(pk=user_id)) if user_id else AnonymousUser()


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer sdk_<prefix>_<secret>`; a revoked or expired key, or one of a leaver, is no key."""

    def authenticate(self, request: Request) -> tuple[Any, Actor] | None:
        scheme, _, given = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        holder = self._holder(given.strip())
        if holder is None:
            if count("wrong-key", address_of(request), WINDOW) > WRONG_KEYS:
                raise Throttled(WINDOW, detail="Too many wrong keys from this address.")
            raise AuthenticationFailed("The key is not valid.", code="invalid_key")
        self._note_use(holder)
        stamp.set(holder.stamp)
        return _person(holder.user_id), holder.actor

    def _holder(self, given: str) -> Holder | None:
        match = KEY.fullmatch(given)
        prefix, secret = match.groups() if match else ("", "")
        holder = holder_of(prefix, timezone.now())
        known = holder.secret_hash if holder else _NOBODY
        return holder if hmac.compare_digest(known, hash_of_secret(secret)) else None

    def _note_use(self, holder: Holder) -> None:
        now = timezone.now()
        if holder.last_used_at is None or holder.last_used_at < now - actions.USED_EVERY:
            actions.note_key_used(key=ApiKey(pk=holder.key_id), by=holder.actor, at=now)

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="service desk"'


class SessionAuthentication(StockSession):
    """A page's session, with CSRF; the person as an actor."""

    def authenticate(self, request: Request) -> tuple[User, Actor] | None:
        found = super().authenticate(request)
        return (found[0], actor_for(found[0])) if found else None
