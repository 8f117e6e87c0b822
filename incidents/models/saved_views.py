"""A queue that somebody looks at again and again: a name for the filters of its address."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from audit.actor import Actor
from audit.models import Tracked, records

LONGEST_QUERY = 1000


class SavedViewQuerySet(models.QuerySet["SavedView"]):
    def visible_to(self, actor: Actor) -> SavedViewQuerySet:
        """One's own, and those shared with a team of one's own."""
        if actor.user_id is None:
            return self.none()
        return self.filter(Q(owner_id=actor.user_id) | Q(team_id__in=actor.team_ids | actor.led_team_ids))


class SavedView(Tracked):
    """`query` is the address's own text, so that a view means what its link means and nothing else.

    It is private unless it names a team, whose people then see it too; only its owner changes or removes it.
    """

    name = models.CharField(_("name"), max_length=80)
    query = models.CharField(_("filters"), max_length=LONGEST_QUERY)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", editable=False, verbose_name=_("owner")
    )
    team = models.ForeignKey(
        "accounts.Team", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("shared with")
    )
    history = records()
    objects = SavedViewQuerySet.as_manager()

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="incidents_view_name_once")]

    def __str__(self) -> str:
        return self.name
