"""What the verbs between incidents ask for on the desk's page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

import incidents.queries
from accounts.models import User
from incidents.models import Comment, IncidentLink, LinkKind, MajorIncident, Task
from servicedesk.desk.forms import LISTED_PEOPLE, Area, MinuteField, VerbForm


class RelatedForm(VerbForm):
    """A verb that names another incident in the field `names`."""

    names = ""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        typed = cleaned.get(self.names)
        if isinstance(typed, str) and typed:
            found = incidents.queries.visible_by_reference(self.actor, typed)
            if found is None:
                raise ValidationError({self.names: _("There is no such incident, or you may not see it.")})
            cleaned[self.names] = found
        return cleaned


class MergeForm(RelatedForm):
    """Two people reported them: the first answer says who will read what, sending it again confirms that."""

    names = "into"
    into = forms.CharField(label=_("Into (number)"), max_length=40)
    reason = forms.CharField(required=False, label=_("Reason (optional)"), max_length=500)
    confirmation = forms.CharField(required=False, widget=forms.HiddenInput, max_length=64)


class UnmergeForm(VerbForm):
    reason = forms.CharField(required=False, label=_("Reason (optional)"), max_length=500)


class ParentForm(RelatedForm):
    """An empty number means: nobody's child."""

    names = "parent"
    parent = forms.CharField(required=False, label=_("Parent (number; empty: none)"), max_length=40)

    def values(self) -> dict[str, Any]:
        return {**super().values(), "parent": self.cleaned_data["parent"] or None}


class DuplicateForm(RelatedForm):
    names = "of"
    of = forms.CharField(label=_("Duplicate of (number)"), max_length=40)


class LinkForm(RelatedForm):
    is_versioned = False
    names = "other"
    kind = forms.ChoiceField(choices=LinkKind.choices, label=_("It is"))
    other = forms.CharField(label=_("Number of the other one"), max_length=40)


class SplitForm(VerbForm):
    """What becomes an incident of its own; the chosen comment tells when it was reported."""

    is_versioned = False
    title = forms.CharField(label=_("Title"), max_length=300)
    comment = forms.ModelChoiceField(
        Comment.objects.none(), required=False, label=_("From the comment"), empty_label="–"
    )
    description = forms.CharField(required=False, label=_("Details (optional)"), widget=Area(), max_length=20000)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        comments: Any = self.fields["comment"]
        comments.queryset = incidents.queries.comments_for(self.actor, self.incident).order_by("-id")


class RowForm(VerbForm):
    """A button beside a row of the incident's own."""

    is_versioned = False
    row = forms.ModelChoiceField(Task.objects.none(), widget=forms.HiddenInput)
    names = ""

    def values(self) -> dict[str, Any]:
        return {self.names: self.cleaned_data["row"]}


class TaskRowForm(RowForm):
    names = "task"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows: Any = self.fields["row"]
        rows.queryset = Task.objects.filter(incident=self.incident).select_related("incident")


class LinkRowForm(RowForm):
    names = "link"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows: Any = self.fields["row"]
        links = IncidentLink.objects.visible_to(self.actor).touching(self.incident)
        rows.queryset = links.select_related("incident", "other")


class TaskForm(VerbForm):
    is_versioned = False
    title = forms.CharField(label=_("What is to be done"), max_length=300)
    owner = forms.ModelChoiceField(
        User.objects.none(), required=False, label=_("Owner (optional)"), empty_label=_("whoever has the incident")
    )
    due_at = MinuteField(label=_("Due (optional)"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        owners: Any = self.fields["owner"]
        people = User.objects.active().filter(is_staff=True)
        team = self.incident.team_id
        mates = people.filter(memberships__team_id=team) if team else people
        listed = [*mates.order_by("name").values_list("pk", flat=True)[:LISTED_PEOPLE], self.actor.user_id or 0]
        owners.queryset = people.filter(pk__in=listed).order_by("name")


class WatcherForm(VerbForm):
    """Somebody of the desk who shall follow it too."""

    is_versioned = False
    user = forms.ModelChoiceField(User.objects.none(), label=_("Who shall watch it"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people: Any = self.fields["user"]
        people.queryset = User.objects.active().filter(is_staff=True).order_by("name")


class WhyForm(VerbForm):
    reason = forms.CharField(label=_("Why"), widget=Area(), max_length=2000)


def _people(field: Any) -> None:
    """The desk's people: those of the team first that a list can hold."""
    people = User.objects.active().filter(is_staff=True)
    field.queryset = people.filter(pk__in=[*people.order_by("name").values_list("pk", flat=True)[:LISTED_PEOPLE]])


class RolesForm(VerbForm):
    """Who leads a major incident."""

    is_versioned = False
    commander = forms.ModelChoiceField(User.objects.none(), required=False, label=_("Commander"), empty_label="–")
    communications_lead = forms.ModelChoiceField(
        User.objects.none(), required=False, label=_("Communications lead"), empty_label="–"
    )
    scribe = forms.ModelChoiceField(User.objects.none(), required=False, label=_("Scribe"), empty_label="–")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        major = MajorIncident.objects.filter(incident=self.incident).live().first()
        for name in ("commander", "communications_lead", "scribe"):
            _people(self.fields[name])
            self.initial[name] = getattr(major, f"{name}_id", None)

    def values(self) -> dict[str, Any]:
        return {"values": dict(self.cleaned_data)}


class AcceptForm(RolesForm):
    """Who accepts commands, unless somebody is named."""

    reason = forms.CharField(required=False, label=_("Why (optional)"), max_length=2000)

    def values(self) -> dict[str, Any]:
        return dict(self.cleaned_data)


class UpdateForm(VerbForm):
    is_versioned = False
    body = forms.CharField(label=_("How does it stand? (everyone reads it)"), widget=Area(), max_length=20000)


class ClosingForm(VerbForm):
    is_versioned = False
    owner = forms.ModelChoiceField(User.objects.none(), label=_("Who closes it"))
    close_on = forms.DateField(label=_("On"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _people(self.fields["owner"])
        major = MajorIncident.objects.filter(incident=self.incident).live().first()
        if major is not None:
            self.initial.update({"owner": major.closing_owner_id, "close_on": major.close_on})
