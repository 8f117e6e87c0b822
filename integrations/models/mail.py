"""Every message that arrived, as it arrived, with what was made of it; and how the mailboxes are doing."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from audit.actor import Actor
from audit.models import personal
from incidents.models import Comment, Incident
from integrations.permissions import READS_ALL_MAIL, can_read_mail


class Verdict(models.TextChoices):
    WAITING = "waiting", _("not judged yet")
    OPENS = "opens", _("opened an incident")
    REPLIES = "replies", _("answers in its incident")
    NOTED = "noted", _("internal note, sender not confirmed")
    BOUNCE = "bounce", _("reports a failed delivery")
    IGNORED = "ignored", _("automatic: nothing to do")
    HELD = "held", _("waits for a person")
    DISCARDED = "discarded", _("put aside by a person")
    BROKEN = "broken", _("can't be read: waits for a person")


class Source(models.TextChoices):
    IMAP = "imap", "IMAP"
    PIPE = "pipe", _("pipe")
    LMTP = "lmtp", "LMTP"


#: What a person still has to look at.
FOR_A_PERSON = (Verdict.HELD.value, Verdict.BROKEN.value)


class InboundMailQuerySet(models.QuerySet["InboundMail"]):
    def visible_to(self, actor: Actor) -> InboundMailQuerySet:
        """Who oversees sees all; who works at the desk sees what waits, and what belongs to incidents they see."""
        if actor.has_role(*READS_ALL_MAIL):
            return self
        if not can_read_mail(actor):
            return self.none()
        visible = Incident.objects.visible_to(actor).values("pk")
        return self.filter(Q(incident=None, verdict__in=FOR_A_PERSON) | Q(incident__in=visible))

    def due(self, at: datetime) -> InboundMailQuerySet:
        return self.filter(next_attempt_at__lte=at)

    def acted_on(self, sender: str, since: datetime) -> InboundMailQuerySet:
        """What this sender set going lately."""
        acted = [Verdict.OPENS, Verdict.REPLIES, Verdict.NOTED]
        return self.filter(sender=sender, verdict__in=acted, received_at__gt=since)


class InboundMail(models.Model):
    """One message, stored before anything is made of it; the same message again is not stored twice.

    `next_attempt_at` is the work queue: null means that it was judged.
    """

    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    sha256 = models.CharField(max_length=64, unique=True, editable=False)
    #: The same for copies of one message that came by different ways, and so with different headers.
    dedup_key = models.CharField(max_length=64, db_index=True, editable=False)
    size = models.PositiveBigIntegerField(_("bytes"))
    is_cut = models.BooleanField(_("larger than is stored"), default=False)
    source = models.CharField(_("came by"), max_length=10, choices=Source.choices)
    envelope_from = personal(models.CharField(_("return path"), max_length=500, null=True))
    received_at = models.DateTimeField(_("received at"))
    copies = models.PositiveIntegerField(_("times received"), default=1)

    sender = personal(models.CharField(_("from"), max_length=500, blank=True))
    subject = personal(models.CharField(_("subject"), max_length=500, blank=True))
    message_id = models.CharField(max_length=1000, blank=True)
    copy_of = models.ForeignKey(
        "self", models.PROTECT, null=True, related_name="+", verbose_name=_("a copy of"), editable=False
    )
    is_answer = models.BooleanField(_("answers a mail of ours"), default=False)

    verdict = models.CharField(_("verdict"), max_length=12, choices=Verdict.choices, default=Verdict.WAITING)
    reason = models.CharField(_("because"), max_length=500, blank=True)
    incident = models.ForeignKey(Incident, models.PROTECT, null=True, related_name="+", verbose_name=_("incident"))
    comment = models.ForeignKey(Comment, models.PROTECT, null=True, related_name="+", verbose_name=_("comment"))
    bounced = models.ForeignKey(
        "notify.Message", models.SET_NULL, null=True, related_name="+", verbose_name=_("what did not arrive")
    )
    requester = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("sender's account")
    )
    judged_at = models.DateTimeField(_("judged at"), null=True)
    next_attempt_at = models.DateTimeField(_("next attempt at"), null=True)
    attempts = models.PositiveSmallIntegerField(_("failed attempts"), default=0)
    error = models.TextField(_("last error"), blank=True)

    objects = InboundMailQuerySet.as_manager()

    class Meta:
        verbose_name = _("received mail")
        verbose_name_plural = _("received mails")
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["next_attempt_at"], condition=Q(next_attempt_at__isnull=False), name="integrations_mail_due"
            ),
            models.Index(fields=["sender", "received_at"], name="integrations_mail_sender"),
            models.Index(
                fields=["incident"], condition=Q(incident__isnull=False), name="integrations_mail_incident"
            ),
            models.Index(
                fields=["verdict", "-id"], condition=Q(verdict__in=FOR_A_PERSON), name="integrations_mail_waiting"
            ),
        ]  # fmt: skip
        constraints = [
            models.CheckConstraint(
                condition=Q(verdict="waiting", judged_at__isnull=True)
                | ~Q(verdict="waiting") & Q(judged_at__isnull=False),
                name="integrations_mail_judged_pair",
            ),
        ]

    def __str__(self) -> str:
        return self.subject or f"mail {self.pk}"


class MailContent(models.Model):
    """The raw bytes of a message, apart from it, so that no list reads megabytes; they are only ever handed out."""

    mail = models.OneToOneField(InboundMail, models.CASCADE, primary_key=True, related_name="content")
    raw = personal(models.BinaryField())

    class Meta:
        verbose_name = _("content of a received mail")
        verbose_name_plural = _("contents of received mails")

    def __str__(self) -> str:
        return f"content of {self.mail_id}"


class MailSource(models.Model):
    """How a mailbox that is fetched is doing; one row for each, written by the task that fetches."""

    #: After so long without a success it counts as stuck.
    PATIENCE = timedelta(minutes=10)

    name = models.CharField(max_length=300, unique=True)
    ok_at = models.DateTimeField(_("fetched at"), null=True)
    failing_since_at = models.DateTimeField(_("failing since"), null=True)
    error = models.TextField(_("last error"), blank=True)

    class Meta:
        verbose_name = _("mailbox that is fetched")
        verbose_name_plural = _("mailboxes that are fetched")

    def __str__(self) -> str:
        return self.name
