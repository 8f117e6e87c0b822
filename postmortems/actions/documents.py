"""The document as a whole: owed by a rule, drafted, changed, submitted, given back, published, given up."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import incidents.permissions
from accounts.models import User
from audit.actions import ActionRefused, Forbidden, Invalid, action, record
from audit.actor import Actor, ActorKind, job
from incidents.models import Incident, State
from postmortems import queries
from postmortems.actions.steps import (
    WrongState,
    assigned,
    checked,
    extended,
    locked,
    may_write,
    person_of,
    refuse_unless_writable,
)
from postmortems.events import PostMortemEvent
from postmortems.models import ObligationRule, PostMortem, PostMortemState, SectionText, Template
from postmortems.permissions import can_publish, can_read_any

_CHANGEABLE = frozenset({"title", "owner", "due_at", "no_actions_reason"})
_RULES = job("postmortems.obligations")


class NotPublishable(ActionRefused):
    """The gate is closed; `missing` lists everything that stands in the way."""

    code = "not_publishable"


@action(joins=True)
def owe(*, incident: Incident, by: Actor, at: datetime) -> PostMortem | None:
    """Drafts the post-mortem that a resolved incident owes by the first rule it falls under; None when it owes none.

    Imported history owes nothing, nor does what is not resolved. Resolved again, the timeline is extended.
    Records `postmortem.drafted` and `postmortem.owed`.
    """
    if incident.is_imported or incident.state not in (State.RESOLVED, State.CLOSED):
        return None
    known = queries.postmortem_of(incident)
    if known is not None:
        return _extend(known, at)
    rule = queries.obligation_of(incident)
    if rule is None:
        return None
    postmortem = _drafted(incident, rule.template, rule, _RULES, at)
    record(
        PostMortemEvent.OWED, postmortem, _RULES, at, about=incident, rule=rule.name,
        due_at=postmortem.due_at.isoformat() if postmortem.due_at else None,
    )  # fmt: skip
    return postmortem


def _extend(known: PostMortem, at: datetime) -> PostMortem:
    postmortem = locked(known)
    if postmortem.state in (PostMortemState.DRAFT, PostMortemState.IN_REVIEW) and (entries := extended(postmortem)):
        record(PostMortemEvent.TIMELINE_EXTENDED, postmortem, _RULES, at, about=postmortem.incident, entries=entries)
    return postmortem


@action
def draft(*, incident: Incident, by: Actor, at: datetime, template: Template | None = None) -> PostMortem:
    """Drafts a post-mortem because a person wants one; one that was given up is taken up again.

    Refused without the right to work the incident, and when there is one already. Records `postmortem.drafted`.
    """
    may = by.kind in (ActorKind.SYSTEM, ActorKind.JOB) or can_read_any(by)
    if not may or not incidents.permissions.can_work(by, incident, is_paged=queries.is_paged(by, incident)):
        raise Forbidden(f"{by.label} may not draft its post-mortem", remedy="ask the incident's team")
    incident = Incident.objects.select_for_update(no_key=True).get(pk=incident.pk)
    known = queries.postmortem_of(incident)
    if known is not None:
        return _taken_up(known, by, at)
    chosen = template or queries.default_template()
    if chosen is None or not chosen.is_active:
        raise Invalid("there is no active template", field="template", remedy="set one up, or name another")
    return _drafted(incident, chosen, None, by, at)


def _taken_up(known: PostMortem, by: Actor, at: datetime) -> PostMortem:
    postmortem = locked(known)
    if postmortem.state != PostMortemState.CANCELLED:
        raise WrongState(
            f"{postmortem.incident.reference} has a post-mortem already", remedy="open it", postmortem=postmortem.pk
        )
    postmortem.take_up()
    postmortem.save()
    record(
        PostMortemEvent.DRAFTED, postmortem, by, at, about=postmortem.incident, template=postmortem.template.name,
        entries=extended(postmortem),
    )  # fmt: skip
    return postmortem


def _drafted(
    incident: Incident, template: Template, rule: ObligationRule | None, by: Actor, at: datetime
) -> PostMortem:
    owner = incident.assignee if incident.assignee is not None and incident.assignee.is_active else None
    postmortem = PostMortem.objects.create(
        incident=incident,
        template=template,
        rule=rule,
        title=f"{incident.reference} {incident.title}"[:300],
        owner=owner,
        due_at=queries.due_at(rule, incident.resolved_at or at) if rule is not None else None,
        needs_second_person=template.needs_second_person,
        is_drill=incident.is_drill,
        created_at=at,
    )
    SectionText.objects.bulk_create(
        SectionText(
            postmortem=postmortem, position=one.position, title=one.title, guidance=one.guidance, kind=one.kind,
            is_required=one.is_required,
        )
        for one in template.sections.order_by("position")
    )  # fmt: skip
    record(
        PostMortemEvent.DRAFTED, postmortem, by, at, about=incident, template=template.name,
        entries=extended(postmortem),
    )  # fmt: skip
    return postmortem


@action
def change(
    *,
    postmortem: PostMortem,
    values: Mapping[str, Any],
    by: Actor,
    at: datetime,
    expected_version: int | None = None,
    reason: str = "",
) -> PostMortem:
    """Changes title, owner, due time or the reason for no action items. Records `postmortem.changed`."""
    fresh = locked(postmortem, expected_version)
    refuse_unless_writable(fresh, by)
    owner: User | None = values.get("owner")
    if owner is not None and not owner.is_active:
        raise Invalid(f"{owner} is deactivated", field="owner", remedy="name somebody who is here")
    fields = assigned(fresh, values, _CHANGEABLE)
    if not fields:
        return fresh
    checked(fresh)
    fresh.save()
    record(PostMortemEvent.CHANGED, fresh, by, at, about=fresh.incident, reason=reason, fields=fields)
    return fresh


@action
def submit(*, postmortem: PostMortem, by: Actor, at: datetime, expected_version: int | None = None) -> PostMortem:
    """Hands a draft in for review, its timeline brought up to date. Records `postmortem.submitted`."""
    fresh = locked(postmortem, expected_version)
    refuse_unless_writable(fresh, by)
    if fresh.state != PostMortemState.DRAFT:
        raise WrongState("it is in review already", remedy="publish it or give it back")
    extended(fresh)
    fresh.submit(by_id=person_of(by, "submit a post-mortem"), at=at)
    fresh.save()
    record(PostMortemEvent.SUBMITTED, fresh, by, at, about=fresh.incident)
    return fresh


@action
def return_to_draft(
    *, postmortem: PostMortem, reason: str, by: Actor, at: datetime, expected_version: int | None = None
) -> PostMortem:
    """Gives a post-mortem back to its writers, saying what it lacks. Records `postmortem.returned`."""
    fresh = locked(postmortem, expected_version)
    refuse_unless_writable(fresh, by)
    if fresh.state != PostMortemState.IN_REVIEW:
        raise WrongState("it is not in review", remedy="only what is in review can be given back")
    _refuse_without(reason, "say what it lacks")
    fresh.give_back()
    fresh.save()
    record(PostMortemEvent.RETURNED, fresh, by, at, about=fresh.incident, reason=reason)
    return fresh


@action
def publish(*, postmortem: PostMortem, by: Actor, at: datetime, expected_version: int | None = None) -> PostMortem:
    """Publishes what was reviewed; refused with the whole list of what is missing. Records `postmortem.published`."""
    fresh = locked(postmortem, expected_version)
    if not can_publish(by, fresh, is_paged=queries.is_paged(by, fresh.incident)):
        raise Forbidden(f"{by.label} may not publish it", remedy="a person of the incident's team can")
    if fresh.state in (PostMortemState.PUBLISHED, PostMortemState.CANCELLED):
        raise WrongState(f"it is {fresh.get_state_display()}", remedy="nothing is left to publish")
    found = queries.missing(fresh, by.user_id)
    if found:
        raise NotPublishable(
            f"it can't be published yet: {queries.as_text(found)}",
            remedy="mend every point under missing",
            missing=[dataclasses.asdict(one) for one in found],
        )
    fresh.publish(by_id=person_of(by, "publish a post-mortem"), at=at)
    fresh.save()
    is_late = fresh.due_at is not None and at > fresh.due_at
    record(PostMortemEvent.PUBLISHED, fresh, by, at, about=fresh.incident, late=is_late)
    return fresh


@action
def cancel(
    *, postmortem: PostMortem, reason: str, by: Actor, at: datetime, expected_version: int | None = None
) -> PostMortem:
    """Gives a post-mortem up, with a reason. Records `postmortem.cancelled`."""
    fresh = locked(postmortem, expected_version)
    if not may_write(fresh, by):
        raise Forbidden(f"{by.label} may not give it up", remedy="ask its owner or the incident's team")
    if fresh.state not in (PostMortemState.DRAFT, PostMortemState.IN_REVIEW):
        raise WrongState(f"it is {fresh.get_state_display()}", remedy="only a draft or one in review can be given up")
    _refuse_without(reason, "say why no post-mortem is needed")
    fresh.cancel()
    fresh.save()
    record(PostMortemEvent.CANCELLED, fresh, by, at, about=fresh.incident, reason=reason)
    return fresh


def _refuse_without(reason: str, remedy: str) -> None:
    if not reason.strip():
        raise Invalid("a reason is needed", field="reason", remedy=remedy)
