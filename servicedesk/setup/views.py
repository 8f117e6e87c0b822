"""The administrators' pages: look, compare, then act by POST. Whoever is none finds nothing here."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

import notify.tasks
import servicedesk.doctor
from accounts.roles import Role
from audit.actor import Actor
from audit.defaults import count
from audit.rest import actor_of, now_of
from servicedesk.blueprint import UnreadableBlueprint, export, import_settings
from servicedesk.setup.forms import SettingsForm

#: Test mails a minute of one person: the page must not become a way to flood somebody.
MAILS, WINDOW = 5, 60


def _only(request: HttpRequest, *roles: str) -> Actor:
    actor = actor_of(request)
    if not actor.has_role(*roles):
        raise Http404
    return actor


@require_safe
@login_required
def doctor(request: HttpRequest) -> HttpResponse:
    """Settings that are allowed and yet will hurt, each with a link to where it is mended."""
    _only(request, Role.ADMIN, Role.AUDITOR)
    return render(request, "setup/doctor.html", {"findings": servicedesk.doctor.examine(now_of(request))})


@require_safe
@login_required
def settings_yaml(request: HttpRequest) -> HttpResponse:
    """The settings as one YAML file."""
    actor = _only(request, Role.ADMIN, Role.AUDITOR)
    headers = {"Content-Disposition": 'attachment; filename="settings.yaml"', "Cache-Control": "no-store"}
    return HttpResponse(export(actor), content_type="application/yaml; charset=utf-8", headers=headers)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def settings_file(request: HttpRequest) -> HttpResponse:
    """A YAML file compared with the settings; with `apply` all that differs is taken over, or nothing."""
    actor = _only(request, Role.ADMIN)
    form = SettingsForm(request.POST, request.FILES) if request.method == "POST" else SettingsForm()
    context: dict[str, Any] = {"form": form}
    if request.method == "POST" and form.is_valid():
        content = form.content()
        try:
            context["outcome"] = import_settings(
                content=content, by=actor, at=now_of(request), dry_run=not form.cleaned_data["apply"]
            )
            context["text"] = content.decode("utf-8-sig")
        except UnreadableBlueprint as error:
            form.add_error(None, f"{error.place}: {error.problem} ({error.remedy})")
    return render(request, "setup/settings.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def mail(request: HttpRequest) -> HttpResponse:
    """The mail settings without their secrets; a POST sends a test mail to oneself and shows the server's answer."""
    actor, user = _only(request, Role.ADMIN), request.user
    context: dict[str, Any] = {
        "address": user.email,  # type: ignore[union-attr]  # signed in
        "is_mailbox": settings.SERVICEDESK_MAILBOX,
        "server": f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}",
        "encryption": "TLS" if settings.EMAIL_USE_SSL else "STARTTLS" if settings.EMAIL_USE_TLS else _("none"),
        "has_user": bool(settings.EMAIL_HOST_USER),
        "sender": settings.DEFAULT_FROM_EMAIL,
    }
    if request.method != "POST":
        return render(request, "setup/mail.html", context)
    if count("mail-test", actor.id, WINDOW) > MAILS:
        return render(request, "setup/mail.html", context | {"is_too_often": True}, status=429)
    return render(request, "setup/mail.html", context | {"trial": notify.tasks.try_mail(context["address"])})
