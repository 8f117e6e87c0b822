"""Where alerts come from, and the alerts: one row per source, fingerprint and episode of firing."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, FSMModelMixin, transition

from alerts.permissions import SETTINGS_ROLES, can_see_sources, can_see_unlinked_alerts
from audit.actor import Actor
from audit.models import Tracked, records
from incidents.models import Incident, ResolutionCode
from incidents.permissions import sees_all


class Adapter(models.TextChoices):
    """Who reads the source's bodies: the file of that name in `alerts.adapters`."""

    ALERTMANAGER = "alertmanager", "Prometheus Alertmanager"
    GENERIC = "generic", _("generic JSON")


class OnRecovery(models.TextChoices):
    RESOLVE = "resolve", _("resolve the incident")
    RESOLVE_UNHELD = "resolve_unheld", _("resolve it unless somebody has acknowledged it, else propose it")
    PROPOSE = "propose", _("propose to resolve it")


class Grouping(models.TextChoices):
    FINGERPRINT = "fingerprint", _("one incident per alert")
    GROUP = "group", _("one incident per group of the source")


def default_severities() -> dict[str, dict[str, int]]:
    """Severity as the source writes it -> impact and urgency."""
    levels = {
        (1, 1): ("critical", "fatal", "emergency", "disaster", "page"),
        (2, 1): ("error", "high", "major"),
        (2, 2): ("warning", "average", "medium", "minor"),
        (3, 2): ("low",),
        (3, 3): ("info", "information", "notice", "none"),
    }
    return {name: {"impact": i, "urgency": u} for (i, u), names in levels.items() for name in names}


class AlertSourceQuerySet(models.QuerySet["AlertSource"]):
    def visible_to(self, actor: Actor) -> AlertSourceQuerySet:
        return self if can_see_sources(actor) else self.none()


class AlertSource(Tracked):
    """A sender with a key of its own; which adapter reads it, and what its alerts become.

    Only the key's hash is stored: 256 random bits need no slow hash, and the fast one finds the row by index.
    """

    configured_by: ClassVar[frozenset[str]] = SETTINGS_ROLES

    name = models.CharField(_("name"), max_length=100, unique=True)
    adapter = models.CharField(_("adapter"), max_length=30, choices=Adapter.choices)
    is_active = models.BooleanField(_("active"), default=True)
    key_prefix = models.CharField(_("key begins with"), max_length=20, unique=True, editable=False)
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    service = models.ForeignKey(
        "incidents.Service", models.PROTECT, verbose_name=_("service"), null=True, blank=True, related_name="+"
    )
    service_label = models.CharField(
        _("service label"),
        max_length=100,
        blank=True,
        help_text=_("Label whose value is a service's short name; it goes before the service above."),
    )
    team = models.ForeignKey(
        "accounts.Team", models.PROTECT, verbose_name=_("team"), null=True, blank=True, related_name="+"
    )
    grouping = models.CharField(_("grouping"), max_length=20, choices=Grouping.choices, default=Grouping.FINGERPRINT)
    severity_label = models.CharField(_("severity label"), max_length=100, default="severity", blank=True)
    severities = models.JSONField(
        _("severities"),
        default=default_severities,
        blank=True,
        help_text=_('Severity to impact and urgency, as in {"critical": {"impact": 1, "urgency": 1}}.'),
    )
    impact = models.PositiveSmallIntegerField(
        _("impact of any other severity"), default=2, validators=[MinValueValidator(1)]
    )
    urgency = models.PositiveSmallIntegerField(
        _("urgency of any other severity"), default=2, validators=[MinValueValidator(1)]
    )
    on_recovery = models.CharField(
        _("on recovery"), max_length=20, choices=OnRecovery.choices, default=OnRecovery.RESOLVE
    )
    recovery_code = models.CharField(
        _("resolution code"), max_length=30, choices=ResolutionCode.choices, default=ResolutionCode.RECOVERED
    )
    storm_limit = models.PositiveIntegerField(
        _("storm limit"),
        default=600,
        help_text=_("New incidents a minute; past it, new alerts share one incident and are counted. 0: no limit."),
    )
    is_drill = models.BooleanField(
        _("drill"), default=False, help_text=_("What it opens is a drill and stays out of every metric.")
    )

    history = records(exclude=("key_hash",))
    objects = AlertSourceQuerySet.as_manager()

    class Meta:
        verbose_name = _("alert source")
        verbose_name_plural = _("alert sources")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        super().clean()
        problem = _severity_problem(self.severities)
        if problem:
            raise ValidationError({"severities": problem})

    def rating(self, severity: str) -> tuple[int, int]:
        """Impact and urgency of a severity, whatever its case; any other takes the source's own."""
        wanted = severity.strip().casefold()
        for name, level in self.severities.items():
            if name.casefold() == wanted:
                return level["impact"], level["urgency"]
        return self.impact, self.urgency


