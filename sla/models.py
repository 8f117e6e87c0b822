"""Calendars and policies with their frozen versions, the clocks of an incident, and what happened to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Self

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Func, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Organisation, Team
from accounts.roles import STAFF, Role
from audit.actor import Actor
from audit.models import Tracked, records
from incidents.models import Category, Incident, Service
from incidents.permissions import sees_all
from sla import definitions, terms


class ConfigurationQuerySet(models.QuerySet[Any]):
    """Rules are for those who work by them: requesters see their clocks, not the policies behind them."""

    def visible_to(self, actor: Actor) -> Self:
        return self if actor.has_role(*STAFF, Role.INTEGRATION) else self.none()


class Calendar(Tracked):
    """When a team works: kept as a person writes it; each save freezes a version, and clocks refer only to those."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    zone = models.CharField(_("time zone"), max_length=64, default="UTC")
    week = models.JSONField(
        _("week"), help_text=_('Open windows per weekday: {"mon": [["09:00", "13:00"], ["14:00", "18:00"]]}.')
    )
    holidays = models.JSONField(
        _("holidays"), default=list, blank=True, help_text=_('Dates, or days of every year: ["2026-04-03", "--12-25"].')
    )
    special = models.JSONField(
        _("special days"), default=dict, blank=True, help_text=_('Windows that replace a date\'s: {"2026-12-24": []}.')
    )
    country = models.CharField(_("country"), max_length=2, blank=True, help_text=_("Public holidays of, e.g. ES."))
    region = models.CharField(_("region"), max_length=10, blank=True, help_text=_("Of the country, e.g. MD."))
    is_kept = True
    history = records()
    objects = ConfigurationQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name = _("calendar")
        verbose_name_plural = _("calendars")

    def __str__(self) -> str:
        return self.name

    def definition(self) -> dict[str, Any]:
        """What a version freezes: the public holidays written out, so that a later release of them changes nothing."""
        return definitions.calendar(
            zone=self.zone, week=self.week, holidays=self.holidays, special=self.special,
            country=self.country, region=self.region,
        )  # fmt: skip

    def clean(self) -> None:
        try:
            self.definition()
        except definitions.InvalidDefinition as error:
            raise ValidationError({error.field: str(error)}) from error


