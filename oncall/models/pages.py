"""A page: one attempt to get a named human to say "I am on it", with what was sent and the links that act."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, FSMModelMixin, transition

from accounts.roles import STAFF, Role
from audit.actor import Actor
from incidents.models import Incident
from notify.models import Message
from oncall.models.policies import EscalationPolicy


class PageState(models.TextChoices):
    RUNNING = "running", _("running")
    ACKNOWLEDGED = "acknowledged", _("acknowledged")
    RESOLVED = "resolved", _("resolved")
    EXHAUSTED = "exhausted", _("exhausted")


class PageQuerySet(models.QuerySet["Page"]):
    def visible_to(self, actor: Actor) -> PageQuerySet:
        """Those of the incidents that the actor may see; whom the desk calls at night is no requester's business."""
        if not actor.has_role(*STAFF, Role.INTEGRATION):
            return self.none()
        return self.filter(incident__in=Incident.objects.visible_to(actor))

    def running(self) -> PageQuerySet:
        return self.filter(state=PageState.RUNNING)

    def open(self) -> PageQuerySet:
        """Those that may still do something: a resolved incident ends them all."""
        return self.exclude(state=PageState.RESOLVED)

    def due(self, at: datetime) -> PageQuerySet:
        """Running ones whose next level is due, and acknowledged ones whose time ran out."""
        return self.filter(escalate_at__lte=at)


class Page(FSMModelMixin, models.Model):
    """A running escalation of one incident by one policy, as the policy was when it started.

    `escalate_at` is the one deadline: the next level while it runs, the time-out while somebody has it. `round` and
    `level` name the last step that fired (level 0: none yet). A round that begins by a time-out or by passing on
    raises `last_round`, so that repeats stay bounded and yet every new round has its own.
    """

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="+", verbose_name=_("incident"))
    policy = models.ForeignKey(
        EscalationPolicy, models.SET_NULL, null=True, related_name="+", verbose_name=_("escalation policy")
    )
    snapshot = models.JSONField(_("policy as it was"))
    cause = models.CharField(_("cause"), max_length=200)
    state = FSMField(_("state"), default=PageState.RUNNING, choices=PageState.choices, protected=True)
    round = models.PositiveSmallIntegerField(_("round"), default=1)
    last_round = models.PositiveSmallIntegerField(_("last round"))
    level = models.PositiveSmallIntegerField(_("level"), default=0)
    escalate_at = models.DateTimeField(_("next step at"), null=True)
    started_at = models.DateTimeField(_("started at"))
    round_started_at = models.DateTimeField(_("round started at"))
    acknowledged_at = models.DateTimeField(_("acknowledged at"), null=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("acknowledged by")
    )
    ended_at = models.DateTimeField(_("ended at"), null=True)
    end_cause = models.CharField(_("ended because"), max_length=200, blank=True)
    is_drill = models.BooleanField(_("drill"), default=False)

    objects = PageQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("page")
        verbose_name_plural = _("pages")
        constraints = [
            models.UniqueConstraint(
                fields=["incident", "policy"], condition=Q(state=PageState.RUNNING), name="oncall_page_running_once"
            ),
            models.CheckConstraint(
                condition=Q(acknowledged_at=None, acknowledged_by=None)
                | Q(acknowledged_at__isnull=False, acknowledged_by__isnull=False),
                name="oncall_page_acknowledged_pair",
            ),
            models.CheckConstraint(
                condition=~Q(state=PageState.RUNNING) | Q(escalate_at__isnull=False),
                name="oncall_page_running_has_next",
            ),
            models.CheckConstraint(
                condition=Q(escalate_at=None) | Q(state__in=[PageState.RUNNING, PageState.ACKNOWLEDGED]),
                name="oncall_page_ended_has_no_next",
            ),
        ]
        indexes = [
            models.Index(fields=["escalate_at"], condition=Q(escalate_at__isnull=False), name="oncall_page_due"),
            models.Index(fields=["incident"], condition=~Q(state="resolved"), name="oncall_page_open"),
        ]

    def __str__(self) -> str:
        return f"page {self.pk}"

    @property
    def topic(self) -> str:
        """The outbox topic of everything that this page sends to be acknowledged."""
        return f"page:{self.pk}"

    @property
    def policy_name(self) -> str:
        return str(self.snapshot["name"])

    @property
    def levels(self) -> list[dict[str, Any]]:
        levels: list[dict[str, Any]] = self.snapshot["levels"]
        return levels

    def scaled(self, seconds: float) -> float:
        """Seconds of the policy in seconds of this page: a drill may run in compressed time."""
        return seconds * float(self.snapshot.get("delay_scale", 1.0))

    @transition(state, source=[PageState.RUNNING, PageState.EXHAUSTED], target=PageState.ACKNOWLEDGED)
    def acknowledge(self, user_id: int, at: datetime, until: datetime | None) -> None:
        self.acknowledged_at, self.acknowledged_by_id = at, user_id
        self.escalate_at, self.ended_at, self.end_cause = until, None, ""

    @transition(state, source=PageState.ACKNOWLEDGED, target=PageState.RUNNING)
    def run_again(self, at: datetime) -> None:
        self.escalate_at = at

    @transition(state, source=PageState.RUNNING, target=PageState.EXHAUSTED)
    def exhaust(self, at: datetime, cause: str) -> None:
        self.escalate_at, self.ended_at, self.end_cause = None, at, cause[:200]

    @transition(
        state,
        source=[PageState.RUNNING, PageState.ACKNOWLEDGED, PageState.EXHAUSTED],
        target=PageState.RESOLVED,
    )
    def stop(self, at: datetime, cause: str) -> None:
        self.escalate_at, self.ended_at, self.end_cause = None, at, cause[:200]


