"""The documents: their state, sections, timeline and action items."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, FSMModelMixin, transition

from accounts.models import User
from audit.actor import Actor
from audit.models import Tracked, personal, records
from incidents.models import Incident
from incidents.permissions import sees_all
from postmortems.models.templates import ObligationRule, SectionKind, Template
from postmortems.permissions import can_read_any


class PostMortemState(models.TextChoices):
    DRAFT = "draft", _("draft")
    IN_REVIEW = "in_review", _("in review")
    PUBLISHED = "published", _("published")
    CANCELLED = "cancelled", _("cancelled")


class PostMortemQuerySet(models.QuerySet["PostMortem"]):
    def visible_to(self, actor: Actor) -> PostMortemQuerySet:
        """Follows the incident; requesters read their incident, not its post-mortem."""
        if not can_read_any(actor):
            return self.none()
        if sees_all(actor):
            return self
        return self.filter(incident__in=Incident.objects.visible_to(actor).order_by().values("pk"))

    def open(self) -> PostMortemQuerySet:
        return self.filter(state__in=[PostMortemState.DRAFT, PostMortemState.IN_REVIEW])

    def overdue(self, at: datetime) -> PostMortemQuerySet:
        return self.open().filter(due_at__lt=at)

    def counted(self) -> PostMortemQuerySet:
        """What obligations are measured by: drills are left out."""
        return self.filter(is_drill=False, rule__isnull=False)


class PostMortem(FSMModelMixin, Tracked):
    """The document of one incident. It owns copies of its template's sections, so a template may change freely."""

    incident = models.OneToOneField(Incident, models.PROTECT, verbose_name=_("incident"), related_name="+")
    template = models.ForeignKey(Template, models.PROTECT, verbose_name=_("template"), related_name="+")
    rule = models.ForeignKey(
        ObligationRule, models.SET_NULL, verbose_name=_("owed by"), null=True, blank=True, related_name="+"
    )
    title = models.CharField(_("title"), max_length=300)
    state = FSMField(_("state"), choices=PostMortemState.choices, default=PostMortemState.DRAFT, protected=True)
    owner = models.ForeignKey(User, models.PROTECT, verbose_name=_("owner"), null=True, blank=True, related_name="+")
    due_at = models.DateTimeField(_("due"), null=True, blank=True)
    needs_second_person = models.BooleanField(_("reviewed by a second person"), default=True)
    no_actions_reason = models.TextField(
        _("why there are no action items"), blank=True, help_text=_("Needed only where there are none.")
    )
    is_drill = models.BooleanField(_("drill"), default=False, editable=False)
    created_at = models.DateTimeField(_("drafted"), editable=False)
    submitted_at = models.DateTimeField(_("submitted"), null=True, editable=False)
    submitted_by = models.ForeignKey(
        User, models.PROTECT, verbose_name=_("submitted by"), null=True, editable=False, related_name="+"
    )
    published_at = models.DateTimeField(_("published"), null=True, editable=False)
    published_by = models.ForeignKey(
        User, models.PROTECT, verbose_name=_("published by"), null=True, editable=False, related_name="+"
    )

    history = records()
    objects = PostMortemQuerySet.as_manager()

    class Meta:
        verbose_name = _("post-mortem")
        verbose_name_plural = _("post-mortems")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(submitted_at=None, submitted_by=None)
                | Q(submitted_at__isnull=False, submitted_by__isnull=False),
                name="postmortems_submitted_pair",
            ),
            models.CheckConstraint(
                condition=Q(state="published", published_at__isnull=False, published_by__isnull=False)
                | (~Q(state="published") & Q(published_at=None, published_by=None)),
                name="postmortems_published_pair",
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state__in=["draft", "in_review"]), name="postmortems_due"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_open(self) -> bool:
        """Whether it still waits for its publication."""
        return self.state in (PostMortemState.DRAFT, PostMortemState.IN_REVIEW)

    @transition(field=state, source=PostMortemState.DRAFT, target=PostMortemState.IN_REVIEW)
    def submit(self, *, by_id: int, at: datetime) -> None:
        self.submitted_at, self.submitted_by_id = at, by_id

    @transition(field=state, source=PostMortemState.IN_REVIEW, target=PostMortemState.DRAFT)
    def give_back(self) -> None:
        self.submitted_at, self.submitted_by = None, None

    @transition(field=state, source=PostMortemState.IN_REVIEW, target=PostMortemState.PUBLISHED)
    def publish(self, *, by_id: int, at: datetime) -> None:
        self.published_at, self.published_by_id = at, by_id

    @transition(
        field=state,
        source=[PostMortemState.DRAFT, PostMortemState.IN_REVIEW],
        target=PostMortemState.CANCELLED,
    )
    def cancel(self) -> None:
        self.submitted_at, self.submitted_by = None, None

    @transition(field=state, source=PostMortemState.CANCELLED, target=PostMortemState.DRAFT)
    def take_up(self) -> None:
        """An incident has one document, so one that was given up is taken up again rather than written anew."""