class CalendarVersion(models.Model):
    """A calendar as it was saved once; never changed, so that a clock can be replayed."""

    calendar = models.ForeignKey(Calendar, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField(_("number"))
    definition = models.JSONField(_("definition"))
    created_at = models.DateTimeField(_("created at"), db_default=Func(function="clock_timestamp"))

    append_only: ClassVar[bool] = True

    class Meta:
        constraints = [models.UniqueConstraint(fields=["calendar", "number"], name="sla_calendarversion_once")]
        verbose_name = _("calendar version")
        verbose_name_plural = _("calendar versions")

    def __str__(self) -> str:
        return f"{self.calendar} v{self.number}"


def _ids() -> ArrayField[Any, Any]:
    return ArrayField(models.BigIntegerField(), default=list, blank=True)


class SlaPolicy(Tracked):
    """What is promised to which incidents; the first active policy in `position` order whose conditions hold is taken.

    An empty condition holds for every incident. Each save freezes a version, and clocks refer only to those.
    """

    class Change(models.TextChoices):
        CARRY = "carry", _("keep the elapsed time, take the new target")
        RESTART = "restart", _("start again")
        KEEP = "keep", _("keep the old target")

    class Reopen(models.TextChoices):
        RESUME = "resume", _("go on, without the resolved interval")
        RESTART = "restart", _("start again")
        ONCE = "once", _("no further clock")

    class Stop(models.TextChoices):
        RESOLVED = "resolved", _("when resolved")
        CLOSED = "closed", _("when closed")

    name = models.CharField(_("name"), max_length=100, unique=True)
    position = models.PositiveIntegerField(_("position"), unique=True)
    is_active = models.BooleanField(_("active"), default=True)
    priorities = ArrayField(models.PositiveSmallIntegerField(), verbose_name=_("priorities"), default=list, blank=True)
    kinds = ArrayField(models.CharField(max_length=20), verbose_name=_("kinds"), default=list, blank=True)
    categories = _ids()
    services = _ids()
    teams = _ids()
    organisations = _ids()
    calendar = models.ForeignKey(Calendar, verbose_name=_("calendar"), on_delete=models.PROTECT, related_name="+")
    targets = models.JSONField(_("targets"), help_text=terms.TARGETS_HELP)
    pause_reasons = models.JSONField(
        _("pauses"), default=terms.default_pause_reasons, help_text=_("Hold reasons that pause each target.")
    )
    resolve_stops_at = models.CharField(_("resolve stops"), max_length=10, choices=Stop.choices, default=Stop.RESOLVED)
    on_priority_change = models.CharField(
        _("on a change of priority or policy"), max_length=10, choices=Change.choices, default=Change.CARRY
    )
    on_reopen = models.CharField(_("on reopening"), max_length=10, choices=Reopen.choices, default=Reopen.RESUME)
    thresholds = models.JSONField(_("thresholds"), default=terms.default_thresholds, help_text=terms.THRESHOLDS_HELP)
    repeat_percent = models.PositiveIntegerField(
        _("repeat after the breach"), null=True, blank=True, help_text=_("Every so many percent past 100.")
    )
    on_breach = models.JSONField(
        _("on breach"), default=terms.default_on_breach, blank=True, help_text=_("Actions, as in a threshold.")
    )
    auto_close_days = models.PositiveSmallIntegerField(
        _("close after working days"), null=True, blank=True, help_text=_("Empty: the desk's calendar days.")
    )
    is_kept = True
    history = records()
    objects = ConfigurationQuerySet.as_manager()

    class Meta:
        ordering = ["position"]
        verbose_name = _("SLA policy")
        verbose_name_plural = _("SLA policies")

    def __str__(self) -> str:
        return self.name

    def definition(self) -> dict[str, Any]:
        """What a version freezes."""
        return {
            "name": self.name,
            "position": self.position,
            "conditions": {name: list(getattr(self, name)) for name in terms.CONDITIONS},
            "targets": self.targets,
            "pause_reasons": self.pause_reasons,
            "resolve_stops_at": str(self.resolve_stops_at),
            "on_priority_change": str(self.on_priority_change),
            "on_reopen": str(self.on_reopen),
            "thresholds": self.thresholds,
            "repeat_percent": self.repeat_percent,
            "on_breach": self.on_breach,
            "auto_close_days": self.auto_close_days,
        }

    def clean(self) -> None:
        try:
            terms.check(self.definition())
        except terms.InvalidPolicy as error:
            raise ValidationError({error.field: str(error)}) from error
        self._check_rows()

    def _check_rows(self) -> None:
        """Conditions and actions may only name rows that exist."""
        for name, model, wanted in (
            ("categories", Category, set(self.categories)),
            ("services", Service, set(self.services)),
            ("teams", Team, set(self.teams)),
            ("organisations", Organisation, set(self.organisations)),
            ("thresholds", Team, terms.reassignment_teams(self.definition())),
        ):
            possible = {one for one in wanted if 0 < one < 2**63}
            found = model._default_manager.filter(pk__in=possible).values_list("pk", flat=True) if possible else ()
            if missing := sorted(wanted - set(found)):
                shown = ", ".join(map(str, missing))
                raise ValidationError({name: _("There is none with the id %(ids)s.") % {"ids": shown}})


class PolicyVersion(models.Model):
    """A policy as it was saved once; never changed. Running clocks keep theirs."""

    policy = models.ForeignKey(SlaPolicy, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField(_("number"))
    definition = models.JSONField(_("definition"))
    created_at = models.DateTimeField(_("created at"), db_default=Func(function="clock_timestamp"))

    append_only: ClassVar[bool] = True

    class Meta:
        constraints = [models.UniqueConstraint(fields=["policy", "number"], name="sla_policyversion_once")]
        verbose_name = _("policy version")
        verbose_name_plural = _("policy versions")

    def __str__(self) -> str:
        return f"{self.policy} v{self.number}"


class ClockQuerySet(models.QuerySet["Clock"]):
    def visible_to(self, actor: Actor) -> Self:
        """The clocks of the incidents that the actor may see."""
        return self if sees_all(actor) else self.filter(incident__in=Incident.objects.visible_to(actor))

    def running(self) -> ClockQuerySet:
        return self.filter(state=Clock.State.RUNNING)

    def unfinished(self) -> ClockQuerySet:
        return self.filter(state__in=[Clock.State.RUNNING, Clock.State.PAUSED])

    def breached(self) -> ClockQuerySet:
        return self.filter(breached_at__isnull=False)

    def due(self, at: datetime) -> ClockQuerySet:
        return self.filter(next_threshold_at__lte=at)


class Clock(models.Model):
    """One cycle of one target of one incident: the cached result of folding the recorded events (see sla.fold).

    `elapsed_s` is exact as of `counted_at` while the clock runs, else final. Two writers never meet: whoever writes
    holds the incident's row lock. Each incident writes a few, so there is no index that no page or sweep asks for:
    versions are never removed.
    """

    class Target(models.TextChoices):
        ACKNOWLEDGE = "acknowledge", _("acknowledge")
        RESPOND = "respond", _("respond")
        NEXT_REPLY = "next_reply", _("answer the requester")
        RESOLVE = "resolve", _("resolve")
        OWN = "own", _("own")
        UPDATE = "update", _("update")

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        PAUSED = "paused", _("paused")
        MET = "met", _("met")
        BREACHED = "breached", _("stopped too late")
        CANCELLED = "cancelled", _("cancelled")

    incident = models.ForeignKey(
        Incident, verbose_name=_("incident"), on_delete=models.PROTECT, related_name="+", db_index=False
    )
    target = models.CharField(_("target"), max_length=12, choices=Target.choices)
    cycle = models.PositiveIntegerField(_("cycle"), default=1)
    policy_version = models.ForeignKey(
        PolicyVersion, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    calendar_version = models.ForeignKey(
        CalendarVersion, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    priority = models.PositiveSmallIntegerField(_("promised for priority"))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.RUNNING)
    started_at = models.DateTimeField(_("started at"))
    budget_s = models.BigIntegerField(_("budget"))
    elapsed_s = models.BigIntegerField(_("elapsed"), default=0)
    counted_at = models.DateTimeField(_("counted at"), null=True)
    due_at = models.DateTimeField(_("due at"), null=True)
    paused_at = models.DateTimeField(_("paused at"), null=True)
    stopped_at = models.DateTimeField(_("stopped at"), null=True)
    breached_at = models.DateTimeField(_("breached at"), null=True)
    breach_cause = models.CharField(_("cause of the breach"), max_length=20, blank=True)
    voids = models.PositiveSmallIntegerField(_("verdicts taken back"), default=0, db_default=0)
    fired_percent = models.PositiveIntegerField(_("last threshold"), default=0)
    next_threshold = models.PositiveIntegerField(_("next threshold"), null=True)
    next_threshold_at = models.DateTimeField(_("next threshold at"), null=True)

    objects = ClockQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["incident", "target", "cycle"], name="sla_clock_once"),
            models.CheckConstraint(
                condition=Q(next_threshold_at=None) | Q(state="running"), name="sla_clock_only_running_is_due"
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_threshold_at", "id"],
                include=["incident"],
                condition=Q(next_threshold_at__isnull=False),
                name="sla_clock_due",
            ),
        ]
        verbose_name = _("clock")
        verbose_name_plural = _("clocks")

    def __str__(self) -> str:
        return f"{self.target} of incident {self.incident_id}, cycle {self.cycle}"


class ThresholdFired(models.Model):
    """That a threshold was reached; the constraint makes it fire once per clock and cycle, whoever sweeps.

    A merge that is taken back gives its clocks another turn: `voids` counts those of the clock.
    """

    clock = models.ForeignKey(Clock, on_delete=models.PROTECT, related_name="+")
    cycle = models.PositiveIntegerField(_("cycle"))
    percent = models.PositiveIntegerField(_("percent"))
    voids = models.PositiveSmallIntegerField(_("after verdicts taken back"), default=0, db_default=0)
    reached_at = models.DateTimeField(_("reached at"))
    fired_at = models.DateTimeField(_("fired at"))

    append_only: ClassVar[bool] = True

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["clock", "cycle", "percent", "voids"], name="sla_thresholdfired_once"),
        ]
        verbose_name = _("fired threshold")
        verbose_name_plural = _("fired thresholds")

    def __str__(self) -> str:
        return f"{self.percent} % of {self.clock}"


