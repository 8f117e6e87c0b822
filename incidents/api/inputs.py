"""What the verbs on incidents take."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from accounts.models import Team, User
from audit.rest import InstantField, StrictSerializer, VisibleField
from incidents.api.references import ReferenceField
from incidents.api.shown import IncidentSerializer
from incidents.models import (
    CancelReason,
    Category,
    CauseCode,
    Channel,
    DetectedBy,
    EscalationKind,
    FixKind,
    HoldReason,
    Kind,
    Nature,
    ResolutionCode,
    Service,
    WorkaroundOutcome,
)


def _text(longest: int = 2000, **more: Any) -> Any:
    return serializers.CharField(required=False, allow_blank=True, max_length=longest, **more)


def _category(**more: Any) -> Any:
    return VisibleField(queryset=Category.objects.all(), required=False, allow_null=True, **more)


def _person(**more: Any) -> Any:
    return VisibleField(queryset=User.objects.get_queryset(), required=False, allow_null=True, **more)


def _team(**more: Any) -> Any:
    return VisibleField(queryset=Team.objects.all(), required=False, allow_null=True, **more)


class ResolveInput(StrictSerializer):
    code = serializers.ChoiceField(choices=ResolutionCode.choices)
    cause = serializers.ChoiceField(choices=CauseCode.choices, required=False, allow_blank=True)
    notes = _text(100_000)
    fix_kind = serializers.ChoiceField(choices=FixKind.choices, required=False)
    closing_category = _category()


@functools.cache
def _only_readable(reader: type[serializers.Serializer[Any]]) -> frozenset[str]:
    """What is shown of an incident, but not taken by this reader."""
    return frozenset(IncidentSerializer().fields.keys() - reader().fields.keys())


class _IncidentInput(StrictSerializer):
    """Says of a field that is shown, but not taken, that it is read-only, and by which way it changes."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            readable = _only_readable(type(self))
            cause = "This field is read-only; it is derived, or changed by a verb like resolve or assign."
            if errors := {name: [ErrorDetail(cause, code="read_only_field")] for name in data if name in readable}:
                raise serializers.ValidationError(errors)
        return super().to_internal_value(data)


class ReviseInput(_IncidentInput):
    title = serializers.CharField(required=False, max_length=300)
    description = _text(100_000, trim_whitespace=False)
    kind = serializers.ChoiceField(choices=Kind.choices, required=False)
    impact = serializers.IntegerField(required=False, min_value=1, max_value=10)
    urgency = serializers.IntegerField(required=False, min_value=1, max_value=10)
    category = _category()
    service = VisibleField(queryset=Service.objects.all(), required=False, allow_null=True)
    requester = _person()
    occurred_at = InstantField(required=False, allow_null=True)
    detected_at = InstantField(required=False, allow_null=True)
    detected_by = serializers.ChoiceField(choices=DetectedBy.choices, required=False, allow_blank=True)
    source_label = _text(200)
    external_ref = _text(200)


class NewIncidentInput(ReviseInput):
    title = serializers.CharField(max_length=300)
    channel = serializers.ChoiceField(choices=Channel.choices, default=Channel.API.value)
    team = _team()
    assignee = _person()
    reported_at = InstantField(required=False)
    reported_at_reason = _text(500)
    is_drill = serializers.BooleanField(required=False)
    resolved = ResolveInput(required=False, help_text="Opens it already resolved, as when fixed on the phone.")


class AssignInput(StrictSerializer):
    team = _team()
    assignee = _person()
    reason = _text()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not {"team", "assignee"} & attrs.keys():
            raise serializers.ValidationError({"team": ["Name a team, an assignee, or both."]})
        return attrs


class HoldInput(StrictSerializer):
    reason = serializers.ChoiceField(choices=HoldReason.choices)
    until = InstantField(
        required=False,
        help_text="The wake-up: then it returns to in progress. Only awaiting_requester goes without: the requester is "
        "reminded, and at last it is resolved as no_answer.",
    )
    note = _text()


class ChangeHoldInput(StrictSerializer):
    reason = serializers.ChoiceField(choices=HoldReason.choices, required=False)
    until = InstantField(required=False)
    note = _text()


class NoteInput(StrictSerializer):
    note = _text()


def _reached(**more: Any) -> Any:
    return serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=2_000_000_000, **more)


class ContainInput(StrictSerializer):
    note = serializers.CharField(max_length=2000)
    users = _reached(help_text="How many users it reached.")
    sites = _reached()
    services = _reached()


class EscalateInput(StrictSerializer):
    how = serializers.ChoiceField(choices=EscalationKind.choices)
    reason = serializers.CharField(max_length=2000)
    team = _team(help_text="Functional: this team; without it the next tier.")
    to = _person(help_text="Hierarchical: this person; without it who leads above you.")


class RestrictInput(StrictSerializer):
    reason = serializers.CharField(max_length=2000)


class ConfirmInput(StrictSerializer):
    works = serializers.BooleanField(help_text="True closes it, false opens it again.")
    note = _text()


class ReopenInput(StrictSerializer):
    reason = _text()


class CloseInput(StrictSerializer):
    confirmation = _text(300, help_text="How restoration was confirmed; the requester need not say.")
    cause = serializers.ChoiceField(choices=CauseCode.choices, required=False, allow_blank=True)
    closing_category = _category()
    notes = _text(100_000)
    article = _text(300, help_text="The article that says how it is solved.")
    no_article_reason = _text(500, help_text="Why there is none.")


class CancelInput(StrictSerializer):
    reason = serializers.ChoiceField(choices=CancelReason.choices, help_text="`merged` only by the verb merge.")
    detail = _text(500)


class OverrideInput(StrictSerializer):
    priority = serializers.IntegerField(min_value=1, max_value=5, allow_null=True, help_text="Null lifts the override.")
    reason = serializers.CharField(max_length=2000)
    until = InstantField(required=False, allow_null=True)


class SettleWorkaroundInput(StrictSerializer):
    outcome = serializers.ChoiceField(choices=WorkaroundOutcome.choices)
    reason = _text()


class OpenAgainInput(StrictSerializer):
    description = _text(100_000)
    reason = _text()


class MergeInput(StrictSerializer):
    into = ReferenceField(help_text="Reference of the incident that lives on.")
    reason = _text()
    confirmation = _text(
        64, help_text="With two requesters: the `confirmation` of the refusal, after reading its `readers`."
    )


class CommentInput(StrictSerializer):
    body = serializers.CharField(max_length=100_000, trim_whitespace=False)
    is_public = serializers.BooleanField(required=False, help_text="Left out: internal by the desk, public by you.")
    nature = serializers.ChoiceField(choices=Nature.choices, default=Nature.PERSON.value)


class WatchInput(StrictSerializer):
    user = VisibleField(queryset=User.objects.get_queryset(), required=False, help_text="Yourself when left out.")
