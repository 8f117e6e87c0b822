"""Rotas, escalation policies, pages and breach rules by REST."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django_filters import rest_framework as django_filters
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action as extra_route
from rest_framework.request import Request
from rest_framework.response import Response

import oncall.actions
from accounts.models import Team, User
from audit.rest import (
    Call,
    ConfigViewSet,
    InstantField,
    ReadViewSet,
    StrictFilterSet,
    StrictModelSerializer,
    StrictSerializer,
    verb,
)
from incidents.models import Service
from oncall import queries
from oncall.models import (
    BreachRule,
    EscalationPolicy,
    Layer,
    Level,
    LevelTarget,
    Override,
    Page,
    PageNotification,
    Schedule,
)


class MembersField(serializers.ManyRelatedField):
    """The people of a layer in their order; somebody may stand in it more than once."""

    def get_attribute(self, instance: Any) -> Any:
        return [one.user for one in sorted(instance.members.all(), key=lambda one: one.position)]


class LayerSerializer(StrictModelSerializer):
    members = MembersField(child_relation=serializers.PrimaryKeyRelatedField(queryset=User.objects.all()))
    restrictions = serializers.ListField(child=serializers.DictField(), required=False, max_length=200)

    class Meta:
        model = Layer
        fields: ClassVar[list[str]] = [
            "name", "priority", "unit", "shift_length", "n_on_at_once", "start_on", "handover_time", "ends_at",
            "restrictions", "members",
        ]  # fmt: skip
        validators: ClassVar[list[Any]] = []


class OverrideSerializer(StrictModelSerializer):
    class Meta:
        model = Override
        fields: ClassVar[list[str]] = ["user", "starts_at", "ends_at"]


class ScheduleSerializer(StrictModelSerializer):
    """A rota; `layers` and `overrides` replace what was there when they are given."""

    layers = LayerSerializer(many=True, required=False)
    overrides = OverrideSerializer(many=True, required=False)

    class Meta:
        model = Schedule
        fields: ClassVar[list[str]] = ["id", "name", "zone", "team", "layers", "overrides", "changed_at", "version"]
        read_only_fields: ClassVar[list[str]] = ["changed_at", "version"]


class MomentInput(StrictSerializer):
    at = InstantField(required=False)


class OnCallSerializer(serializers.Serializer[Any]):
    """Who is on call by a schedule at an instant; nobody in a gap."""

    at = serializers.DateTimeField()
    users = serializers.ListField(child=serializers.IntegerField())
    names = serializers.ListField(child=serializers.CharField())


class ScheduleViewSet(ConfigViewSet):
    """Rotas in layers, with overrides."""

    queryset = Schedule.objects.prefetch_related("layers__members__user", "overrides")
    serializer_class = ScheduleSerializer
    filterset_fields: ClassVar[dict[str, list[str]]] = {"team": ["exact"], "name": ["exact"]}
    search_fields = ("name",)

    def create_row(self, values: dict[str, Any]) -> Schedule:
        return self._again(oncall.actions.save_schedule(values=values, by=self.actor, at=self.now))

    def change_row(self, row: Schedule, values: dict[str, Any], expected_version: int | None) -> Schedule:
        saved = oncall.actions.save_schedule(
            schedule=row, values=values, by=self.actor, at=self.now, expected_version=expected_version
        )
        return self._again(saved)

    def _again(self, schedule: Schedule) -> Schedule:
        found: Schedule = self.get_queryset().get(pk=schedule.pk)
        return found

    @extend_schema(
        responses=OnCallSerializer, filters=False,
        parameters=[OpenApiParameter("at", {"type": "string", "format": "date-time"}, description="Default: now.")],
    )  # fmt: skip
    @extra_route(detail=True, methods=["get"], url_path="on-call")
    def on_call(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Who is on call now, or at `at`."""
        schedule = self.get_object()
        parsed = MomentInput(data=request.query_params.dict())
        parsed.is_valid(raise_exception=True)
        at = parsed.validated_data.get("at", self.now)
        people = queries.who_is_on_call(schedule, at)
        shown = {"at": at, "users": [user.pk for user in people], "names": [str(user) for user in people]}
        return Response(OnCallSerializer(shown).data)


class TargetSerializer(StrictModelSerializer):
    """A person, a team or a schedule: just one of them."""

    class Meta:
        model = LevelTarget
        fields: ClassVar[list[str]] = ["user", "team", "schedule"]


class LevelSerializer(StrictModelSerializer):
    targets = TargetSerializer(many=True)

    class Meta:
        model = Level
        fields: ClassVar[list[str]] = ["delay_s", "targets"]


class EscalationPolicySerializer(StrictModelSerializer):
    """Levels in order; the first is told at once, each next one after the wait of the one before."""

    levels = LevelSerializer(many=True)
    services = serializers.SerializerMethodField()
    teams = serializers.SerializerMethodField()

    class Meta:
        model = EscalationPolicy
        fields: ClassVar[list[str]] = [
            "id", "name", "is_active", "priority_threshold", "urgency", "repeats", "ack_timeout_s", "fallback_user",
            "fallback_team", "fallback_policy", "levels", "services", "teams", "changed_at", "version",
        ]  # fmt: skip
        read_only_fields: ClassVar[list[str]] = ["changed_at", "version"]

    def get_services(self, policy: EscalationPolicy) -> list[int]:
        return sorted(one.service_id for one in policy.assignments.all() if one.service_id)

    def get_teams(self, policy: EscalationPolicy) -> list[int]:
        return sorted(one.team_id for one in policy.assignments.all() if one.team_id)


