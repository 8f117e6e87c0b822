"""The end of an incident: what has to be said before, the requester's own word, and the moment set for the system."""

from __future__ import annotations

from datetime import datetime

from audit.actions import ActionRefused, Forbidden, Invalid, action, record
from audit.actor import Actor
from incidents import permissions, queries
from incidents.actions.ending import reopen
from incidents.actions.frame import IllegalTransition, aware, choice, line, locked, move, require, saved, settled, text
from incidents.actions.telling import tell_closed, tell_confirmed
from incidents.events import IncidentEvent
from incidents.models import Category, CauseCode, ClosingField, FixKind, Incident, State


class WorkaroundOpen(ActionRefused):
    """A workaround is in place and nobody said what becomes of it."""

    code = "workaround_open"


class ClosingIncomplete(Invalid):
    """The desk asks for more before a person closes; `missing` lists it."""

    code = "closing_incomplete"


_REMEDIES = {
    ClosingField.CAUSE.value: "name the cause",
    ClosingField.CLOSING_CATEGORY.value: "choose a closing category",
    ClosingField.CONFIRMATION.value: "say who confirmed it and how, e.g. “requester by phone” or “checked by test”",
    ClosingField.NOTES.value: "write what was done",
    ClosingField.ARTICLE.value: "name the article, or say why there is none",
}
_TOLD = {
    ClosingField.CAUSE.value: "nobody said what the cause was",
    ClosingField.CLOSING_CATEGORY.value: "it has no closing category",
    ClosingField.CONFIRMATION.value: "nobody said how restoration was confirmed",
    ClosingField.NOTES.value: "nobody wrote what was done",
    ClosingField.ARTICLE.value: "neither an article nor the reason for having none is given",
}


@action
def close(
    *,
    incident: Incident,
    by: Actor,
    at: datetime,
    confirmation: str = "",
    cause: str = "",
    closing_category: Category | None = None,
    notes: str = "",
    article: str = "",
    no_article_reason: str = "",
    expected_version: int | None = None,
) -> Incident:
    """The end: restoration is confirmed. Records `incident.closed`.

    A person of the desk says how it was confirmed, and whatever the closing rule of its kind asks for; the requester's
    own word is the confirmation; the system closes when nobody objected. Refused unless resolved, while a workaround is
    not settled, and for what is missing.
    """
    confirmation = line("confirmation", confirmation)
    incident = locked(incident, expected_version)
    require(permissions.can_close, by, incident, "close")
    if is_held_by_workaround(incident):
        raise WorkaroundOpen(
            f"the workaround of {incident.reference} is still in place",
            field="workaround_outcome",
            remedy="settle it first: removed, waived with a reason, or handed over to a problem",
        )
    move(incident, "closing", incident.close, at, by.user_id)
    _fill_in(incident, cause, closing_category, notes, article, no_article_reason)
    if by.is_person and not permissions.is_own(by, incident):
        _require_complete(incident, confirmation)
    incident.confirmation = confirmation or ("requester" if by.is_person else by.label)
    saved(incident)
    record(
        IncidentEvent.CLOSED, incident, by, at, confirmation=incident.confirmation,
        closing_category=incident.closing_category_id, cause=incident.cause_code, article=incident.article_ref,
    )  # fmt: skip
    tell_closed(incident, by, at)
    return settled(incident)


def is_held_by_workaround(incident: Incident) -> bool:
    is_open = incident.fix_kind == FixKind.WORKAROUND and not incident.workaround_outcome
    return bool(is_open and incident.state == State.RESOLVED)


def _fill_in(
    incident: Incident, cause: str, category: Category | None, notes: str, article: str, no_article_reason: str
) -> None:
    """What is said while closing; what was said before stays."""
    if cause:
        incident.cause_code = choice("cause", cause, CauseCode)
    if category is not None:
        incident.closing_category = category
    if notes:
        incident.resolution_notes = text("notes", notes)
    if article:
        incident.article_ref, incident.no_article_reason = line("article", article), ""
    elif no_article_reason:
        incident.no_article_reason = line("no_article_reason", no_article_reason, longest=500)


def _require_complete(incident: Incident, confirmation: str) -> None:
    if missing := queries.missing_for_closing(incident, confirmation):
        raise ClosingIncomplete(
            "; ".join(_TOLD[field] for field in missing),
            field=missing[0],
            remedy="; ".join(_REMEDIES[field] for field in missing),
            missing=missing,
        )


@action
def confirm(
    *, incident: Incident, by: Actor, at: datetime, works: bool, note: str = "", expected_version: int | None = None
) -> Incident:
    """The requester says of a resolved incident that it works, or that it is still broken.

    "Works" closes it, or, while a workaround is in place, is noted until that is settled; "still broken" reopens it.
    Records `incident.closed`, `incident.confirmed` or `incident.reopened`. The same word again changes nothing. Refused
    to anybody but the requester, and when it is neither resolved nor what the word would make of it.
    """
    note = text("note", note, longest=2000)
    incident = locked(incident, expected_version)
    if not permissions.is_own(by, incident):
        raise Forbidden(f"only its requester says whether {incident.reference} works", remedy="close or reopen it")
    if works and incident.state == State.CLOSED:
        return incident
    if incident.state != State.RESOLVED:
        raise IllegalTransition(
            f"{incident.reference} is {State(incident.state).label}, not resolved", field="state",
            remedy="open a new linked incident" if incident.state == State.CLOSED else "write what is wrong",
        )  # fmt: skip
    if not works:
        return reopen(incident=incident, by=by, at=at, reason=note or "still broken")
    if not is_held_by_workaround(incident):
        return close(incident=incident, by=by, at=at, confirmation=line("note", note[:300]))
    require(permissions.can_confirm, by, incident, "confirm")
    if incident.works_at is None:
        incident.works_at = at
        saved(incident)
        record(IncidentEvent.CONFIRMED, incident, by, at, reason=note, workaround_outcome=incident.workaround_outcome)
        tell_confirmed(incident, note, by, at)
    return settled(incident)


@action
def schedule_close(
    *, incident: Incident, close_due_at: datetime, by: Actor, at: datetime, expected_version: int | None = None
) -> Incident:
    """Sets the moment at which the system closes, e.g. in business days. Records `incident.close_scheduled`.

    Refused unless resolved; the same moment again changes nothing.
    """
    incident = locked(incident, expected_version)
    if not permissions.is_machinery(by):
        raise Forbidden("only the system plans the closing", remedy="close it now, or reopen it")
    if incident.state != State.RESOLVED:
        raise IllegalTransition(f"{incident.reference} is not resolved", field="state", remedy="resolve it first")
    old, incident.close_due_at = incident.close_due_at, aware("close_due_at", close_due_at)
    if not incident.changed_fields():
        return incident
    saved(incident)
    record(
        IncidentEvent.CLOSE_SCHEDULED, incident, by, at, old=old.isoformat() if old else None,
        close_due_at=close_due_at.isoformat(),
    )  # fmt: skip
    return settled(incident)
