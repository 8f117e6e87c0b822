"""The numbers by REST: each with its definition, what is left out and why, the range before, and the rows behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_serializer
from rest_framework import exceptions, serializers
from rest_framework.decorators import action as extra_route
from rest_framework.request import Request
from rest_framework.response import Response

from audit.actions import Forbidden
from audit.rest import ApiViewSet
from audit.rest.filters import refuse_unknown
from metrics.definitions import DAYS, METRICS, WHY, Metric
from metrics.fold import Why
from metrics.forms import AskForm
from metrics.models import Tally
from metrics.permissions import can_see_numbers
from metrics.queries import numbers, rows
from metrics.queries.computing import day_of, zone
from metrics.queries.numbers import Asked, Numbers

_ASKED = ("from", "to", "team", "service", "priority", "channel")
PARAMETERS = [
    OpenApiParameter("from", str, description="First day, 2026-03-01; 30 days before the last one unless given."),
    OpenApiParameter("to", str, description="Last day, counted; today unless given."),
    OpenApiParameter("team", int, description="Id of a team; those below it count too."),
    OpenApiParameter("service", int, description="Id of a service."),
    OpenApiParameter("priority", int, description="1 to 5."),
    OpenApiParameter("channel", str, description="phone, chat, walk_in, portal, mail, api or alert."),
]


class LeftOutSerializer(serializers.Serializer[Any]):
    """A reason why rows are left out."""

    reason = serializers.CharField()
    meaning = serializers.CharField()
    n = serializers.IntegerField()


class FiguresSerializer(serializers.Serializer[Any]):
    """Durations in seconds, shares in percent; null where nothing counts."""

    n = serializers.IntegerField()
    total = serializers.IntegerField()
    mean = serializers.FloatField(allow_null=True)
    share = serializers.FloatField(allow_null=True)
    median = serializers.IntegerField(allow_null=True)
    p90 = serializers.IntegerField(allow_null=True)
    left_out = LeftOutSerializer(many=True)


class MetricSerializer(serializers.Serializer[Any]):
    """One number in a range, and in the range of the same length before."""

    metric = serializers.CharField()
    name = serializers.CharField()
    definition = serializers.CharField()
    unit = serializers.CharField(help_text="duration (seconds), count, share (percent), score or volume")
    counted_on = serializers.CharField(help_text="reported_on or resolved_on")
    now = FiguresSerializer()
    before = FiguresSerializer()


class BacklogSerializer(serializers.Serializer[Any]):
    """What is open at the end of the range, and its age in seconds."""

    at = serializers.DateTimeField()
    n = serializers.IntegerField()
    median = serializers.IntegerField(allow_null=True)
    p90 = serializers.IntegerField(allow_null=True)
    oldest = serializers.IntegerField(allow_null=True)


@extend_schema_serializer(many=False)
class ReportSerializer(serializers.Serializer[Any]):
    """All numbers of a range of days."""

    first = serializers.DateField()
    last = serializers.DateField()
    zone = serializers.CharField()
    backlog = BacklogSerializer()
    results = MetricSerializer(many=True)


class StretchSerializer(serializers.Serializer[Any]):
    """A part of the range; its median is that of a bucket, at most 1.6 % too low."""

    first = serializers.DateField()
    last = serializers.DateField()
    n = serializers.IntegerField()
    median = serializers.IntegerField(allow_null=True)
    left_out = serializers.IntegerField()


class OneMetricSerializer(MetricSerializer):
    """A number with its course over the range."""

    series = StretchSerializer(many=True)


class RowSerializer(serializers.Serializer[Any]):
    """An incident behind a number: its value, or why it is left out."""

    incident = serializers.CharField(source="reference")
    title = serializers.CharField()
    state = serializers.CharField()
    priority = serializers.IntegerField()
    day = serializers.DateField()
    value = serializers.IntegerField(allow_null=True)
    reason = serializers.SerializerMethodField()

    def get_reason(self, row: rows.Row) -> str:
        return "" if row.why is Why.COUNTED else row.why.name.lower()


class RowsSerializer(serializers.Serializer[Any]):
    """A page of rows, the newest first; `next` is the `after` of the next page, empty at the end."""

    results = RowSerializer(many=True)
    next = serializers.CharField(allow_blank=True)


def _figures(found: Numbers) -> dict[str, Any]:
    left = [{"reason": why.name.lower(), "meaning": str(WHY[why]), "n": n} for why, n in found.excluded.items()]
    return {
        "n": found.n, "total": found.total, "mean": found.mean, "share": found.share, "median": found.median,
        "p90": found.p90, "left_out": left,
    }  # fmt: skip


def _shown(now: Numbers, before: Numbers) -> dict[str, Any]:
    metric = now.metric
    return {
        "metric": metric.slug, "name": str(metric.label), "unit": metric.shape.value, "counted_on": metric.day.value,
        "definition": f"{metric.definition} {DAYS[metric.day]}", "now": _figures(now), "before": _figures(before),
    }  # fmt: skip


class NumbersViewSet(ApiViewSet):
    """Numbers for leads (of the teams that they lead), managers, incident managers, admins and auditors."""

    scope = "metrics"
    speaks_versions = False
    queryset = Tally.objects.none()
    serializer_class = MetricSerializer
    lookup_field = "slug"
    lookup_value_regex = "[a-z_]+"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not can_see_numbers(self.actor):
            raise Forbidden(f"{self.actor.label} may not see the numbers", remedy="ask a lead or a manager")

    def _asked(self, *more: str) -> Asked:
        given = self.request.query_params
        refuse_unknown(given, {*_ASKED, *more})
        form = AskForm(given, actor=self.actor, today=day_of(self.now))
        if not form.is_valid():
            raise exceptions.ValidationError(
                {
                    name: [exceptions.ErrorDetail(str(error), "invalid") for error in errors]
                    for name, errors in form.errors.items()
                }
            )
        return form.asked()

    def _metric(self, slug: str) -> Metric:
        if slug not in METRICS:
            raise Http404
        return METRICS[slug]

    @extend_schema(parameters=PARAMETERS, responses=ReportSerializer)
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Every number of a range, beside the range before; and the backlog at its end."""
        asked = self._asked()
        now, before = numbers.numbers(asked), numbers.numbers(asked.before())
        report: Mapping[str, Any] = {
            "first": asked.first, "last": asked.last, "zone": str(zone()),
            "backlog": numbers.backlog(asked, self.now),
            "results": [_shown(now[slug], before[slug]) for slug in METRICS],
        }  # fmt: skip
        return Response(ReportSerializer(report).data)

    @extend_schema(parameters=PARAMETERS, responses=OneMetricSerializer)
    def retrieve(self, request: Request, slug: str, *args: Any, **kwargs: Any) -> Response:
        """One number of a range, with its course."""
        metric, asked = self._metric(slug), self._asked()
        now, before = (numbers.numbers(one, [metric])[slug] for one in (asked, asked.before()))
        found = {**_shown(now, before), "series": numbers.series(asked, metric)}
        return Response(OneMetricSerializer(found).data)

    @extend_schema(
        parameters=[
            *PARAMETERS,
            OpenApiParameter("reason", str, description="Rows left out for this reason; without it those that count."),
            OpenApiParameter("after", str, description="The `next` of the page before."),
        ],
        responses=RowsSerializer,
    )
    @extra_route(detail=True, methods=["get"], url_path="rows")
    def rows(self, request: Request, slug: str, *args: Any, **kwargs: Any) -> Response:
        """The incidents behind a number, 50 at a time."""
        metric, asked = self._metric(slug), self._asked("reason", "after")
        reason, after = request.query_params.get("reason", ""), request.query_params.get("after", "")
        place = rows.place_of(after)
        if after and place is None:
            raise exceptions.ValidationError(
                {"after": [exceptions.ErrorDetail("This is no place of ours.", "invalid")]}
            )
        known = {one.name.lower(): one for one in Why}
        if reason and reason not in known:
            raise exceptions.ValidationError(
                {"reason": [exceptions.ErrorDetail("There is no such reason.", "invalid_choice")]}
            )
        found, following = rows.page(
            asked, metric, self.actor, why=known[reason] if reason else Why.COUNTED, after=place
        )
        return Response(RowsSerializer({"results": found, "next": following}).data)


ROUTES: list[tuple[str, Any]] = [("metrics", NumbersViewSet)]
