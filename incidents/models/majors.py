"""Major incidents: proposed, decided, led by three roles, told about, and ended by a person."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, FSMModelMixin, transition

from audit.actor import Actor
from audit.models import Tracked, records
from incidents.models.incident import Incident
from incidents.permissions import sees_all


class MajorState(models.TextChoices):
    PROPOSED = "proposed", _("proposed")
    ACCEPTED = "accepted", _("major")
    REJECTED = "rejected", _("rejected")
    DEMOTED = "demoted", _("demoted")


def _person(name: Any) -> Any:
    return models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", db_index=False,
        verbose_name=name,
    )  # fmt: skip


class MajorQuerySet(models.QuerySet["MajorIncident"]):
    def visible_to(self, actor: Actor) -> Self:
        """Those of the incidents that the actor may see."""
        if sees_all(actor):
            return self
        return self.filter(incident__in=Incident.objects.visible_to(actor).order_by().values("pk"))

    def live(self) -> Self:
        return self.filter(state__in=[MajorState.PROPOSED, MajorState.ACCEPTED])

    def live_of(self, incident: Incident) -> MajorIncident | None:
        """The proposal that waits for its decision, or the major incident that it became."""
        return self.live().filter(incident=incident).first()

    def newest_of(self, incident: Incident) -> MajorIncident | None:
        people = ("commander", "communications_lead", "scribe", "closing_owner")
        return self.filter(incident=incident).select_related(*people).order_by("-id").first()

    def decision_due(self, at: datetime) -> Self:
        return self.filter(decide_by_at__lte=at)

    def closing_due(self, at: datetime) -> Self:
        return self.filter(remind_at__lte=at)


class MajorIncident(FSMModelMixin, Tracked):
    """One proposal that an incident is a major one, and what became of it; a later proposal is a row of its own.

    `decide_by_at` is the deadline of the decision, `remind_at` the next reminder of the closing owner.
    """

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="majors", verbose_name=_("incident"))
    state = FSMField(
        _("state"),
        max_length=20,
        choices=MajorState.choices,
        default=MajorState.PROPOSED,
        protected=True,
        editable=False,
    )
    proposed_at = models.DateTimeField(_("proposed at"))
    proposed_by = _person(_("proposed by"))
    reason = models.TextField(_("reason"))
    decide_by_at = models.DateTimeField(_("to be decided by"), null=True, blank=True)
    overdue_at = models.DateTimeField(_("nobody decided until"), null=True, blank=True)
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    decided_by = _person(_("decided by"))
    decision = models.TextField(_("why so decided"), blank=True)
    demoted_at = models.DateTimeField(_("demoted at"), null=True, blank=True)
    demoted_by = _person(_("demoted by"))
    demotion = models.TextField(_("why demoted"), blank=True)
    commander = _person(_("commander"))
    communications_lead = _person(_("communications lead"))
    scribe = _person(_("scribe"))
    closing_owner = _person(_("closing owner"))
    close_on = models.DateField(_("to be closed on"), null=True, blank=True)
    remind_at = models.DateTimeField(_("reminder at"), null=True, blank=True)
    history = records()
    objects = MajorQuerySet.as_manager()

    fsm_initial = frozenset({MajorState.PROPOSED.value})

    class Meta:
        verbose_name = _("major incident")
        verbose_name_plural = _("major incidents")
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["decide_by_at"], condition=Q(decide_by_at__isnull=False), name="incidents_major_undecided"
            ),
            models.Index(fields=["remind_at"], condition=Q(remind_at__isnull=False), name="incidents_major_reminder"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["incident"], condition=Q(state__in=["proposed", "accepted"]), name="incidents_major_once"
            ),
            models.CheckConstraint(
                condition=Q(decide_by_at__isnull=True) | Q(state="proposed"), name="incidents_major_decided_is_silent"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.incident} ({self.get_state_display()})"

    @transition("state", source=MajorState.PROPOSED.value, target=MajorState.ACCEPTED.value)
    def accept(self, at: datetime, user_id: int, why: str) -> None:
        self._decide(at, user_id, why)

    @transition("state", source=MajorState.PROPOSED.value, target=MajorState.REJECTED.value)
    def reject(self, at: datetime, user_id: int, why: str) -> None:
        self._decide(at, user_id, why)

    @transition("state", source=MajorState.ACCEPTED.value, target=MajorState.DEMOTED.value)
    def demote(self, at: datetime, user_id: int, why: str) -> None:
        self.demoted_at, self.demoted_by_id, self.demotion, self.remind_at = at, user_id, why, None

    def _decide(self, at: datetime, user_id: int, why: str) -> None:
        self.decided_at, self.decided_by_id, self.decision, self.decide_by_at = at, user_id, why, None
