"""Turns a Bearer key or a session into the actor, which stands in `request.auth`."""

from __future__ import annotations

import hmac
import re

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.authentication import SessionAuthentication as StockSession
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from accounts import actions
from accounts.models import ApiKey, User, hash_of_secret
from accounts.queries import actor_for, actor_for_key
from audit.actor import Actor
from audit.defaults import address_of, count

KEY = re.compile(r"sdk_([0-9a-f]{4,16})_([0-9a-f]{64})", re.ASCII)
#: Wrong keys from one address in this many seconds before it has to wait.
WRONG_KEYS, WINDOW = 100, 60
# Compared when no key has the prefix, so that the answer takes as long as with a wrong secret.
_NOBODY = hash_of_secret("nobody")


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer sdk_<prefix>_<secret>`; a revoked or expired key, or one of a leaver, is no key."""

    def authenticate(self, request: Request) -> tuple[User | AnonymousUser, Actor] | None:
        scheme, _, given = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        key = self._key(given.strip())
        if key is None:
            if count("wrong-key", address_of(request), WINDOW) > WRONG_KEYS:
                raise Throttled(WINDOW, detail="Too many wrong keys from this address.")
            raise AuthenticationFailed("The key is not valid.", code="invalid_key")
        actor = actor_for_key(key)
        self._note_use(key, actor)
        return key.user or AnonymousUser(), actor

    def _key(self, given: str) -> ApiKey | None:
        match = KEY.fullmatch(given)
        prefix, secret = match.groups() if match else ("", "")
        key = ApiKey.objects.valid(timezone.now()).filter(prefix=prefix).select_related("user").first()
        known = key.secret_hash if key else _NOBODY
        return key if hmac.compare_digest(known, hash_of_secret(secret)) else None

    def _note_use(self, key: ApiKey, actor: Actor) -> None:
        now = timezone.now()
        if key.last_used_at is None or key.last_used_at < now - actions.USED_EVERY:
            actions.note_key_used(key=key, by=actor, at=now)

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="service desk"'


class SessionAuthentication(StockSession):
    """A page's session, with CSRF; the person as an actor."""

    def authenticate(self, request: Request) -> tuple[User, Actor] | None:
        found = super().authenticate(request)
        return (found[0], actor_for(found[0])) if found else None
