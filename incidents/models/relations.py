"""How incidents stand to each other: merged into one, linked; and the tasks that one of them asks for."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from audit.actor import Actor
from audit.models import Tracked, personal, records
from incidents.models.choices import LinkKind
from incidents.models.incident import Incident
from incidents.permissions import sees_all


def _person(name: Any) -> Any:
    return models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", db_index=False,
        verbose_name=name,
    )  # fmt: skip


class MergeQuerySet(models.QuerySet["Merge"]):
    def visible_to(self, actor: Actor) -> Self:
        """Those of which the actor may see both sides."""
        if sees_all(actor):
            return self
        visible = Incident.objects.visible_to(actor).order_by().values("pk")
        return self.filter(source__in=visible, target__in=visible)

    def active(self) -> Self:
        return self.filter(undone_at=None)


class Merge(Tracked):
    """One incident became part of another; with everything needed to take it back.

    `source_before` holds the source's fields that the merge changed, `own_times` the target's early times as they are
    without this merge and the later ones, `moved` the ids of what went along.
    """

    source = models.ForeignKey(Incident, models.PROTECT, related_name="+", verbose_name=_("merged incident"))
    target = models.ForeignKey(Incident, models.PROTECT, related_name="+", verbose_name=_("into"))
    merged_at = models.DateTimeField(_("merged at"))
    merged_by = _person(_("merged by"))
    reason = models.TextField(_("reason"), blank=True)
    confirmed = personal(models.TextField(_("who reads what, as confirmed"), blank=True))
    source_before = models.JSONField(_("fields before"), default=dict)
    own_times = models.JSONField(_("early times of the target"), default=dict)
    moved = models.JSONField(_("moved"), default=dict)
    undone_at = models.DateTimeField(_("taken back at"), null=True, blank=True)
    undone_by = _person(_("taken back by"))
    history = records()
    objects = MergeQuerySet.as_manager()

    class Meta:
        verbose_name = _("merge")
        verbose_name_plural = _("merges")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["source"], condition=Q(undone_at=None), name="incidents_merged_once"),
            models.CheckConstraint(condition=~Q(source=F("target")), name="incidents_merge_of_two"),
        ]

    def __str__(self) -> str:
        return f"{self.source} → {self.target}"


class LinkQuerySet(models.QuerySet["IncidentLink"]):
    def visible_to(self, actor: Actor) -> Self:
        """Those of which the actor may see both ends."""
        if sees_all(actor):
            return self
        visible = Incident.objects.visible_to(actor).order_by().values("pk")
        return self.filter(incident__in=visible, other__in=visible)

    def touching(self, incident: Incident) -> Self:
        return self.filter(Q(incident=incident) | Q(other=incident))


class IncidentLink(Tracked):
    """A statement about two incidents, read from `incident` to `other`; a merge may move its ends."""

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="+", verbose_name=_("incident"))
    other = models.ForeignKey(Incident, models.PROTECT, related_name="+", verbose_name=_("other incident"))
    kind = models.CharField(_("kind"), max_length=20, choices=LinkKind.choices, default=LinkKind.RELATED)
    added_at = models.DateTimeField(_("since"))
    history = records()
    objects = LinkQuerySet.as_manager()

    class Meta:
        verbose_name = _("link")
        verbose_name_plural = _("links")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["incident", "other", "kind"], name="incidents_linked_once"),
            models.CheckConstraint(condition=~Q(incident=F("other")), name="incidents_link_of_two"),
        ]

    def __str__(self) -> str:
        return f"{self.incident} {self.get_kind_display()} {self.other}"


class TaskQuerySet(models.QuerySet["Task"]):
    def visible_to(self, actor: Actor) -> Self:
        """Those of the incidents that the actor may see; a requester sees no tasks at all."""
        if sees_all(actor):
            return self
        if not actor.has_role("agent", "lead", "responder"):
            return self.none()
        return self.filter(incident__in=Incident.objects.visible_to(actor).order_by().values("pk"))

    def open(self) -> Self:
        return self.filter(done_at=None)

    def reminder_due(self, at: datetime) -> Self:
        return self.filter(remind_at__lte=at)


class Task(Tracked):
    """A piece of work that an incident asks for; `remind_at` is the next reminder while it is open and late."""

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="tasks", verbose_name=_("incident"))
    title = models.CharField(_("title"), max_length=300)
    owner = _person(_("owner"))
    due_at = models.DateTimeField(_("due at"), null=True, blank=True)
    remind_at = models.DateTimeField(_("reminder at"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created at"), editable=False)
    done_at = models.DateTimeField(_("done at"), null=True, blank=True, editable=False)
    done_by = _person(_("done by"))
    history = records()
    objects = TaskQuerySet.as_manager()

    class Meta:
        verbose_name = _("task")
        verbose_name_plural = _("tasks")
        ordering = ["id"]
        indexes = [
            models.Index(fields=["remind_at"], condition=Q(remind_at__isnull=False), name="incidents_task_reminder"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(done_at__isnull=True) | Q(remind_at__isnull=True), name="incidents_task_done_is_silent"
            ),
        ]

    def __str__(self) -> str:
        return self.title
