"""The incident and its fields; its moves, its constraints and who sees it stand in modules of their own."""

from __future__ import annotations

from datetime import datetime
from functools import reduce
from operator import and_
from typing import Any, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField

from audit.actor import Actor
from audit.models import Tracked, personal, records
from incidents.models import words
from incidents.models.choices import (
    OPEN_STATES,
    CancelReason,
    CauseCode,
    Channel,
    DetectedBy,
    FixKind,
    HoldReason,
    Kind,
    ParticipantRole,
    ResolutionCode,
    State,
    WorkaroundOutcome,
)
from incidents.models.configuration import Category, PriorityMatrix, Service
from incidents.models.constraints import CONSTRAINTS, INDEXES
from incidents.models.transitions import Transitions
from incidents.permissions import RESPONDERS, TEAM_ROLES, oversees, sees_all

_NEW, _ASSIGNED, _IN_PROGRESS, _ON_HOLD = OPEN_STATES
_RESOLVED, _CLOSED, _CANCELLED = State.RESOLVED.value, State.CLOSED.value, State.CANCELLED.value


class IncidentQuerySet(models.QuerySet["Incident"]):
    def visible_to(self, actor: Actor) -> Self:
        """Only what the actor may see. Everything outside answers 404 and is absent from counts and search.

        A restricted incident is seen only by its requester, its team, who takes part, incident managers and auditors.
        """
        if sees_all(actor):
            return self
        if not actor.has_scope("incidents:read"):
            return self.none()
        if actor.user_id is None:
            return self.filter(is_restricted=False) if oversees(actor) else self.none()
        # Imported here, because participants are defined after the incident that they take part in.
        from incidents.models.conversation import Participant

        followed = Participant.objects.filter(user_id=actor.user_id)
        mine = Q(requester_id=actor.user_id) | Q(pk__in=followed.values("incident_id")) | self.work_of(actor)
        unless_restricted = Q(logged_by_id=actor.user_id)
        if actor.has_role("agent", "lead"):
            unless_restricted |= Q(team_id=None)
        if oversees(actor):
            return self.filter(Q(is_restricted=False) | mine)
        return self.filter(mine | (Q(is_restricted=False) & unless_restricted))

    @staticmethod
    def work_of(actor: Actor) -> Q:
        """What the actor sees by team and owner alone, restricted or not; the queue's rows have the same columns."""
        if actor.user_id is None or not actor.has_scope("incidents:read") or not actor.has_role(*TEAM_ROLES):
            return Q(pk__in=[])
        return Q(team_id__in=actor.team_ids | actor.led_team_ids) | Q(assignee_id=actor.user_id)

    def open(self) -> Self:
        return self.filter(state__in=OPEN_STATES)

    def unowned(self) -> Self:
        return self.open().filter(assignee_id=None)

    def matching(self, text: str, reader: Actor | None = None) -> Self:
        """Words in title, description, resolution and public comments; a reference or number finds that incident.

        Internal notes are searched for who may read those of the row.
        """
        number = text.strip().upper().removeprefix("INC-")
        if number.isascii() and number.isdigit() and len(number) <= 12:
            return self.filter(number=int(number))
        query = words.asked(text)
        found = Q(words=query) | Q(said=query)
        if reader is not None:
            found |= Q(noted=query) & self._inside_of(reader)
        columns = {name: words.Words(name) for name in ("words", "said", "noted")}
        return self.alias(**columns).filter(found)

    def resembling(self, text: str) -> Self:
        """Titles with words that are spelled much like these; for when nothing matches."""
        close = [Q(title__trigram_word_similar=word) for word in words.typed(text)]
        return self.filter(reduce(and_, close)) if close else self.none()

    def sharing_words_with(self, title: str) -> Self:
        """Incidents of which title, description or resolution has one of the longer words of a title."""
        query = words.any_of(title)
        return self.none() if query is None else self.alias(words=words.Words("words")).filter(words=query)

    @staticmethod
    def _inside_of(reader: Actor) -> Q:
        """`permissions.is_staff_for` of each row."""
        if sees_all(reader):
            return Q()
        if reader.user_id is None:
            return Q(is_restricted=False) if oversees(reader) else Q(pk__in=[])
        from incidents.models.conversation import Participant

        taking_part = Participant.objects.filter(user_id=reader.user_id)
        paged = Q(pk__in=taking_part.filter(role=ParticipantRole.PAGED).values("incident_id"))
        inside = paged if reader.has_role(*RESPONDERS) else Q(pk__in=[])
        if reader.has_role(*TEAM_ROLES):
            inside |= Q(team_id__in=reader.team_ids | reader.led_team_ids) | Q(assignee_id=reader.user_id)
            inside |= Q(pk__in=taking_part.values("incident_id"))
            logged = Q(logged_by_id=reader.user_id, is_restricted=False)
            inside |= logged & (Q(requester_id=None) | ~Q(requester_id=reader.user_id))
        if reader.has_role("agent", "lead"):
            inside |= Q(team_id=None, is_restricted=False)
        return inside | Q(is_restricted=False) if oversees(reader) else inside

    def wake_up_due(self, at: datetime) -> Self:
        """Where a reminder to the requester is due no later than the wake-up, that comes first: it may end the hold."""
        waits_for_follow_up = Q(follow_up_at__isnull=False, follow_up_at__lte=F("hold_until"))
        return self.filter(state=State.ON_HOLD, hold_until__lte=at, is_imported=False).exclude(waits_for_follow_up)

    def follow_up_due(self, at: datetime) -> Self:
        """Those whose wake-up comes before are left to it."""
        return self.filter(Q(follow_up_at__lte=F("hold_until")), follow_up_at__lte=at, is_imported=False)

    def close_due(self, at: datetime) -> Self:
        return self.filter(state=State.RESOLVED, close_due_at__lte=at, is_imported=False)

    def idle_due(self, at: datetime) -> Self:
        return self.filter(idle_at__lte=at, is_imported=False)

    def counted(self) -> Self:
        """What a metric counts: each matter once, so neither children nor what was merged into another."""
        return self.filter(parent=None, merged_into=None)

    def override_due(self, at: datetime) -> Self:
        return self.filter(priority_override_until__lte=at, state__in=OPEN_STATES)


