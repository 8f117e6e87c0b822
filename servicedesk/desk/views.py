"""The agent's pages: show by GET, act by POST through one action call, refuse with a text that helps."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

import incidents.actions
import incidents.queries
import sla.queries
from accounts.models import Team
from audit.actions import ActionRefused, Stale
from audit.actor import Actor
from audit.rest import actor_of, now_of
from incidents import permissions
from incidents.files import handed_out
from incidents.models import Incident, SavedView
from servicedesk.desk import changes, queries, related, sentences, verbs
from servicedesk.desk.filters import FilterForm, asks_for_filters, query_of
from servicedesk.desk.forms import CommentForm, LogCallForm, ReportForm, VerbForm
from servicedesk.desk.sentences import TARGETS
from servicedesk.desk.verbs import Verb


@require_safe
@login_required
def queue(request: HttpRequest) -> HttpResponse:
    """The open incidents of a view, soonest due first; with `q` the newest that match."""
    actor = actor_of(request)
    views = queries.views_of(actor)
    text = request.GET.get("q", "").replace("\0", "").strip()[:200]
    view = request.GET.get("view", "")
    if view not in views:
        view = queries.first_view(actor)
    context: dict[str, Any] = {"text": text, "view": view, "view_label": views[view], "now": now_of(request)}
    if text:
        context["found"] = queries.search(text, actor)
    elif view in queries.REPORTS:
        context["found"] = queries.reports(actor)
    else:
        form = FilterForm(request.GET, actor) if asks_for_filters(request.GET) else None
        narrowed = form.condition() if form is not None else None
        page = queries.queue_page(view, actor, request.GET.get("after", "")[:400], narrowed)
        context |= {"page": page, "filters": form, "query": query_of(request.GET, view)}
    numbers = queries.counts(actor)
    context["saved"] = SavedView.objects.visible_to(actor).select_related("team")
    if context.get("filters") and permissions.can_keep_views(actor):
        teams = Team.objects.filter(pk__in=actor.team_ids | actor.led_team_ids).order_by("name")
        context |= {"may_save": True, "own_teams": list(teams.values_list("pk", "name"))}
    context["views"] = [(name, label, numbers.get(name, "")) for name, label in views.items()]
    return render(request, "desk/queue.html", context)


@require_POST
@login_required
def save_view(request: HttpRequest) -> HttpResponse:
    """Keeps the filters that the page shows under a name, for oneself or for a team."""
    actor, query = actor_of(request), request.POST.get("query", "")
    key = request.POST.get("team", "")
    team = Team.objects.visible_to(actor).filter(pk=int(key)).first() if key.isdigit() and len(key) < 19 else None
    try:
        view = incidents.actions.save_view(
            name=request.POST.get("name", ""), query=query, team=team, by=actor, at=now_of(request)
        )
    except ActionRefused as refusal:
        messages.error(request, f"{refusal.detail}. {refusal.remedy}.")
        return redirect(f"{reverse('desk:queue')}?{query_of(QueryDict(query), 'open')}")
    messages.success(request, _("The view “%(name)s” is saved.") % {"name": view.name})
    return redirect(f"{reverse('desk:queue')}?{view.query}")


@require_POST
@login_required
def remove_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Forgets a view of one's own."""
    actor = actor_of(request)
    view = SavedView.objects.visible_to(actor).filter(pk=pk).first()
    if view is None:
        raise Http404(_("There is no such view."))
    try:
        incidents.actions.remove_view(view=view, by=actor, at=now_of(request))
    except ActionRefused as refusal:
        messages.error(request, f"{refusal.detail}. {refusal.remedy}.")
    else:
        messages.success(request, _("The view “%(name)s” is removed.") % {"name": view.name})
    return redirect("desk:queue")


@dataclasses.dataclass(frozen=True, slots=True)
class Refused:
    """A verb that was not carried out: its form as typed, why, and for a stale save what changed meanwhile."""

    verb: Verb
    form: VerbForm
    lines: list[str]
    changed: list[changes.Change]


