"""Receivers of signed webhooks, what they are owed, and the queue in which each incident's events wait their turn."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, FSMModelMixin, transition

from audit.actor import Actor
from audit.models import Tracked, personal, records
from audit.subscriptions import declared_kinds
from incidents.models import Incident
from integrations.permissions import SETTINGS_ROLES, can_see_webhooks
from integrations.webhooks.patterns import is_pattern, matches


class EndpointState(models.TextChoices):
    ACTIVE = "active", _("active")
    PAUSED = "paused", _("paused")
    DISABLED = "disabled", _("switched off by the desk")


def validate_address(value: str) -> None:
    """Refuses what can't be posted to, and a password in the address: addresses stand in the history."""
    try:
        parts = urlsplit(value)
        known = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise ValidationError(_("Give an address that begins with https:// or http://."), code="address")
    if parts.username or parts.password:
        raise ValidationError(_("The address may hold no user name or password."), code="address")
    if parts.fragment:
        raise ValidationError(_("The address may hold no part after #: it is never sent."), code="address")


def validate_kinds(value: list[str]) -> None:
    """Refuses patterns that no event kind matches."""
    bad = [one for one in value if not is_pattern(one) or not any(matches([one], kind) for kind in declared_kinds())]
    if bad or not value:
        raise ValidationError(
            _("Give event kinds like incident.resolved, incident.* or *; not: %(bad)s."),
            code="kinds",
            params={"bad": ", ".join(bad) or "–"},
        )


class WebhookEndpointQuerySet(models.QuerySet["WebhookEndpoint"]):
    def visible_to(self, actor: Actor) -> WebhookEndpointQuerySet:
        return self if can_see_webhooks(actor) else self.none()

    def listening(self) -> WebhookEndpointQuerySet:
        """Those whose events are kept for them: a paused one gets them later."""
        return self.exclude(state=EndpointState.DISABLED)

    def ready(self, at: datetime) -> WebhookEndpointQuerySet:
        """Those that may be called now."""
        return self.filter(Q(held_until=None) | Q(held_until__lte=at), state=EndpointState.ACTIVE)


class WebhookEndpoint(FSMModelMixin, Tracked):
    """A receiver: where it listens, what it asks for, and with whose eyes it reads.

    Its signing key is derived, never stored: the salt alone gives nothing. How its deliveries fare (`failures`,
    `held_until` and so on) is the machine's, not a setting, and makes no version.
    """

    configured_by: ClassVar[frozenset[str]] = SETTINGS_ROLES

    name = models.CharField(_("name"), max_length=100, unique=True)
    url = models.CharField(
        _("address"), max_length=500, validators=[validate_address], help_text=_("It stands in the history.")
    )
    kinds = ArrayField(
        models.CharField(max_length=101),
        verbose_name=_("event kinds"),
        validators=[validate_kinds],
        help_text=_("Like incident.resolved, incident.* or *, separated by commas."),
    )
    reader = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("reads as"),
        help_text=_("It gets what this person may see; empty: every incident that is not restricted."),
    )  # fmt: skip
    includes_internal = models.BooleanField(_("gets internal notes and details"), default=False)
    includes_restricted = models.BooleanField(
        _("gets restricted incidents"), default=False, help_text=_("Those that the person may see.")
    )
    state = FSMField(
        _("state"), choices=EndpointState.choices, default=EndpointState.ACTIVE, protected=True, editable=False
    )
    disabled_because = models.CharField(_("switched off because"), max_length=300, blank=True, editable=False)
    key_number = models.PositiveIntegerField(_("signing key"), default=1, editable=False)

    key_salt = models.BinaryField(editable=False)
    key_check = models.CharField(max_length=16, editable=False)
    old_key_salt = models.BinaryField(null=True, editable=False)
    old_key_check = models.CharField(max_length=16, blank=True, editable=False)
    old_key_until = models.DateTimeField(_("old signing key signs until"), null=True, editable=False)
    begins_after = models.BigIntegerField(editable=False, default=0)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0, editable=False)
    first_failure_at = models.DateTimeField(_("failing since"), null=True, editable=False)
    held_until = models.DateTimeField(_("left alone until"), null=True, editable=False)
    last_success_at = models.DateTimeField(_("last delivery"), null=True, editable=False)
    served_at = models.DateTimeField(null=True, editable=False)

    MACHINE: ClassVar[tuple[str, ...]] = (
        "key_salt", "key_check", "old_key_salt", "old_key_check", "old_key_until", "begins_after", "failures",
        "first_failure_at", "held_until", "last_success_at", "served_at",
    )  # fmt: skip

    history = records(exclude=MACHINE)
    objects = WebhookEndpointQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(old_key_salt=None, old_key_until=None)
                | Q(old_key_salt__isnull=False, old_key_until__isnull=False),
                name="integrations_webhook_old_key",
            )
        ]

    def __str__(self) -> str:
        return self.name

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """All but the state, which no cleaning may set."""
        super().clean_fields(exclude={*(exclude or ()), "state"})

    @transition("state", source=EndpointState.ACTIVE, target=EndpointState.PAUSED)
    def pause(self) -> None:
        """Events wait."""

    @transition("state", source=[EndpointState.PAUSED, EndpointState.DISABLED], target=EndpointState.ACTIVE)
    def enable(self) -> None:
        self.disabled_because = ""

    @transition("state", source=[EndpointState.ACTIVE, EndpointState.PAUSED], target=EndpointState.DISABLED)
    def disable(self, because: str) -> None:
        self.disabled_because = because[:300]


