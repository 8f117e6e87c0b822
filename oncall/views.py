"""The page behind a link in a notification: one tap to open, one to act, no login, no script."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import translation
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

import oncall.actions
from accounts.queries import actor_for
from audit.actions import ActionRefused
from audit.rest import now_of
from oncall import queries
from oncall.models import PageState, ResponderLink

HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}


# Exempt, because no cookie counts here: the token in the address is the whole capability, so another site that could
# forge the request would have to know it, and would then need no forgery. And a phone's mail app keeps no cookies.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def responder(request: HttpRequest, token: str) -> HttpResponse:
    """GET and HEAD show and change nothing, however many scanners come; a POST does one verb of the link's person."""
    link = queries.link_of(token) if len(token) <= 100 else None
    if link is None:
        return _answer({"state": "unknown", "locale": "en"}, 404)
    more: dict[str, Any] = {}
    status = 200
    with translation.override(link.user.locale):
        if request.method == "POST":
            more, status = _act(request, token, link)
            link = queries.link_of(token) or link
        return _answer(_shown(request, link) | more, status)


def _act(request: HttpRequest, token: str, link: ResponderLink) -> tuple[dict[str, Any], int]:
    try:
        answer = oncall.actions.use_link(
            token=token, verb=request.POST.get("verb", ""), note=request.POST.get("note", ""),
            by=actor_for(link.user), at=now_of(request),
        )  # fmt: skip
    except ActionRefused as refusal:
        return {"refusal": refusal}, refusal.status
    return {"answer": answer}, 200


def _shown(request: HttpRequest, link: ResponderLink) -> dict[str, Any]:
    page, now = link.page, now_of(request)
    return {
        "state": _state(link, now_expired=link.expires_at <= now),
        "locale": link.user.locale,
        "person": link.user,
        "page": page,
        "incident": page.incident,
        "now": now,
        "names": ", ".join(str(user) for user in queries.next_people(page, now)),
        **queries.unreached_of(page),
        "desk_url": f"{settings.SERVICEDESK_URL}/desk/{page.incident.reference}/",
    }


def _state(link: ResponderLink, *, now_expired: bool) -> str:
    page = link.page
    if page.state == PageState.RESOLVED or not page.incident.is_open:
        return "over"
    if now_expired:
        return "expired"
    if page.state == PageState.ACKNOWLEDGED:
        return "mine" if page.acknowledged_by_id == link.user_id else "other"
    return "exhausted" if page.state == PageState.EXHAUSTED else "running"


def _answer(context: dict[str, Any], status: int) -> HttpResponse:
    """Rendered without the request: no session is read, so a signed-in reader's cookie plays no part."""
    return HttpResponse(render_to_string("oncall/responder.html", context), status=status, headers=HEADERS)
