"""The agent's pages: show by GET, act by POST through one action call, refuse with a text that helps."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

import incidents.actions
import oncall.queries
import sla.queries
from audit.actions import ActionRefused
from audit.actor import Actor
from incidents import permissions
from incidents.models import Incident
from servicedesk.desk import queries, verbs
from servicedesk.desk.context import actor_of
from servicedesk.desk.forms import CommentForm, LogCallForm


@require_safe
@login_required
def queue(request: HttpRequest) -> HttpResponse:
    """The open incidents of a view, soonest due first; with `q` the newest that match."""
    actor = actor_of(request)
    text = request.GET.get("q", "").strip()[:200]
    view = request.GET.get("view", "open")
    if view not in queries.VIEWS:
        view = "open"
    context: dict[str, Any] = {"text": text, "view": view, "now": timezone.now()}
    if text:
        context["found"] = queries.search(text.replace("\0", ""), actor)
    else:
        context["page"] = queries.queue_page(view, actor, request.GET.get("after", "")[:400])
    numbers = queries.counts(actor)
    context["views"] = [(name, label, numbers[name]) for name, label in queries.VIEWS.items()]
    return render(request, "desk/queue.html", context)


def _found(reference: str, actor: Actor) -> Incident:
    """The incident of a reference, or 404 when there is none or the actor may not see it."""
    incident = (
        Incident.objects.visible_to(actor)
        .select_related("requester", "assignee", "team", "service", "category", "acknowledged_by")
        .by_reference(reference)
    )
    if incident is None:
        raise Http404(_("There is no such incident, or you may not see it."))
    return incident  # type: ignore[no-any-return]


def _incident_page(
    request: HttpRequest, incident: Incident, actor: Actor, bad: Any = None, status: int = 200
) -> HttpResponse:
    offered = [
        (verb, bad[1] if bad and bad[0].name == verb.name else verb.form(incident=incident, auto_id=f"{verb.name}_%s"))
        for verb in verbs.offered(actor, incident)
    ]
    comment = bad[1] if bad and bad[0].name == "comment" else CommentForm(incident=incident, auto_id="comment_%s")
    context = {
        "incident": incident,
        "offered": offered,
        "bad_verb": bad[0].name if bad else "",
        "comment": comment if permissions.can_comment(actor, incident) else None,
        "internal": permissions.can_see_internal(actor, incident),
        "thread": queries.thread(incident, with_internal=permissions.can_see_internal(actor, incident)),
        "clocks": sla.queries.clocks_for(incident),
        "pages": oncall.queries.pages_of(incident),
        "now": timezone.now(),
    }
    return render(request, "desk/incident.html", context, status=status)


@require_safe
@login_required
def incident(request: HttpRequest, reference: str) -> HttpResponse:
    """One incident: what it is, what was said and done, its clocks and pages, and what one may do."""
    actor = actor_of(request)
    return _incident_page(request, _found(reference, actor), actor)


@require_POST
@login_required
def act(request: HttpRequest, reference: str, verb: str) -> HttpResponse:
    """Carries out one verb; a refusal shows the page again with its cause, remedy, and what was typed."""
    actor = actor_of(request)
    found = _found(reference, actor)
    chosen = verbs.BY_NAME.get(verb)
    if chosen is None:
        raise Http404(_("There is no such verb."))
    form = chosen.form(request.POST, incident=found, auto_id=f"{verb}_%s")
    if not form.is_valid():
        return _incident_page(request, found, actor, (chosen, form), status=400)
    values = {name: value for name, value in form.cleaned_data.items() if name != "expected_version"}
    if form.cleaned_data.get("expected_version") is not None:
        values["expected_version"] = form.cleaned_data["expected_version"]
    try:
        chosen.call(incident=found, by=actor, at=timezone.now(), **values)
    except ActionRefused as refusal:
        form.add_error(None, f"{refusal.detail} {refusal.remedy}".strip())
        return _incident_page(request, _found(reference, actor), actor, (chosen, form), status=refusal.status)
    messages.success(request, _("%(verb)s: done.") % {"verb": chosen.label})
    return redirect("desk:incident", reference=reference)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new(request: HttpRequest) -> HttpResponse:
    """Logs a call in one form."""
    actor = actor_of(request)
    form = LogCallForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            values = {name: value for name, value in form.cleaned_data.items() if value not in (None, "")}
            values.setdefault("channel", "phone")
            try:
                opened = incidents.actions.open_incident(by=actor, at=timezone.now(), **values)
            except ActionRefused as refusal:
                form.add_error(
                    refusal.field if refusal.field in form.fields else None,
                    f"{refusal.detail} {refusal.remedy}".strip(),
                )
                status = refusal.status
            else:
                messages.success(request, _("%(reference)s is logged.") % {"reference": opened.reference})
                return redirect("desk:incident", reference=opened.reference)
    return render(request, "desk/new.html", {"form": form}, status=status)