class PagesForInput(StrictSerializer):
    """A service or a team, not both."""

    service = serializers.PrimaryKeyRelatedField(queryset=Service.objects.all(), required=False)
    team = serializers.PrimaryKeyRelatedField(queryset=Team.objects.all(), required=False)


class EscalationPolicyViewSet(ConfigViewSet):
    """Who is paged in which order; refused when it would page nobody, or go in circles."""

    queryset = EscalationPolicy.objects.prefetch_related("levels__targets", "assignments")
    serializer_class = EscalationPolicySerializer
    filterset_fields: ClassVar[dict[str, list[str]]] = {"is_active": ["exact"], "name": ["exact"]}
    search_fields = ("name",)

    def create_row(self, values: dict[str, Any]) -> EscalationPolicy:
        return self._again(oncall.actions.save_policy(values=values, by=self.actor, at=self.now))

    def change_row(
        self, row: EscalationPolicy, values: dict[str, Any], expected_version: int | None
    ) -> EscalationPolicy:
        saved = oncall.actions.save_policy(
            policy=row, values=values, by=self.actor, at=self.now, expected_version=expected_version
        )
        return self._again(saved)

    @verb(PagesForInput)
    def assign(self, call: Call) -> EscalationPolicy:
        """Lets it page for a service, or for a team whose service has no policy."""
        oncall.actions.assign_policy(policy=call.row, by=call.by, at=call.at, **call.data)
        return self._again(call.row)

    @verb(PagesForInput)
    def unassign(self, call: Call) -> EscalationPolicy:
        """Takes it away from a service or team again."""
        oncall.actions.assign_policy(policy=None, by=call.by, at=call.at, **call.data)
        return self._again(call.row)

    def _again(self, policy: EscalationPolicy) -> EscalationPolicy:
        found: EscalationPolicy = self.get_queryset().get(pk=policy.pk)
        return found


class NotificationSerializer(StrictModelSerializer):
    """What went to whom, and what became of it."""

    state = serializers.CharField(source="message.state")
    channel = serializers.CharField(source="message.channel")
    uncertain_count = serializers.IntegerField(source="message.uncertain_count")
    sent_at = serializers.DateTimeField(source="message.sent_at")

    class Meta:
        model = PageNotification
        fields: ClassVar[list[str]] = [
            "round", "level", "user", "channel", "state", "uncertain_count", "created_at", "sent_at",
        ]  # fmt: skip


class PageSerializer(StrictModelSerializer):
    incident = serializers.CharField(source="incident.reference", read_only=True)
    policy_name = serializers.CharField(read_only=True)
    notifications = NotificationSerializer(many=True, read_only=True)

    class Meta:
        model = Page
        fields: ClassVar[list[str]] = [
            "id", "incident", "policy", "policy_name", "cause", "state", "round", "level", "escalate_at", "started_at",
            "acknowledged_at", "acknowledged_by", "ended_at", "end_cause", "is_drill", "notifications",
        ]  # fmt: skip
        read_only_fields = fields


class PageFilter(StrictFilterSet):
    incident = django_filters.CharFilter(method="of_incident", label="reference of an incident")

    class Meta:
        model = Page
        fields: ClassVar[list[str]] = ["state", "policy", "acknowledged_by", "is_drill"]

    def of_incident(self, rows: QuerySet[Page], name: str, value: str) -> QuerySet[Page]:
        digits = value.strip().upper().removeprefix("INC-")
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else 0
        return rows.filter(incident__number=number)


class PageViewSet(ReadViewSet):
    """Pages of the incidents that the caller sees, newest first."""

    queryset = Page.objects.select_related("incident").prefetch_related("notifications__message")
    serializer_class = PageSerializer
    filterset_class = PageFilter
    speaks_versions = False

    @verb()
    def acknowledge(self, call: Call) -> Page:
        """ "I am on it", by a named person: the incident is acknowledged too, and nothing more goes out."""
        return self._again(oncall.actions.acknowledge_page(page_id=call.row.pk, by=call.by, at=call.at))

    @verb(path="pass-on")
    def pass_on(self, call: Call) -> Page:
        """Pages the next level at once."""
        return self._again(oncall.actions.pass_on(page_id=call.row.pk, by=call.by, at=call.at))

    @verb()
    def extend(self, call: Call) -> Page:
        """Half an hour more for the holder before the page runs again."""
        return self._again(oncall.actions.extend(page_id=call.row.pk, by=call.by, at=call.at))

    def _again(self, page: Page) -> Page:
        found: Page = self.get_queryset().get(pk=page.pk)
        return found


class BreachRuleSerializer(StrictModelSerializer):
    class Meta:
        model = BreachRule
        fields: ClassVar[list[str]] = [
            "id", "name", "is_active", "target", "percent", "sla_policy", "priority_threshold", "escalation_policy",
            "version",
        ]  # fmt: skip
        read_only_fields: ClassVar[list[str]] = ["version"]


class BreachRuleViewSet(ConfigViewSet):
    """Which thresholds and breaches page."""

    queryset = BreachRule.objects.all()
    serializer_class = BreachRuleSerializer
    filterset_fields: ClassVar[dict[str, list[str]]] = {
        "is_active": ["exact"],
        "target": ["exact"],
        "escalation_policy": ["exact"],
    }
    search_fields = ("name",)


ROUTES = [
    ("schedules", ScheduleViewSet),
    ("escalation-policies", EscalationPolicyViewSet),
    ("pages", PageViewSet),
    ("breach-rules", BreachRuleViewSet),
]
