"""What came in by mail, for the people of the desk: what waits for them, each message, its raw form, their decision."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from audit.actions import ActionRefused
from audit.rest import actor_of, now_of
from integrations import actions
from integrations.mail.reading import read
from integrations.models import FOR_A_PERSON, InboundMail, Verdict
from integrations.permissions import can_decide_mail, can_read_mail

PAGE_LENGTH = 50
_NOT_HERE = "There is no such mail, or you may not see it."


def _found(request: HttpRequest, key: uuid.UUID) -> InboundMail:
    rows = InboundMail.objects.visible_to(actor_of(request)).select_related("incident", "content")
    mail = rows.filter(key=key).first()
    if mail is None:
        raise Http404(_NOT_HERE)
    return mail


@require_safe
@login_required
def mails(request: HttpRequest) -> HttpResponse:
    """What waits for a person, or with `verdict` another sort, or all; the newest first, `before` pages on."""
    actor = actor_of(request)
    if not can_read_mail(actor):
        raise Http404(_NOT_HERE)
    rows = InboundMail.objects.visible_to(actor).select_related("incident")
    chosen, before = request.GET.get("verdict", ""), request.GET.get("before", "")
    if chosen in Verdict.values:
        rows = rows.filter(verdict=chosen)
    elif chosen != "all":
        rows = rows.filter(verdict__in=FOR_A_PERSON)
    if before.isascii() and before.isdigit() and len(before) < 19:
        rows = rows.filter(id__lt=int(before))
    shown = list(rows.order_by("-id")[: PAGE_LENGTH + 1])
    context: dict[str, Any] = {
        "mails": shown[:PAGE_LENGTH],
        "older": shown[PAGE_LENGTH - 1].pk if len(shown) > PAGE_LENGTH else None,
        "chosen": chosen,
        "verdicts": [("", _("for you")), ("all", _("all")), *Verdict.choices],
        "now": now_of(request),
    }
    return render(request, "integrations/mails.html", context)


@require_safe
@login_required
def mail(request: HttpRequest, key: uuid.UUID) -> HttpResponse:
    """One message as text, with what was made of it and why."""
    found = _found(request, key)
    context = {
        "mail": found,
        "parsed": read(bytes(found.content.raw)),
        "may_decide": can_decide_mail(actor_of(request)) and found.verdict in (*FOR_A_PERSON, Verdict.IGNORED),
        "now": now_of(request),
    }
    return render(request, "integrations/mail.html", context)


@require_safe
@login_required
def raw(request: HttpRequest, key: uuid.UUID) -> HttpResponse:
    """The message as it arrived, always as a download."""
    found = _found(request, key)
    answer = HttpResponse(bytes(found.content.raw), content_type="application/octet-stream")
    answer.headers["Content-Disposition"] = f'attachment; filename="mail-{found.pk}.eml"'
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


@require_POST
@login_required
def decide(request: HttpRequest, key: uuid.UUID, verb: str) -> HttpResponse:
    """Lets a message in, judges it again, or puts it aside."""
    found, actor, at = _found(request, key), actor_of(request), now_of(request)
    try:
        if verb == "discard":
            found = actions.discard(mail=found, by=actor, at=at)
        elif verb in ("judge", "let-in"):
            found = actions.judge(mail=found, by=actor, at=at, let_in=verb == "let-in")
        else:
            raise Http404(_NOT_HERE)
    except ActionRefused as refusal:
        messages.error(request, f"{refusal.detail}. {refusal.remedy}".strip(". "))
    else:
        messages.success(request, f"{found.get_verdict_display()}. {found.reason}")
    return redirect("integrations:mail", key=key)
