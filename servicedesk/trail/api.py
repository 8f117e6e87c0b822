"""The trail by REST: the page's filters, the page's lines."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from audit.models import Event
from audit.rest import ApiViewSet, KeysetPagination
from audit.rest.filters import refuse_unknown
from servicedesk.trail import queries
from servicedesk.trail.forms import TrailForm
from servicedesk.trail.views import may_read, place_of, text_of


class TrailChangeSerializer(serializers.Serializer[Any]):
    """A field, old and new, in words."""

    field = serializers.CharField()
    name = serializers.CharField()
    old = serializers.CharField()
    new = serializers.CharField()


class TrailLineSerializer(serializers.Serializer[Any]):
    """One version of one object: who, when, by which way, why, and what changed."""

    at = serializers.DateTimeField()
    model = serializers.CharField()
    object = serializers.IntegerField()
    label = serializers.CharField()  # type: ignore[assignment]
    version = serializers.IntegerField()
    change = serializers.ChoiceField(choices=["created", "changed", "removed"])
    actor_kind = serializers.CharField()
    actor_id = serializers.CharField()
    actor_label = serializers.CharField()
    on_behalf_of = serializers.CharField()
    channel = serializers.CharField()
    request_id = serializers.CharField()
    reason = serializers.CharField()
    changes = TrailChangeSerializer(many=True)


_PARAMETERS = ("since", "until", "who", "model", "object", "channel", "field", "change", "request_id")


class TrailViewSet(ApiViewSet):
    """Every change of every tracked object, newest first."""

    queryset = Event.objects.none()
    serializer_class = TrailLineSerializer

    @extend_schema(
        responses=TrailLineSerializer(many=True), parameters=[OpenApiParameter(name, str) for name in _PARAMETERS]
    )
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """A page by the same filters as `/audit/`; `next` is null at the end of the trail."""
        if not may_read(self.actor):
            raise Http404
        refuse_unknown(request.query_params, {*_PARAMETERS, "limit", "cursor"})
        form = TrailForm(request.query_params)
        if not form.is_valid():
            raise exceptions.ValidationError(
                {name: [str(one) for one in causes] for name, causes in form.errors.items()}
            )
        place = place_of(request.query_params.get("cursor", ""))
        found = queries.page(self.actor, form.filters(), place, KeysetPagination()._limit(request))
        here = request.build_absolute_uri()
        lines = [dataclasses.asdict(line) for line in found.lines]
        after = replace_query_param(here, "cursor", text_of(found.next)) if found.next else None
        return Response({"next": after, "results": TrailLineSerializer(lines, many=True).data})


ROUTES: list[tuple[str, Any]] = [("audit-trail", TrailViewSet)]