class BreachQuerySet(models.QuerySet["Breach"]):
    def counted(self) -> Self:
        """What reports count: without those that only a merge had caused that was taken back."""
        return self.filter(~models.Exists(BreachVoid.objects.filter(breach=models.OuterRef("pk"))))


class Breach(models.Model):
    """That a clock passed its deadline: a fact that is never changed or removed; what voids it stands apart."""

    class Cause(models.TextChoices):
        TIME = "time", _("time")
        PRIORITY_CHANGE = "priority change", _("priority change")
        POLICY_CHANGE = "policy change", _("policy change")
        MERGE = "merge", _("merge")
        REPORT_TIME = "corrected report", _("corrected report time")

    clock = models.ForeignKey(Clock, on_delete=models.PROTECT, related_name="+", db_index=False)
    incident = models.ForeignKey(Incident, verbose_name=_("incident"), on_delete=models.PROTECT, related_name="+")
    target = models.CharField(_("target"), max_length=12, choices=Clock.Target.choices)
    cycle = models.PositiveIntegerField(_("cycle"))
    at = models.DateTimeField(_("at"))
    cause = models.CharField(_("cause"), max_length=20, choices=Cause.choices)
    decided_at = models.DateTimeField(_("decided at"))
    voids = models.PositiveSmallIntegerField(_("after verdicts taken back"), default=0, db_default=0)

    objects = BreachQuerySet.as_manager()
    append_only: ClassVar[bool] = True

    class Meta:
        constraints = [models.UniqueConstraint(fields=["clock", "voids"], name="sla_breach_once")]
        indexes = [models.Index(fields=["at", "id"], name="sla_breach_at")]
        verbose_name = _("breach")
        verbose_name_plural = _("breaches")

    def __str__(self) -> str:
        return f"{self.target} of incident {self.incident_id} at {self.at:%Y-%m-%d %H:%M:%S} ({self.cause})"


