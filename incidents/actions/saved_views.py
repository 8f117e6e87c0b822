"""Saves and removes the views of the queue that people keep for themselves and their teams."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import parse_qsl, urlencode

from accounts.models import Team
from audit.actions import ActionRefused, Forbidden, Invalid, action, assert_fresh, record
from audit.actor import Actor
from audit.events import AuditEvent
from incidents import permissions
from incidents.actions.frame import active_team, line
from incidents.models import SavedView
from incidents.models.saved_views import LONGEST_QUERY

#: A list of views that nobody can read is of no use.
MOST = 50


class TooManyViews(ActionRefused):
    """A person keeps only so many views."""

    code = "too_many_views"


def _plain(query: str) -> str:
    """The filters without the place in the list; refused when they are too long to be an address."""
    kept = [(name, value) for name, value in parse_qsl(query.lstrip("?")) if name not in ("after", "q") and value]
    text = urlencode(kept)
    if len(text) > LONGEST_QUERY or "%00" in text:
        raise Invalid("these are no filters of the queue", field="query", remedy="save a view from the queue's page")
    return text


@action
def save_view(*, name: str, query: str, by: Actor, at: datetime, team: Team | None = None) -> SavedView:
    """Keeps the filters under a name; the same name again changes the view. Records `config.created` or `.changed`.

    Refused: who does not work at the desk, a team that is not one's own, more than fifty views.
    """
    if by.user_id is None or not permissions.can_keep_views(by):
        raise Forbidden(f"{by.label} may not save views", remedy="sign in as somebody who works at the desk")
    if team is not None and team.pk not in by.team_ids | by.led_team_ids:
        raise Forbidden(f"{team} is not your team", field="team", remedy="share it with a team of yours, or nobody")
    active_team(team)
    name, text = line("name", name, required=True, longest=80), _plain(query)
    mine = SavedView.objects.select_for_update().filter(owner_id=by.user_id)
    view = mine.filter(name=name).first()
    if view is None and mine.count() >= MOST:
        raise TooManyViews(f"you have {MOST} views", field="name", remedy="remove one first")
    is_new = view is None
    view = view or SavedView(name=name, owner_id=by.user_id)
    view.query, view.team = text, team
    fields = sorted(view.changed_fields())
    view.save()
    model = SavedView._meta.label_lower
    if is_new:
        record(AuditEvent.CONFIG_CREATED, view, by, at, model=model, label=name)
    elif fields:
        record(AuditEvent.CONFIG_CHANGED, view, by, at, model=model, label=name, fields=fields)
    return view


@action
def remove_view(*, view: SavedView, by: Actor, at: datetime, expected_version: int | None = None) -> None:
    """Forgets a view; only its owner may. Records `config.removed`."""
    fresh = SavedView.objects.select_for_update().get(pk=view.pk)
    assert_fresh(fresh, expected_version)
    if fresh.owner_id != by.user_id:
        raise Forbidden(f"{fresh} is {fresh.owner}'s view", remedy="ask them to remove it")
    record(AuditEvent.CONFIG_REMOVED, fresh, by, at, model=SavedView._meta.label_lower, label=str(fresh))
    fresh.delete()
