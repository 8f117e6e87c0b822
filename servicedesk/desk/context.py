"""What every page of the desk shows: where one can go, and whether one may log a call."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

import accounts.queries
from accounts.roles import Role
from audit.actor import Actor


def actor_of(request: HttpRequest) -> Actor:
    """The signed-in person as an actor; asked from the database once per request."""
    known: Actor | None = getattr(request, "_desk_actor", None)
    if known is None:
        known = accounts.queries.actor_for(request.user)
        request._desk_actor = known  # type: ignore[attr-defined]
    return known


def desk(request: HttpRequest) -> dict[str, Any]:
    """Navigation by role; empty for strangers and for the error pages, which have no user."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    actor = actor_of(request)
    items = [(_("Queue"), reverse("desk:queue"))]
    items.append((_("Post-mortems"), reverse("postmortems:list")))
    if settings.SERVICEDESK_MAILBOX:
        items.append((_("Mailbox"), reverse("notify:mailbox")))
    if actor.has_role(Role.ADMIN, Role.AUDITOR):
        items.append((_("Settings"), reverse("admin:index")))
    items.append((_("API"), reverse("api-docs")))
    return {
        "desk_navigation": [
            {"label": label, "url": url, "current": url != "/" and request.path.startswith(url)} for label, url in items
        ],
        "desk_may_log": actor.has_role(
            Role.REQUESTER, Role.AGENT, Role.LEAD, Role.RESPONDER, Role.INCIDENT_MANAGER, Role.ADMIN
        ),
    }