class PartQuerySet(models.QuerySet[Any]):
    """Parts of documents: seen by whoever sees the document."""

    def visible_to(self, actor: Actor) -> PartQuerySet:
        if sees_all(actor) and can_read_any(actor):
            return self
        return self.filter(postmortem__in=PostMortem.objects.visible_to(actor).order_by().values("pk"))


class SectionText(Tracked):
    """One section of one document; its earlier wordings are its history."""

    postmortem = models.ForeignKey(PostMortem, models.CASCADE, related_name="sections", verbose_name=_("post-mortem"))
    position = models.PositiveSmallIntegerField(_("position"))
    title = models.CharField(_("title"), max_length=100)
    guidance = models.TextField(_("guidance"), blank=True)
    kind = models.CharField(_("kind"), max_length=10, choices=SectionKind.choices, default=SectionKind.TEXT)
    is_required = models.BooleanField(_("required"), default=True)
    body = models.TextField(_("text"), blank=True)

    history = records()
    objects = PartQuerySet.as_manager()

    class Meta:
        verbose_name = _("section")
        verbose_name_plural = _("sections")
        ordering = ["postmortem", "position"]
        constraints = [
            models.UniqueConstraint(fields=["postmortem", "position"], name="postmortems_text_place"),
        ]

    def __str__(self) -> str:
        return f"{self.position}. {self.title}"


class TimelineEntry(Tracked):
    """One moment of the timeline. With `source_event` it is taken from the trail and only ever hidden, never changed.

    The event is named by its number without a foreign key: events are partitioned later, and never removed.
    """

    postmortem = models.ForeignKey(PostMortem, models.CASCADE, related_name="timeline", verbose_name=_("post-mortem"))
    at = models.DateTimeField(_("at"))
    text = models.TextField(_("what happened"))
    kind = models.CharField(_("event"), max_length=100, blank=True, editable=False)
    source_event = models.BigIntegerField(_("event number"), null=True, editable=False)
    who = personal(models.CharField(_("who"), max_length=200, blank=True))
    added_by = models.ForeignKey(
        User, models.PROTECT, verbose_name=_("added by"), null=True, editable=False, related_name="+"
    )
    hidden_at = models.DateTimeField(_("hidden"), null=True, editable=False)
    hidden_by = models.ForeignKey(
        User, models.PROTECT, verbose_name=_("hidden by"), null=True, editable=False, related_name="+"
    )
    hidden_reason = models.TextField(_("why it is hidden"), blank=True, editable=False)

    history = records()
    objects = PartQuerySet.as_manager()

    class Meta:
        verbose_name = _("timeline entry")
        verbose_name_plural = _("timeline entries")
        ordering = ["at", "source_event", "id"]
        constraints = [
            models.UniqueConstraint(fields=["postmortem", "source_event"], name="postmortems_entry_once"),
            models.CheckConstraint(
                condition=Q(hidden_at=None, hidden_by=None, hidden_reason="")
                | (Q(hidden_at__isnull=False, hidden_by__isnull=False) & ~Q(hidden_reason="")),
                name="postmortems_hidden_pair",
            ),
        ]

    def __str__(self) -> str:
        return self.text[:80]

    @property
    def is_manual(self) -> bool:
        """Whether a person wrote it; the others have their provenance in the trail."""
        return self.source_event is None


