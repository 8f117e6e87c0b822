"""Satisfaction: one answer for each resolution and respondent, and what became of a low one."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from audit.actor import Actor
from audit.models import Tracked, personal, records
from incidents.models import Incident
from incidents.permissions import oversees, sees_all

LOWEST, HIGHEST = 1, 5
#: Up to this score somebody of the desk has to look into it.
LOW_FROM = 2


class RatingQuerySet(models.QuerySet["Rating"]):
    def visible_to(self, actor: Actor) -> RatingQuerySet:
        """Whoever may read the incident as the desk does, and the respondent their own."""
        if sees_all(actor):
            return self
        own = Q(respondent_id=actor.user_id or 0)
        if not oversees(actor) and not actor.has_role("agent", "lead", "responder"):
            return self.filter(own)
        return self.filter(own | Q(incident__in=Incident.objects.visible_to(actor).order_by().values("pk")))

    def to_settle(self) -> RatingQuerySet:
        """Low scores that nobody has looked into yet."""
        return self.filter(score__lte=LOW_FROM, settled_at__isnull=True)


class Rating(Tracked):
    """What a person said of one resolution of an incident, 1 to 5. A reopened incident is asked about anew."""

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="+", verbose_name=_("incident"))
    respondent = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("respondent")
    )
    cycle = models.PositiveIntegerField(_("resolution"), help_text=_("1 for the first, 2 after the first reopening"))
    score = models.PositiveSmallIntegerField(_("score"))
    comment = personal(models.TextField(_("comment"), blank=True))
    rated_at = models.DateTimeField(_("rated at"))
    changed_at = models.DateTimeField(_("changed at"), null=True, blank=True)
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("settled by")
    )
    settlement = models.TextField(_("what came of it"), blank=True)

    history = records()
    objects = RatingQuerySet.as_manager()
    configured_by: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        verbose_name = _("rating")
        verbose_name_plural = _("ratings")
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["incident"],
                condition=Q(score__lte=LOW_FROM, settled_at__isnull=True),
                name="metrics_rating_low",
            ),
            models.Index(fields=["rated_at"], name="metrics_rating_when"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["incident", "respondent", "cycle"], name="metrics_rating_once"),
            models.CheckConstraint(
                condition=Q(score__gte=LOWEST, score__lte=HIGHEST), name="metrics_rating_score_in_range"
            ),
            models.CheckConstraint(
                condition=Q(settled_at__isnull=True, settled_by__isnull=True, settlement="")
                | Q(settled_at__isnull=False, settled_by__isnull=False) & ~Q(settlement=""),
                name="metrics_rating_settled_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.incident}: {self.score}/{HIGHEST}"

    @property
    def is_low(self) -> bool:
        return self.score <= LOW_FROM