class BreachVoid(models.Model):
    """That a breach leaves the reports, though not the trail: the merge that caused it was taken back."""

    breach = models.OneToOneField(Breach, on_delete=models.PROTECT, related_name="void", verbose_name=_("breach"))
    voided_by = models.CharField(_("voided by"), max_length=300, help_text=_("what took it back, and who"))
    merge = models.BigIntegerField(_("merge"))
    at = models.DateTimeField(_("at"))

    append_only: ClassVar[bool] = True

    class Meta:
        verbose_name = _("voided breach")
        verbose_name_plural = _("voided breaches")

    def __str__(self) -> str:
        return f"{self.breach}: void by {self.voided_by}"


class QueueEntry(models.Model):
    """What the queue lists and sorts, one row per incident that is not over.

    A read model without history or version, so that a recomputed clock makes no open form stale. `due_at` is the next
    deadline (of `target`) among the running clocks; the clock of an unowned incident counts only where no other runs.
    """

    incident = models.OneToOneField(Incident, primary_key=True, on_delete=models.CASCADE, related_name="+")
    team = models.ForeignKey(Team, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    assignee = models.ForeignKey(
        "accounts.User", null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    priority = models.PositiveSmallIntegerField(_("priority"))
    state = models.CharField(_("state"), max_length=20)
    due_at = models.DateTimeField(_("due at"), null=True)
    target = models.CharField(_("target"), max_length=12, blank=True)
    is_breached = models.BooleanField(_("breached"), default=False)

    class Meta:
        indexes = [
            models.Index("team", F("due_at").asc(nulls_last=True), "incident", name="sla_queue_team_due"),
            models.Index("assignee", F("due_at").asc(nulls_last=True), "incident", name="sla_queue_assignee_due"),
            models.Index(F("due_at").asc(nulls_last=True), "incident", name="sla_queue_due"),
        ]
        verbose_name = _("queue entry")
        verbose_name_plural = _("queue")

    def __str__(self) -> str:
        return f"queue entry of incident {self.incident_id}"