class DeliveryState(models.TextChoices):
    QUEUED = "queued", _("queued")
    DELIVERED = "delivered", _("delivered")
    FAILED = "failed", _("given up")
    CANCELLED = "cancelled", _("cancelled")


class WebhookDeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    def visible_to(self, actor: Actor) -> WebhookDeliveryQuerySet:
        """The log shows no incident that the reader of the log may not see."""
        if not can_see_webhooks(actor):
            return self.none()
        seen = Incident.objects.visible_to(actor)
        if not seen.query.where:
            return self
        return self.filter(Q(incident=None) | Q(incident__in=seen.order_by().values("pk")))

    def queued(self) -> WebhookDeliveryQuerySet:
        """In the order in which they go out."""
        return self.filter(state=DeliveryState.QUEUED).order_by(F("event_id").asc(nulls_last=True), "id")


class WebhookDelivery(FSMModelMixin, models.Model):
    """One event for one endpoint, under one webhook-id, with the incident as it was when the event was read."""

    endpoint = models.ForeignKey(
        WebhookEndpoint, models.PROTECT, related_name="deliveries", db_index=False, verbose_name=_("webhook")
    )
    event_id = models.BigIntegerField(_("event"), null=True)
    incident = models.ForeignKey(Incident, models.PROTECT, null=True, related_name="+", verbose_name=_("incident"))
    webhook_id = models.CharField("webhook-id", max_length=40, unique=True)
    kind = models.CharField(_("kind"), max_length=101)
    payload = personal(models.JSONField(_("content")))
    state = FSMField(_("state"), choices=DeliveryState.choices, default=DeliveryState.QUEUED, protected=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    last_status = models.PositiveIntegerField(_("last answer"), null=True)
    last_error = models.CharField(_("last error"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("queued at"))
    ended_at = models.DateTimeField(_("ended at"), null=True)

    objects = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        constraints = [models.UniqueConstraint(fields=["endpoint", "event_id"], name="integrations_delivery_once")]
        indexes = [
            models.Index(fields=["endpoint", "-id"], name="integrations_delivery_log"),
            models.Index(
                fields=["endpoint", "incident", "event_id"],
                condition=Q(state="queued"),
                name="integrations_delivery_queue",
            ),
            models.Index(fields=["ended_at"], condition=Q(ended_at__isnull=False), name="integrations_delivery_age"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.webhook_id}"

    @transition("state", source=DeliveryState.QUEUED, target=DeliveryState.DELIVERED)
    def deliver(self, at: datetime) -> None:
        self.ended_at, self.last_error = at, ""

    @transition("state", source=DeliveryState.QUEUED, target=DeliveryState.FAILED)
    def give_up(self, at: datetime) -> None:
        self.ended_at = at

    @transition("state", source=DeliveryState.QUEUED, target=DeliveryState.CANCELLED)
    def cancel(self, because: str, at: datetime) -> None:
        self.ended_at, self.last_error = at, because[:500]

    @transition(
        "state",
        source=[DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.CANCELLED],
        target=DeliveryState.QUEUED,
    )
    def queue_again(self) -> None:
        self.ended_at, self.attempts = None, 0


class WebhookAttempt(models.Model):
    """One call: when, how long, and what came of it. The log of a delivery."""

    class Outcome(models.TextChoices):
        OK = "ok", _("taken")
        FAILED = "failed", _("refused or not reached")
        UNCERTAIN = "uncertain", _("no answer")

    delivery = models.ForeignKey(WebhookDelivery, models.CASCADE, related_name="calls", verbose_name=_("delivery"))
    at = models.DateTimeField(_("at"))
    took_ms = models.PositiveIntegerField(_("milliseconds"))
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome.choices)
    status = models.PositiveIntegerField(_("answer"), null=True)
    detail = models.CharField(_("detail"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.outcome}"


class WebhookLane(models.Model):
    """The events of one incident for one endpoint, of which only the first is sent: that keeps them in order.

    `next_attempt_at` is null when nothing waits. A claim moves it to the end of the lease, so that a lane whose sender
    was killed is due again by itself.
    """

    endpoint = models.ForeignKey(WebhookEndpoint, models.CASCADE, related_name="+", db_index=False)
    key = models.BigIntegerField()
    next_attempt_at = models.DateTimeField(null=True)
    lease_token = models.CharField(max_length=32, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["endpoint", "key"], name="integrations_lane_once")]
        indexes = [
            models.Index(
                fields=["endpoint", "next_attempt_at"],
                condition=Q(next_attempt_at__isnull=False),
                name="integrations_lane_due",
            )
        ]

    def __str__(self) -> str:
        return f"{self.endpoint_id}:{self.key}"


class WebhookCursor(models.Model):
    """How far the events have been read (see integrations.webhooks.progress), and who sends: one row."""

    low = models.BigIntegerField(default=0)
    seen = models.JSONField(default=list)
    mark = models.BigIntegerField(default=0)
    running = models.JSONField(default=list)
    sender_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="integrations_cursor_one")]

    def __str__(self) -> str:
        return f"events up to {self.low}"

    @classmethod
    def singleton(cls) -> Any:
        return cls.objects.filter(pk=1)
