"""What an incident, a comment and a timeline look like in an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from rest_framework import serializers

from audit.models import Event
from audit.rest import StrictModelSerializer, StrictSerializer
from audit.subscriptions import declared_kinds
from incidents import permissions, queries
from incidents.models import Channel, Comment, DetectedBy, Kind, Participant, ParticipantRole, State
from incidents.models.conversation import author_for_requester, name_for_requester

#: Column -> name in the answer: a link is shown by the id that a body takes.
_LINKS = (
    "category", "closing_category", "service", "team", "assignee", "requester", "logged_by", "organisation",
    "acknowledged_by", "resolved_by", "closed_by", "reopened_by",
)  # fmt: skip
_MOMENTS = (
    "occurred_at", "detected_at", "reported_at", "created_at", "acknowledged_at", "first_response_at", "contained_at",
    "resolved_at", "closed_at", "cancelled_at", "hold_until", "held_at", "close_due_at", "idle_at",
    "priority_override_until", "follow_up_at", "replied_at", "works_at", "reopened_at", "escalated_at",
)  # fmt: skip
_PLAIN = (
    "number", "title", "description", "kind", "channel", "source_label", "external_ref", "state", "impact", "urgency",
    "priority", "priority_override", "priority_override_reason", "is_vip_raised", "detected_by", "hold_reason",
    "resolution_code", "cause_code", "resolution_notes", "fix_kind", "workaround_outcome", "confirmation",
    "cancel_reason", "cancel_detail", "reopen_count", "reassignment_count", "affected_users",
    "affected_sites", "affected_services", "workaround_note", "article_ref", "no_article_reason", "escalation_count",
    "is_restricted", "restricted_reason", "is_drill", "is_imported", "version",
    "is_major",
)  # fmt: skip
#: What a list reads: flat columns, so that a page of fifty costs no model instances and no joins.
COLUMNS = (
    "id", *_PLAIN, *_MOMENTS, *(f"{name}_id" for name in _LINKS), "recurrence_of__number", "merged_into__number",
    "parent__number",
)  # fmt: skip
#: The names of the columns between number and relations, in the same order.
_NAMES = (*_PLAIN[1:], *_MOMENTS, *_LINKS)
#: Null for who sees only the public part.
INTERNAL = (
    "source_label", "external_ref", "priority_override_reason", "cause_code", "workaround_outcome", "logged_by",
    "idle_at", "workaround_note", "article_ref", "no_article_reason", "escalation_count", "escalated_at",
    "affected_users", "affected_sites", "affected_services", "restricted_reason", "follow_up_at", "replied_at",
    "reopened_by",
)  # fmt: skip


#: Links to other incidents, shown by their references.
RELATIONS = ("recurrence_of", "merged_into", "parent")


def visible_relations(actor: Any, rows: Sequence[Mapping[str, int | None]]) -> list[dict[str, int | None]]:
    """The relations of the rows, less what the actor may not see."""
    seen = queries.visible_numbers(actor, (number for row in rows for number in row.values()))
    return [{name: number if number in seen else None for name, number in row.items()} for row in rows]


def _instant(value: datetime | None) -> str | None:
    """As the stock field writes it, at a tenth of the cost."""
    return None if value is None else value.isoformat().replace("+00:00", "Z")


def shown(row: Any, *, is_staff: bool, relations: Mapping[str, int | None]) -> dict[str, Any]:
    """The answer for a row of `COLUMNS` or for an incident; the order is the one of the schema.

    `relations` are the numbers of other incidents as far as the caller may see those.
    """
    found: dict[str, Any] = {"reference": f"INC-{row.number:06d}"}
    found |= {name: getattr(row, name) for name in _PLAIN if name != "number"}
    found |= {name: _instant(getattr(row, name)) for name in _MOMENTS}
    found |= {name: getattr(row, f"{name}_id") for name in _LINKS}
    found |= {name: None if number is None else f"INC-{number:06d}" for name, number in relations.items()}
    if not is_staff:
        found |= dict.fromkeys(INTERNAL)
    return found


def listed(row: Any, *, is_staff: bool, relations: Mapping[str, int | None]) -> dict[str, Any]:
    """The same for a row of `COLUMNS` as the database gave it, at a third of the cost."""
    values = zip(_NAMES, row[2 : 2 + len(_NAMES)], strict=True)
    found: dict[str, Any] = {"reference": f"INC-{row[1]:06d}", **dict(values)}
    for name in _MOMENTS:
        if found[name] is not None:
            found[name] = _instant(found[name])
    for name, number in relations.items():
        found[name] = None if number is None else f"INC-{number:06d}"
    if not is_staff:
        found |= dict.fromkeys(INTERNAL)
    return found


class IncidentSerializer(StrictSerializer):
    """An incident; every change is a verb, or a PATCH of what may be revised."""

    reference = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    kind = serializers.ChoiceField(choices=Kind.choices)
    channel = serializers.ChoiceField(choices=Channel.choices)
    source_label = serializers.CharField(allow_null=True)
    external_ref = serializers.CharField(allow_null=True)
    state = serializers.ChoiceField(choices=State.choices)
    impact = serializers.IntegerField()
    urgency = serializers.IntegerField()
    priority = serializers.IntegerField(help_text="Derived from impact and urgency, or the override.")
    priority_override = serializers.IntegerField(allow_null=True)
    priority_override_reason = serializers.CharField(allow_null=True)
    is_vip_raised = serializers.BooleanField()
    detected_by = serializers.ChoiceField(choices=DetectedBy.choices, allow_blank=True)
    hold_reason = serializers.CharField()
    resolution_code = serializers.CharField()
    cause_code = serializers.CharField(allow_null=True)
    resolution_notes = serializers.CharField()
    fix_kind = serializers.CharField()
    workaround_outcome = serializers.CharField(allow_null=True)
    confirmation = serializers.CharField()
    cancel_reason = serializers.CharField()
    cancel_detail = serializers.CharField()
    reopen_count = serializers.IntegerField()
    reassignment_count = serializers.IntegerField()
    affected_users = serializers.IntegerField(allow_null=True, help_text="The blast radius, as far as it is known.")
    affected_sites = serializers.IntegerField(allow_null=True)
    affected_services = serializers.IntegerField(allow_null=True)
    workaround_note = serializers.CharField(allow_null=True)
    article_ref = serializers.CharField(allow_null=True)
    no_article_reason = serializers.CharField(allow_null=True)
    escalation_count = serializers.IntegerField(allow_null=True)
    is_restricted = serializers.BooleanField()
    restricted_reason = serializers.CharField(allow_null=True)
    is_drill = serializers.BooleanField()
    is_imported = serializers.BooleanField()
    is_major = serializers.BooleanField()
    version = serializers.IntegerField()
    recurrence_of = serializers.CharField(allow_null=True)
    merged_into = serializers.CharField(allow_null=True, help_text="The incident that it became part of.")

    class Meta:
        ref_name = "Incident"

    def get_fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = super().get_fields()
        # Declared here, because a serializer's attribute of this name is its own.
        fields["parent"] = serializers.CharField(allow_null=True)
        for name in _MOMENTS:
            fields[name] = serializers.DateTimeField(allow_null=name not in ("reported_at", "created_at"))
        for name in _LINKS:
            fields[name] = serializers.IntegerField(allow_null=True)
        for field in fields.values():
            field.read_only, field.required = True, False
        return fields

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Written by hand: the stock way costs more than the query."""
        context = self.context
        view = context["view"]
        numbers = {
            name: getattr(instance, name).number if getattr(instance, f"{name}_id") else None for name in RELATIONS
        }
        (relations,) = visible_relations(view.actor, [numbers])
        return shown(instance, is_staff=view.is_staff_for(instance), relations=relations)


