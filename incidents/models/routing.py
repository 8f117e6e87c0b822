"""The ordered rules by which a new incident finds its team."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Organisation, Site
from audit.models import Tracked, records
from incidents.models.choices import Channel, Kind
from incidents.models.configuration import Category, Service
from incidents.routing import CONDITIONS, Rule


def _ids(name: Any) -> ArrayField[Any, Any]:
    return ArrayField(models.BigIntegerField(), verbose_name=name, default=list, blank=True)


def _texts(name: Any, longest: int, **options: Any) -> ArrayField[Any, Any]:
    return ArrayField(
        models.CharField(max_length=longest), verbose_name=name, default=list, blank=True, size=50, **options
    )


class RoutingRule(Tracked):
    """One line of the list that is tried from the top; the first whose conditions all hold names the team.

    An empty condition holds for every incident. A rule for a retired team is passed over.
    """

    name = models.CharField(_("name"), max_length=120, unique=True)
    position = models.PositiveIntegerField(_("position"), unique=True)
    is_active = models.BooleanField(_("active"), default=True)
    kinds = _texts(_("kinds"), 20)
    channels = _texts(_("channels"), 20)
    sources = _texts(_("sources"), 200, help_text=_("Patterns: “Nagios*” stands for all that begin so."))
    categories = _ids(_("categories"))
    services = _ids(_("services"))
    sites = _ids(_("sites"))
    organisations = _ids(_("organisations"))
    team = models.ForeignKey("accounts.Team", models.PROTECT, related_name="+", verbose_name=_("team"))
    is_kept: ClassVar[bool] = True
    configured_by: ClassVar[frozenset[str]] = frozenset({"admin", "lead"})
    history = records()

    class Meta:
        verbose_name = _("routing rule")
        verbose_name_plural = _("routing rules")
        ordering = ["position"]

    def __str__(self) -> str:
        return self.name

    def rule(self) -> Rule:
        return Rule(
            id=self.pk or 0, name=self.name, version=self.version, team=self.team_id,
            **{name: tuple(getattr(self, name)) for name in CONDITIONS},
        )  # fmt: skip

    def clean(self) -> None:
        """Refuses a retired team and conditions that name what does not exist: such a rule would never match."""
        if self.team_id is not None and self.is_active and not self.team.is_active:
            raise ValidationError({"team": _("This team is retired: choose an active one.")})
        for name, choices in (("kinds", Kind), ("channels", Channel)):
            if unknown := [one for one in getattr(self, name) if one not in choices.values]:
                raise ValidationError(
                    {name: _("There is no “%(value)s”: choose of %(known)s.")
                     % {"value": unknown[0], "known": ", ".join(choices.values)}}
                )  # fmt: skip
        for name, model in (
            ("categories", Category), ("services", Service), ("sites", Site), ("organisations", Organisation),
        ):  # fmt: skip
            wanted = set(getattr(self, name))
            possible = {one for one in wanted if 0 < one < 2**63}
            found = model._default_manager.filter(pk__in=possible).values_list("pk", flat=True) if possible else ()
            if missing := sorted(wanted - set(found)):
                shown = ", ".join(map(str, missing))
                raise ValidationError({name: _("There is none with the id %(ids)s.") % {"ids": shown}})
