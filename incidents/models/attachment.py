"""Files that belong to an incident."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.core.files.storage import Storage, storages
from django.db import models
from django.utils.translation import gettext_lazy as _

from audit.models import personal
from incidents.filetypes import download_name
from incidents.models.conversation import Comment
from incidents.models.incident import Incident


def attachment_storage() -> Storage:
    """Where files lie: a folder, or whatever the setting names."""
    return storages["attachments"]


def stored_name(attachment: Attachment, given: str) -> str:
    """A random name, spread over folders; nothing that a sender wrote is part of a path."""
    text = attachment.key.hex
    return f"{text[:2]}/{text[2:4]}/{text}"


class AttachmentQuerySet(models.QuerySet["Attachment"]):
    def public(self) -> AttachmentQuerySet:
        return self.filter(is_public=True)


class Attachment(models.Model):
    """One file on an incident, never edited. What it is was judged by its content; its name is only shown."""

    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    incident = models.ForeignKey(Incident, models.PROTECT, related_name="attachments", verbose_name=_("incident"))
    comment = models.ForeignKey(
        Comment, models.PROTECT, null=True, related_name="attachments", verbose_name=_("came with")
    )
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("author")
    )
    author_label = personal(models.CharField(_("attached by"), max_length=300))
    is_public = models.BooleanField(_("public"), default=False)
    name = personal(models.CharField(_("name"), max_length=200))
    content_type = models.CharField(_("type"), max_length=100)
    size = models.PositiveBigIntegerField(_("bytes"))
    sha256 = models.CharField(max_length=64)
    file = models.FileField(storage=attachment_storage, upload_to=stored_name, max_length=200)
    channel = models.CharField(_("channel"), max_length=40)
    created_at = models.DateTimeField(_("attached at"))

    objects = AttachmentQuerySet.as_manager()
    append_only: ClassVar[bool] = True

    class Meta:
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")
        ordering = ["id"]
        indexes = [models.Index(fields=["incident", "id"], name="incidents_files_of")]

    def __str__(self) -> str:
        return self.name

    @property
    def download_name(self) -> str:
        return download_name(self.name, self.content_type)
