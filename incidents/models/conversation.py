"""What is said on an incident, and who follows it without owning it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from audit.actor import Actor, ActorKind
from audit.models import Event, Tracked, personal, records
from incidents.models.choices import Nature, ParticipantRole
from incidents.models.incident import Incident
from incidents.permissions import sees_all


class CommentQuerySet(models.QuerySet["Comment"]):
    def public(self) -> CommentQuerySet:
        return self.filter(is_public=True)

    def visible_to(self, actor: Actor) -> CommentQuerySet:
        """Of the incidents that the actor may see; which part of a conversation is the incident page's to say."""
        return self if sees_all(actor) else self.filter(incident__in=Incident.objects.visible_to(actor))


class ParticipantQuerySet(models.QuerySet["Participant"]):
    def visible_to(self, actor: Actor) -> ParticipantQuerySet:
        return self if sees_all(actor) else self.filter(incident__in=Incident.objects.visible_to(actor))


class Comment(models.Model):
    """One message on an incident, never edited; a public one reaches the requester, an internal one never does."""

    class AuthorKind(models.TextChoices):
        REQUESTER = "requester", _("requester")
        AGENT = "agent", _("agent")
        SYSTEM = "system", _("system")

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="comments", verbose_name=_("incident"))
    #: The merged incident of another requester whose number it was written to: that requester reads it too.
    addressed_to = models.ForeignKey(
        Incident, models.PROTECT, null=True, related_name="+", db_index=False, verbose_name=_("written to")
    )
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("author")
    )
    author_label = personal(models.CharField(_("written by"), max_length=300))
    author_kind = models.CharField(_("author is"), max_length=20, choices=AuthorKind.choices)
    is_public = models.BooleanField(_("public"), default=False)
    nature = models.CharField(_("nature"), max_length=20, choices=Nature.choices, default=Nature.PERSON)
    body = personal(models.TextField(_("text")))
    channel = models.CharField(_("channel"), max_length=40)
    created_at = models.DateTimeField(_("written at"))

    objects = CommentQuerySet.as_manager()
    append_only: ClassVar[bool] = True

    class Meta:
        verbose_name = _("comment")
        verbose_name_plural = _("comments")
        ordering = ["id"]
        indexes = [
            models.Index(fields=["incident", "id"], name="incidents_comment_thread"),
            models.Index(
                fields=["addressed_to", "id"],
                condition=models.Q(addressed_to__isnull=False),
                name="incidents_comment_addressed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.author_label}: {self.body[:60]}"


class Participant(Tracked):
    """A person who may see an incident because they watch it or were paged for it."""

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="participants", verbose_name=_("incident"))
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("person"))
    role = models.CharField(_("role"), max_length=20, choices=ParticipantRole.choices)
    added_at = models.DateTimeField(_("since"))
    history = records()

    objects = ParticipantQuerySet.as_manager()

    class Meta:
        verbose_name = _("participant")
        verbose_name_plural = _("participants")
        constraints = [models.UniqueConstraint(fields=["incident", "user", "role"], name="incidents_participant_once")]

    def __str__(self) -> str:
        return f"{self.user} ({self.get_role_display()})"


def desk_name(incident: Incident) -> str:
    """Who speaks to the requester where no person does: the team, else the desk; never a key's or a job's name."""
    return str(incident.team) if incident.team_id else gettext("Service desk")


def author_for_requester(sent: Any) -> str:
    """Who wrote a comment or sent a file, as the requester reads it."""
    return str(sent.author) if sent.author is not None else desk_name(sent.incident)


def name_for_requester(event: Event, incident: Incident) -> str:
    """Who did it, as the requester reads it."""
    if event.actor_kind == ActorKind.PERSON:
        return event.actor_label
    return event.on_behalf_of if event.actor_kind == ActorKind.KEY and event.on_behalf_of else desk_name(incident)
