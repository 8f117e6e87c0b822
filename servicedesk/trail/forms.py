"""What the addresses of the auditor's pages may ask for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts import roles
from servicedesk.trail.queries import Filters
from servicedesk.trail.reviews import configuration_labels
from servicedesk.trail.tables import all_tracked

CHANGES = [("", "—"), ("+", _("created")), ("~", _("changed")), ("-", _("removed"))]


def _names(labels: list[str]) -> list[tuple[str, str]]:
    named = [(label, str(all_tracked()[label].model._meta.verbose_name)) for label in labels]
    return [("", "—"), *sorted(named, key=lambda one: one[1].casefold())]


def _in_range(value: datetime) -> None:
    """Instants outside these years overflow somewhere between zone, driver and page."""
    if not 1970 <= value.year < 9000:
        raise forms.ValidationError(_("Give a time between the years 1970 and 9000."), code="range")


def _moment(label: Any) -> forms.DateTimeField:
    return forms.DateTimeField(
        label=label, required=False, validators=[_in_range],
        widget=forms.DateTimeInput(attrs={"placeholder": "2026-03-09 09:00"}),
        input_formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M",
                       "%Y-%m-%dT%H:%M", "%Y-%m-%d"],
    )  # fmt: skip


class TrailForm(forms.Form):
    """The filters of the trail; the page and the API read them alike."""

    since = _moment(_("Since"))
    until = _moment(_("Until"))
    who = forms.CharField(label=_("Who"), required=False, max_length=200)
    model = forms.ChoiceField(label=_("What"), required=False)
    object = forms.IntegerField(label=_("Object"), required=False, min_value=0, max_value=2**63 - 1)
    channel = forms.CharField(label=_("Channel"), required=False, max_length=40)
    field = forms.CharField(label=_("Field"), required=False, max_length=63)
    change = forms.ChoiceField(label=_("Change"), required=False, choices=CHANGES)
    request_id = forms.CharField(label=_("Request"), required=False, max_length=100)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["model"].choices = _names(list(all_tracked()))  # type: ignore[attr-defined]

    def clean_field(self) -> str:
        """Only a column that some table has: it stands in the statement."""
        name: str = self.cleaned_data["field"]
        if name and not any(name in one.columns for one in all_tracked().values()):
            raise forms.ValidationError(_("No tracked object has such a field."), code="field")
        return name

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}
        if found.get("object") is not None and not found.get("model"):
            self.add_error("object", _("Say of what: choose it under “What”."))
        return found

    def filters(self) -> Filters:
        return Filters(**self.cleaned_data)


class AccessForm(forms.Form):
    role = forms.ChoiceField(label=_("Role"), required=False, choices=[("", "—"), *roles.CHOICES])


class ConfigurationForm(forms.Form):
    """Two moments and, where one kind of setting is to be seen whole, which."""

    at = _moment(_("As of"))
    until = _moment(_("Compared with"))
    model = forms.ChoiceField(label=_("What"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["model"].choices = _names(configuration_labels())  # type: ignore[attr-defined]

    def moments(self, now: datetime) -> tuple[datetime, datetime]:
        return self.cleaned_data["at"] or now, self.cleaned_data["until"] or now
