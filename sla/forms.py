"""The policy's form: conditions are picked from lists instead of typed as ids."""

from __future__ import annotations

from typing import ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import Organisation, Team
from audit.admin import IdsField
from incidents.models import Category, Kind, Service
from sla.models import SlaPolicy


class SlaPolicyForm(forms.ModelForm):  # type: ignore[type-arg]
    """Nothing picked in a condition: it holds for every incident."""

    priorities = forms.TypedMultipleChoiceField(
        label=_("priorities"), coerce=int, choices=[(n, f"P{n}") for n in range(1, 6)], required=False
    )
    kinds = forms.MultipleChoiceField(label=_("kinds"), choices=Kind.choices, required=False)
    categories = IdsField(label=_("categories"), queryset=Category.objects.all(), required=False)
    services = IdsField(label=_("services"), queryset=Service.objects.all(), required=False)
    teams = IdsField(label=_("teams"), queryset=Team.objects.all(), required=False)
    organisations = IdsField(label=_("organisations"), queryset=Organisation.objects.all(), required=False)

    class Meta:
        model = SlaPolicy
        fields: ClassVar[list[str]] = [
            "name", "position", "is_active", "priorities", "kinds", "categories", "services", "teams", "organisations",
            "calendar", "targets", "pause_reasons", "resolve_stops_at", "on_priority_change", "on_reopen", "thresholds",
            "repeat_percent", "on_breach", "auto_close_days",
        ]  # fmt: skip
