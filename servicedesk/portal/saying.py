"""What a requester can say by the link to an incident: each verb is one action call as the requester only."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.http import QueryDict
from django.utils.translation import gettext as _

import incidents.actions
import metrics.actions
from accounts.models import User
from accounts.queries import as_requester
from audit.actions import Invalid
from incidents.models import Incident, State
from servicedesk.portal import queries
from servicedesk.portal.forms import NoteForm, RatingForm, ReplyForm

#: A second tap within this time finds the incident that the first one opened.
SAME_TAP = timedelta(hours=1)


def say(verb: str, incident: Incident, user: User, data: QueryDict, at: datetime) -> Incident:
    """Carries out what was tapped and returns the incident to look at; the same tap again changes nothing.

    The incident's lock lets a double tap wait for the first one. Refusals are those of the actions.
    """
    if verb not in _VERBS:
        raise Invalid(f"{verb!r} is nothing that this page does", field="verb", remedy=", ".join(_VERBS))
    with transaction.atomic():
        held = Incident.objects.select_for_update(no_key=True).get(pk=incident.pk)
        return _VERBS[verb](held, user, data, at)


def _reply(incident: Incident, user: User, data: QueryDict, at: datetime) -> Incident:
    form = ReplyForm(data)
    if not form.is_valid():
        raise Invalid(_("Write something first: at most 20,000 characters."), field="body")
    body = form.cleaned_data["body"]
    if incident.merged_into_id is not None:
        incidents.actions.comment_by_old_number(incident=incident, body=body, by=as_requester(user), at=at)
    elif not queries.said_just_now(incident, user, body, at):
        incidents.actions.comment(incident=incident, body=body, is_public=True, by=as_requester(user), at=at)
    return incident


def _note(data: QueryDict) -> str:
    form = NoteForm(data)
    if not form.is_valid():
        raise Invalid(_("The note is too long: at most 2,000 characters."), field="note")
    return str(form.cleaned_data["note"])


def _works(incident: Incident, user: User, data: QueryDict, at: datetime) -> Incident:
    """Closes, or is noted while a workaround still has to be settled."""
    return incidents.actions.confirm(incident=incident, works=True, note=_note(data), by=as_requester(user), at=at)


def _broken(incident: Incident, user: User, data: QueryDict, at: datetime) -> Incident:
    """Reopens; what is closed comes back as a new linked incident, once."""
    note, by = _note(data), as_requester(user)
    if incident.is_open:
        return incident
    if incident.state == State.CLOSED:
        since = at - SAME_TAP
        before = incident.recurrences.filter(requester_id=user.pk, created_at__gte=since).order_by("-number").first()
        if before is not None:
            return before
        return incidents.actions.open_again_linked(incident=incident, description=note, by=by, at=at)
    reopened = incidents.actions.confirm(incident=incident, works=False, note=note, by=by, at=at)
    if note:
        incidents.actions.comment(incident=reopened, body=note, is_public=True, by=by, at=at)
    return reopened


def _rate(incident: Incident, user: User, data: QueryDict, at: datetime) -> Incident:
    form = RatingForm(data)
    if not form.is_valid():
        raise Invalid(_("Choose a number from 1 to 5."), field="score")
    metrics.actions.rate(incident=incident, by=as_requester(user), at=at, **form.cleaned_data)
    return incident


_VERBS: dict[str, Callable[[Incident, User, QueryDict, datetime], Incident]] = {
    "reply": _reply,
    "works": _works,
    "broken": _broken,
    "rate": _rate,
}
