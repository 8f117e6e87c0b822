"""The filters of the queue, as its address carries them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Q
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from accounts.models import Team, User
from audit.actor import Actor
from incidents.models import OPEN_STATES, Channel, Kind, Service, State
from servicedesk.desk.forms import CategoryField

NOBODY, MYSELF = "none", "me"
#: What of an address opens the form before anything is chosen in it.
OPEN = "filters"


class FilterForm(forms.Form):
    """Nothing chosen in a field: it narrows nothing down."""

    priority = forms.TypedMultipleChoiceField(
        label=_("Priority"), coerce=int, choices=[(n, f"P{n}") for n in range(1, 6)], required=False,
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    state = forms.MultipleChoiceField(
        label=_("State"), choices=[one for one in State.choices if one[0] in OPEN_STATES], required=False,
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    team = forms.ModelChoiceField(Team.objects.none(), label=_("Team"), required=False, empty_label=_("any"))
    assignee = forms.ChoiceField(label=_("Person"), required=False)
    service = forms.ModelChoiceField(Service.objects.none(), label=_("Service"), required=False, empty_label=_("any"))
    category = CategoryField(label=_("Category"))
    channel = forms.ChoiceField(label=_("Channel"), choices=[("", _("any")), *Channel.choices], required=False)
    kind = forms.ChoiceField(label=_("Kind"), choices=[("", _("any")), *Kind.choices], required=False)

    def __init__(self, given: QueryDict, actor: Actor) -> None:
        super().__init__(given, label_suffix="", auto_id="filter_%s")
        self.actor = actor
        fields: Any = self.fields
        fields["team"].queryset = Team.objects.visible_to(actor).order_by("name")
        fields["service"].queryset = Service.objects.order_by("name")
        teams = actor.team_ids | actor.led_team_ids
        mates = User.objects.active().filter(memberships__team_id__in=teams).distinct().order_by("name")
        people = [(str(one.pk), str(one)) for one in mates[:100]]
        fields["assignee"].choices = [("", _("any")), (MYSELF, _("me")), (NOBODY, _("nobody")), *people]

    @property
    def is_used(self) -> bool:
        return any(self.data.get(name) for name in self.fields)

    def condition(self) -> Q:
        """What rows of the queue must fulfil; refuses nothing: a form with errors narrows nothing down."""
        if not self.is_valid():
            return Q()
        given, wanted = self.cleaned_data, Q()
        if given["priority"]:
            wanted &= Q(priority__in=given["priority"])
        if given["state"]:
            wanted &= Q(state__in=given["state"])
        if given["team"]:
            wanted &= Q(team=given["team"])
        if given["assignee"] == NOBODY:
            wanted &= Q(assignee=None)
        elif given["assignee"]:
            wanted &= Q(assignee_id=self.actor.user_id if given["assignee"] == MYSELF else int(given["assignee"]))
        for name in ("channel", "kind", "service"):
            if given[name]:
                wanted &= Q(**{f"incident__{name}": given[name]})
        if given["category"]:
            key = given["category"].pk
            below = Q(incident__category=key) | Q(incident__category__parent=key)
            wanted &= below | Q(incident__category__parent__parent=key)
        return wanted


def asks_for_filters(given: QueryDict) -> bool:
    """Whether the form is wanted: its lists cost statements that most looks at the queue can do without."""
    return OPEN in given or any(given.get(name) for name in FilterForm.base_fields)


def query_of(given: QueryDict, view: str) -> str:
    """The view and its filters as the rest of an address, without the place in the list."""
    kept = QueryDict(mutable=True)
    kept["view"] = view
    for name, values in given.lists():
        if name in FilterForm.base_fields and any(values):
            kept.setlist(name, [one for one in values if one])
    return kept.urlencode()
