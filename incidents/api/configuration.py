"""Categories, services, rules on closing and escalation, and the versions of the priority matrix by REST."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers

import incidents.actions
from audit.rest import Call, ConfigViewSet, StrictModelSerializer, StrictSerializer, VisibleField, verb
from incidents.models import Category, ClosingRule, EscalationRule, PriorityMatrix, Service


class CategorySerializer(StrictModelSerializer):
    path = serializers.SerializerMethodField()

    class Meta:
        model = Category
        fields: ClassVar[list[str]] = ["id", "name", "parent", "path", "is_active", "version"]
        read_only_fields: ClassVar[list[str]] = ["version"]

    def get_path(self, category: Category) -> str:
        return str(category)


class RetireCategoryInput(StrictSerializer):
    successor = VisibleField(queryset=Category.objects.all(), required=False, allow_null=True)
    reason = serializers.CharField(required=False, default="", allow_blank=True, max_length=1000)


class CategoryViewSet(ConfigViewSet):
    """The category tree, at most three deep."""

    queryset = Category.objects.select_related("parent__parent")
    serializer_class = CategorySerializer
    filterset_fields: ClassVar[dict[str, list[str]]] = {"parent": ["exact", "isnull"], "is_active": ["exact"]}
    search_fields = ("name",)

    def change_row(self, row: Category, values: dict[str, Any], expected_version: int | None) -> Category:
        return incidents.actions.change_category(
            category=row, values=values, by=self.actor, at=self.now, expected_version=expected_version
        )

    @verb(RetireCategoryInput)
    def retire(self, call: Call) -> Category:
        """Ends a category; its open incidents go to the successor."""
        return incidents.actions.retire_category(
            category=call.row, by=call.by, at=call.at, expected_version=call.expected_version, **call.data
        )


class ServiceSerializer(StrictModelSerializer):
    class Meta:
        model = Service
        fields: ClassVar[list[str]] = [
            "id", "name", "slug", "description", "owner_team", "criticality", "is_active", "version",
        ]  # fmt: skip
        read_only_fields: ClassVar[list[str]] = ["version"]


class ServiceViewSet(ConfigViewSet):
    """What people use and a team answers for."""

    queryset = Service.objects.all()
    serializer_class = ServiceSerializer
    filterset_fields: ClassVar[dict[str, list[str]]] = {
        "slug": ["exact"],
        "owner_team": ["exact"],
        "criticality": ["exact"],
        "is_active": ["exact"],
    }
    search_fields = ("name", "slug")


class PriorityMatrixSerializer(StrictModelSerializer):
    class Meta:
        model = PriorityMatrix
        fields: ClassVar[list[str]] = [
            "number", "name", "rows", "impacts", "urgencies", "vip_raises_urgency", "is_current", "created_at",
            "version",
        ]  # fmt: skip
        read_only_fields: ClassVar[list[str]] = ["number", "is_current", "created_at", "version"]
        extra_kwargs: ClassVar[dict[str, Any]] = {"rows": {"required": True}}


class PriorityMatrixViewSet(ConfigViewSet):
    """Impact x urgency -> priority. A POST saves a new version and puts it in force; no version is ever changed."""

    queryset = PriorityMatrix.objects.all()
    serializer_class = PriorityMatrixSerializer
    lookup_field = "number"
    lookup_value_regex = "[0-9]{1,9}"
    ordering = ("-number",)
    http_method_names = ["get", "post", "head", "options"]
    filterset_fields: ClassVar[dict[str, list[str]]] = {"is_current": ["exact"]}

    def create_row(self, values: dict[str, Any]) -> PriorityMatrix:
        return incidents.actions.change_matrix(by=self.actor, at=self.now, **values)


class ClosingRuleSerializer(StrictModelSerializer):
    class Meta:
        model = ClosingRule
        fields: ClassVar[list[str]] = ["id", "kind", "required", "version"]
        read_only_fields: ClassVar[list[str]] = ["version"]


class ClosingRuleViewSet(ConfigViewSet):
    """What a person has to say before an incident of a kind is closed."""

    queryset = ClosingRule.objects.all()
    serializer_class = ClosingRuleSerializer
    filterset_fields: ClassVar[dict[str, list[str]]] = {"kind": ["exact"]}


class EscalationRuleSerializer(StrictModelSerializer):
    class Meta:
        model = EscalationRule
        fields: ClassVar[list[str]] = ["id", "name", "trigger", "value", "how", "team", "is_active", "version"]
        read_only_fields: ClassVar[list[str]] = ["version"]


class EscalationRuleViewSet(ConfigViewSet):
    """When the system escalates: by priority, or by how often the team changed."""

    queryset = EscalationRule.objects.all()
    serializer_class = EscalationRuleSerializer
    filterset_fields: ClassVar[dict[str, list[str]]] = {"trigger": ["exact"], "is_active": ["exact"]}
