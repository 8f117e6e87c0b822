"""Ratings by REST: a requester gives one, a lead settles a low one."""

from __future__ import annotations

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

import metrics.actions
from audit.actions import Invalid
from audit.rest import Call, StrictFilterSet, StrictModelSerializer, StrictSerializer, TrackedViewSet, verb
from incidents.models import Incident
from incidents.queries import number_of
from metrics.models import HIGHEST, LOWEST, Rating


class RatingSerializer(StrictModelSerializer):
    """What the requester said of a resolution; `cycle` counts resolutions."""

    incident = serializers.CharField(source="incident.reference", read_only=True)

    class Meta:
        model = Rating
        fields: ClassVar[list[str]] = [
            "id", "incident", "respondent", "cycle", "score", "is_low", "comment", "rated_at", "changed_at",
            "settled_at", "settled_by", "settlement", "version",
        ]  # fmt: skip
        read_only_fields = fields


class RateInput(StrictSerializer):
    incident = serializers.CharField(max_length=40, help_text="A reference, INC-000123.")
    score = serializers.IntegerField(min_value=LOWEST, max_value=HIGHEST)
    comment = serializers.CharField(max_length=2000, required=False, allow_blank=True)


class SettleRatingInput(StrictSerializer):
    note = serializers.CharField(max_length=2000)


class RatingFilter(StrictFilterSet):
    incident = django_filters.CharFilter(method="of_incident", label="reference of an incident")
    to_settle = django_filters.BooleanFilter(method="only_to_settle", label="low, and nobody looked into it yet")
    rated_since = django_filters.IsoDateTimeFilter(field_name="rated_at", lookup_expr="gte")
    rated_until = django_filters.IsoDateTimeFilter(field_name="rated_at", lookup_expr="lt")

    class Meta:
        model = Rating
        fields: ClassVar[dict[str, list[str]]] = {"score": ["exact", "lte", "gte"], "cycle": ["exact"]}

    def of_incident(self, rows: QuerySet[Rating], name: str, value: str) -> QuerySet[Rating]:
        return rows.filter(incident__number=number_of(value) or 0)

    def only_to_settle(self, rows: QuerySet[Rating], name: str, value: bool) -> QuerySet[Rating]:
        low = Rating.objects.to_settle().values("pk")
        return rows.filter(pk__in=low) if value else rows.exclude(pk__in=low)


class RatingViewSet(TrackedViewSet):
    """What requesters said of resolutions, 1 to 5: one answer for each resolution and respondent."""

    queryset = Rating.objects.select_related("incident")
    serializer_class = RatingSerializer
    filterset_class = RatingFilter

    @extend_schema(request=RateInput, responses={200: RatingSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Rates the present resolution of the caller's own incident, or corrects that within a day."""
        return self.once(self._create)

    def _create(self) -> Response:
        given = RateInput.parse(self.request.data, self.get_serializer_context())
        number = number_of(given.pop("incident"))
        incident = Incident.objects.visible_to(self.actor).filter(number=number or 0).first()
        if incident is None:
            raise Invalid("there is no such incident", field="incident", remedy="give the reference of your incident")
        return self.respond(metrics.actions.rate(incident=incident, **given, by=self.actor, at=self.now))

    @verb(SettleRatingInput)
    def settle(self, call: Call) -> Rating:
        """A lead says what came of a low rating."""
        return metrics.actions.settle_rating(
            rating=call.row, by=call.by, at=call.at, expected_version=call.expected_version, **call.data
        )


ROUTES: list[tuple[str, Any]] = [("ratings", RatingViewSet)]
