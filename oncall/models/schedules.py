"""Who is on call when: schedules of rotation layers with overrides, in the wall-clock time of the schedule's zone."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Team, validate_time_zone
from audit.actor import Actor
from audit.models import Tracked, records
from oncall.permissions import can_see_rotas


class Unit(models.TextChoices):
    HOURLY = "hourly", _("hours")
    DAILY = "daily", _("days")
    WEEKLY = "weekly", _("weeks")
    MONTHLY = "monthly", _("months")


class ScheduleQuerySet(models.QuerySet["Schedule"]):
    def visible_to(self, actor: Actor) -> ScheduleQuerySet:
        return self if can_see_rotas(actor) else self.none()


class Schedule(Tracked):
    """A rota in one zone. `changed_at` moves with every change of a part, so that one version covers the whole."""

    configured_by = frozenset({"admin", "lead"})

    name = models.CharField(_("name"), max_length=200, unique=True)
    zone = models.CharField(_("time zone"), max_length=64, default="UTC", validators=[validate_time_zone])
    team = models.ForeignKey(Team, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("team"))
    changed_at = models.DateTimeField(_("changed at"), null=True, blank=True, editable=False)
    history = records()

    objects = ScheduleQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name = _("schedule")
        verbose_name_plural = _("schedules")

    def __str__(self) -> str:
        return self.name


class Layer(Tracked):
    """One rotation of a schedule. Of the layers that are set, the one with the highest priority counts; equals both."""

    configured_by = frozenset({"admin", "lead"})

    schedule = models.ForeignKey(Schedule, models.CASCADE, related_name="layers", verbose_name=_("schedule"))
    name = models.CharField(_("name"), max_length=200)
    priority = models.SmallIntegerField(_("priority"), default=0, help_text=_("the highest wins, equals both"))
    unit = models.CharField(_("rotates by"), max_length=10, choices=Unit.choices, default=Unit.WEEKLY)
    shift_length = models.PositiveSmallIntegerField(
        _("shift length"), default=1, validators=[MinValueValidator(1), MaxValueValidator(1000)]
    )
    n_on_at_once = models.PositiveSmallIntegerField(
        _("on call at once"), default=1, validators=[MinValueValidator(1), MaxValueValidator(50)]
    )
    start_on = models.DateField(_("first hand-over on"))
    handover_time = models.TimeField(_("hand-over time"), help_text=_("wall-clock time in the schedule's zone"))
    ends_at = models.DateTimeField(_("ends at"), null=True, blank=True)
    restrictions = models.JSONField(
        _("hours of the week"), default=list, blank=True,
        help_text=_('empty: always; else a list of {"weekday": 0, "start": "09:00", "end": "17:00"}, Monday is 0'),
    )  # fmt: skip
    history = records()

    class Meta:
        ordering = ["schedule_id", "-priority", "id"]
        verbose_name = _("layer")
        verbose_name_plural = _("layers")
        constraints = [
            models.UniqueConstraint(fields=["schedule", "name"], name="oncall_layer_name_once"),
            models.CheckConstraint(condition=Q(shift_length__gte=1), name="oncall_layer_shift_length"),
        ]

    def __str__(self) -> str:
        return f"{self.schedule}: {self.name}"


class RotationMember(Tracked):
    """A person's place in a rotation; the same person may stand in it more than once."""

    configured_by = frozenset({"admin", "lead"})

    layer = models.ForeignKey(Layer, models.CASCADE, related_name="members", verbose_name=_("layer"))
    position = models.PositiveSmallIntegerField(_("position"))
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("person"))
    history = records()

    class Meta:
        ordering = ["layer_id", "position"]
        verbose_name = _("member of a rotation")
        verbose_name_plural = _("members of a rotation")
        constraints = [models.UniqueConstraint(fields=["layer", "position"], name="oncall_member_position_once")]

    def __str__(self) -> str:
        return f"{self.position}. {self.user}"


class Override(Tracked):
    """Somebody stands in from one instant to another, whatever the layers say; the later made wins over the earlier."""

    configured_by = frozenset({"admin", "lead"})

    schedule = models.ForeignKey(Schedule, models.CASCADE, related_name="overrides", verbose_name=_("schedule"))
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("person"))
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"))
    history = records()

    class Meta:
        ordering = ["schedule_id", "starts_at", "id"]
        verbose_name = _("override")
        verbose_name_plural = _("overrides")
        constraints = [models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="oncall_override_forward")]
        indexes = [models.Index(fields=["schedule", "ends_at"], name="oncall_override_until")]

    def __str__(self) -> str:
        return f"{self.user} {self.starts_at:%Y-%m-%d %H:%M}"

    def clean(self) -> None:
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValidationError({"ends_at": _("It has to end after it starts.")})
