"""Ways to reach a person, and the one outbox of everything that leaves the desk."""

from __future__ import annotations

import hashlib
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.fields.json import KeyTransform
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, FSMModelMixin, transition

from audit.actor import Actor
from audit.models import Tracked, personal, records


class Channel(models.TextChoices):
    MAIL = "mail", _("mail")
    WEBHOOK = "webhook", _("webhook")
    NTFY = "ntfy", _("ntfy")
    #: Drills and the canary: kept in the desk's mailbox whatever the mail settings say; no drill leaves the desk.
    TEST = "test", _("test channel")


class Urgency(models.TextChoices):
    ANY = "any", _("any urgency")
    HIGH = "high", _("high urgency only")
    LOW = "low", _("low urgency only")


class ContactQuerySet(models.QuerySet["Contact"]):
    def visible_to(self, actor: Actor) -> ContactQuerySet:
        if actor.has_role("admin", "auditor"):
            return self
        return self.filter(user_id=actor.user_id) if actor.is_person else self.none()

    def usable(self) -> ContactQuerySet:
        """Verified and active ones of active people, in their owner's order."""
        ready = self.filter(is_active=True, verified_at__isnull=False, user__is_active=True)
        return ready.order_by("user_id", "position", "id")

    def for_urgency(self, urgency: str) -> ContactQuerySet:
        return self.filter(urgency__in=[Urgency.ANY, urgency])


