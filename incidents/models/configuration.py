"""What incidents are sorted by: the category tree, the services, the versions of the priority matrix."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from audit.models import Tracked, records
from incidents.models.choices import ClosingField, EscalationKind, EscalationTrigger, Kind
from incidents.priority import DEFAULT_ROWS, Matrix, matrix_of, problems

DEEPEST = 3


class Category(Tracked):
    """A node of the category tree, at most three deep: deeper trees are filled in wrongly."""

    name = models.CharField(_("name"), max_length=120)
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children", verbose_name=_("part of")
    )
    is_active = models.BooleanField(_("active"), default=True)
    history = records()

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["parent", "name"], name="incidents_category_name_once", nulls_distinct=False
            ),
            models.CheckConstraint(condition=~Q(parent=models.F("id")), name="incidents_category_not_its_own_parent"),
        ]

    def __str__(self) -> str:
        return " > ".join(one.name for one in self.path())

    def path(self) -> list[Category]:
        """From the root down to this one; it stops at a node seen before, so a bad tree can't hang it."""
        found: list[Category] = [self]
        while (above := found[-1].parent) is not None and len(found) <= DEEPEST and above not in found:
            found.append(above)
        return found[::-1]

    def clean(self) -> None:
        """Refuses a loop, and a place that would make a branch deeper than three."""
        seen, above, depth = {self.pk}, self.parent, 1
        while above is not None:
            if above.pk in seen:
                raise ValidationError({"parent": _("A category can't be part of itself or of one below it.")})
            seen.add(above.pk)
            above, depth = above.parent, depth + 1
        if depth + self._height() > DEEPEST:
            raise ValidationError({"parent": _("The category tree is at most three deep: choose a higher parent.")})

    def _height(self) -> int:
        level, height = [self.pk] if self.pk else [], 0
        while level and height <= DEEPEST:
            level = list(Category.objects.filter(parent__in=level).values_list("pk", flat=True))
            height += bool(level)
        return height


class Service(Tracked):
    """Something that people use and a team answers for; its criticality suggests impact."""

    name = models.CharField(_("name"), max_length=200, unique=True)
    slug = models.SlugField(_("short name"), max_length=80, unique=True)
    description = models.TextField(_("description"), blank=True)
    owner_team = models.ForeignKey(
        "accounts.Team", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("owner team")
    )
    criticality = models.PositiveSmallIntegerField(
        _("criticality"),
        default=3,
        choices=[(1, _("1 vital")), (2, _("2 high")), (3, _("3 medium")), (4, _("4 low"))],
    )
    is_active = models.BooleanField(_("active"), default=True)
    history = records()

    class Meta:
        verbose_name = _("service")
        verbose_name_plural = _("services")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(criticality__gte=1, criticality__lte=4), name="incidents_service_criticality"
            ),
        ]

    def __str__(self) -> str:
        return self.name


def _default_rows() -> list[list[int]]:
    return [list(row) for row in DEFAULT_ROWS]


def _default_impacts() -> list[str]:
    return ["High: a site or many people", "Medium: a team", "Low: one person"]


def _default_urgencies() -> list[str]:
    return ["High: work has stopped", "Medium: work is slower", "Low: it can wait"]


class PriorityMatrix(Tracked):
    """One version of impact x urgency; a change makes a new version, and an incident keeps the one it was judged by."""

    number = models.PositiveIntegerField(_("version number"), unique=True)
    name = models.CharField(_("name"), max_length=120, default="Priority matrix")
    rows = models.JSONField(_("rows"), default=_default_rows, help_text=_("one row per impact, one cell per urgency"))
    impacts = models.JSONField(_("impacts"), default=_default_impacts)
    urgencies = models.JSONField(_("urgencies"), default=_default_urgencies)
    vip_raises_urgency = models.BooleanField(_("a VIP raises urgency by one step"), default=False)
    is_current = models.BooleanField(_("in force"), default=False)
    created_at = models.DateTimeField(_("created at"))
    is_kept = True
    history = records()

    class Meta:
        verbose_name = _("priority matrix")
        verbose_name_plural = _("priority matrices")
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["is_current"], condition=Q(is_current=True), name="incidents_matrix_one_current"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.number}"

    @property
    def matrix(self) -> Matrix:
        return matrix_of(self.rows)

    def clean(self) -> None:
        """Refuses rows of unequal length, cells outside 1..5, and names that don't fit the sides."""
        found: dict[str, Any] = {"rows": problems(self.rows)}
        if not found["rows"]:
            for field, side in (("impacts", len(self.rows)), ("urgencies", len(self.rows[0]))):
                names = getattr(self, field)
                fits = isinstance(names, list) and len(names) == side
                named = fits and all(isinstance(one, str) and one for one in names)
                found[field] = [] if named else [_("Give a list of %(side)s names.") % {"side": side}]
        if wrong := {field: texts for field, texts in found.items() if texts}:
            raise ValidationError(wrong)


class ClosingRule(Tracked):
    """What a person has to say before an incident of a kind is closed; without a rule only its confirmation.

    It does not bind the requester, whose word is the confirmation, nor the system, which closes when nobody objected.
    """

    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices, unique=True)
    required = ArrayField(
        models.CharField(max_length=30, choices=ClosingField.choices),
        verbose_name=_("required"),
        default=list,
        blank=True,
        help_text=_("Of: cause, closing_category, confirmation, notes, article."),
    )
    is_kept = True
    history = records()

    class Meta:
        verbose_name = _("closing rule")
        verbose_name_plural = _("closing rules")
        ordering = ["kind"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {', '.join(self.required) or '–'}"


class EscalationRule(Tracked):
    """An incident that reaches this is escalated by the system, once; shares of an SLA stand in the SLA policy."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    trigger = models.CharField(_("when"), max_length=20, choices=EscalationTrigger.choices)
    value = models.PositiveSmallIntegerField(_("value"), help_text=_("The priority (1 or 2), or how many changes."))
    how = models.CharField(_("how"), max_length=20, choices=EscalationKind.choices, default=EscalationKind.HIERARCHICAL)
    team = models.ForeignKey(
        "accounts.Team", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("to this team"),
        help_text=_("Empty: the next tier."),
    )  # fmt: skip
    is_active = models.BooleanField(_("active"), default=True)
    is_kept = True
    history = records()

    class Meta:
        verbose_name = _("escalation rule")
        verbose_name_plural = _("escalation rules")
        ordering = ["trigger", "value", "name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(trigger=EscalationTrigger.PRIORITY, value__gte=1, value__lte=2)
                | Q(trigger=EscalationTrigger.REASSIGNMENTS, value__gte=1, value__lte=100),
                name="incidents_escalation_value",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuses a value outside what the trigger can reach, and a team for telling a manager."""
        highest = 2 if self.trigger == EscalationTrigger.PRIORITY else 100
        if self.value is not None and not 1 <= self.value <= highest:
            raise ValidationError({"value": _("Give 1 to %(highest)s.") % {"highest": highest}})
        if self.team is not None and self.how != EscalationKind.FUNCTIONAL:
            raise ValidationError({"team": _("Only an escalation to another team names one.")})
