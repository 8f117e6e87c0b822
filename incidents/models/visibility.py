"""The vocabulary of incident queries, and who sees which row (SEMANTICS part 1, row "see")."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db import models
from django.db.models import Q

from audit.actor import Actor, ActorKind
from incidents.models.choices import OPEN_STATES, State
from incidents.permissions import sees_all

if TYPE_CHECKING:
    from incidents.models.incident import Incident

#: What full-text search reads; the index of the same expression answers it. 'simple' keeps words of all languages.
SEARCHED = SearchVector("title", "description", config="simple")


class IncidentQuerySet(models.QuerySet["Incident"]):
    def visible_to(self, actor: Actor) -> Self:
        """Only what the actor may see. Everything outside answers 404 and is absent from counts and search."""
        if sees_all(actor):
            return self
        if not actor.is_person or not actor.has_scope("incidents:read"):
            return self.none()
        mine = Q(requester_id=actor.user_id) | Q(logged_by_id=actor.user_id)
        if actor.has_role("agent", "lead", "responder"):
            mine |= Q(team_id__in=actor.team_ids | actor.led_team_ids) | Q(assignee_id=actor.user_id)
        if actor.has_role("agent", "lead"):
            mine |= Q(team_id=None)
        followed = self.model._meta.get_field("participants").related_model.objects.filter(user_id=actor.user_id)  # type: ignore[union-attr]
        return self.filter(mine | Q(pk__in=followed.values("incident_id")))

    def open(self) -> Self:
        return self.filter(state__in=OPEN_STATES)

    def unowned(self) -> Self:
        return self.open().filter(assignee_id=None)

    def matching(self, text: str) -> Self:
        """Full-text search in title and description; an `INC-` reference or number finds that incident."""
        number = text.strip().upper().removeprefix("INC-")
        if number.isascii() and number.isdigit() and len(number) <= 12:
            return self.filter(number=int(number))
        words = SearchQuery(text, config="simple", search_type="websearch")
        # A trigram match of the title forgives typos; both sides are answered by their index.
        return self.alias(searched=SEARCHED).filter(Q(searched=words) | Q(title__trigram_word_similar=text[:200]))

    def wake_up_due(self, at: datetime) -> Self:
        return self.filter(state=State.ON_HOLD, hold_until__lte=at, is_imported=False)

    def close_due(self, at: datetime) -> Self:
        return self.filter(state=State.RESOLVED, close_due_at__lte=at, is_imported=False)

    def idle_due(self, at: datetime) -> Self:
        return self.filter(idle_at__lte=at, is_imported=False)

    def override_due(self, at: datetime) -> Self:
        return self.filter(priority_override_until__lte=at, state__in=OPEN_STATES)
