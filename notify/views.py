"""The trial's mailbox, and the page behind a contact's verification link."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

import notify.actions
from accounts.permissions import is_staff
from accounts.queries import actor_for
from audit.actions import ActionRefused
from audit.rest import actor_of
from notify.models import Contact, MailboxMail, token_hash

PAGE_LENGTH = 50
HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"}


def _only_in_the_trial(request: HttpRequest) -> None:
    """Mails hold links that act, so the page exists only where the mailbox replaces a real mail server.

    And only for who works at the desk: a requester would read everybody's mail, and confirm pages by others' links.
    """
    if not settings.SERVICEDESK_MAILBOX or not is_staff(actor_of(request)):
        raise Http404


@require_safe
@login_required
def mailbox(request: HttpRequest) -> HttpResponse:
    """The newest mails first; `before` pages on, `to` keeps those of one recipient."""
    _only_in_the_trial(request)
    mails = MailboxMail.objects.order_by("-id")
    before, recipient = request.GET.get("before", ""), request.GET.get("to", "")
    if before.isascii() and before.isdigit() and len(before) < 19:
        mails = mails.filter(id__lt=int(before))
    if recipient:
        mails = mails.filter(recipients__contains=[recipient])
    shown = list(mails[:PAGE_LENGTH])
    older = shown[-1].pk if len(shown) == PAGE_LENGTH else None
    # What a newcomer came for: pages are sent before everything else, so they stand below what was sent after them.
    page = None if before else mails.filter(body__contains="/r/").first()
    context = {"mails": shown, "older": older, "recipient": recipient, "page": page}
    return render(request, "notify/mailbox.html", context)


@require_safe
@login_required
def mailbox_mail(request: HttpRequest, pk: int) -> HttpResponse:
    """One mail as its reader would see it, with links that can be followed."""
    _only_in_the_trial(request)
    return render(request, "notify/mailbox_mail.html", {"mail": get_object_or_404(MailboxMail, pk=pk)})


# Exempt for the same reason as a responder's link: the token is the whole capability, no cookie counts.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def verify(request: HttpRequest, token: str) -> HttpResponse:
    """GET asks, POST verifies: a mail scanner that opens the link confirms nothing."""
    now = timezone.now()
    contact = Contact.objects.filter(
        verification_hash=token_hash(token[:100]), verification_until__gt=now, user__is_active=True
    ).select_related("user").first()  # fmt: skip
    context: dict[str, object] = {"contact": contact, "done": False}
    if request.method == "POST" and contact is not None:
        try:
            notify.actions.verify_contact(token=token, by=actor_for(contact.user), at=now)
            context["done"] = True
        except ActionRefused:
            context["contact"] = None
    status = 200 if context["contact"] else 404
    return HttpResponse(render_to_string("notify/verify.html", context), status=status, headers=HEADERS)
