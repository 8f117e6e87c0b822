"""The auditor's pages: they read, and an export, which is a POST, is itself recorded. For others they do not exist."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import wraps
from typing import Any

from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

import accounts.actions
from accounts.models import User
from accounts.roles import Role
from audit.actor import Actor
from audit.rest import actor_of, now_of
from audit.rest.pages import decode, encode
from servicedesk.trail import queries, reviews
from servicedesk.trail.forms import AccessForm, ConfigurationForm, TrailForm
from servicedesk.trail.tables import all_tracked

View = Callable[..., Any]


def may_read(actor: Actor) -> bool:
    """Auditors and administrators read the whole trail."""
    return actor.has_role(Role.AUDITOR, Role.ADMIN) and actor.has_scope("audit-trail:read")


def _for_auditors(view: View) -> View:
    @wraps(view)
    @login_required
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not may_read(actor_of(request)):
            raise Http404
        return view(request, *args, **kwargs)

    return checked


def place_of(text: str) -> queries.Place | None:
    """Where a page begins, as its address says; refuses what we did not make."""
    if not text:
        return None
    at, model, history_id = decode(text, 3)
    try:
        moment = datetime.fromisoformat(str(at))
        return queries.Place(moment, str(model), int(history_id)) if moment.tzinfo else None
    except (ValueError, TypeError):
        return None


def text_of(place: queries.Place | None) -> str:
    return "" if place is None else encode([place.at, place.model, place.history_id])


def _address(request: HttpRequest, **changed: str) -> str:
    given = request.GET.copy()
    for name in ("cursor", *changed):
        given.pop(name, None)
    for name, value in changed.items():
        given[name] = value
    return given.urlencode()


@require_safe
@_for_auditors
def trail(request: HttpRequest) -> HttpResponse:
    """Every change of every tracked object, newest first, by the filters in the address."""
    form = TrailForm(request.GET)
    context: dict[str, Any] = {"form": form, "address": _address(request)}
    if not form.is_valid():
        return render(request, "audit/trail.html", context, status=400)
    try:
        place = place_of(request.GET.get("cursor", ""))
    except Exception as error:
        raise Http404 from error
    found = queries.page(actor_of(request), form.filters(), place)
    context["lines"] = [(line, _admin_page(line.model, line.object)) for line in found.lines]
    context["older"] = _address(request, cursor=text_of(found.next)) if found.next else ""
    context["looked_back_to"] = found.looked_back_to
    return render(request, "audit/trail.html", context)


def _admin_page(label: str, pk: int) -> str:
    """The object's own page, where the settings have one."""
    model = all_tracked()[label].model
    if model not in admin.site._registry:
        return ""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[pk])


@require_safe
@_for_auditors
def access(request: HttpRequest) -> HttpResponse:
    """Who has which role since when, granted by whom, and when they last signed in."""
    form = AccessForm(request.GET)
    after = request.GET.get("after", "0")
    if not form.is_valid() or not (after.isascii() and after.isdigit() and len(after) < 19):
        raise Http404
    rows = reviews.access(form.cleaned_data["role"], int(after))
    older = _address(request, after=str(rows[-1].grant)) if len(rows) == 100 else ""
    return render(
        request, "audit/access.html", {"form": form, "rows": rows, "older": older, "address": _address(request)}
    )


@require_safe
@_for_auditors
def configuration(request: HttpRequest) -> HttpResponse:
    """The settings as they stood at a moment, and what differs from another moment."""
    form, now = ConfigurationForm(request.GET), now_of(request)
    if not form.is_valid():
        return render(request, "audit/configuration.html", {"form": form}, status=400)
    at, until = form.moments(now)
    chosen = form.cleaned_data["model"]
    labels = [chosen] if chosen else reviews.configuration_labels()
    then = reviews.as_of(at, labels)
    other = then if until == at else reviews.as_of(until, labels)
    counted: dict[str, int] = dict.fromkeys(labels, 0)
    for label, _pk in then:
        counted[label] += 1
    context = {
        "form": form, "at": at, "until": until, "differs": reviews.compared(then, other),
        "kinds": [
            (all_tracked()[label].model._meta.verbose_name_plural, n, _address(request, model=label))
            for label, n in counted.items()
        ],
        "objects": _objects(chosen, then) if chosen else None,
        "chosen": all_tracked()[chosen].model._meta.verbose_name_plural if chosen else "",
    }  # fmt: skip
    return render(request, "audit/configuration.html", context)


def _objects(label: str, rows: dict[tuple[str, int], Any]) -> list[tuple[str, list[queries.Change]]]:
    """Each object with all its values at that moment."""
    model = all_tracked()[label].model
    return [
        (queries.label_of(model, pk, row), queries.differences(model, {}, row))
        for (_label, pk), row in sorted(rows.items())
    ]


# --- exports --------------------------------------------------------------------------------------------------------


class _Echo:
    def write(self, value: str) -> str:
        return value


def _safe(cell: Any) -> str:
    """A text that no spreadsheet computes: an apostrophe before what would begin a formula."""
    text = str(cell.isoformat() if isinstance(cell, datetime) else "" if cell is None else cell)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _stream(name: str, lines: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    writer = csv.writer(_Echo())
    answer = StreamingHttpResponse(
        (writer.writerow([_safe(cell) for cell in line]) for line in lines), content_type="text/csv; charset=utf-8"
    )
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    answer["Cache-Control"] = "no-store"
    return answer


def _note(request: HttpRequest, what: str, filters: str) -> None:
    by = actor_of(request)
    user = User.objects.get_queryset().get(pk=by.user_id or 0)
    accounts.actions.note_export(user=user, what=what, filters=filters, by=by, at=now_of(request))


@require_POST
@_for_auditors
def export_trail(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The trail by the filters in the address, whole, as CSV. Records `user.exported`."""
    form = TrailForm(request.GET)
    if not form.is_valid():
        return render(request, "audit/trail.html", {"form": form, "address": _address(request)}, status=400)
    _note(request, "trail", _address(request))
    return _stream("trail", _trail_lines(actor_of(request), form.filters()))


def _trail_lines(actor: Actor, filters: queries.Filters) -> Iterator[Sequence[Any]]:
    yield (
        "at", "what", "object", "label", "version", "change", "actor_kind", "actor_id", "actor", "on_behalf_of",
        "channel", "request_id", "reason", "changes",
    )  # fmt: skip
    for one in queries.walk(actor, filters):
        changes = json.dumps({change.field: [change.old, change.new] for change in one.changes}, ensure_ascii=False)
        yield (
            one.at, one.model, one.object, one.label, one.version, one.change, one.actor_kind, one.actor_id,
            one.actor_label, one.on_behalf_of, one.channel, one.request_id, one.reason, changes,
        )  # fmt: skip


@require_POST
@_for_auditors
def export_access(request: HttpRequest) -> StreamingHttpResponse:
    """Every role that is held, as CSV. Records `user.exported`."""
    form = AccessForm(request.GET)
    if not form.is_valid():
        raise Http404
    _note(request, "access", _address(request))
    return _stream("access", _access_lines(form.cleaned_data["role"]))


def _access_lines(role: str) -> Iterator[Sequence[Any]]:
    yield ("user", "name", "email", "active", "role", "granted_at", "granted_by", "teams", "last_sign_in")
    for one in reviews.all_access(role):
        yield (
            one.user, one.name, one.email, one.is_active, one.role, one.granted_at, one.granted_by, one.teams,
            one.signed_in_at,
        )  # fmt: skip
