"""Forms of the admin: logging and revising an incident, and one form for each verb that asks something."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminSplitDateTime
from django.core.exceptions import ValidationError
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from accounts.models import Organisation, Site, Team, User
from audit.admin import IdsField
from incidents.models import (
    CancelReason,
    Category,
    CauseCode,
    Channel,
    FixKind,
    HoldReason,
    Incident,
    Kind,
    LinkKind,
    MailTemplate,
    ResolutionCode,
    RoutingRule,
    Service,
    WorkaroundOutcome,
)
from incidents.routing import CONDITIONS


class PersonField(forms.EmailField):
    """A person by mail address: a list of everybody would be slow, and a search box needs a script."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"help_text": _("mail address"), "required": False, **options})

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, int):
            return User.objects.get_queryset().filter(pk=value).values_list("email", flat=True).first()
        return value

    def clean(self, value: Any) -> Any:
        address = super().clean(value)
        if not address:
            return None
        found = User.objects.get_queryset().filter(email=address.lower()).first()
        if found is None:
            raise ValidationError(_("Nobody has this address. Check it, or make the account first."))
        return found

    def has_changed(self, initial: Any, data: Any) -> bool:
        return (self.prepare_value(initial) or "") != (data or "").strip().lower()


def given_by_hand(reasons: Any) -> list[tuple[Any, Any]]:
    """Why a person may cancel; a merge gives its own reason."""
    return [one for one in reasons.choices if one[0] != CancelReason.MERGED]


def _moment(label: Any, **options: Any) -> forms.SplitDateTimeField:
    return forms.SplitDateTimeField(label=label, widget=AdminSplitDateTime(), **options)


def _text(label: Any, **options: Any) -> forms.CharField:
    return forms.CharField(label=label, widget=forms.Textarea(attrs={"rows": 3, "cols": 60}), **options)


class ReviseIncidentForm(forms.ModelForm):  # type: ignore[type-arg]
    requester = PersonField(label=_("Requester"))

    class Meta:
        model = Incident
        fields: tuple[str, ...] = (
            "title", "description", "kind", "requester", "category", "service", "impact", "urgency", "occurred_at",
            "detected_at", "detected_by", "source_label", "external_ref",
        )  # fmt: skip


class NewIncidentForm(ReviseIncidentForm):
    assignee = PersonField(label=_("Assignee"))
    reported_at = _moment(_("Reported at"), required=False, help_text=_("when the call came in; empty: now"))
    reported_at_reason = forms.CharField(
        label=_("Reason for an earlier time"), required=False, max_length=500, help_text=_("past 15 minutes")
    )

    class Meta(ReviseIncidentForm.Meta):
        fields = (*ReviseIncidentForm.Meta.fields, "channel", "team", "assignee", "reported_at")


class AssignForm(forms.Form):
    team = forms.ModelChoiceField(label=_("Team"), queryset=Team.objects.active().order_by("name"), required=False)
    assignee = PersonField(label=_("Assignee"))
    reason = forms.CharField(label=_("Reason"), required=False, max_length=2000)

    def clean(self) -> dict[str, Any]:
        """An empty team stays as it is; an empty person empties the assignee."""
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("team") is None:
            cleaned.pop("team", None)
        return cleaned


class HoldForm(forms.Form):
    hold_reason = forms.ChoiceField(label=_("Waiting for"), choices=HoldReason.choices)
    until = _moment(
        _("Wake-up"),
        required=False,
        help_text=_("Empty while awaiting the requester: they are reminded, and at last it is resolved."),
    )
    note = _text(_("Note to the requester"), required=False, max_length=2000)


class ChangeHoldForm(HoldForm):
    until = _moment(_("Wake-up"), required=False)


class NoteForm(forms.Form):
    note = _text(_("Note"), required=False, max_length=2000)


class ContainForm(forms.Form):
    note = _text(_("What was done, and what is affected"), max_length=2000)
    users = forms.IntegerField(label=_("Users affected"), required=False, min_value=0, max_value=2_000_000_000)
    sites = forms.IntegerField(label=_("Sites affected"), required=False, min_value=0, max_value=2_000_000_000)
    services = forms.IntegerField(label=_("Services affected"), required=False, min_value=0, max_value=2_000_000_000)


class EscalateForm(forms.Form):
    team = forms.ModelChoiceField(
        label=_("To this team"), queryset=Team.objects.active().order_by("name"), required=False,
        help_text=_("Empty: the next tier."),
    )  # fmt: skip
    reason = forms.CharField(label=_("Reason"), max_length=2000)


class TellManagerForm(forms.Form):
    to = PersonField(label=_("Whom"), help_text=_("mail address; empty: who leads above you"))
    reason = forms.CharField(label=_("Reason"), max_length=2000)


class RestrictForm(forms.Form):
    reason = forms.CharField(label=_("Reason"), max_length=2000)


class ResolveForm(forms.Form):
    code = forms.ChoiceField(label=_("Resolution"), choices=ResolutionCode.choices)
    cause = forms.ChoiceField(label=_("Cause"), choices=[("", "-"), *CauseCode.choices], required=False)
    notes = _text(_("Notes to the requester"), required=False)
    fix_kind = forms.ChoiceField(label=_("Kind of fix"), choices=FixKind.choices)
    closing_category = forms.ModelChoiceField(
        label=_("Closing category"), queryset=Category.objects.select_related("parent__parent"), required=False
    )


