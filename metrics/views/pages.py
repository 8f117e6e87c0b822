"""All numbers on one page, and each on its own with its chart, its reasons and its rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.models import Team
from audit.actor import Actor
from audit.rest import actor_of, now_of
from incidents.models import Category, Channel, Service, State
from metrics import charts
from metrics.definitions import BACKLOG, DAYS, GROUPS, METRICS, WHY, Metric, Shape
from metrics.fold import Why
from metrics.forms import AskForm
from metrics.permissions import can_see_numbers
from metrics.queries import numbers, rows, words
from metrics.queries.computing import day_of
from metrics.queries.numbers import Asked, Numbers, Part

#: Rows of a table of one dimension; the rest is one more line.
LONGEST_TABLE = 12
BACKLOG_SLUG = "backlog"


@dataclasses.dataclass(frozen=True, slots=True)
class Left:
    """A reason why rows are left out, and how many."""

    slug: str
    label: str
    n: int


@dataclasses.dataclass(frozen=True, slots=True)
class Card:
    """One metric as a page shows it."""

    metric: Metric
    headline: str
    kind: str
    before: str
    facts: list[tuple[str, str]]
    counted_on: Any
    left_out: list[Left]

    @classmethod
    def of(cls, now: Numbers, before: Numbers) -> Card:
        metric = now.metric
        return cls(
            metric, words.headline(now), words.kind_of_headline(metric), words.headline(before),
            _facts(now, before), DAYS[metric.day],
            [Left(why.name.lower(), str(WHY[why]), n) for why, n in now.excluded.items()],
        )  # fmt: skip


def _facts(now: Numbers, before: Numbers) -> list[tuple[str, str]]:
    """What stands below the headline: how many count, the quantiles, and the range before."""
    shape, found = now.metric.shape, []
    if shape is not Shape.VOLUME:
        found.append((_("counted"), words.number(now.n)))
    if shape in (Shape.COUNT, Shape.SCORE):
        found.append((_("median"), words.number(now.median)))
    if shape in (Shape.DURATION, Shape.COUNT):
        found.append((_("90 % at most"), words.value(now.metric, now.p90)))
    if shape is Shape.DURATION:
        found.append((_("mean"), words.span(now.mean)))
    if shape is Shape.SHARE:
        found.append((_("yes"), words.number(now.total)))
    if now.metric.target:
        every = now.n + now.excluded.get(Why.EXEMPTED, 0)
        found.append((_("without exemptions"), words.percent(100 * now.total / every if every else None)))
    earlier = (
        words.headline(before) if shape is Shape.VOLUME else f"{words.headline(before)} ({words.number(before.n)})"
    )
    return [*found, (_("range before"), earlier)]


def asked_by(request: HttpRequest, actor: Actor) -> tuple[AskForm, Asked]:
    """The question of the address; where it can't be read, the usual range beside the form with its errors."""
    today = day_of(now_of(request))
    form = AskForm(request.GET, actor=actor, today=today)
    if form.is_valid():
        return form, form.asked()
    usual = AskForm({}, actor=actor, today=today)
    usual.full_clean()
    return form, usual.asked()


def reader_of(request: HttpRequest) -> Actor:
    actor = actor_of(request)
    if not can_see_numbers(actor):
        raise PermissionDenied(_("The numbers are for leads, managers, admins and auditors."))
    return actor


def _frame(request: HttpRequest, actor: Actor) -> tuple[dict[str, Any], Asked]:
    form, asked = asked_by(request, actor)
    is_valid = form.is_valid()
    if is_valid:
        # What is shown stands in the form too, also where the address leaves it out.
        form.show(asked)
    context = {"form": form, "asked": asked, "before": asked.before(), "status": 200 if is_valid else 400}
    return {**context, "address": form.address() if is_valid else ""}, asked


@require_safe
@login_required
def overview(request: HttpRequest) -> HttpResponse:
    """Every number of a range beside the range before, with its definition and what is left out."""
    actor = reader_of(request)
    context, asked = _frame(request, actor)
    now, before = numbers.numbers(asked), numbers.numbers(asked.before())
    cards = {slug: Card.of(now[slug], before[slug]) for slug in METRICS}
    reported = numbers.series(asked, METRICS["volume"])
    resolved = numbers.series(asked, METRICS["reopened"])
    context |= {
        "groups": [(label, [card for card in cards.values() if card.metric.group == name]) for name, label in GROUPS],
        "throughput": _chart([("reported", reported), ("resolved", resolved)]),
        "backlog": _backlog(request, asked),
        "volumes": [(label, _table(asked, name)) for name, label in _dimensions()],
    }
    return render(request, "metrics/overview.html", context, status=context["status"])


def _chart(columns: Sequence[tuple[str, list[Part]]]) -> dict[str, Any]:
    """How many, in stretches: the bars of each series, and the table beside."""
    top = charts.highest(*([part.n for part in parts] for _name, parts in columns))
    return {
        "series": [
            (name, charts.bars([part.n for part in parts], top, beside=len(columns), place=place))
            for place, (name, parts) in enumerate(columns)
        ],
        "top": words.number(top),
        "rows": list(zip(*(parts for _name, parts in columns), strict=True)),
        "width": charts.WIDTH, "height": charts.HEIGHT,
    }  # fmt: skip


