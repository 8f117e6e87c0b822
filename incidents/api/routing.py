"""Routing rules by REST, what they would have done, and why an incident is where it is."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import Http404
from rest_framework import serializers
from rest_framework.response import Response

import incidents.actions
from accounts.roles import STAFF, Role
from audit.actor import Actor
from audit.rest import Call, ConfigViewSet, StrictModelSerializer, StrictSerializer, verb
from incidents import queries
from incidents.models import RoutingRule
from incidents.routing import CONDITIONS


class RoutingRuleSerializer(StrictModelSerializer):
    """One line of the list; empty conditions hold for every incident, the first match names the team."""

    class Meta:
        model = RoutingRule
        fields: ClassVar[list[str]] = ["id", "name", "position", "is_active", *CONDITIONS, "team", "version"]
        read_only_fields: ClassVar[list[str]] = ["version"]


class DryRunInput(StrictSerializer):
    """`rule` is a draft as it would be saved; with `replaces` it stands in for the rule of that id."""

    last = serializers.IntegerField(min_value=1, max_value=queries.LONGEST_DRY_RUN, default=200)
    rule = RoutingRuleSerializer(required=False)
    replaces = serializers.PrimaryKeyRelatedField(queryset=RoutingRule.objects.all(), required=False)


class TriedSerializer(serializers.Serializer[Any]):
    incident = serializers.CharField(source="incident.reference")
    title = serializers.CharField(source="incident.title")
    team = serializers.CharField()
    before = serializers.CharField()
    would_be = serializers.CharField()
    by = serializers.ChoiceField(choices=["rule", "service", "triage"])
    rule = serializers.CharField()
    moves = serializers.BooleanField()


class DryRunSerializer(serializers.Serializer[Any]):
    """How many of the newest incidents each rule takes, and which would go elsewhere than `before`.

    With a draft `before` is where the rules in force would send it, without one the team that has it.
    """

    considered = serializers.IntegerField()
    moved = serializers.IntegerField()
    by_rule = serializers.DictField(child=serializers.IntegerField())
    incidents = TriedSerializer(many=True)


class WhyTeamSerializer(serializers.Serializer[Any]):
    """What put an incident into its queue, as recorded then; `by` is rule, service, triage, named, or a cause."""

    team = serializers.CharField(allow_null=True)
    by = serializers.CharField()
    rule = serializers.CharField(allow_blank=True)
    rule_version = serializers.IntegerField(allow_null=True)
    at = serializers.DateTimeField(allow_null=True)
    who = serializers.CharField(allow_blank=True)
    reason = serializers.CharField(allow_blank=True)

    @staticmethod
    def of(why: queries.WhyTeam | None) -> dict[str, Any]:
        if why is None:
            return {"team": None, "by": "nobody", "rule": "", "rule_version": None, "at": None, "who": "", "reason": ""}
        told = why.event
        return {
            "team": why.team, "by": why.by, "rule": why.rule, "rule_version": why.rule_version or None, "at": told.at,
            "who": told.actor_label, "reason": told.reason,
        }  # fmt: skip


class RoutingRuleViewSet(ConfigViewSet):
    """The rules by which a new incident finds its team, in the order in which they are tried."""

    queryset = RoutingRule.objects.all()
    serializer_class = RoutingRuleSerializer
    filterset_fields: ClassVar[dict[str, list[str]]] = {"is_active": ["exact"], "team": ["exact"]}
    search_fields = ("name",)
    ordering: ClassVar[tuple[str, ...]] = ("position",)

    def get_queryset(self) -> QuerySet[Any]:
        """Requesters need not know how the desk sorts."""
        rows = super().get_queryset()
        return rows if may_read_rules(self.actor) else rows.none()

    def create_row(self, values: dict[str, Any]) -> RoutingRule:
        return incidents.actions.create_routing_rule(values=values, by=self.actor, at=self.now)

    def change_row(self, row: RoutingRule, values: dict[str, Any], expected_version: int | None) -> RoutingRule:
        return incidents.actions.change_routing_rule(
            rule=row, values=values, by=self.actor, at=self.now, expected_version=expected_version
        )

    def remove_row(self, row: RoutingRule, expected_version: int | None) -> None:
        incidents.actions.remove_routing_rule(rule=row, by=self.actor, at=self.now, expected_version=expected_version)

    @verb(DryRunInput, detail=False, shows=DryRunSerializer)
    def dry_run(self, call: Call) -> Response:
        """What these rules would have done with the newest incidents that the caller may see; changes nothing."""
        if not may_read_rules(call.by):
            raise Http404
        draft = RoutingRule(**call.data["rule"]) if "rule" in call.data else None
        rules = queries.rules_with(draft, replacing=call.data.get("replaces"))
        compared = queries.rules_with() if draft is not None or call.data.get("replaces") else None
        return Response(summary(queries.try_rules(rules, call.by, call.data["last"], instead_of=compared)))


def may_read_rules(actor: Actor) -> bool:
    return actor.has_role(*STAFF, Role.INTEGRATION)


def summary(tried: list[queries.Tried]) -> dict[str, Any]:
    taken: dict[str, int] = {}
    for one in tried:
        taken[one.rule or one.by] = taken.get(one.rule or one.by, 0) + 1
    moved = [one for one in tried if one.moves]
    shown: dict[str, Any] = {"considered": len(tried), "moved": len(moved), "by_rule": taken}
    return {**shown, "incidents": TriedSerializer(moved, many=True).data}
