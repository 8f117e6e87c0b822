"""The pages of post-mortems: the list, and the document as people read and print it."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from audit.rest import actor_of, now_of
from postmortems import queries
from postmortems.models import PostMortem, PostMortemState

PER_PAGE = 50


@require_safe
@login_required
def listed(request: HttpRequest) -> HttpResponse:
    """The post-mortems of the incidents that the reader may see, newest first; `?state=` narrows it."""
    found = PostMortem.objects.visible_to(actor_of(request)).select_related("incident", "owner")
    state = request.GET.get("state", "")
    if state in PostMortemState.values:
        found = found.filter(state=state)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "states": PostMortemState.choices, "state": state, "now": now_of(request)}
    return render(request, "postmortems/list.html", context)


@require_safe
@login_required
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One post-mortem, complete on one page; hidden entries are named with their reason."""
    visible = PostMortem.objects.visible_to(actor_of(request))
    postmortem = get_object_or_404(
        visible.select_related("incident", "owner", "submitted_by", "published_by", "template"), pk=pk
    )
    context = {
        "postmortem": postmortem,
        "incident": postmortem.incident,
        "sections": postmortem.sections.order_by("position"),
        "entries": postmortem.timeline.filter(hidden_at=None),
        "hidden": postmortem.timeline.exclude(hidden_at=None).select_related("hidden_by"),
        "items": postmortem.action_items.select_related("owner").order_by("id"),
        "missing": [] if postmortem.state == PostMortemState.PUBLISHED else queries.missing(postmortem),
        "now": now_of(request),
    }
    return render(request, "postmortems/detail.html", context)
