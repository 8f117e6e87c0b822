"""Read models of post-mortems: what is owed, what the trail tells, what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import sla.queries
from audit.actor import Actor
from audit.models import Event
from audit.subscriptions import declared_kinds, subject_key
from incidents.models import Incident, Participant, ParticipantRole
from postmortems import gate, timeline
from postmortems.models import (
    ActionItemState,
    ObligationRule,
    PostMortem,
    PostMortemState,
    Template,
    TimelineEntry,
)
from sla import businesstime
from sla.models import Breach


def obligation_of(incident: Incident) -> ObligationRule | None:
    """The first active rule that an incident falls under; requests and questions owe nothing."""
    if incident.kind != "incident":
        return None
    rules = ObligationRule.objects.filter(is_active=True).select_related("template", "calendar").order_by("position")
    return next((rule for rule in rules if _falls_under(incident, rule)), None)


def _falls_under(incident: Incident, rule: ObligationRule) -> bool:
    if rule.priority_at_most is not None and incident.priority > rule.priority_at_most:
        return False
    if rule.service_id is not None and incident.service_id != rule.service_id:
        return False
    if rule.team_id is not None and incident.team_id != rule.team_id:
        return False
    return not rule.only_breached or Breach.objects.counted().filter(incident=incident).exists()


def due_at(rule: ObligationRule, since: datetime) -> datetime:
    """When a post-mortem that is owed since an instant is due: in calendar days, or working days of the calendar."""
    if rule.calendar is None:
        return since + timedelta(days=rule.due_days)
    version = rule.calendar.versions.order_by("-number").values_list("pk", flat=True).first()
    return businesstime.add_days(sla.queries.calendar_of(version), since, rule.due_days)


def default_template() -> Template | None:
    """What a person's own draft uses when they name none: the template of the first rule, else any."""
    rule = ObligationRule.objects.filter(is_active=True).select_related("template").order_by("position").first()
    return rule.template if rule is not None else Template.objects.filter(is_active=True).order_by("pk").first()


def untold_entries(postmortem: PostMortem) -> Iterator[TimelineEntry]:
    """The events of the incident that are not on the timeline yet, as unsaved entries."""
    about_type, about_id = subject_key(postmortem.incident)
    known = set(postmortem.timeline.exclude(source_event=None).values_list("source_event", flat=True))
    kinds = declared_kinds()
    for event in Event.objects.filter(about_type=about_type, about_id=about_id).order_by("id"):
        if event.pk in known or not timeline.is_told(event.kind):
            continue
        meaning = kinds[event.kind].meaning if event.kind in kinds else ""
        yield TimelineEntry(
            postmortem=postmortem,
            at=event.at,
            text=timeline.sentence(event.kind, event.actor_label, event.data, event.reason, meaning),
            kind=event.kind,
            source_event=event.pk,
            who=event.actor_label,
        )


def missing(postmortem: PostMortem, publisher_id: int | None = None) -> list[gate.Missing]:
    """What the publish gate would say now."""
    sections = postmortem.sections.order_by("position")
    items = postmortem.action_items.exclude(state=ActionItemState.CANCELLED).order_by("id")
    document = gate.Document(
        is_in_review=postmortem.state == PostMortemState.IN_REVIEW,
        has_owner=postmortem.owner_id is not None,
        needs_second_person=postmortem.needs_second_person,
        submitted_by_id=postmortem.submitted_by_id,
        no_actions_reason=postmortem.no_actions_reason,
        shown_entries=postmortem.timeline.filter(hidden_at=None).count(),
        sections=tuple(
            gate.Section(
                position=one.position, title=one.title, kind=one.kind, is_required=one.is_required, body=one.body
            )
            for one in sections
        ),
        items=tuple(
            gate.Item(
                id=one.pk, title=one.title, owner_id=one.owner_id, due_on=one.due_on, verification=one.verification
            )
            for one in items
        ),
    )
    return gate.missing(document, publisher_id=publisher_id)


def is_paged(actor: Actor, incident: Incident) -> bool:
    """Whether the actor was paged for the incident; the predicates may not look it up themselves."""
    if actor.user_id is None:
        return False
    paged = Participant.objects.filter(incident=incident, user_id=actor.user_id, role=ParticipantRole.PAGED)
    return paged.exists()


def postmortem_of(incident: Incident) -> PostMortem | None:
    return PostMortem.objects.filter(incident=incident).first()


def as_text(found: Iterable[gate.Missing]) -> str:
    return "; ".join(one.problem for one in found)
