"""One verb on many incidents: the same form, the same action, the same guards as on one, and a result for each."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

import incidents.queries
from audit.actions import ActionRefused, Stale
from audit.actor import Actor
from audit.rest import actor_of, now_of
from incidents.models import Incident
from servicedesk.desk import verbs
from servicedesk.desk.verbs import Verb

#: As many as two pages of the queue.
MOST = 100
#: What makes sense for many at once; the rest is a decision about one.
VERBS = ("claim", "assign", "start", "hold", "resume", "resolve", "close", "cancel", "comment")


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What became of one incident."""

    reference: str
    title: str
    is_done: bool
    why: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Chosen:
    """A row that was ticked; `version` is what its reader saw."""

    reference: str
    version: str

    @property
    def key(self) -> str:
        return f"{self.reference}@{self.version}" if self.version else self.reference


def chosen_of(given: QueryDict) -> list[Chosen]:
    """`i=INC-000123@7`, each once, in the order of the page."""
    found: dict[str, Chosen] = {}
    for text in given.getlist("i")[: MOST + 1]:
        reference, _sign, version = text.partition("@")
        found.setdefault(reference, Chosen(reference, version))
    return list(found.values())


def visible(chosen: list[Chosen], actor: Actor) -> dict[str, Incident]:
    """The chosen incidents that the actor may see, in two queries."""
    numbers = {number for one in chosen if (number := incidents.queries.number_of(one.reference)) is not None}
    rows = Incident.objects.visible_to(actor).filter(number__in=numbers)
    rows = rows.select_related("requester", "assignee", "team", "matrix")
    return {one.reference: one for one in rows}


@require_safe
@login_required
def choose(request: HttpRequest) -> HttpResponse:
    """The chosen incidents and the verbs that at least one of them allows, each with its form."""
    actor = actor_of(request)
    chosen = chosen_of(request.GET)
    found = visible(chosen, actor)
    rows = [found[one.reference] for one in chosen if one.reference in found][:MOST]
    if not incidents.queries.is_desk(actor):
        raise Http404
    context = {"rows": rows, "most": MOST, "too_many": len(chosen) > MOST, "offered": _offered(rows, actor)}
    return render(request, "desk/bulk.html", context)


def _offered(rows: list[Incident], actor: Actor) -> list[dict[str, Any]]:
    possible: dict[str, int] = {}
    first: dict[str, Incident] = {}
    for row in rows:
        for name in (*incidents.queries.possible_verbs(actor, row), "comment"):
            possible[name] = possible.get(name, 0) + 1
            first.setdefault(name, row)
    return [
        {"verb": verb, "count": possible[name],
         "form": verb.form(incident=first[name], actor=actor, auto_id=f"{name}_%s")}
        for name in VERBS if name in possible and (verb := verbs.BY_NAME[name])
    ]  # fmt: skip


@require_POST
@login_required
def act(request: HttpRequest, verb: str) -> HttpResponse:
    """Carries the verb out on each of them by itself; one refusal stops no other."""
    actor = actor_of(request)
    if verb not in VERBS or not incidents.queries.is_desk(actor):
        raise Http404(_("There is no such verb."))
    chosen = chosen_of(request.POST)[:MOST]
    found = visible(chosen, actor)
    results = [_on_one(verbs.BY_NAME[verb], one, found.get(one.reference), request, actor) for one in chosen]
    done = sum(one.is_done for one in results)
    failed = len(results) - done
    if done:
        messages.success(request, ngettext("One was changed.", "%(count)s were changed.", done) % {"count": done})
    if failed:
        text = ngettext("One was refused: see why.", "%(count)s were refused: see why.", failed)
        messages.warning(request, text % {"count": failed})
    again = [one.key for one, result in zip(chosen, results, strict=True) if not result.is_done]
    context = {"results": results, "label": verbs.BY_NAME[verb].label, "again": again}
    return render(request, "desk/bulk_done.html", context)


def _on_one(verb: Verb, chosen: Chosen, incident: Incident | None, request: HttpRequest, actor: Actor) -> Result:
    if incident is None:
        return Result(chosen.reference, "", is_done=False, why=_("There is no such incident, or you may not see it."))
    typed = request.POST.copy()
    typed["expected_version"] = chosen.version or str(incident.version)
    form = verb.form(typed, request.FILES, incident=incident, actor=actor)
    if not form.is_valid():
        wrong = [str(error) for errors in form.errors.values() for error in errors]
        return Result(incident.reference, incident.title, is_done=False, why=" ".join(wrong))
    try:
        verb.run(form, incident, actor, now_of(request))
    except Stale:
        why = _("Somebody else saved meanwhile: look at it before you change it.")
        return Result(incident.reference, incident.title, is_done=False, why=why)
    except ActionRefused as refusal:
        why = f"{refusal.detail}. {refusal.remedy}".strip(". ")
        return Result(incident.reference, incident.title, is_done=False, why=why)
    return Result(incident.reference, incident.title, is_done=True)
