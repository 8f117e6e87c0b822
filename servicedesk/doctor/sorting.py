"""Categories that sort nothing, and rules that point at what is gone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q
from django.utils.translation import gettext as _

from accounts.models import Organisation, Site, Team
from alerts.models import AlertSource
from incidents.models import OPEN_STATES, Category, Incident, RoutingRule, Service
from oncall.models import BreachRule, PolicyAssignment
from postmortems.models import ObligationRule
from servicedesk.doctor.findings import Finding, Level, about, list_of
from sla.models import SlaPolicy

#: Names of categories that mean "none of these".
OTHER = re.compile(r"(other|others|otro|otra|otros|outro|outra|outros|misc\w*|general|geral)\b", re.IGNORECASE)
OTHER_SHARE, OTHER_WINDOW = 10, timedelta(days=90)
UNUSED_FOR, NEW_FOR = timedelta(days=365), timedelta(days=90)
DEEPEST = 3
_IDS: tuple[tuple[str, Any], ...] = (
    ("categories", Category), ("services", Service), ("teams", Team), ("sites", Site), ("organisations", Organisation),
)  # fmt: skip


def share_of_other(at: datetime) -> list[Finding]:
    """A tenth of all incidents under "Other" says that the tree does not fit the work."""
    others = [one.pk for one in Category.objects.all() if OTHER.match(one.name)]
    recent = Incident.objects.filter(created_at__gt=at - OTHER_WINDOW, is_drill=False, is_imported=False)
    told = recent.aggregate(
        n=Count("pk"), other=Count("pk", filter=Q(closing_category__in=others) | Q(category__in=others))
    )
    share = round(100 * told["other"] / told["n"]) if told["n"] else 0
    if share <= OTHER_SHARE:
        return []
    text = _("%(share)s %% of the incidents of 90 days are sorted under “Other”.") % {"share": share}
    return [Finding("share-of-other", Level.WARNING, text, list_of(Category), told["other"])]


def unused_categories(at: datetime) -> list[Finding]:
    """No incident in a year: somebody scrolls past it with every call."""
    used = set(
        Incident.objects.filter(created_at__gt=at - UNUSED_FOR)
        .order_by().values_list("category_id", "closing_category_id").distinct()
    )  # fmt: skip
    ids = {one for pair in used for one in pair if one is not None}
    young = set(Category.history.filter(version=1, history_date__gt=at - NEW_FOR).values_list("id", flat=True))
    parents = set(Category.objects.filter(is_active=True, parent__isnull=False).values_list("parent_id", flat=True))
    rows = (
        Category.objects.filter(is_active=True).exclude(pk__in=ids | young | parents).select_related("parent__parent")
    )
    return about("unused-categories", Level.NOTE, _("Categories without an incident in a year."), rows)


def deep_categories(at: datetime) -> list[Finding]:
    """Deeper than three, or a step that leads to one place only."""
    rows = list(Category.objects.filter(is_active=True).select_related("parent__parent__parent"))
    deep = [one for one in rows if len(one.path()) > DEEPEST]
    children: dict[int, list[Category]] = {}
    for one in rows:
        if one.parent_id is not None:
            children.setdefault(one.parent_id, []).append(one)
    lonely = [some[0] for some in children.values() if len(some) == 1 and len(some[0].path()) == DEEPEST]
    return [
        *about("deep-categories", Level.WARNING, _("Categories deeper than three levels."), deep),
        *about("deep-categories", Level.NOTE, _("Third-level categories without a sibling: the step tells nothing."),
               lonely),
    ]  # fmt: skip


def orphaned_rules(at: datetime) -> list[Finding]:
    """Rules that can't work as meant, because what they name is retired or gone."""
    return [
        *about("orphaned-rules", Level.WARNING, _("Routing rules that name something retired or gone."),
               _pointing_nowhere(RoutingRule.objects.filter(is_active=True).select_related("team"))),
        *about("orphaned-rules", Level.WARNING, _("SLA policies that name something retired or gone."),
               _pointing_nowhere(SlaPolicy.objects.filter(is_active=True))),
        *about("orphaned-rules", Level.WARNING, _("Breach rules of a policy that is switched off."),
               BreachRule.objects.filter(is_active=True).filter(
                   Q(escalation_policy__is_active=False) | Q(sla_policy__is_active=False))),
        *about("orphaned-rules", Level.WARNING, _("Assignments of an escalation policy that can't page."),
               PolicyAssignment.objects.filter(
                   Q(policy__is_active=False) | Q(service__is_active=False) | Q(team__is_active=False)
               ).select_related("policy", "service", "team")),
        *about("orphaned-rules", Level.WARNING, _("Post-mortem rules that name something retired."),
               ObligationRule.objects.filter(is_active=True).filter(
                   Q(template__is_active=False) | Q(service__is_active=False) | Q(team__is_active=False))),
        *about("orphaned-rules", Level.WARNING, _("Alert sources whose service or team is retired."),
               AlertSource.objects.filter(is_active=True).filter(
                   Q(service__is_active=False) | Q(team__is_active=False))),
    ]  # fmt: skip


def _pointing_nowhere(rules: Iterable[Any]) -> Iterator[Any]:
    """Rules with lists of ids, and with a team or actions that name one."""
    alive = {model: _alive(model) for _name, model in _IDS}
    for rule in rules:
        named = [(model, one) for name, model in _IDS for one in getattr(rule, name, ())]
        named += [(Team, rule.team_id)] if getattr(rule, "team_id", None) else []
        for acts in [
            *(one.get("actions", []) for one in getattr(rule, "thresholds", [])),
            getattr(rule, "on_breach", []),
        ]:
            named += [(Team, act["team"]) for act in acts if act.get("do") == "reassign"]
        if any(one not in alive[model] for model, one in named):
            yield rule


def _alive(model: Any) -> frozenset[int]:
    rows = model.objects.all()
    if any(field.name == "is_active" for field in model._meta.fields):
        rows = rows.filter(is_active=True)
    return frozenset(rows.values_list("pk", flat=True))


def stranded_incidents(at: datetime) -> list[Finding]:
    """Open work of a retired team or category, or of somebody who left."""
    rows = Incident.objects.filter(state__in=OPEN_STATES)
    return [
        *about("stranded-incidents", Level.ERROR, _("Open incidents of a retired team."),
               rows.filter(team__is_active=False), list_of(Incident)),
        *about("stranded-incidents", Level.ERROR, _("Open incidents held by somebody who left."),
               rows.filter(assignee__is_active=False), list_of(Incident)),
        *about("stranded-incidents", Level.NOTE, _("Open incidents under a retired category."),
               rows.filter(category__is_active=False), list_of(Incident)),
    ]  # fmt: skip