class ActionItemState(models.TextChoices):
    OPEN = "open", _("open")
    IN_PROGRESS = "in_progress", _("in progress")
    DONE = "done", _("done")
    VERIFIED = "verified", _("verified")
    CANCELLED = "cancelled", _("cancelled")


class ActionItemQuerySet(PartQuerySet):
    def open(self) -> ActionItemQuerySet:
        return self.filter(state__in=[ActionItemState.OPEN, ActionItemState.IN_PROGRESS])


class ActionItem(FSMModelMixin, Tracked):
    """Something that will be done about it: by whom, by when, and how somebody else will see that it works."""

    postmortem = models.ForeignKey(
        PostMortem, models.PROTECT, related_name="action_items", verbose_name=_("post-mortem")
    )
    title = models.CharField(_("title"), max_length=300)
    description = models.TextField(_("description"), blank=True)
    state = FSMField(_("state"), choices=ActionItemState.choices, default=ActionItemState.OPEN, protected=True)
    owner = models.ForeignKey(User, models.PROTECT, verbose_name=_("owner"), null=True, blank=True, related_name="+")
    due_on = models.DateField(_("due"), null=True, blank=True)
    verification = models.TextField(_("verification"), blank=True, help_text=_("How it will be seen that it works."))
    done_at = models.DateTimeField(_("done"), null=True, editable=False)
    done_by = models.ForeignKey(
        User, models.PROTECT, verbose_name=_("done by"), null=True, editable=False, related_name="+"
    )
    verified_at = models.DateTimeField(_("verified"), null=True, editable=False)
    verified_by = models.ForeignKey(
        User, models.PROTECT, verbose_name=_("verified by"), null=True, editable=False, related_name="+"
    )
    cancel_reason = models.TextField(_("why it was given up"), blank=True, editable=False)

    history = records()
    objects = ActionItemQuerySet.as_manager()

    class Meta:
        verbose_name = _("action item")
        verbose_name_plural = _("action items")
        ordering = ["postmortem", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(done_at=None, done_by=None) | Q(done_at__isnull=False, done_by__isnull=False),
                name="postmortems_done_pair",
            ),
            models.CheckConstraint(
                condition=Q(verified_at=None, verified_by=None)
                | Q(verified_at__isnull=False, verified_by__isnull=False),
                name="postmortems_verified_pair",
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_on"], condition=Q(state__in=["open", "in_progress"]), name="postmortems_item_due"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @transition(field=state, source=ActionItemState.OPEN, target=ActionItemState.IN_PROGRESS)
    def start(self) -> None:
        """Work began."""

    @transition(field=state, source=[ActionItemState.OPEN, ActionItemState.IN_PROGRESS], target=ActionItemState.DONE)
    def finish(self, *, by_id: int, at: datetime) -> None:
        self.done_at, self.done_by_id = at, by_id

    @transition(field=state, source=ActionItemState.DONE, target=ActionItemState.VERIFIED)
    def verify(self, *, by_id: int, at: datetime) -> None:
        self.verified_at, self.verified_by_id = at, by_id

    @transition(
        field=state,
        source=[ActionItemState.DONE, ActionItemState.VERIFIED],
        target=ActionItemState.OPEN,
    )
    def reopen(self) -> None:
        self.done_at = self.done_by = self.verified_at = self.verified_by = None

    @transition(
        field=state,
        source=[ActionItemState.OPEN, ActionItemState.IN_PROGRESS, ActionItemState.DONE],
        target=ActionItemState.CANCELLED,
    )
    def cancel(self, *, reason: str) -> None:
        self.cancel_reason = reason