def _severity_problem(value: Any) -> str:
    if not isinstance(value, dict):
        return str(_("Must be an object of severities."))
    for name, level in value.items():
        if not isinstance(level, dict) or set(level) != {"impact", "urgency"}:
            return str(_("%(name)s needs impact and urgency, and nothing else.")) % {"name": name}
        if any(isinstance(one, bool) or not isinstance(one, int) or not 1 <= one <= 9 for one in level.values()):
            return str(_("%(name)s: impact and urgency are whole numbers from 1.")) % {"name": name}
    return ""


class AlertState(models.TextChoices):
    FIRING = "firing", _("firing")
    RESOLVED = "resolved", _("resolved")


class AlertQuerySet(models.QuerySet["Alert"]):
    def firing(self) -> AlertQuerySet:
        return self.filter(state=AlertState.FIRING)

    def visible_to(self, actor: Actor) -> AlertQuerySet:
        """Alerts follow their incident; those without one are for the people who run the intake."""
        if sees_all(actor) and can_see_unlinked_alerts(actor):
            return self
        shown = Q(incident__in=Incident.objects.visible_to(actor).order_by().values("pk"))
        if can_see_unlinked_alerts(actor):
            shown |= Q(incident=None)
        return self.filter(shown)


class Alert(FSMModelMixin, models.Model):
    """One episode of firing. An open one is unique per source and fingerprint: the database deduplicates.

    `bucket` names what shares an incident: the fingerprint, the source's group, or its storm.
    No person edits an alert, so it has no history; `alert.*` events tell its life.
    """

    source = models.ForeignKey(AlertSource, models.PROTECT, verbose_name=_("source"), related_name="+", db_index=False)
    fingerprint = models.CharField(_("fingerprint"), max_length=200)
    bucket = models.CharField(_("shares its incident with"), max_length=210)
    group_key = models.CharField(_("group"), max_length=200, blank=True)
    state = FSMField(_("state"), choices=AlertState.choices, default=AlertState.FIRING, protected=True)
    title = models.TextField(_("title"))
    severity = models.TextField(_("severity"), blank=True)
    impact = models.PositiveSmallIntegerField(_("impact"))
    urgency = models.PositiveSmallIntegerField(_("urgency"))
    url = models.TextField(_("link"), blank=True)
    labels = models.JSONField(_("labels"), default=dict)
    annotations = models.JSONField(_("annotations"), default=dict)
    payload = models.JSONField(_("first message"), default=dict)
    last_payload = models.JSONField(_("latest message"), null=True)
    occurred_at = models.DateTimeField(_("began at the source"), null=True)
    detected_at = models.DateTimeField(_("arrived"))
    last_seen_at = models.DateTimeField(_("last seen"))
    resolved_at = models.DateTimeField(_("recovered"), null=True)
    repeat_count = models.PositiveIntegerField(_("repeats"), default=0)
    has_opened = models.BooleanField(_("opened its incident"), default=False)
    is_suppressed = models.BooleanField(_("held back by the storm limit"), default=False)
    incident = models.ForeignKey(Incident, models.PROTECT, verbose_name=_("incident"), null=True, related_name="+")

    objects = AlertQuerySet.as_manager()

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        constraints = [
            models.UniqueConstraint(
                fields=["source", "fingerprint"], condition=Q(state="firing"), name="alerts_alert_one_open"
            ),
            models.CheckConstraint(
                condition=Q(state="resolved", resolved_at__isnull=False) | Q(state="firing", resolved_at=None),
                name="alerts_alert_resolved_at",
            ),
        ]
        indexes = [
            models.Index(fields=["source", "bucket", "-id"], name="alerts_alert_bucket"),
            models.Index(fields=["source", "fingerprint", "-id"], name="alerts_alert_fingerprint"),
            models.Index(fields=["source", "group_key"], condition=Q(state="firing"), name="alerts_alert_group"),
            models.Index(fields=["source", "detected_at"], condition=Q(has_opened=True), name="alerts_alert_rate"),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.state})"

    @transition(field=state, source=AlertState.FIRING, target=AlertState.RESOLVED)
    def recover(self, *, at: Any) -> None:
        self.resolved_at = at
        self.last_seen_at = max(self.last_seen_at, at)
