"""The files of an incident by REST."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.http import Http404, HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action as extra_route
from rest_framework.request import Request
from rest_framework.response import Response

import incidents.actions
from audit.defaults import FileParser, ReceivedFile
from audit.rest import ApiViewSet, StrictModelSerializer, StrictSerializer
from incidents import queries
from incidents.files import handed_out
from incidents.filetypes import Upload
from incidents.models import Attachment, Incident
from incidents.models.conversation import author_for_requester


class AttachmentSerializer(StrictModelSerializer):
    """One file; `href` is where it is handed out."""

    href = serializers.SerializerMethodField()
    author_label = serializers.SerializerMethodField()

    class Meta:
        model = Attachment
        fields: ClassVar[list[str]] = [
            "key", "name", "content_type", "size", "sha256", "is_public", "comment", "author", "author_label",
            "channel", "created_at", "href",
        ]  # fmt: skip
        read_only_fields: ClassVar[list[str]] = fields

    def get_author_label(self, attachment: Attachment) -> str:
        if self.context["view"].is_staff_for(attachment.incident):
            return attachment.author_label
        return author_for_requester(attachment)

    def get_href(self, attachment: Attachment) -> str:
        request = self.context["request"]
        reference = self.context["view"].kwargs["reference"].upper()
        return str(request.build_absolute_uri(f"/api/v1/incidents/{reference}/attachments/{attachment.key}/"))


class _Files(serializers.ListField):
    """The files of a form; where they are none, the field says so."""

    def to_internal_value(self, data: Any) -> list[Upload]:
        if not isinstance(data, list) or not data or not all(isinstance(one, ReceivedFile) for one in data):
            raise serializers.ValidationError("Send one file or more as parts of a multipart form.")
        return [Upload(one.name, one.content) for one in data]


class AttachInput(StrictSerializer):
    file = _Files(child=serializers.FileField())
    is_public = serializers.BooleanField(
        default=None, allow_null=True, help_text="Left out: internal by the desk, public by you."
    )
    body = serializers.CharField(required=False, allow_blank=True, max_length=100_000)


class FileRoutes(ApiViewSet):
    """`attachments/`: list, add, and fetch one."""

    def is_staff_for(self, incident: Incident) -> bool:
        known: dict[int, bool] = self.__dict__.setdefault("_staff_for", {})
        if incident.pk not in known:
            known[incident.pk] = queries.is_staff_for(self.actor, incident)
        return known[incident.pk]

    @extend_schema(responses=AttachmentSerializer(many=True), filters=False)
    @extra_route(detail=True, methods=["get"], url_path="attachments")
    def attachments(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The files, oldest first; those of internal notes only for who works at it."""
        return self.paged(queries.attachments_for(self.actor, self.get_object()), AttachmentSerializer, ("id",))

    @extend_schema(
        request={"multipart/form-data": AttachInput}, responses={201: AttachmentSerializer(many=True)}, filters=False
    )
    @attachments.mapping.post
    def attach(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Adds files as parts `file` of a multipart form; with `body` they come with a comment."""
        return self.once(self._attach)

    def _attach(self) -> Response:
        incident = self.get_object()
        values = AttachInput.parse(self.request.data, self.get_serializer_context())
        common = {"incident": incident, "by": self.actor, "at": self.now, "is_public": values["is_public"]}
        if values.get("body", "").strip():
            said = incidents.actions.comment_with_files(**common, files=values["file"], body=values["body"])
            kept = list(Attachment.objects.filter(comment=said).order_by("id"))
        else:
            kept = incidents.actions.attach(**common, files=values["file"])
        shown = AttachmentSerializer(kept, many=True, context=self.get_serializer_context())
        return Response(shown.data, status=status.HTTP_201_CREATED)

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY}, filters=False)
    @extra_route(detail=True, methods=["get"], url_path="attachments/(?P<key>[0-9a-f-]{36})")
    def attachment(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The file itself, always as a download."""
        try:
            key = uuid.UUID(self.kwargs["key"])
        except ValueError as error:
            raise Http404 from error
        found = queries.attachments_for(self.actor, self.get_object()).filter(key=key).first()
        if found is None:
            raise Http404
        return handed_out(found)

    def get_parsers(self) -> list[Any]:
        """A form with files where files are added; JSON everywhere else."""
        return [FileParser()] if getattr(self, "action_map", {}).get("post") == "attach" else super().get_parsers()