_NOT_HERE = "There is no such incident, or you may not see it."


def _found(reference: str, actor: Actor) -> Incident:
    """The incident of a reference, or 404 when there is none or the actor may not see it."""
    number = incidents.queries.number_of(reference)
    if number is None:
        raise Http404(_NOT_HERE)
    incident = (
        Incident.objects.visible_to(actor)
        .select_related(
            "requester", "assignee", "team", "service", "category__parent__parent", "closing_category__parent__parent",
            "acknowledged_by", "matrix", "recurrence_of",
        )
        .filter(number=number)
        .first()
    )  # fmt: skip
    if incident is None:
        raise Http404(_NOT_HERE)
    return incident


def _incident_page(
    request: HttpRequest, incident: Incident, actor: Actor, refused: Refused | None = None, status: int = 200
) -> HttpResponse:
    now = now_of(request)
    is_staff = incidents.queries.is_staff_for(actor, incident)
    offered = _offered(incident, actor, refused)
    context: dict[str, Any] = {
        "incident": incident,
        "offered": offered,
        "rare": [one for one in offered if one["verb"].is_rare],
        "refused": refused,
        "comment": _comment_form(incident, actor, refused),
        "is_staff": is_staff,
        "story": queries.story(actor, incident, is_staff=is_staff),
        "files": queries.files(actor, incident, is_staff=is_staff),
        "now": now,
        "related": related.of(actor, incident, is_staff=is_staff, refused=refused),
    }
    if is_staff:
        context |= queries.surroundings(actor, incident, now)
        clocks = sla.queries.clocks_for(incident).select_related("policy_version__policy")
        context["clocks"] = sorted(clocks, key=lambda one: (list(TARGETS).index(one.target), one.cycle))
        context["why"] = incidents.queries.explain_priority(incident)
        context["why_team"] = sentences.why_team(incident)
    return render(request, "desk/incident.html", context, status=status)


def _offered(incident: Incident, actor: Actor, refused: Refused | None) -> list[dict[str, Any]]:
    """The buttons with their forms; the form of a refused verb as it was typed."""
    return [
        {
            "verb": verb,
            "label": verb.label_for(actor, incident),
            "form": refused.form
            if refused and refused.verb is verb
            else verb.form(incident=incident, actor=actor, auto_id=f"{verb.name}_%s"),
        }
        for verb in verbs.offered(actor, incident)
    ]


def _comment_form(incident: Incident, actor: Actor, refused: Refused | None) -> VerbForm | None:
    takes_part = bool(incidents.queries.roles_in(actor, incident))
    if not permissions.can_comment(actor, incident, is_participant=takes_part):
        return None
    if refused and refused.verb.name == "comment":
        return refused.form
    may_note = permissions.can_note(actor, incident, is_participant=takes_part)
    return CommentForm(incident=incident, actor=actor, may_note=may_note, auto_id="comment_%s")


@require_safe
@login_required
def incident(request: HttpRequest, reference: str) -> HttpResponse:
    """One incident: what it is, what was said and done, its clocks and pages, and what one may do."""
    actor = actor_of(request)
    found = _found(reference, actor)
    if reference != found.reference:
        return redirect("desk:incident", reference=found.reference)
    heir = incidents.queries.visible_heir(actor, found)
    if heir is not None and "stay" not in request.GET:
        part = {"reference": found.reference, "heir": heir.reference}
        messages.info(request, _("%(reference)s is part of %(heir)s now.") % part)
        return redirect("desk:incident", reference=heir.reference)
    if permissions.is_logged_reader(actor, found):
        incidents.actions.note_access(rows=[found], via="page", by=actor, at=now_of(request))
    return _incident_page(request, found, actor)