class PageNotification(models.Model):
    """One message of one step to one contact: what makes a step idempotent. Level 0 is the fallback of a round."""

    page = models.ForeignKey(Page, models.PROTECT, related_name="notifications", verbose_name=_("page"))
    round = models.PositiveSmallIntegerField(_("round"))
    level = models.PositiveSmallIntegerField(_("level"))
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("person"))
    contact_ref = models.BigIntegerField(_("contact"), help_text=_("its id; 0: the login address"))
    message = models.OneToOneField(Message, models.PROTECT, related_name="+", verbose_name=_("message"))
    created_at = models.DateTimeField(_("decided at"))

    class Meta:
        ordering = ["id"]
        verbose_name = _("notification of a page")
        verbose_name_plural = _("notifications of pages")
        constraints = [
            models.UniqueConstraint(
                fields=["page", "round", "level", "user", "contact_ref"], name="oncall_notification_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.page} {self.round}.{self.level} {self.user}"


class ResponderLink(models.Model):
    """A capability: who holds it may confirm this page as this person. Stored as a hash only."""

    token_hash = models.CharField(max_length=64, unique=True)
    page = models.ForeignKey(Page, models.PROTECT, related_name="links", verbose_name=_("page"))
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("person"))
    round = models.PositiveSmallIntegerField(_("round"))
    level = models.PositiveSmallIntegerField(_("level"))
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"))

    class Meta:
        ordering = ["id"]
        verbose_name = _("responder link")
        verbose_name_plural = _("responder links")

    def __str__(self) -> str:
        return f"{self.user} {self.page}"


class Verb(models.TextChoices):
    ACKNOWLEDGE = "acknowledge", _("I am on it")
    PASS_ON = "pass-on", _("Pass on")
    RESOLVE = "resolve", _("It is fixed")
    EXTEND = "extend", _("Extend")
    RENEW = "renew", _("Send me a new link")


class LinkUse(models.Model):
    """What a link did: each verb at most once, and the answer that a repeated tap gets again."""

    link = models.ForeignKey(ResponderLink, models.PROTECT, related_name="uses", verbose_name=_("link"))
    verb = models.CharField(_("verb"), max_length=20, choices=Verb.choices)
    answer = models.JSONField(_("answer"))
    at = models.DateTimeField(_("at"))

    class Meta:
        ordering = ["id"]
        verbose_name = _("use of a responder link")
        verbose_name_plural = _("uses of responder links")
        constraints = [models.UniqueConstraint(fields=["link", "verb"], name="oncall_link_verb_once")]

    def __str__(self) -> str:
        return f"{self.link} {self.verb}"
