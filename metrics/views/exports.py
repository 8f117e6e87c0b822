"""Everything behind the numbers as CSV, streamed from a cursor of the server, and noted in the trail."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

import metrics.actions
from accounts.models import Team
from audit.actor import Actor
from audit.rest import now_of
from incidents.models import Service
from metrics.definitions import METRICS, WHY
from metrics.fold import Why
from metrics.forms import AskForm
from metrics.queries import numbers, rows
from metrics.queries.computing import day_of
from metrics.queries.numbers import Asked
from metrics.views.pages import BACKLOG_SLUG, reader_of

#: What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def safe(cell: Any) -> Any:
    """A text that no spreadsheet computes: an apostrophe before what would begin a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


class _Echo:
    """Gives back what the writer writes, so that each line leaves at once."""

    def write(self, line: str) -> str:
        return line


def _streamed(name: str, lines: Iterable[list[Any]]) -> StreamingHttpResponse:
    writer = csv.writer(_Echo())
    answer = StreamingHttpResponse(
        (writer.writerow([safe(cell) for cell in line]) for line in lines), content_type="text/csv; charset=utf-8"
    )
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return answer


def _asked(request: HttpRequest, actor: Actor) -> tuple[AskForm, Asked | None]:
    form = AskForm(request.GET, actor=actor, today=day_of(now_of(request)))
    return form, form.asked() if form.is_valid() else None


def _refused(form: AskForm) -> HttpResponse:
    lines = [f"{field}: {' '.join(map(str, errors))}" for field, errors in form.errors.items()]
    return HttpResponse("\n".join(lines), status=400, content_type="text/plain; charset=utf-8")


@require_POST
@login_required
def export_numbers(request: HttpRequest) -> HttpResponseBase:
    """Every number of a range, with the range before, as CSV; the trail says who took it."""
    actor = reader_of(request)
    form, asked = _asked(request, actor)
    if asked is None:
        return _refused(form)
    metrics.actions.note_export(report="numbers", asked=form.address(), by=actor, at=now_of(request))
    return _streamed(f"numbers-{asked.first}-{asked.last}", _numbers(asked))


def _numbers(asked: Asked) -> Iterator[list[Any]]:
    yield [
        "metric", "label", "from", "to", "n", "total", "mean", "share_percent", "median", "p90", "left_out", "n_before",
        "median_before", "share_percent_before", "reasons", "definition",
    ]  # fmt: skip
    now, before = numbers.numbers(asked), numbers.numbers(asked.before())
    for slug, metric in METRICS.items():
        one, old = now[slug], before[slug]
        reasons = "; ".join(f"{WHY[why]}: {n}" for why, n in one.excluded.items())
        yield [
            slug, str(metric.label), asked.first, asked.last, one.n, one.total, _short(one.mean), _short(one.share),
            one.median, one.p90, one.left_out, old.n, old.median, _short(old.share), reasons, str(metric.definition),
        ]  # fmt: skip


def _short(value: float | None) -> Any:
    return None if value is None else round(value, 4)


@require_POST
@login_required
def export_rows(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Every row behind one number as CSV, counted or not, without a limit; the trail says who took it."""
    actor = reader_of(request)
    if slug != BACKLOG_SLUG and slug not in METRICS:
        raise Http404(_("There is no such number."))
    form, asked = _asked(request, actor)
    if asked is None:
        return _refused(form)
    now = now_of(request)
    metrics.actions.note_export(report=slug, asked=form.address(), by=actor, at=now)
    if slug == BACKLOG_SLUG:
        found = rows.every_open(asked, min(asked.end(), now), actor)
    else:
        found = rows.every(asked, METRICS[slug], actor)
    return _streamed(f"{slug}-{asked.first}-{asked.last}", _rows(found))


def _rows(found: Iterable[rows.Row]) -> Iterator[list[Any]]:
    teams = dict(Team.objects.values_list("pk", "name"))
    services = dict(Service.objects.values_list("pk", "name"))
    yield ["incident", "title", "state", "priority", "channel", "team", "service", "day", "value", "left_out_as"]
    for row in found:
        yield [
            row.reference, row.title, row.state, row.priority, row.channel, teams.get(row.team or 0, ""),
            services.get(row.service or 0, ""), row.day, row.value, "" if row.why is Why.COUNTED else str(WHY[row.why]),
        ]  # fmt: skip
