"""The requester's pages without a link: the own list, and the form to report."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

import incidents.actions
from accounts.queries import as_requester
from audit.actions import ActionRefused, Forbidden
from audit.actor import SYSTEM
from audit.rest import actor_of, now_of
from incidents.models import Channel, links
from incidents.permissions import can_log
from servicedesk.portal import queries
from servicedesk.portal.forms import AddressForm, ReportForm
from servicedesk.portal.limits import is_too_often, may_mail


def _too_often(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/home.html", {"too_often": True}, status=429)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def home(request: HttpRequest) -> HttpResponse:
    """The own reports when signed in; else a form that mails a link to them, with the same answer for everybody."""
    user: Any = request.user
    if is_too_often(request, "look"):
        return _too_often(request)
    now = now_of(request)
    if user.is_authenticated:
        return render(request, "portal/home.html", {"reports": queries.reports_of(user, now), "now": now})
    form = AddressForm(request.POST if request.method == "POST" else None)
    if request.method != "POST" or not form.is_valid():
        return render(request, "portal/home.html", {"form": form}, status=400 if form.errors else 200)
    if is_too_often(request, "act"):
        return _too_often(request)
    if may_mail(request, form.cleaned_data["email"]):
        incidents.actions.send_list_link(email=form.cleaned_data["email"], by=SYSTEM, at=now)
    return render(request, "portal/sent.html", {"what": "list"})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """The form to report: opens an incident for who is signed in; else a mail asks to confirm it first."""
    knows = request.user.is_authenticated
    if is_too_often(request, "look"):
        return _too_often(request)
    form = ReportForm(request.POST if request.method == "POST" else None, knows=knows)
    if request.method != "POST" or not form.is_valid():
        return _form(request, form, 400 if form.errors else 200)
    if is_too_often(request, "report"):
        return _too_often(request)
    try:
        return _opened(request, form) if knows else _asked(request, form)
    except ActionRefused as refusal:
        form.add_error(refusal.field if refusal.field in form.fields else None, f"{refusal.detail} {refusal.remedy}")
        return _form(request, form, refusal.status)


def _form(request: HttpRequest, form: ReportForm, status: int) -> HttpResponse:
    return render(request, "portal/new.html", {"form": form}, status=status)


def _opened(request: HttpRequest, form: ReportForm) -> HttpResponse:
    """In the capacity of a requester, whatever else the person may do; who may not log at all may not here either."""
    user: Any = request.user
    if not can_log(actor_of(request)):
        raise Forbidden("your roles do not let you report", remedy="ask an admin for the role of a requester")
    now = now_of(request)
    opened = incidents.actions.open_incident(
        **form.cleaned_data, channel=Channel.PORTAL.value, by=as_requester(user), at=now
    )
    link = links.link_for(user, opened, now, lifetime=queries.LISTED_LIFETIME)
    return redirect(queries.path_of(link) + "?done=confirmed")


def _asked(request: HttpRequest, form: ReportForm) -> HttpResponse:
    given = form.cleaned_data
    if may_mail(request, given["email"]):
        locale = (translation.get_language() or "en")[:2]
        incidents.actions.ask_to_confirm(**given, locale=locale, by=SYSTEM, at=now_of(request))
    return render(request, "portal/sent.html", {"what": "report"})