@require_POST
@login_required
def act(request: HttpRequest, reference: str, verb: str) -> HttpResponse:
    """Carries out one verb; a refusal shows the page again with its cause, remedy, and what was typed."""
    actor = actor_of(request)
    found = _found(reference, actor)
    chosen = verbs.BY_NAME.get(verb) or related.BY_NAME.get(verb)
    if chosen is None:
        raise Http404(_("There is no such verb."))
    more = {"may_note": _may_note(found, actor)} if verb == "comment" else {}
    form = chosen.form(request.POST, request.FILES, incident=found, actor=actor, auto_id=f"{verb}_%s", **more)
    if not form.is_valid():
        lines = [_("Nothing was saved: something is missing or wrong in “%(verb)s”.") % {"verb": chosen.label}]
        return _incident_page(request, found, actor, Refused(chosen, form, lines, []), status=400)
    try:
        done = chosen.run(form, found, actor, now_of(request))
    except ActionRefused as refusal:
        now = _found(reference, actor)
        return _incident_page(request, now, actor, _refused(request, chosen, form, refusal, now), refusal.status)
    messages.success(request, _("%(verb)s: done.") % {"verb": chosen.label_for(actor, found)})
    if not Incident.objects.visible_to(actor).filter(pk=found.pk).exists():
        return redirect("desk:queue")
    return redirect("desk:incident", reference=done.reference if isinstance(done, Incident) else found.reference)


@require_safe
@login_required
def file(request: HttpRequest, reference: str, key: uuid.UUID) -> HttpResponseBase:
    """One file of an incident, always as a download, to who may read the part that it belongs to."""
    actor = actor_of(request)
    found = _found(reference, actor)
    wanted = incidents.queries.attachments_for(actor, found).filter(key=key).first()
    if wanted is None:
        raise Http404(_NOT_HERE)
    return handed_out(wanted)


def _may_note(incident: Incident, actor: Actor) -> bool:
    takes_part = bool(incidents.queries.roles_in(actor, incident))
    return permissions.can_note(actor, incident, is_participant=takes_part)


def _refused(request: HttpRequest, verb: Verb, form: VerbForm, refusal: ActionRefused, now: Incident) -> Refused:
    """What was typed stays; the form now stands for the version that this answer shows."""
    changed = changes.of(now, refusal.extra.get("diff", {})) if isinstance(refusal, Stale) else []
    lines = [_("Nothing was saved: %(why)s.") % {"why": str(refusal.detail).rstrip(".")}]
    if changed:
        lines = [_("Nothing was saved, because somebody else saved meanwhile. What changed:")]
    elif refusal.remedy:
        lines.append(f"{str(refusal.remedy)[:1].upper()}{str(refusal.remedy)[1:]}.")
    if refusal.field in form.fields:
        form.add_error(refusal.field, str(refusal.detail))
    typed = request.POST.copy()
    typed["expected_version"] = str(now.version)
    if confirmation := refusal.extra.get("confirmation"):
        lines = [str(refusal.detail), _("Send it again if that is right.")]
        typed["confirmation"] = confirmation
    form.data = typed
    return Refused(verb, form, lines, changed)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new(request: HttpRequest) -> HttpResponse:
    """Logs a call in one form; who only reports for themselves is asked less."""
    actor = actor_of(request)
    is_agent = permissions.can_triage(actor)
    form = (LogCallForm if is_agent else ReportForm)(request.POST or None, actor=actor)
    status = 200 if permissions.can_log(actor) else 403
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                opened = incidents.actions.open_incident(by=actor, at=now_of(request), **form.values())
            except ActionRefused as refusal:
                field = refusal.field if refusal.field in form.fields else None
                form.add_error(field, f"{refusal.detail}. {refusal.remedy}".strip(". "))
                status = refusal.status
            else:
                messages.success(request, _("%(reference)s is logged.") % {"reference": opened.reference})
                return redirect("desk:incident", reference=opened.reference)
    context = {"form": form, "is_agent": is_agent, "may_log": permissions.can_log(actor)}
    return render(request, "desk/new.html", context, status=status)
