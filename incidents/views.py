"""The page of the routing rules: their order, what each takes, and what a draft would have done."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Max
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

import incidents.actions
from accounts.models import Organisation, Site
from accounts.roles import STAFF
from audit.actions import ActionRefused
from audit.actor import Actor
from audit.rest import actor_of, now_of
from incidents import queries
from incidents.forms import RoutingRuleForm
from incidents.models import Category, Channel, Kind, RoutingRule, Service
from incidents.routing import CONDITIONS

LAST = 200
SHOWN = 50


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def routing(request: HttpRequest) -> HttpResponse:
    """The rules and a form: GET tries what stands in it against the newest incidents, POST saves it."""
    actor = actor_of(request)
    if not actor.has_role(*STAFF):
        raise Http404
    edited = _edited(request)
    seen = edited.version if edited is not None else None
    given = request.POST if request.method == "POST" else request.GET
    is_tried = "team" in given
    initial = {"position": _next_position()} if edited is None else None
    form = RoutingRuleForm(given if is_tried else None, instance=edited, initial=initial, label_suffix="")
    status, draft = 200, None
    if is_tried:
        if form.is_valid():
            if request.method == "POST":
                if _save(form, edited.pk if edited else None, seen, request, actor):
                    return redirect("policies:routing")
                status = 409
            draft = form.instance
        else:
            status = 400
    rules = queries.rules_with(draft, replacing=edited if draft is not None else None)
    tried = queries.try_rules(rules, actor, LAST, instead_of=queries.rules_with() if draft is not None else None)
    context = {
        "form": form, "edited": edited, "draft": draft, "seen": seen, "rules": _listed(tried),
        "moved": [one for one in tried if one.moves][:SHOWN], "tried": len(tried),
        "moves": sum(one.moves for one in tried), "otherwise": sum(not one.rule for one in tried),
        "may_save": actor.has_role(*RoutingRule.configured_by),
    }  # fmt: skip
    return render(request, "incidents/routing.html", context, status=status)


def _edited(request: HttpRequest) -> RoutingRule | None:
    key = request.GET.get("rule", "")
    if not key:
        return None
    found = RoutingRule.objects.filter(pk=int(key)).first() if key.isdigit() and len(key) < 19 else None
    if found is None:
        raise Http404
    return found


def _next_position() -> int:
    return int(RoutingRule.objects.aggregate(last=Max("position"))["last"] or 0) + 10


def _save(form: RoutingRuleForm, key: int | None, seen: int | None, request: HttpRequest, actor: Actor) -> bool:
    """Creates or changes the rule; a refusal is shown where it belongs."""
    values, at = dict(form.cleaned_data), now_of(request)
    said = request.POST.get("expected_version", "")
    expected = int(said) if said.isdigit() and len(said) < 19 else seen
    try:
        if key is None:
            incidents.actions.create_routing_rule(values=values, by=actor, at=at)
        else:
            rule = RoutingRule.objects.get(pk=key)
            incidents.actions.change_routing_rule(rule=rule, values=values, by=actor, at=at, expected_version=expected)
    except ActionRefused as refusal:
        form.add_error(
            refusal.field if refusal.field in form.fields else None, f"{refusal.detail}. {refusal.remedy}".strip(". ")
        )
        return False
    messages.success(request, _("The rule is saved. It holds for what comes in from now on."))
    return True


def _listed(tried: list[queries.Tried]) -> list[dict[str, Any]]:
    """Every rule with its conditions in words, and how many of the tried incidents it takes."""
    taken: dict[str, int] = {}
    for one in tried:
        taken[one.rule] = taken.get(one.rule, 0) + 1
    names: dict[str, dict[Any, str]] = {
        "kinds": {str(key): str(label) for key, label in Kind.choices},
        "channels": {str(key): str(label) for key, label in Channel.choices},
        "categories": {one.pk: str(one) for one in Category.objects.select_related("parent__parent")},
        "services": dict(Service.objects.values_list("pk", "name")),
        "sites": dict(Site.objects.values_list("pk", "name")),
        "organisations": dict(Organisation.objects.values_list("pk", "name")),
    }
    rows = []
    for rule in RoutingRule.objects.select_related("team").order_by("position"):
        conditions = [
            (RoutingRule._meta.get_field(name).verbose_name, [names.get(name, {}).get(key, str(key)) for key in keys])  # type: ignore[union-attr]
            for name in CONDITIONS
            if (keys := getattr(rule, name))
        ]
        rows.append({"rule": rule, "conditions": conditions, "taken": taken.get(rule.name, 0)})
    return rows
