"""What the desk's pages ask for; fields carry the names that the actions take."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Team, User
from incidents.models import Category, Incident, Service


class MinuteField(forms.DateTimeField):
    """A local time with a browser's own picker; to the minute."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"], **kwargs)


def choices(field: str) -> list[tuple[Any, Any]]:
    """The choices that the incident's own field declares."""
    return list(Incident._meta.get_field(field).choices or [])


class VersionForm(forms.Form):
    """Carries the version that the reader saw, so that a stale save is refused."""

    expected_version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, incident: Incident | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.incident = incident
        if incident is not None:
            self.fields["expected_version"].initial = incident.version

    def clean_expected_version(self) -> int | None:
        value: int | None = self.cleaned_data.get("expected_version")
        return value


class AcknowledgeForm(VersionForm):
    """Acknowledging is idempotent and never stale: the form asks nothing."""

    def clean_expected_version(self) -> int | None:
        return None


class AssignForm(VersionForm):
    team = forms.ModelChoiceField(Team.objects.none(), required=False, label=_("Team"))
    assignee = forms.ModelChoiceField(User.objects.none(), required=False, label=_("Person"))
    reason = forms.CharField(required=False, label=_("Reason"), max_length=500)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["team"].queryset = Team.objects.filter(is_active=True).order_by("name")
        people = User.objects.active().filter(is_staff=True).order_by("name")
        self.fields["assignee"].queryset = people
        if self.incident is not None:
            self.fields["team"].initial = self.incident.team_id
            self.fields["assignee"].initial = self.incident.assignee_id


class HoldForm(VersionForm):
    hold_reason = forms.ChoiceField(choices=lambda: choices("hold_reason"), label=_("Reason"))
    until = MinuteField(label=_("Wake up at"))
    note = forms.CharField(required=False, label=_("Note"), max_length=2000)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["until"].initial = lambda: (timezone.localtime() + timedelta(days=2)).replace(
            second=0, microsecond=0
        )


class ResolveForm(VersionForm):
    code = forms.ChoiceField(choices=lambda: choices("resolution_code"), label=_("Resolution"))
    cause = forms.ChoiceField(choices=lambda: [("", "-"), *choices("cause_code")], required=False, label=_("Cause"))
    fix_kind = forms.ChoiceField(choices=lambda: choices("fix_kind"), label=_("Kind of fix"))
    notes = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), label=_("What was done"), max_length=20000)


class ReasonForm(VersionForm):
    reason = forms.CharField(label=_("Reason"), max_length=500)


class CloseForm(VersionForm):
    confirmation = forms.CharField(label=_("How was restoration confirmed?"), max_length=500)


class CancelForm(VersionForm):
    reason = forms.ChoiceField(choices=lambda: choices("cancel_reason"), label=_("Reason"))
    detail = forms.CharField(label=_("Detail"), max_length=500)


class PriorityForm(VersionForm):
    priority = forms.TypedChoiceField(choices=[(n, f"P{n}") for n in range(1, 6)], coerce=int, label=_("Priority"))
    reason = forms.CharField(label=_("Reason"), max_length=500)


class CommentForm(VersionForm):
    body = forms.CharField(widget=forms.Textarea(attrs={"rows": 4}), label=_("Comment"), max_length=20000)
    is_public = forms.BooleanField(required=False, label=_("The requester reads this"))

    def clean_expected_version(self) -> int | None:
        return None


class LogCallForm(forms.Form):
    """A call in six tab stops: who, what, more, service, how bad, save."""

    requester = forms.EmailField(
        required=False, label=_("Caller's mail address"), widget=forms.EmailInput(attrs={"list": "people"})
    )
    title = forms.CharField(label=_("What is wrong?"), max_length=200)
    description = forms.CharField(
        required=False, label=_("Details"), widget=forms.Textarea(attrs={"rows": 4}), max_length=20000
    )
    service = forms.ModelChoiceField(Service.objects.none(), required=False, label=_("Service"))
    urgency = forms.TypedChoiceField(
        choices=[(1, _("High")), (2, _("Medium")), (3, _("Low"))], coerce=int, initial=2, label=_("How urgent?")
    )
    impact = forms.TypedChoiceField(
        choices=[(1, _("High")), (2, _("Medium")), (3, _("Low"))],
        coerce=int,
        initial=2,
        required=False,
        label=_("Impact"),
    )
    category = forms.ModelChoiceField(Category.objects.none(), required=False, label=_("Category"))
    channel = forms.ChoiceField(
        choices=lambda: [one for one in choices("channel") if one[0] in CALLS], required=False, label=_("Channel")
    )
    team = forms.ModelChoiceField(Team.objects.none(), required=False, label=_("Team"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["service"].queryset = Service.objects.filter(is_active=True).order_by("name")
        self.fields["category"].queryset = Category.objects.filter(is_active=True).order_by("name")
        self.fields["team"].queryset = Team.objects.filter(is_active=True).order_by("name")

    def clean_requester(self) -> User | None:
        address = self.cleaned_data["requester"]
        if not address:
            return None
        found = User.objects.active().filter(email__iexact=address).first()
        if found is None:
            raise forms.ValidationError(
                _("Nobody is known by this address; leave it empty or ask an admin to add them.")
            )
        return found


CALLS = ("phone", "chat", "walk_in")
