"""One's own digests: which there are, asking for one, giving one up."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

import metrics.actions
from audit.actions import ActionRefused
from audit.actor import Actor
from audit.rest import now_of
from metrics.forms import DigestForm
from metrics.models import Digest
from metrics.views.pages import reader_of


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def digests(request: HttpRequest) -> HttpResponse:
    """The digests that the reader gets by mail; a POST asks for one or gives one up."""
    actor = reader_of(request)
    if request.method == "POST" and "give_up" in request.POST:
        return _give_up(request, actor)
    form, status = DigestForm(request.POST or None), 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                metrics.actions.ask_for_digest(by=actor, at=now_of(request), **form.cleaned_data)
            except ActionRefused as refusal:
                form.add_error(None, f"{refusal.detail}. {refusal.remedy}".strip(". "))
                status = refusal.status
            else:
                messages.success(request, _("You get it from now on."))
                return redirect("reports:digests")
    context = {
        "form": form, "digests": Digest.objects.visible_to(actor).filter(user_id=actor.user_id or 0),
        "zone": timezone.get_current_timezone_name(),
    }  # fmt: skip
    return render(request, "metrics/digests.html", context, status=status)


def _give_up(request: HttpRequest, actor: Actor) -> HttpResponse:
    given = request.POST["give_up"]
    pk = int(given) if given.isascii() and given.isdigit() and len(given) < 19 else 0
    digest = Digest.objects.filter(user_id=actor.user_id or 0, pk=pk).first()
    if digest is None:
        raise Http404(_("There is no such digest of yours."))
    metrics.actions.give_up_digest(digest=digest, by=actor, at=now_of(request))
    messages.success(request, _("You get it no more."))
    return redirect("reports:digests")