class Contact(Tracked):
    """One way to reach one person. It is used only once verified; a changed address has to be verified again."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("person")
    )
    channel = models.CharField(_("channel"), max_length=20, choices=Channel.choices)
    address = personal(models.CharField(_("address"), max_length=500, help_text=_("mail address or URL to post to")))
    label = models.CharField(_("label"), max_length=80, blank=True)
    urgency = models.CharField(_("used for"), max_length=10, choices=Urgency.choices, default=Urgency.ANY)
    delay_s = models.PositiveIntegerField(
        _("delay in seconds"), default=0, help_text=_("after the first notification of a page")
    )
    position = models.PositiveSmallIntegerField(_("position"), default=1)
    is_active = models.BooleanField(_("active"), default=True)
    verified_at = models.DateTimeField(_("verified at"), null=True, blank=True, editable=False)
    verification_hash = models.CharField(max_length=64, blank=True, editable=False)
    verification_until = models.DateTimeField(null=True, blank=True, editable=False)

    history = records(exclude=("verification_hash", "verification_until"))
    objects = ContactQuerySet.as_manager()

    class Meta:
        ordering = ["user_id", "position", "id"]
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        constraints = [models.UniqueConstraint(fields=["user", "channel", "address"], name="notify_contact_once")]

    def __str__(self) -> str:
        return f"{self.label or self.get_channel_display()} of {self.user}"


class State(models.TextChoices):
    QUEUED = "queued", _("queued")
    SENT = "sent", _("sent")
    DELIVERED = "delivered", _("delivered")
    FAILED = "failed", _("failed")
    UNCERTAIN = "uncertain", _("uncertain")
    CANCELLED = "cancelled", _("cancelled")
    BOUNCED = "bounced", _("came back")


class MessageQuerySet(models.QuerySet["Message"]):
    def pending(self) -> MessageQuerySet:
        """Those that a sender may still pick up: queued, or uncertain and to be repeated."""
        return self.filter(next_attempt_at__isnull=False)

    def due(self, at: datetime) -> MessageQuerySet:
        """Those that a sender may claim now; the newest of the urgent first, then the oldest of the rest."""
        order = models.Case(models.When(is_urgent=True, then=-F("id")), default=F("id"))
        return self.filter(next_attempt_at__lte=at, lease_until__isnull=True).order_by("-is_urgent", order)

    def abandoned(self, at: datetime) -> MessageQuerySet:
        """Those whose sender disappeared: the lease ran out and no outcome was recorded."""
        return self.filter(lease_until__lte=at)


class Message(FSMModelMixin, models.Model):
    """One thing that is to leave the desk over one channel, at least once, under one dedup key.

    `next_attempt_at` is the work queue: null means that no sender will touch the row again. A lease is a claim with an
    end; `called_at` says that the call may have begun, so that a lease that ends without an outcome is told apart as
    uncertain. `link` is a capability (a page's link): it stands in the body as `{link}`, and is wiped as soon as the
    message is final, so that the outbox is no store of secrets.
    """

    channel = models.CharField(_("channel"), max_length=20, choices=Channel.choices)
    address = personal(models.CharField(_("address"), max_length=500))
    contact = models.ForeignKey(
        Contact, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False, verbose_name=_("contact")
    )
    subject = models.TextField(_("subject"))
    body = models.TextField(_("body"))
    html = models.TextField(_("HTML body"), blank=True)
    data = models.JSONField(_("payload of a webhook"), default=dict)
    headers = models.JSONField(_("headers"), default=dict)
    link = models.TextField(blank=True, editable=False)
    dedup_key = models.CharField(_("dedup key"), max_length=200)
    topic = models.CharField(_("topic"), max_length=80)
    about_type = models.CharField(max_length=80)
    about_id = models.BigIntegerField()
    is_urgent = models.BooleanField(_("urgent"), default=False)
    state = FSMField(_("state"), default=State.QUEUED, choices=State.choices, protected=True)
    created_at = models.DateTimeField(_("created at"))
    not_before = models.DateTimeField(_("not before"), null=True)
    expires_at = models.DateTimeField(_("expires at"), null=True)
    next_attempt_at = models.DateTimeField(_("next attempt at"), null=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    uncertain_count = models.PositiveSmallIntegerField(_("unknown outcomes"), default=0)
    lease_token = models.CharField(max_length=32, blank=True)
    lease_until = models.DateTimeField(null=True)
    called_at = models.DateTimeField(null=True)
    last_error = models.TextField(_("last error"), blank=True)
    provider_ref = models.CharField(_("provider's reference"), max_length=200, blank=True)
    sent_at = models.DateTimeField(_("sent at"), null=True)
    ended_at = models.DateTimeField(_("ended at"), null=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        indexes = [
            models.Index(
                fields=["next_attempt_at"], condition=Q(next_attempt_at__isnull=False), name="notify_message_due"
            ),
            models.Index(fields=["lease_until"], condition=Q(lease_until__isnull=False), name="notify_message_leased"),
            models.Index(fields=["topic"], condition=Q(next_attempt_at__isnull=False), name="notify_message_topic"),
            models.Index(fields=["about_type", "about_id"], name="notify_message_about"),
            models.Index(KeyTransform("Message-ID", "headers"), name="notify_message_mail_id"),
            models.Index(fields=["contact"], condition=Q(contact__isnull=False), name="notify_message_contact"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(lease_until__isnull=True, lease_token="")  # nosec B106: no password
                | Q(lease_until__isnull=False) & ~Q(lease_token=""),  # nosec B106: no password
                name="notify_message_lease_pair",
            ),
            models.CheckConstraint(
                condition=Q(next_attempt_at__isnull=True) | Q(state__in=[State.QUEUED, State.UNCERTAIN]),
                name="notify_message_due_states",
            ),
            # Not unique=True, which adds a second index for LIKE: nobody looks for the beginning of a key.
            models.UniqueConstraint(fields=["dedup_key"], name="notify_message_once"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.dedup_key}"

    @property
    def is_uncertain(self) -> bool:
        """Whether at least one attempt had an unknown outcome: the person may have got it twice."""
        return self.uncertain_count > 0

    @property
    def is_final(self) -> bool:
        return self.next_attempt_at is None

    @transition(state, source=[State.QUEUED, State.UNCERTAIN], target=State.SENT)
    def accept(self) -> None:
        """A provider accepted it."""

    @transition(state, source=State.SENT, target=State.DELIVERED)
    def deliver(self) -> None:
        """A provider confirmed the arrival."""

    @transition(state, source=[State.SENT, State.DELIVERED, State.UNCERTAIN], target=State.BOUNCED)
    def bounce(self) -> None:
        """A mail server said afterwards that it could not be delivered."""

    @transition(state, source=[State.QUEUED, State.UNCERTAIN], target=State.FAILED)
    def fail(self) -> None:
        """Given up."""

    @transition(state, source=[State.QUEUED, State.UNCERTAIN], target=State.UNCERTAIN)
    def doubt(self) -> None:
        """The outcome of a call is unknown."""

    @transition(state, source=State.QUEUED, target=State.CANCELLED)
    def cancel(self) -> None:
        """Not needed any more."""


class MailboxMail(models.Model):
    """A mail of the trial, kept instead of sent; a Message-ID that comes again is counted, not stored twice."""

    message_id = models.CharField(max_length=300, unique=True)
    sender = models.CharField(max_length=500)
    recipients = models.JSONField(default=list)
    subject = models.TextField(blank=True)
    body = models.TextField(blank=True)
    html = models.TextField(blank=True)
    headers = models.JSONField(default=dict)
    received_at = models.DateTimeField(db_default=models.Func(function="clock_timestamp"))
    copies = models.PositiveSmallIntegerField(default=1)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("mail of the trial")
        verbose_name_plural = _("mails of the trial")

    def __str__(self) -> str:
        return self.subject


def token_hash(token: str) -> str:
    """The form in which a capability is stored; its 192 random bits need neither salt nor stretching."""
    return hashlib.sha256(token.encode()).hexdigest()
