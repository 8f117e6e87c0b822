"""An incident named in a body by its reference: what the caller may not see does not exist."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from audit.rest import actor_of
from incidents import queries
from incidents.models import Incident


@extend_schema_field(OpenApiTypes.STR)
class ReferenceField(serializers.Field[Incident, Any, str, Any]):
    """`INC-000123` or `123`; 404 for what is not there or not visible."""

    def to_internal_value(self, data: Any) -> Incident:
        if isinstance(data, bool) or not isinstance(data, (str, int)):
            raise serializers.ValidationError("Give a reference like INC-000123.", code="invalid")
        found = queries.visible_by_reference(actor_of(self.context["request"]), str(data)[:40])
        if found is None:
            raise Http404
        return found

    def to_representation(self, value: Incident) -> str:
        return value.reference
