"""What every page of the desk shows: where one can go, and whether one may log a call."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.roles import STAFF, Role
from audit.rest import actor_of
from incidents import permissions
from integrations.permissions import can_read_mail
from metrics.permissions import can_see_numbers
from postmortems.permissions import can_read_any


def desk(request: HttpRequest) -> dict[str, Any]:
    """Navigation by role; empty for strangers and for the error pages, which have no user."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated or request.path.startswith("/api/"):
        return {}
    actor = actor_of(request)
    is_staff = actor.has_role(*STAFF)
    items = [(_("Queue") if is_staff else _("My reports"), reverse("desk:queue"))]
    if can_read_any(actor):
        items.append((_("Post-mortems"), reverse("postmortems:list")))
    if can_read_mail(actor):
        items.append((_("Mail"), reverse("integrations:mails")))
    if can_see_numbers(actor):
        items.append((_("Reports"), reverse("reports:overview")))
    if settings.SERVICEDESK_MAILBOX and is_staff:
        items.append((_("Mailbox"), reverse("notify:mailbox")))
    if actor.has_role(Role.ADMIN, Role.AUDITOR):
        items.append((_("Trail"), reverse("trail:trail")))
        items.append((_("Settings"), reverse("admin:index")))
        items.append((_("Doctor"), reverse("setup:doctor")))
    if is_staff:
        items.append((_("API"), reverse("api-docs")))
    return {
        "desk_navigation": [
            {"label": label, "url": url, "current": request.path.startswith(url)} for label, url in items
        ],
        "desk_may_log": permissions.can_log(actor),
        "desk_log_label": _("Log a call") if permissions.can_triage(actor) else _("Report something"),
    }
