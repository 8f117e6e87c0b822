"""Read models of the numbers: the facts of each incident and the tallies of each day; machine-only, no history."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GistIndex
from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils.translation import gettext_lazy as _

from incidents.models import Incident

#: What a tally can be kept by, beside “all”; the name is that of the facts' column.
DIMENSIONS = {
    "team": "team_id", "service": "service_id", "priority": "priority", "channel": "channel", "category": "category_id",
}  # fmt: skip


def _value() -> Any:
    return models.BigIntegerField(null=True)


def _why() -> Any:
    return models.SmallIntegerField(default=0)


class Fact(models.Model):
    """The values of one incident, folded from its events; `through` is the newest event that was read.

    A restricted incident has no row: it is in no number. Ids are plain, so that a row costs no foreign key checks.
    """

    incident = models.OneToOneField(Incident, models.CASCADE, primary_key=True, related_name="+")
    through = models.BigIntegerField()
    base = _why()
    reported_at = models.DateTimeField()
    reported_on = models.DateField()
    resolved_on = models.DateField(null=True)
    ended_at = models.DateTimeField(null=True)
    team_id = models.BigIntegerField(null=True)
    service_id = models.BigIntegerField(null=True)
    category_id = models.BigIntegerField(null=True)
    priority = models.PositiveSmallIntegerField()
    channel = models.CharField(max_length=20)
    is_return = models.BooleanField(default=False)
    is_asked = models.BooleanField(default=False)

    mttd, mttd_why = _value(), _why()
    customer_first, customer_first_why = _value(), _why()
    mtta, mtta_why = _value(), _why()
    claimed_first, claimed_first_why = _value(), _why()
    mttr, mttr_why = _value(), _why()
    first_resolution, first_resolution_why = _value(), _why()
    resolution, resolution_why = _value(), _why()
    effort, effort_why = _value(), _why()
    fcr, fcr_why = _value(), _why()
    flr, flr_why = _value(), _why()
    recurrence, recurrence_why = _value(), _why()
    reopened, reopened_why = _value(), _why()
    reassignments, reassignments_why = _value(), _why()

    class Meta:
        verbose_name = _("facts of an incident")
        verbose_name_plural = _("facts of incidents")
        indexes = [
            models.Index(fields=["reported_on", "incident"], name="metrics_fact_reported"),
            models.Index(
                fields=["resolved_on", "incident"], condition=Q(resolved_on__isnull=False), name="metrics_fact_resolved"
            ),
            models.Index(fields=["team_id", "reported_on"], name="metrics_fact_team"),
            models.Index(fields=["service_id", "reported_on"], name="metrics_fact_service"),
            models.Index(
                fields=["service_id", "category_id", "reported_at", "incident"],
                condition=Q(base=0, service_id__isnull=False, category_id__isnull=False),
                name="metrics_fact_sorted",
            ),
            GistIndex(
                Func(F("reported_at"), F("ended_at"), Value("[)"), function="tstzrange"),
                name="metrics_fact_open",
            ),
            *(
                models.Index(
                    fields=[name, day], condition=Q(**{f"{name}_why": 0, f"{name}__isnull": False}),
                    name=f"metrics_fact_{name}",
                )
                for name, day in (
                    ("mttd", "reported_on"), ("mtta", "reported_on"), ("mttr", "resolved_on"),
                    ("first_resolution", "resolved_on"), ("resolution", "resolved_on"), ("effort", "resolved_on"),
                )
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"facts of incident {self.incident_id}"


class Tally(models.Model):
    """How the values of a metric are spread on one day over one dimension: bucket -> rows.

    Buckets below zero are the rows that are left out, by reason (see metrics.fold.Why). `total` sums the values.
    """

    metric = models.CharField(max_length=30)
    date = models.DateField()
    dimension = models.CharField(max_length=10)
    key = models.CharField(max_length=20, blank=True)
    total = models.BigIntegerField()
    buckets = ArrayField(models.SmallIntegerField())
    counts = ArrayField(models.IntegerField())

    class Meta:
        verbose_name = _("tally of a day")
        verbose_name_plural = _("tallies of days")
        constraints = [
            models.UniqueConstraint(fields=["metric", "dimension", "key", "date"], name="metrics_tally_once"),
        ]
        indexes = [models.Index(fields=["date"], name="metrics_tally_date")]

    def __str__(self) -> str:
        return f"{self.metric} of {self.date}, {self.dimension} {self.key}"


class StaleDay(models.Model):
    """A day whose facts changed since it was tallied; a sweep tallies it anew and takes it away."""

    date = models.DateField(primary_key=True)

    class Meta:
        verbose_name = _("day to tally")
        verbose_name_plural = _("days to tally")

    def __str__(self) -> str:
        return str(self.date)


class Reading(models.Model):
    """How far the sweep has read the events: everything up to `through` is settled and in the facts."""

    through = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = _("place in the events")
        verbose_name_plural = _("places in the events")
        constraints = [models.CheckConstraint(condition=Q(id=1), name="metrics_reading_is_one")]

    def __str__(self) -> str:
        return f"through event {self.through}"
