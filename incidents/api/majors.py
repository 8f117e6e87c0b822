"""Major incidents by REST: proposed, decided, led, told about, ended."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action as extra_route
from rest_framework.request import Request
from rest_framework.response import Response

import incidents.actions
from accounts.models import User
from audit.rest import ApiViewSet, Call, StrictModelSerializer, StrictSerializer, VisibleField, verb
from incidents.api.shown import CommentSerializer
from incidents.models import MajorIncident


def _person() -> Any:
    return VisibleField(queryset=User.objects.get_queryset(), required=False, allow_null=True)


class MajorReasonInput(StrictSerializer):
    reason = serializers.CharField(max_length=2000)


class MajorRolesInput(StrictSerializer):
    commander = _person()
    communications_lead = _person()
    scribe = _person()


class AcceptMajorInput(MajorRolesInput):
    reason = serializers.CharField(required=False, allow_blank=True, max_length=2000)


class MajorUpdateInput(StrictSerializer):
    body = serializers.CharField(max_length=100_000, trim_whitespace=False)


class MajorClosingInput(StrictSerializer):
    owner = VisibleField(queryset=User.objects.get_queryset())
    close_on = serializers.DateField()


class MajorSerializer(StrictModelSerializer):
    """A proposal that the incident is a major one, and what became of it."""

    incident = serializers.CharField(source="incident.reference", read_only=True)

    class Meta:
        model = MajorIncident
        fields: ClassVar[list[str]] = [
            "incident", "state", "reason", "proposed_at", "proposed_by", "decide_by_at", "overdue_at", "decided_at",
            "decided_by", "decision", "demoted_at", "demoted_by", "demotion", "commander", "communications_lead",
            "scribe", "closing_owner", "close_on", "version",
        ]  # fmt: skip
        read_only_fields: ClassVar[list[str]] = fields


class MajorRoutes(ApiViewSet):
    """The major incident of an incident: the newest proposal and its verbs."""

    @extend_schema(responses=MajorSerializer, filters=False)
    @extra_route(detail=True, methods=["get"], url_path="major")
    def major(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The newest proposal; 404 where it was never proposed."""
        row = (
            MajorIncident.objects.filter(incident=self.get_object()).select_related("incident").order_by("-id").first()
        )
        if row is None:
            raise Http404
        return self.respond(row, shown_by=MajorSerializer)

    @verb(MajorReasonInput, shows=MajorSerializer, status=status.HTTP_201_CREATED)
    def propose_major(self, call: Call) -> MajorIncident:
        """Says that this is a major incident; somebody decides within ten minutes, else is paged."""
        return incidents.actions.propose_major(**_of(call), **call.data)

    @verb(AcceptMajorInput, shows=MajorSerializer)
    def accept_major(self, call: Call) -> MajorIncident:
        """It is one. Who accepts commands, unless somebody is named."""
        return incidents.actions.accept_major(**_of(call), **call.data)

    @verb(MajorReasonInput, shows=MajorSerializer)
    def reject_major(self, call: Call) -> MajorIncident:
        """It is none."""
        return incidents.actions.reject_major(**_of(call), **call.data)

    @verb(MajorReasonInput, shows=MajorSerializer)
    def demote_major(self, call: Call) -> MajorIncident:
        """It is no longer one."""
        return incidents.actions.demote_major(**_of(call), **call.data)

    @verb(MajorRolesInput, shows=MajorSerializer)
    def set_major_roles(self, call: Call) -> MajorIncident:
        """Names commander, communications lead and scribe; null empties."""
        return incidents.actions.set_major_roles(incident=call.row, values=dict(call.data), by=call.by, at=call.at)

    @verb(MajorUpdateInput, shows=CommentSerializer, status=status.HTTP_201_CREATED)
    def give_update(self, call: Call) -> Any:
        """Tells everyone how it stands; the next update is promised anew."""
        return incidents.actions.give_update(incident=call.row, by=call.by, at=call.at, **call.data)

    @verb(MajorClosingInput, shows=MajorSerializer)
    def plan_closing(self, call: Call) -> MajorIncident:
        """Who closes it, and on which day: it never closes by itself."""
        return incidents.actions.plan_closing(incident=call.row, by=call.by, at=call.at, **call.data)


def _of(call: Call) -> dict[str, Any]:
    return {"incident": call.row, "by": call.by, "at": call.at, "expected_version": call.expected_version}
