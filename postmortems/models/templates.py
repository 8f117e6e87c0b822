"""Templates, and the rules of who owes what."""

from __future__ import annotations

from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from audit.models import Tracked, records
from postmortems.permissions import SETTINGS_ROLES


class SectionKind(models.TextChoices):
    TEXT = "text", _("text")
    TIMELINE = "timeline", _("timeline")
    ACTIONS = "actions", _("action items")


class Template(Tracked):
    """What a post-mortem of a kind consists of; a document copies its sections, so editing it changes no document."""

    configured_by: ClassVar[frozenset[str]] = SETTINGS_ROLES

    name = models.CharField(_("name"), max_length=100, unique=True)
    description = models.TextField(_("description"), blank=True)
    needs_second_person = models.BooleanField(
        _("reviewed by a second person"),
        default=True,
        help_text=_("Whoever submits a post-mortem can't publish it."),
    )
    is_active = models.BooleanField(_("active"), default=True)

    history = records()

    class Meta:
        verbose_name = _("post-mortem template")
        verbose_name_plural = _("post-mortem templates")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class TemplateSection(Tracked):
    """One section of a template, in its place."""

    configured_by: ClassVar[frozenset[str]] = SETTINGS_ROLES

    template = models.ForeignKey(Template, models.CASCADE, related_name="sections", verbose_name=_("template"))
    position = models.PositiveSmallIntegerField(_("position"), validators=[MinValueValidator(1)])
    title = models.CharField(_("title"), max_length=100)
    guidance = models.TextField(_("guidance"), blank=True)
    kind = models.CharField(_("kind"), max_length=10, choices=SectionKind.choices, default=SectionKind.TEXT)
    is_required = models.BooleanField(_("required"), default=True)

    history = records()

    class Meta:
        verbose_name = _("template section")
        verbose_name_plural = _("template sections")
        ordering = ["template", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["template", "position"],
                name="postmortems_section_place",
                deferrable=models.Deferrable.DEFERRED,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.position}. {self.title}"


class ObligationRule(Tracked):
    """Which resolved incidents owe a post-mortem and by when; the first active rule that matches counts."""

    configured_by: ClassVar[frozenset[str]] = SETTINGS_ROLES

    name = models.CharField(_("name"), max_length=100, unique=True)
    position = models.PositiveSmallIntegerField(_("position"), unique=True)
    is_active = models.BooleanField(_("active"), default=True)
    priority_at_most = models.PositiveSmallIntegerField(
        _("priority up to"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(5)],
        help_text=_("2 means P1 and P2; empty: any priority."),
    )
    service = models.ForeignKey(
        "incidents.Service", models.PROTECT, verbose_name=_("service"), null=True, blank=True, related_name="+"
    )
    team = models.ForeignKey(
        "accounts.Team", models.PROTECT, verbose_name=_("team"), null=True, blank=True, related_name="+"
    )
    only_breached = models.BooleanField(_("only after a breached SLA"), default=False)
    template = models.ForeignKey(Template, models.PROTECT, verbose_name=_("template"), related_name="+")
    due_days = models.PositiveSmallIntegerField(
        _("due in days"), default=5, validators=[MinValueValidator(1), MaxValueValidator(365)]
    )
    calendar = models.ForeignKey(
        "sla.Calendar",
        models.PROTECT,
        verbose_name=_("calendar"),
        null=True,
        blank=True,
        related_name="+",
        help_text=_("Counts its working days; empty: calendar days."),
    )

    history = records()

    class Meta:
        verbose_name = _("obligation rule")
        verbose_name_plural = _("obligation rules")
        ordering = ["position"]

    def __str__(self) -> str:
        return self.name
