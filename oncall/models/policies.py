"""Who is paged in which order, for what, and which breach pages."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Team
from audit.actor import Actor
from audit.models import Tracked, records
from incidents.models import Service
from notify.models import Urgency
from oncall.models.schedules import Schedule
from oncall.permissions import can_see_rotas
from sla.models import Clock, SlaPolicy

MAX_REPEATS = 20
MAX_DELAY_S = 7 * 86_400


class PolicyQuerySet(models.QuerySet["EscalationPolicy"]):
    def visible_to(self, actor: Actor) -> PolicyQuerySet:
        return self if can_see_rotas(actor) else self.none()


class EscalationPolicy(Tracked):
    """Ordered levels, repeated a bounded number of times, then a fallback: a person, a team, or another policy.

    A page copies it when it starts, so a change never reaches a page that runs. `changed_at` moves with every change
    of a part, so that one version covers the whole.
    """

    name = models.CharField(_("name"), max_length=200, unique=True)
    is_active = models.BooleanField(_("active"), default=True)
    priority_threshold = models.PositiveSmallIntegerField(
        _("pages from priority"), default=2, validators=[MinValueValidator(1), MaxValueValidator(5)],
        help_text=_("2 pages for P1 and P2"),
    )  # fmt: skip
    urgency = models.CharField(
        _("urgency"), max_length=10, default=Urgency.HIGH, choices=[(Urgency.HIGH, _("high")), (Urgency.LOW, _("low"))]
    )
    repeats = models.PositiveSmallIntegerField(
        _("repeats"), default=3, validators=[MaxValueValidator(MAX_REPEATS)], help_text=_("rounds after the first one")
    )
    ack_timeout_s = models.PositiveIntegerField(
        _("acknowledge time-out in seconds"), null=True, blank=True,
        validators=[MinValueValidator(60), MaxValueValidator(MAX_DELAY_S)], help_text=_("empty: none"),
    )  # fmt: skip
    fallback_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("fallback person"),
    )
    fallback_team = models.ForeignKey(
        Team, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("fallback team")
    )
    fallback_policy = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("fallback policy")
    )
    changed_at = models.DateTimeField(_("changed at"), null=True, blank=True, editable=False)
    is_kept = True
    history = records()

    objects = PolicyQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name = _("escalation policy")
        verbose_name_plural = _("escalation policies")
        constraints = [
            models.CheckConstraint(
                condition=Q(priority_threshold__gte=1, priority_threshold__lte=5), name="oncall_policy_threshold"
            ),
            models.CheckConstraint(condition=Q(repeats__lte=MAX_REPEATS), name="oncall_policy_repeats"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def has_fallback(self) -> bool:
        return bool(self.fallback_user_id or self.fallback_team_id or self.fallback_policy_id)


class Level(Tracked):
    """One step of a policy: who is told, and how long to wait for a confirmation before the next step."""

    policy = models.ForeignKey(EscalationPolicy, models.CASCADE, related_name="levels", verbose_name=_("policy"))
    position = models.PositiveSmallIntegerField(_("position"), validators=[MinValueValidator(1)])
    delay_s = models.PositiveIntegerField(
        _("wait in seconds"), default=300, validators=[MaxValueValidator(MAX_DELAY_S)],
        help_text=_("before the next level"),
    )  # fmt: skip
    history = records()

    class Meta:
        ordering = ["policy_id", "position"]
        verbose_name = _("level")
        verbose_name_plural = _("levels")
        constraints = [
            models.UniqueConstraint(fields=["policy", "position"], name="oncall_level_position_once"),
            models.CheckConstraint(condition=Q(position__gte=1), name="oncall_level_position"),
        ]

    def __str__(self) -> str:
        return f"{self.policy} {self.position}"


class LevelTarget(Tracked):
    """A person, everybody of a team, or whoever is on call by a schedule when the level fires."""

    level = models.ForeignKey(Level, models.CASCADE, related_name="targets", verbose_name=_("level"))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("person")
    )
    team = models.ForeignKey(Team, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("team"))
    schedule = models.ForeignKey(
        Schedule, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("schedule")
    )
    history = records()

    class Meta:
        ordering = ["level_id", "id"]
        verbose_name = _("target of a level")
        verbose_name_plural = _("targets of a level")
        constraints = [
            models.CheckConstraint(
                condition=(
                    Q(user__isnull=False, team=None, schedule=None)
                    | Q(user=None, team__isnull=False, schedule=None)
                    | Q(user=None, team=None, schedule__isnull=False)
                ),
                name="oncall_target_one_kind",
            ),
            models.UniqueConstraint(fields=["level", "user"], name="oncall_target_user_once"),
            models.UniqueConstraint(fields=["level", "team"], name="oncall_target_team_once"),
            models.UniqueConstraint(fields=["level", "schedule"], name="oncall_target_schedule_once"),
        ]

    def __str__(self) -> str:
        return str(self.user or self.team or self.schedule)


class PolicyAssignment(Tracked):
    """Which policy pages for a service, or for a team where the service has none."""

    policy = models.ForeignKey(EscalationPolicy, models.PROTECT, related_name="assignments", verbose_name=_("policy"))
    service = models.ForeignKey(
        Service, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("service")
    )
    team = models.ForeignKey(Team, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("team"))
    is_kept = True
    history = records()

    class Meta:
        ordering = ["id"]
        verbose_name = _("assignment of a policy")
        verbose_name_plural = _("assignments of policies")
        constraints = [
            models.CheckConstraint(
                condition=Q(service__isnull=False, team=None) | Q(service=None, team__isnull=False),
                name="oncall_assignment_one_kind",
                violation_error_message=_("Choose a service or a team, not both."),
            ),
            models.UniqueConstraint(fields=["service"], name="oncall_assignment_service_once"),
            models.UniqueConstraint(fields=["team"], name="oncall_assignment_team_once"),
        ]

    def __str__(self) -> str:
        return f"{self.service or self.team}: {self.policy}"


class BreachRuleQuerySet(models.QuerySet["BreachRule"]):
    def visible_to(self, actor: Actor) -> BreachRuleQuerySet:
        return self if can_see_rotas(actor) else self.none()


class BreachRule(Tracked):
    """Pages a policy when a clock reaches a percentage of its target; 100 is the breach itself."""

    name = models.CharField(_("name"), max_length=200, unique=True)
    is_active = models.BooleanField(_("active"), default=True)
    target = models.CharField(
        _("target"), max_length=20, blank=True, choices=Clock.Target.choices, help_text=_("empty: any")
    )
    percent = models.PositiveSmallIntegerField(_("percent"), default=100, validators=[MinValueValidator(1)])
    sla_policy = models.ForeignKey(
        SlaPolicy, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("only of this SLA policy")
    )
    priority_threshold = models.PositiveSmallIntegerField(
        _("only from priority"), default=5, validators=[MinValueValidator(1), MaxValueValidator(5)]
    )
    escalation_policy = models.ForeignKey(
        EscalationPolicy, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("escalation policy"),
        help_text=_("empty: that of the incident's service, else of its team"),
    )  # fmt: skip
    history = records()

    objects = BreachRuleQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name = _("breach rule")
        verbose_name_plural = _("breach rules")

    def __str__(self) -> str:
        return self.name
