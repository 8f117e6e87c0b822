"""Mails to the requester and to the people who work on it, by the outbox, each in the reader's language and zone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

import notify.actions
from accounts.models import User
from audit.actions import action
from audit.actor import Actor
from incidents import queries
from incidents.actions.writing import MailKind, in_zone, mail_requester
from incidents.models import (
    Comment,
    HoldReason,
    Incident,
    MajorIncident,
    Participant,
    ParticipantRole,
    ResolutionCode,
    Task,
)
from incidents.models.conversation import author_for_requester


def tell_comment(incident: Incident, comment: Comment, by: Actor, at: datetime) -> None:
    """A public comment of the desk goes to the requester, one of the requester to who works on it."""
    facts = {"author": author_for_requester(comment), "body": comment.body}
    if comment.author_kind == Comment.AuthorKind.REQUESTER:
        _tell_followers(
            incident, "answered", lambda: _("The requester answered"), f"comment:{comment.pk}", by, at, facts
        )
    else:
        _tell_requester(incident, MailKind.COMMENTED, f"comment:{comment.pk}", by, at, facts)


def tell_held(incident: Incident, note: str, by: Actor, at: datetime) -> None:
    """On hold, why, and when the desk looks at it again."""
    facts = {
        "note": note, "until": incident.hold_until, "hold_reason": HoldReason(incident.hold_reason).label,
        "ends_at": incident.follow_ups[-1] if incident.follow_ups else None,
    }  # fmt: skip
    _tell_requester(incident, MailKind.HELD, f"held:{at.timestamp():.6f}", by, at, facts)


def tell_follow_up(incident: Incident, by: Actor, at: datetime) -> None:
    """We still wait for an answer, and what happens without one."""
    facts = {"ends_at": incident.follow_ups[-1]}
    key = f"follow_up:{at.timestamp():.6f}"
    _tell_requester(incident, MailKind.FOLLOW_UP, key, by, at, facts)


def tell_confirmed(incident: Incident, note: str, by: Actor, at: datetime) -> None:
    """The requester is content; the workaround still has to be settled."""
    key = f"works:{incident.reopen_count}"
    _tell_assignee(incident, "works", lambda: _("It works for the requester"), key, by, at, {"note": note})


def tell_escalated(incident: Incident, people: list[User], reason: str, by: Actor, at: datetime) -> None:
    """Somebody above learns of it, and why."""
    if is_silent(incident):
        return
    key, facts = f"escalated:{at.timestamp():.6f}", {"reason": reason, "by": by.label, "priority": incident.priority}
    for user in people:
        _mail(user, incident, "escalated", lambda: _("Escalated to you"), key, by, at, facts)


def tell_resolved(incident: Incident, by: Actor, at: datetime) -> None:
    """Resolved, with a link for “it works” and one for “still broken”."""
    facts = {
        "code": ResolutionCode(incident.resolution_code).label, "notes": incident.resolution_notes,
        "closes_at": incident.close_due_at,
    }  # fmt: skip
    _tell_requester(incident, MailKind.RESOLVED, f"resolved:{incident.reopen_count}", by, at, facts)


def tell_closing(incident: Incident, major: MajorIncident, by: Actor, at: datetime) -> None:
    """A major incident waits to be closed, to who said they would."""
    person = major.closing_owner or incident.assignee
    if person is not None and person.is_active and not is_silent(incident):
        key = f"closing:{at.timestamp():.6f}"
        _mail(person, incident, "closing_due", lambda: _("To be closed"), key, by, at, {"close_on": major.close_on})


def tell_task(task: Task, by: Actor, at: datetime) -> None:
    """A late task, to its owner, else to who works on the incident."""
    person = task.owner or task.incident.assignee
    if person is not None and person.is_active and not is_silent(task.incident):
        facts = {"task": task.title, "due_at": task.due_at}
        key = f"task:{task.pk}:{at.timestamp():.6f}"
        _mail(person, task.incident, "task_late", lambda: _("A task is late"), key, by, at, facts)


@action(joins=True)
def tell_merged(*, incident: Incident, kind: str, by: Actor, at: datetime) -> None:
    """Tells the requesters of what was merged into it that it is solved or closed, under their own number.

    Nothing of the target's words goes to them: its requester may be another person.
    """
    short = kind.removeprefix("incident.")
    for source in queries.merged_with_own_audience(incident):
        key = f"merged:{short}:{incident.pk}:{incident.reopen_count}"
        facts = {"code": ResolutionCode(incident.resolution_code).label}
        _tell_requester(source, _MERGED[short], key, by, at, facts)


_MERGED = {"resolved": MailKind.RESOLVED, "closed": MailKind.CLOSED}


def tell_closed(incident: Incident, by: Actor, at: datetime) -> None:
    """Closed, and the question how content they are."""
    _tell_requester(incident, MailKind.CLOSED, f"closed:{incident.reopen_count}", by, at, {})


def tell_wake_up(incident: Incident, hold_reason: str, by: Actor, at: datetime) -> None:
    facts = {"hold_reason": HoldReason(hold_reason).label}
    _tell_assignee(incident, "wake_up", lambda: _("The hold has ended"), f"wake_up:{at.timestamp():.6f}", by, at, facts)


def tell_idle(incident: Incident, by: Actor, at: datetime) -> None:
    _tell_assignee(incident, "idle", lambda: _("Nothing happened"), f"idle:{at.timestamp():.6f}", by, at)


def is_silent(incident: Incident) -> bool:
    """Imported history tells nobody anything; a drill leaves the requester in peace."""
    return incident.is_imported or incident.is_drill


def _tell_requester(incident: Incident, kind: str, key: str, by: Actor, at: datetime, facts: Mapping[str, Any]) -> None:
    if incident.requester is not None and not is_silent(incident):
        mail_requester(incident.requester, incident, kind, key, by, at, facts)


def _tell_assignee(
    incident: Incident,
    template: str,
    subject: Any,
    key: str,
    by: Actor,
    at: datetime,
    facts: dict[str, Any] | None = None,
) -> None:
    if incident.assignee is not None and incident.assignee_id != by.user_id and not is_silent(incident):
        _mail(incident.assignee, incident, template, subject, key, by, at, facts or {})


def _tell_followers(
    incident: Incident, template: str, subject: Any, key: str, by: Actor, at: datetime, facts: dict[str, Any]
) -> None:
    """The assignee and who watches, each once; nobody is told what they said themselves."""
    _tell_assignee(incident, template, subject, key, by, at, facts)
    if is_silent(incident):
        return
    others = [one for one in (incident.assignee_id, incident.requester_id, by.user_id) if one is not None]
    watching = Participant.objects.filter(
        incident_id=incident.pk, role=ParticipantRole.WATCHER, user__is_active=True, user__is_staff=True
    )
    for one in watching.exclude(user_id__in=others).select_related("user").order_by("user_id"):
        _mail(one.user, incident, template, subject, key, by, at, facts)


def _mail(
    user: User,
    incident: Incident,
    template: str,
    subject: Any,
    key: str,
    by: Actor,
    at: datetime,
    facts: dict[str, Any],
) -> None:
    """One mail in the person's language; instants in the facts are shown in the person's zone."""
    with translation.override(user.locale):
        shown = {
            name: in_zone(value, user.time_zone) if isinstance(value, datetime) else value
            for name, value in facts.items()
        }
        context = {"reference": incident.reference, "title": incident.title, **shown}
        headline = f"[{incident.reference}] {subject()}: {incident.title}"
        body = render_to_string(f"incidents/mail/{template}.txt", context)
    notify.actions.enqueue_mail_to_user(
        user=user, subject=headline, body=body.strip() + "\n", dedup_key=f"incident:{incident.pk}:{key}:{user.pk}",
        topic=f"incident:{incident.pk}", about=incident, by=by, at=at, thread=incident.reference,
        kind=template,
    )  # fmt: skip
