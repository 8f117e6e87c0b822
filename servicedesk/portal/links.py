"""The pages behind links in mails: no login, GET shows, POST acts; a link stands for its requester and nothing more."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

import incidents.actions
from accounts.models import User
from audit.actions import ActionRefused
from audit.actor import SYSTEM
from audit.rest import now_of
from incidents.models import Incident, links
from incidents.passes import Pass, Purpose
from servicedesk.portal import queries
from servicedesk.portal.limits import is_too_often, may_mail
from servicedesk.portal.saying import say

HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}
#: What a redirect after a POST may say was done.
DONE = frozenset({"reply", "works", "broken", "rate", "renew", "again", "confirmed"})
PROPOSED = frozenset({"works", "broken", "rate"})


# Exempt, because no cookie counts here: the token in the address is the whole capability, so another site that could
# forge the request would have to know it, and would then need no forgery. And a phone's mail app keeps no cookies.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def incident(request: HttpRequest, token: str) -> HttpResponse:
    """GET and HEAD show the public part and change nothing, however many scanners come; a POST says one thing."""
    if is_too_often(request, "look") or (request.method == "POST" and is_too_often(request, "act")):
        return answered(request, {"state": "too_often"}, 429)
    found = links.holder_of(token, Purpose.INCIDENT)
    if found is None:
        return answered(request, {"state": "unknown"}, 404)
    ticket, user = found
    if ticket.expires_at <= now_of(request):
        return _expired(request, ticket, user)
    with spoken_to(user):
        case = queries.incident_of(ticket, user) if user is not None else None
        if user is None or case is None:
            return answered(request, {"state": "unknown"}, 404)
        if request.method == "POST":
            return _said(request, token, case, user)
        return answered(request, _context(request, case, user))


def _context(request: HttpRequest, case: Incident, user: User) -> dict[str, Any]:
    done, proposed = request.GET.get("done", ""), request.GET.get("say", "")
    return {
        "state": "shown", "now": now_of(request), "done": done if done in DONE else "",
        "say": proposed if proposed in PROPOSED else "", **queries.shown(case, user),
    }  # fmt: skip


def _said(request: HttpRequest, token: str, case: Incident, user: User) -> HttpResponse:
    if is_too_often(request, "act-by-link", token):
        return answered(request, {"state": "too_often"}, 429)
    verb, at = request.POST.get("verb", ""), now_of(request)
    try:
        result = say(verb, case, user, request.POST, at)
    except ActionRefused as refusal:
        typed = {name: request.POST.get(name, "")[:20_000] for name in ("body", "note", "comment")}
        context = _context(request, _again(case), user) | {"refusal": refusal, "typed": typed}
        return answered(request, context, refusal.status)
    if result.pk != case.pk:
        link = links.link_for(user, result, at)
        return sent_on(queries.path_of(link) + "?done=again")
    return sent_on(f"{request.path}?done={verb}")


def _again(case: Incident) -> Incident:
    """As it is now: what was refused may have been overtaken by somebody else's change."""
    return Incident.objects.select_related("requester", "recurrence_of").get(pk=case.pk)


def _expired(request: HttpRequest, ticket: Pass, user: User | None) -> HttpResponse:
    """Nothing of it is shown; a new link goes to the person's own address, and the answer is always the same."""
    with spoken_to(user):
        if request.method != "POST":
            return answered(request, {"state": "expired", "done": request.GET.get("done") == "renew"})
        case = Incident.objects.filter(number=ticket.number).first()
        if user is not None and case is not None and may_mail(request, user.email):
            incidents.actions.send_link(incident=case, user=user, by=SYSTEM, at=now_of(request))
    return sent_on(f"{request.path}?done=renew")


@require_safe
def mine(request: HttpRequest, token: str) -> HttpResponse:
    """The reports of the person to whom the link was mailed; it opens for a day."""
    if is_too_often(request, "look"):
        return answered(request, {"state": "too_often"}, 429)
    found = links.holder_of(token, Purpose.LIST)
    ticket, user = found or (None, None)
    if ticket is None or user is None or ticket.expires_at <= now_of(request):
        return answered(request, {"state": "unknown"}, 404)
    with spoken_to(user):
        now = now_of(request)
        return answered(request, {"state": "list", "now": now, "reports": queries.reports_of(user, now)})


# Exempt for the same reason as above.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """The page that a mailed link opens before anything is: a POST confirms the report and opens its incident."""
    if is_too_often(request, "look") or (request.method == "POST" and is_too_often(request, "act")):
        return answered(request, {"state": "too_often"}, 429)
    report = links.report_of(token, now_of(request))
    if report is None:
        return answered(request, {"state": "unknown"}, 404)
    with translation.override(report.locale):
        if request.method != "POST":
            return answered(request, {"state": "confirm", "report": report})
        try:
            opened = incidents.actions.confirm_report(token=token, by=SYSTEM, at=now_of(request))
        except ActionRefused as refusal:
            return answered(request, {"state": "unknown"}, refusal.status)
    person = opened.requester
    if person is None:
        return answered(request, {"state": "unknown"}, 404)
    return sent_on(queries.path_of(links.link_for(person, opened, now_of(request))) + "?done=confirmed")


@contextmanager
def spoken_to(user: User | None) -> Iterator[None]:
    """The person's own language and zone; a stranger's browser says which language."""
    if user is None:
        yield
        return
    with translation.override(user.locale), timezone.override(zoneinfo.ZoneInfo(user.time_zone)):
        yield


def sent_on(path: str) -> HttpResponse:
    """After a POST: a page that can be loaded again without saying it again."""
    return HttpResponseRedirect(path, status=303, headers=HEADERS)


def answered(request: HttpRequest, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """Rendered without the request: no session is read, so a signed-in reader's cookie plays no part."""
    context = {"zone": timezone.get_current_timezone_name(), **context}
    return HttpResponse(render_to_string("portal/link.html", context), status=status, headers=HEADERS)