class SettleForm(forms.Form):
    outcome = forms.ChoiceField(label=_("What became of it"), choices=WorkaroundOutcome.choices)
    reason = forms.CharField(label=_("Reason or problem"), required=False, max_length=2000)


class ReasonForm(forms.Form):
    reason = forms.CharField(label=_("Reason"), required=False, max_length=2000)


class CloseForm(forms.Form):
    confirmation = forms.CharField(label=_("How was restoration confirmed?"), max_length=300, required=False)
    cause = forms.ChoiceField(label=_("Cause"), choices=[("", "-"), *CauseCode.choices], required=False)
    closing_category = forms.ModelChoiceField(
        label=_("Closing category"), queryset=Category.objects.select_related("parent__parent"), required=False
    )
    article = forms.CharField(label=_("Article"), max_length=300, required=False)
    no_article_reason = forms.CharField(label=_("or why there is none"), max_length=500, required=False)


class CancelForm(forms.Form):
    reason = forms.ChoiceField(label=_("It was"), choices=given_by_hand(CancelReason))
    detail = forms.CharField(label=_("Detail"), required=False, max_length=500)


class WhyForm(forms.Form):
    reason = _text(_("Why"), max_length=2000)


class ParentForm(forms.Form):
    parent = forms.CharField(label=_("Parent (reference; empty: none)"), required=False, max_length=40)
    reason = forms.CharField(label=_("Reason"), required=False, max_length=2000)


class LinkForm(forms.Form):
    kind = forms.ChoiceField(label=_("It is"), choices=LinkKind.choices)
    other = forms.CharField(label=_("Other incident (reference)"), max_length=40)


class TaskForm(forms.Form):
    title = forms.CharField(label=_("What is to be done"), max_length=300)
    owner = PersonField(label=_("Owner"))
    due_at = _moment(_("Due"), required=False)


class MergeForm(forms.Form):
    into = forms.CharField(label=_("Into (reference)"), max_length=40)
    reason = forms.CharField(label=_("Reason"), required=False, max_length=2000)
    confirmation = forms.CharField(
        label=_("Confirmation"), required=False, max_length=64, help_text=_("as the refusal names it")
    )


class OverrideForm(forms.Form):
    priority = forms.TypedChoiceField(
        label=_("Priority"),
        choices=[("", _("as derived")), *((str(one), f"P{one}") for one in range(1, 6))],
        coerce=int,
        empty_value=None,
        required=False,
    )
    reason = forms.CharField(label=_("Reason"), max_length=2000)
    until = _moment(_("Until"), required=False)


class CommentForm(forms.Form):
    body = _text(_("Text"))
    is_public = forms.BooleanField(label=_("Public: the requester gets it by mail"), required=False)


class RetireCategoryForm(forms.Form):
    reason = forms.CharField(label=_("Reason"), max_length=1000, required=False)
    successor = forms.ModelChoiceField(
        label=_("Takes its open incidents"), queryset=Category.objects.filter(is_active=True), required=False
    )


class LinesField(forms.CharField):
    """One entry per line, kept as a list."""

    def __init__(self, **options: Any) -> None:
        super().__init__(widget=forms.Textarea(attrs={"rows": 2, "cols": 60}), **options)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> Any:
        return [line.strip() for line in str(value or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(list(initial or []) != self.to_python(data))


class RoutingRuleForm(forms.ModelForm):  # type: ignore[type-arg]
    """Nothing picked in a condition: it holds for every incident."""

    kinds = forms.MultipleChoiceField(
        label=_("Kinds"), choices=Kind.choices, required=False, widget=forms.CheckboxSelectMultiple
    )
    channels = forms.MultipleChoiceField(
        label=_("Channels"), choices=Channel.choices, required=False, widget=forms.CheckboxSelectMultiple
    )
    sources = LinesField(
        label=_("Sources"), required=False, max_length=2000,
        help_text=_("One pattern per line: “Nagios*” stands for all that begin so."),
    )  # fmt: skip
    categories = IdsField(
        label=_("Categories, with all below them"), required=False,
        queryset=Category.objects.select_related("parent__parent").filter(is_active=True)
        .order_by("parent__parent__name", "parent__name", "name"),
    )  # fmt: skip
    services = IdsField(label=_("Services"), queryset=Service.objects.filter(is_active=True), required=False)
    sites = IdsField(label=_("Sites"), queryset=Site.objects.all(), required=False)
    organisations = IdsField(label=_("Organisations"), queryset=Organisation.objects.all(), required=False)
    team = forms.ModelChoiceField(label=_("Team"), queryset=Team.objects.active().order_by("name"))

    class Meta:
        model = RoutingRule
        fields = ("name", "position", "is_active", *CONDITIONS, "team")


class MailTemplateForm(forms.ModelForm):  # type: ignore[type-arg]
    """Subject and text of a mail, beginning with what is in force; both are saved together or not at all."""

    class Meta:
        model = MailTemplate
        fields = ("subject", "body")
        widgets = {"body": forms.Textarea(attrs={"rows": 18, "cols": 90})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["subject"], self.initial["body"] = self.instance.in_force

    @cached_property
    def changed_data(self) -> list[str]:
        return list(self.fields) if super().changed_data else []
