"""The mails to requesters by REST: read, changed, previewed, put back to the shipped text."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.actions import Invalid, change_config
from audit.rest import Call, StrictModelSerializer, StrictSerializer, TrackedViewSet, expected_version_of, verb
from incidents.models import MailTemplate
from incidents.models.mails import LONGEST_BODY, LONGEST_SUBJECT, PLACEHOLDERS


class MailTemplateSerializer(StrictModelSerializer):
    """An empty subject and body mean the shipped text; `in_force` is what is sent."""

    placeholders = serializers.SerializerMethodField()
    in_force = serializers.SerializerMethodField()

    class Meta:
        model = MailTemplate
        fields: ClassVar[list[str]] = [
            "id", "kind", "locale", "subject", "body", "is_own", "in_force", "placeholders", "version",
        ]  # fmt: skip
        read_only_fields: ClassVar[list[str]] = ["kind", "locale", "is_own", "version"]

    def get_placeholders(self, template: MailTemplate) -> list[str]:
        return list(PLACEHOLDERS[template.kind])

    def get_in_force(self, template: MailTemplate) -> list[str]:
        return list(template.in_force)


class MailPreviewInput(StrictSerializer):
    """A text to try, or neither for the one in force."""

    subject = serializers.CharField(max_length=LONGEST_SUBJECT, required=False, allow_blank=True, default="")
    body = serializers.CharField(max_length=LONGEST_BODY, required=False, allow_blank=True, default="")


class MailPreview(serializers.Serializer[Any]):
    """A mail with sample values."""

    subject = serializers.CharField()
    body = serializers.CharField()


class MailTemplateViewSet(TrackedViewSet):
    """The mails to requesters, one of each kind and language."""

    queryset = MailTemplate.objects.all()
    serializer_class = MailTemplateSerializer
    filterset_fields: ClassVar[dict[str, list[str]]] = {"kind": ["exact"], "locale": ["exact"]}
    ordering = ("id",)

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Changes subject and body together; an unknown placeholder is refused by its name."""
        row = self.get_object()
        expected = expected_version_of(request, row)
        serializer = self.get_serializer(row, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        values = dict(serializer.validated_data)
        return self.respond(
            change_config(row=row, values=values, by=self.actor, at=self.now, expected_version=expected)
        )

    @verb(MailPreviewInput, shows=MailPreview)
    def preview(self, call: Call) -> Response:
        """How a text reads with sample values; nothing is saved."""
        return Response(preview_of(call.row, **call.data))

    @verb()
    def reset(self, call: Call) -> MailTemplate:
        """Back to the shipped text."""
        changed: MailTemplate = change_config(
            row=call.row, values={"subject": "", "body": ""}, by=call.by, at=call.at,
            expected_version=call.expected_version,
        )  # fmt: skip
        return changed


def preview_of(row: MailTemplate, subject: str, body: str) -> dict[str, str]:
    """The row with another text, never saved."""
    tried = MailTemplate(kind=row.kind, locale=row.locale, subject=subject, body=body)
    if not subject and not body:
        tried.subject, tried.body = row.subject, row.body
    problem = tried.problem()
    if problem is not None:
        field, detail = problem
        raise Invalid(detail, field=field)
    shown_subject, shown_body = tried.preview()
    return {"subject": shown_subject, "body": shown_body}
