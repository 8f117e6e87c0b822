"""What incidents are to each other by REST: family, links, parts, tasks."""

from __future__ import annotations

from typing import Any, ClassVar

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

import incidents.actions
from accounts.models import User
from audit.rest import (
    ApiViewSet,
    Call,
    InstantField,
    StrictFilterSet,
    StrictModelSerializer,
    StrictSerializer,
    TrackedViewSet,
    VisibleField,
    expected_version_of,
    verb,
)
from incidents import queries
from incidents.api.references import ReferenceField
from incidents.models import Incident, IncidentLink, LinkKind, Task


def _text(longest: int = 2000, **more: Any) -> Any:
    return serializers.CharField(required=False, allow_blank=True, max_length=longest, **more)


class ParentInput(StrictSerializer):
    reason = _text()

    def get_fields(self) -> dict[str, Any]:
        """`parent` is declared here, because a serializer's attribute of this name is its own."""
        parent = ReferenceField(allow_null=True, help_text="Null: nobody's child.")
        return {"parent": parent, **super().get_fields()}


class DuplicateInput(StrictSerializer):
    of = ReferenceField()
    detail = _text(400)


class SplitInput(StrictSerializer):
    title = serializers.CharField(max_length=300)
    description = _text(100_000, help_text="Left out: the text of the comment.")
    comment = serializers.IntegerField(required=False, allow_null=True)


class LinkInput(StrictSerializer):
    other = ReferenceField()
    kind = serializers.ChoiceField(choices=LinkKind.choices)


class UnlinkInput(StrictSerializer):
    link = serializers.IntegerField()
    reason = _text()


class LinkSerializer(StrictModelSerializer):
    """A link, read from `incident` to `other`."""

    incident = serializers.CharField(source="incident.reference", read_only=True)
    other = serializers.CharField(source="other.reference", read_only=True)

    class Meta:
        model = IncidentLink
        fields: ClassVar[list[str]] = ["id", "incident", "kind", "other", "added_at"]
        read_only_fields: ClassVar[list[str]] = fields


class TaskInput(StrictSerializer):
    title = serializers.CharField(max_length=300)
    owner = VisibleField(queryset=User.objects.get_queryset(), required=False, allow_null=True)
    due_at = InstantField(required=False, allow_null=True)


class TaskChangeInput(TaskInput):
    title = serializers.CharField(max_length=300, required=False)


class TaskSerializer(StrictModelSerializer):
    """A piece of work that an incident asks for."""

    incident = serializers.CharField(source="incident.reference", read_only=True)

    class Meta:
        model = Task
        fields: ClassVar[list[str]] = [
            "id", "incident", "title", "owner", "due_at", "created_at", "done_at", "done_by", "version",
        ]  # fmt: skip
        read_only_fields: ClassVar[list[str]] = fields


class RelatedRoutes(ApiViewSet):
    """Verbs and sub-resources of an incident that name another one, or its tasks."""

    @verb(ParentInput)
    def set_parent(self, call: Call) -> Incident:
        """Makes it a child of another one, or nobody's. Hold, resolution and an agent's reopening pass to children."""
        return incidents.actions.set_parent(**_of(call), **call.data)

    @verb(DuplicateInput)
    def duplicate(self, call: Call) -> Incident:
        """Cancels it as a duplicate, linked to the one that stays."""
        return incidents.actions.cancel_as_duplicate(**_of(call), **call.data)

    @verb(SplitInput, status=status.HTTP_201_CREATED)
    def split(self, call: Call) -> Incident:
        """Makes a comment, or a part of it, an incident of its own, linked to this one."""
        pk = call.data.pop("comment", None)
        comment = None
        if pk is not None:
            comment = queries.comments_for(call.by, call.row).filter(pk=pk).first()
            if comment is None:
                raise serializers.ValidationError({"comment": ["There is no such comment on this incident."]})
        return incidents.actions.split(incident=call.row, comment=comment, by=call.by, at=call.at, **call.data)

    @verb(LinkInput, path="links", shows=LinkSerializer, status=status.HTTP_201_CREATED)
    def link(self, call: Call) -> IncidentLink:
        """States how it stands to another one."""
        return incidents.actions.add_link(incident=call.row, by=call.by, at=call.at, **call.data)

    @extend_schema(responses=LinkSerializer(many=True), filters=False)
    @link.mapping.get  # type: ignore[attr-defined, untyped-decorator]
    def links(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The links from and to it, as far as the caller may see the other end."""
        rows = IncidentLink.objects.visible_to(self.actor).touching(self.get_object())
        return self.paged(rows.select_related("incident", "other"), LinkSerializer, ("id",))

    @verb(UnlinkInput)
    def unlink(self, call: Call) -> Any:
        """Takes a link back."""
        rows = IncidentLink.objects.visible_to(call.by).touching(call.row).select_related("incident", "other")
        link = rows.filter(pk=call.data["link"]).first()
        if link is not None:
            incidents.actions.remove_link(link=link, by=call.by, at=call.at, reason=call.data.get("reason", ""))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @verb(TaskInput, path="tasks", shows=TaskSerializer, status=status.HTTP_201_CREATED)
    def add_task(self, call: Call) -> Task:
        """Notes a piece of work."""
        return incidents.actions.add_task(incident=call.row, by=call.by, at=call.at, **call.data)

    @extend_schema(responses=TaskSerializer(many=True), filters=False)
    @add_task.mapping.get  # type: ignore[attr-defined, untyped-decorator]
    def tasks(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Its tasks, oldest first; only for who works at it."""
        incident = self.get_object()
        rows = (
            Task.objects.filter(incident=incident)
            if queries.is_staff_for(self.actor, incident)
            else Task.objects.none()
        )
        return self.paged(rows.select_related("incident"), TaskSerializer, ("id",))


class TaskFilter(StrictFilterSet):
    is_open = django_filters.BooleanFilter(field_name="done_at", lookup_expr="isnull", label="not done")
    due_before = django_filters.IsoDateTimeFilter(field_name="due_at", lookup_expr="lt")

    class Meta:
        model = Task
        fields: ClassVar[list[str]] = ["owner"]


class TaskViewSet(TrackedViewSet):
    """The tasks of all incidents that the caller works at."""

    queryset = Task.objects.select_related("incident")
    serializer_class = TaskSerializer
    filterset_class = TaskFilter
    scope = "incidents"
    http_method_names = ["get", "post", "patch", "head", "options"]

    @extend_schema(request=TaskChangeInput, responses=TaskSerializer)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Another title, owner or due time."""
        row = self.get_object()
        values = TaskChangeInput.parse(request.data, self.get_serializer_context())
        expected = expected_version_of(request, row)
        changed = incidents.actions.change_task(
            task=row, values=values, by=self.actor, at=self.now, expected_version=expected
        )
        return self.respond(changed)

    @verb()
    def finish(self, call: Call) -> Task:
        """It is done."""
        return incidents.actions.finish_task(
            task=call.row, by=call.by, at=call.at, expected_version=call.expected_version
        )

    @verb()
    def drop(self, call: Call) -> Any:
        """It need not be done."""
        incidents.actions.drop_task(task=call.row, by=call.by, at=call.at, expected_version=call.expected_version)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _of(call: Call) -> dict[str, Any]:
    return {"incident": call.row, "by": call.by, "at": call.at, "expected_version": call.expected_version}