def _backlog(request: HttpRequest, asked: Asked) -> dict[str, Any]:
    now, before = (numbers.backlog(one, now_of(request)) for one in (asked, asked.before()))
    facts = [
        (_("median age"), words.span(now.median)), (_("90 % at most"), words.span(now.p90)),
        (_("oldest"), words.span(now.oldest)), (_("range before"), words.number(before.n)),
    ]  # fmt: skip
    return {"n": words.number(now.n), "facts": facts, "definition": BACKLOG, "at": now.at}


def _dimensions() -> list[tuple[str, str]]:
    return [
        ("channel", _("By channel")), ("category", _("By category")), ("team", _("By team")),
        ("priority", _("By priority")), ("service", _("By service")),
    ]  # fmt: skip


def _table(asked: Asked, dimension: str) -> list[tuple[str, int, int]]:
    """Label, how many, and percent of the most; the longest lines only, the rest added up."""
    found = numbers.volume_by(asked, dimension)
    names = _names(dimension, [key for key, _n in found[:LONGEST_TABLE]])
    lines = [(names.get(key) or _("none"), n) for key, n in found[:LONGEST_TABLE]]
    if rest := sum(n for _key, n in found[LONGEST_TABLE:]):
        lines.append((_("all others"), rest))
    top = max((n for _label, n in lines), default=1)
    return [(label, n, round(100 * n / top)) for label, n in lines]


def _names(dimension: str, keys: list[str]) -> dict[str, str]:
    if dimension == "channel":
        return {str(value): str(label) for value, label in Channel.choices}
    if dimension == "priority":
        return {key: f"P{key}" for key in keys}
    ids = [int(key) for key in keys if key]
    if dimension == "category":
        found = Category.objects.filter(pk__in=ids).select_related("parent__parent")
        return {str(one.pk): " › ".join(part.name for part in one.path()) for one in found}
    model: Any = Team if dimension == "team" else Service
    return {str(pk): name for pk, name in model.objects.filter(pk__in=ids).values_list("pk", "name")}


@require_safe
@login_required
def metric(request: HttpRequest, slug: str) -> HttpResponse:
    """One number: its chart with a table beside, why rows are left out, and the incidents behind it."""
    actor = reader_of(request)
    if slug != BACKLOG_SLUG and slug not in METRICS:
        raise Http404(_("There is no such number."))
    context, asked = _frame(request, actor)
    if slug == BACKLOG_SLUG:
        backlog = _backlog(request, asked)
        context |= {"backlog": backlog, "slug": slug, "states": dict(State.choices)}
        context["listed"] = _shown(METRICS["resolution"], rows.oldest_open(asked, backlog["at"], actor))
        return render(request, "metrics/backlog.html", context, status=context["status"])
    chosen = METRICS[slug]
    now = numbers.numbers(asked, [chosen])[slug]
    before = numbers.numbers(asked.before(), [chosen])[slug]
    why = _why(request.GET.get("show", ""))
    after = rows.place_of(request.GET.get("after", ""))
    listed, following = rows.page(asked, chosen, actor, why=why, after=after)
    parts = numbers.series(asked, chosen)
    context |= {
        "card": Card.of(now, before), "slug": slug, "why": why, "shown": why.name.lower(),
        "why_label": "" if why is Why.COUNTED else WHY[why], "chart": _chart_of(chosen, parts),
        "listed": _shown(chosen, listed), "following": following,
    }  # fmt: skip
    return render(request, "metrics/metric.html", context, status=context["status"])


def _why(name: str) -> Why:
    return Why[name.upper()] if name.upper() in Why.__members__ else Why.COUNTED


def _shown(metric: Metric, found: list[rows.Row]) -> list[tuple[rows.Row, str, str]]:
    states = dict(State.choices)
    return [(row, str(states.get(row.state, row.state)), words.value(metric, row.value)) for row in found]


def _headline_of(metric: Metric, part: Part) -> float | None:
    if metric.shape is Shape.VOLUME:
        return part.n
    if not part.n:
        return None
    if metric.shape is Shape.DURATION:
        return part.median
    return (100 if metric.shape is Shape.SHARE else 1) * part.total / part.n


def _chart_of(metric: Metric, parts: list[Part]) -> dict[str, Any]:
    """The metric's own value in each stretch."""
    values = [_headline_of(metric, part) for part in parts]
    top = 100.0 if metric.shape is Shape.SHARE else charts.highest(values)

    def said(value: float | None) -> str:
        if metric.shape is Shape.DURATION:
            return words.span(value)
        if metric.shape is Shape.SHARE:
            return words.percent(value)
        return words.number(value, 0 if metric.shape is Shape.VOLUME else 2)

    return {
        "series": [("value", charts.bars(values, top))],
        "top": said(top),
        "rows": [(part, said(value)) for part, value in zip(parts, values, strict=True)],
        "width": charts.WIDTH, "height": charts.HEIGHT,
    }  # fmt: skip