class SimilarSerializer(StrictSerializer):
    """An incident like another, with how it ended."""

    reference = serializers.CharField()
    title = serializers.CharField()
    state = serializers.ChoiceField(choices=State.choices)
    service = serializers.IntegerField(source="service_id", allow_null=True)
    category = serializers.IntegerField(source="category_id", allow_null=True)
    reported_at = serializers.DateTimeField()
    resolved_at = serializers.DateTimeField(allow_null=True)
    resolution_code = serializers.CharField()
    resolution_notes = serializers.CharField()
    alike = serializers.FloatField(help_text="0 to 1.3: the titles' trigrams, 0.15 each for service and category.")


class CommentSerializer(StrictModelSerializer):
    """One message of the conversation."""

    author_label = serializers.SerializerMethodField()

    class Meta:
        model = Comment
        fields: ClassVar[list[str]] = [
            "id", "author", "author_label", "author_kind", "is_public", "nature", "body", "channel", "created_at",
        ]  # fmt: skip
        read_only_fields: ClassVar[list[str]] = fields

    def get_author_label(self, comment: Comment) -> str:
        """A requester reads who wrote, or the team: the names of keys are the desk's own business."""
        if self.context["view"].is_staff_for(self.context["view"].row or comment.incident):
            return comment.author_label
        return author_for_requester(comment)


class ParticipantSerializer(StrictModelSerializer):
    class Meta:
        model = Participant
        fields: ClassVar[list[str]] = ["user", "role", "added_at"]
        read_only_fields: ClassVar[list[str]] = fields


class TimelineEntrySerializer(serializers.ModelSerializer[Event]):
    """One event of the incident's timeline, with the text of the comment that it tells of."""

    meaning = serializers.SerializerMethodField()
    text = serializers.SerializerMethodField()
    data = serializers.SerializerMethodField()  # type: ignore[assignment]
    reason = serializers.SerializerMethodField()
    actor_label = serializers.SerializerMethodField()
    on_behalf_of = serializers.SerializerMethodField()

    class Meta:
        model = Event
        fields: ClassVar[list[str]] = [
            "id", "at", "kind", "meaning", "actor_kind", "actor_label", "on_behalf_of", "channel", "reason", "data",
            "text",
        ]  # fmt: skip

    def get_meaning(self, event: Event) -> str:
        declared = declared_kinds().get(event.kind)
        return declared.meaning if declared else ""

    def get_text(self, event: Event) -> str:
        return str(self.context["texts"].get(event.pk, ""))

    def get_data(self, event: Event) -> dict[str, Any]:
        return event.data if self.context["is_staff"] else {}

    def get_actor_label(self, event: Event) -> str:
        if self.context["is_staff"]:
            return event.actor_label
        return name_for_requester(event, self.context["incident"])

    def get_on_behalf_of(self, event: Event) -> str:
        return event.on_behalf_of if self.context["is_staff"] else ""

    def get_reason(self, event: Event) -> str:
        """What the requester was told anyway: the note of a hold, why it was reopened."""
        is_told = event.kind in ("incident.put_on_hold", "incident.reopened")
        return event.reason if self.context["is_staff"] or is_told else ""


def is_staff_row(actor: Any, row: Any, roles: set[str]) -> bool:
    """Whether the actor reads the internal part of a listed row."""
    return permissions.is_staff_for(
        actor, row, is_participant=bool(roles), is_paged=ParticipantRole.PAGED.value in roles
    )
