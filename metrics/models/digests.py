"""Who gets numbers by mail, and when the next one is due."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from audit.actor import Actor
from audit.models import Tracked, records


class DigestQuerySet(models.QuerySet["Digest"]):
    def visible_to(self, actor: Actor) -> Self:
        """One's own; admins and auditors see who gets what."""
        if actor.has_role("admin", "auditor"):
            return self
        return self.filter(user_id=actor.user_id) if actor.user_id else self.none()

    def due(self, at: datetime) -> Self:
        return self.filter(next_at__lte=at)


class Digest(Tracked):
    """A mail that a person asked for: at the end of a shift, or once a week; times are those of the person's zone.

    `next_at` is the deadline of the sweep, and with the digest the key of its mail: it leaves once.
    """

    class Kind(models.TextChoices):
        SHIFT = "shift", _("at the end of a shift")
        WEEKLY = "weekly", _("once a week")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("person"), editable=False
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    at_time = models.TimeField(_("at"))
    weekday = models.PositiveSmallIntegerField(_("weekday"), default=0, help_text=_("0 is Monday."))
    since_at = models.DateTimeField(_("covered until"), editable=False)
    next_at = models.DateTimeField(_("next at"), editable=False)

    history = records(exclude=("since_at", "next_at"))
    objects = DigestQuerySet.as_manager()
    configured_by: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        verbose_name = _("digest")
        verbose_name_plural = _("digests")
        ordering = ["user_id", "kind", "at_time"]
        indexes = [models.Index(fields=["next_at"], name="metrics_digest_due")]
        constraints = [
            models.UniqueConstraint(fields=["user", "kind", "at_time"], name="metrics_digest_once"),
            models.CheckConstraint(condition=Q(weekday__lte=6), name="metrics_digest_weekday"),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_kind_display()}, {self.at_time:%H:%M}"