def _person(name: Any, **options: Any) -> Any:
    return models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", db_index=False,
        verbose_name=name, **options,
    )  # fmt: skip


def _moment(name: Any) -> Any:
    return models.DateTimeField(name, null=True, blank=True)


def _another(name: Any, related: str) -> Any:
    return models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name=related, editable=False, db_index=False,
        verbose_name=name,
    )  # fmt: skip


def _count(name: Any) -> Any:
    return models.PositiveIntegerField(name, null=True, blank=True)


def _sorted_by(model: type[models.Model], name: Any, **options: Any) -> Any:
    return models.ForeignKey(
        model, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=name, **options
    )


class Incident(Transitions, Tracked):
    """Something that keeps people from working, from the first word to the confirmed end.

    The priority is stored, though derived: the queue sorts by it and the matrix version that judged it stays readable.
    Unknown times stay null. `resolved_*` describe the running cycle; earlier cycles are in the events.
    """

    number = models.BigIntegerField(
        _("number"),
        unique=True,
        editable=False,
        db_default=models.Func(models.Value("incidents_number_seq"), function="nextval"),
    )
    title = personal(models.CharField(_("title"), max_length=300))
    description = personal(models.TextField(_("description"), blank=True))
    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices, default=Kind.INCIDENT)
    channel = models.CharField(_("channel"), max_length=20, choices=Channel.choices, default=Channel.PORTAL)
    source_label = models.CharField(_("source"), max_length=200, blank=True)
    external_ref = models.CharField(_("external reference"), max_length=200, blank=True)
    state = FSMField(_("state"), max_length=20, choices=State.choices, default=_NEW, protected=True, editable=False)

    impact = models.PositiveSmallIntegerField(_("impact"), default=3)
    urgency = models.PositiveSmallIntegerField(_("urgency"), default=3)
    matrix = models.ForeignKey(
        PriorityMatrix, models.PROTECT, related_name="+", db_index=False, editable=False, verbose_name=_("judged by")
    )
    is_vip_raised = models.BooleanField(_("urgency raised for a VIP"), default=False, editable=False)
    priority = models.PositiveSmallIntegerField(_("priority"), editable=False)
    priority_override = models.PositiveSmallIntegerField(_("overridden priority"), null=True, editable=False)
    priority_override_reason = models.TextField(_("reason of the override"), blank=True, editable=False)
    priority_override_until = models.DateTimeField(_("override ends"), null=True, editable=False)

    category = _sorted_by(Category, _("category"))
    closing_category = _sorted_by(Category, _("closing category"), db_index=False)
    service = _sorted_by(Service, _("service"))
    team = models.ForeignKey(
        "accounts.Team", models.PROTECT, null=True, blank=True, related_name="+", db_index=False, verbose_name=_("team")
    )
    assignee = _person(_("assignee"))
    requester = _person(_("requester"))
    logged_by = _person(_("logged by"), editable=False)
    organisation = models.ForeignKey(
        "accounts.Organisation", models.PROTECT, null=True, blank=True, related_name="+", db_index=False,
        verbose_name=_("organisation"),
    )  # fmt: skip
    recurrence_of = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="recurrences", editable=False, db_index=False,
        verbose_name=_("recurrence of"),
    )  # fmt: skip

    merged_into = _another(_("merged into"), "merged")
    parent = _another(_("parent"), "children")
    is_major = models.BooleanField(_("major incident"), default=False, db_default=False, editable=False)

    occurred_at = _moment(_("occurred at"))
    detected_at = _moment(_("detected at"))
    detected_by = models.CharField(_("detected by"), max_length=20, choices=DetectedBy.choices, blank=True)
    reported_at = models.DateTimeField(_("reported at"))
    created_at = models.DateTimeField(_("created at"), editable=False)
    acknowledged_at = _moment(_("acknowledged at"))
    acknowledged_by = _person(_("acknowledged by"))
    first_response_at = _moment(_("first response at"))
    contained_at = _moment(_("contained at"))
    affected_users = _count(_("users affected"))
    affected_sites = _count(_("sites affected"))
    affected_services = _count(_("services affected"))
    resolved_at = _moment(_("resolved at"))
    resolved_by = _person(_("resolved by"))
    closed_at = _moment(_("closed at"))
    closed_by = _person(_("closed by"))
    cancelled_at = _moment(_("cancelled at"))

    hold_reason = models.CharField(_("on hold for"), max_length=30, choices=HoldReason.choices, blank=True)
    hold_until = _moment(_("wake-up"))
    held_at = _moment(_("on hold since"))
    follow_up_at = _moment(_("next reminder to the requester"))
    follow_ups = ArrayField(
        models.DateTimeField(), verbose_name=_("reminders still to come, then the end"), default=list, editable=False
    )
    replied_at = _moment(_("the requester wrote, and nobody answered"))
    resolution_code = models.CharField(_("resolution code"), max_length=30, choices=ResolutionCode.choices, blank=True)
    cause_code = models.CharField(_("cause"), max_length=30, choices=CauseCode.choices, blank=True)
    resolution_notes = personal(models.TextField(_("resolution notes"), blank=True))
    fix_kind = models.CharField(_("kind of fix"), max_length=20, choices=FixKind.choices, blank=True)
    workaround_outcome = models.CharField(
        _("what became of the workaround"), max_length=20, choices=WorkaroundOutcome.choices, blank=True
    )
    workaround_note = models.CharField(_("why, or which problem"), max_length=500, blank=True)
    works_at = _moment(_("the requester said that it works"))
    article_ref = models.CharField(_("article"), max_length=300, blank=True)
    no_article_reason = models.CharField(_("why there is no article"), max_length=500, blank=True)
    confirmation = models.CharField(_("how restoration was confirmed"), max_length=300, blank=True)
    cancel_reason = models.CharField(_("cancelled as"), max_length=30, choices=CancelReason.choices, blank=True)
    cancel_detail = models.CharField(_("detail of the cancellation"), max_length=500, blank=True)
    reopen_count = models.PositiveIntegerField(_("times reopened"), default=0, editable=False)
    reopened_at = _moment(_("reopened at"))
    reopened_by = _person(_("reopened by"))
    reassignment_count = models.PositiveIntegerField(_("changes of team"), default=0, editable=False)
    escalation_count = models.PositiveIntegerField(_("times escalated"), default=0, editable=False)
    escalated_at = _moment(_("escalated at"))
    close_due_at = _moment(_("closed by the system at"))
    idle_at = _moment(_("idle reminder at"))
    is_restricted = models.BooleanField(_("restricted"), default=False, editable=False)
    restricted_reason = models.TextField(_("reason of the restriction"), blank=True, editable=False)
    is_drill = models.BooleanField(_("drill"), default=False, editable=False)
    is_imported = models.BooleanField(_("imported"), default=False, editable=False)

    history = records()
    objects = IncidentQuerySet.as_manager()

    #: What the database lets a row begin with, and the one way out of closed, for imported rows only.
    fsm_initial = frozenset({_NEW, _ASSIGNED, _IN_PROGRESS, _RESOLVED})
    fsm_import_exits = frozenset({(_CLOSED, _IN_PROGRESS)})
    #: The way out of cancelled, only for a statement that empties this column: taking a merge back.
    fsm_exits_by_clearing = ("merged_into_id", frozenset((_CANCELLED, state) for state in OPEN_STATES))

    class Meta:
        verbose_name = _("incident")
        verbose_name_plural = _("incidents")
        ordering = ["-number"]
        indexes = INDEXES
        constraints = CONSTRAINTS

    def __str__(self) -> str:
        return self.reference

    @property
    def reference(self) -> str:
        return f"INC-{self.number:06d}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES
