"""What the buttons of this app's admin pages ask for, and the question of a report."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext_lazy as _

from accounts.models import Team
from audit.actor import Actor
from incidents.models import Channel, Service
from metrics.models import Digest
from metrics.queries.numbers import Asked
from metrics.queries.scope import teams_of, with_those_below


class SettleForm(forms.Form):
    note = forms.CharField(label=_("What came of it"), max_length=2000, widget=forms.Textarea(attrs={"rows": 3}))


#: Days outside are typing errors.
EARLIEST, LATEST = date(2000, 1, 1), date(2100, 12, 31)
#: Ten years: more than anybody compares.
LONGEST = 3660
#: The range where none is given, its last day included.
USUAL = timedelta(days=29)


class AskForm(forms.Form):
    """A range of days and what narrows it, as the address says it; pages and API read it alike."""

    service = forms.ModelChoiceField(Service.objects.order_by("name"), required=False, label=_("Service"))
    team = forms.ModelChoiceField(Team.objects.order_by("name"), required=False, label=_("Team with those below"))
    priority = forms.TypedChoiceField(
        choices=[("", "---------"), *((str(one), f"P{one}") for one in range(1, 6))],
        coerce=int, empty_value=None, required=False, label=_("Priority"),
    )  # fmt: skip
    channel = forms.ChoiceField(choices=[("", "---------"), *Channel.choices], required=False, label=_("Channel"))

    def __init__(self, data: Any, *, actor: Actor, today: date) -> None:
        super().__init__(data, auto_id="ask_%s")
        self.today, self.actor = today, actor
        for name, label in (("from", _("From")), ("to", _("To"))):
            self.fields[name] = forms.DateField(
                label=label, required=False, input_formats=["%Y-%m-%d"],
                widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
                error_messages={"invalid": _("Give a day like 2026-03-31.")},
            )  # fmt: skip
        self.order_fields(["from", "to", "team", "service", "priority", "channel"])
        scope = teams_of(actor)
        if scope is not None:
            field: Any = self.fields["team"]
            field.queryset = field.queryset.filter(pk__in=scope)

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}
        for name in ("from", "to"):
            day = found.get(name)
            if day is not None and not EARLIEST <= day <= LATEST:
                self.add_error(
                    name, _("Give a day between %(first)s and %(last)s.") % {"first": EARLIEST, "last": LATEST}
                )
        if self.errors:
            return found
        last = found.get("to") or max(self.today, found.get("from") or self.today)
        first = found.get("from") or max(EARLIEST, last - USUAL)
        if first > last:
            self.add_error("from", _("The range begins after it ends."))
        elif (last - first).days >= LONGEST:
            self.add_error("from", _("A range has at most %(days)s days.") % {"days": LONGEST})
        return {**found, "from": first, "to": last}

    def asked(self) -> Asked:
        """What was asked for; within the teams whose numbers the actor sees."""
        given, teams = self.cleaned_data, teams_of(self.actor)
        if given["team"] is not None:
            below = with_those_below(given["team"])
            teams = frozenset(below if teams is None else below & teams)
        return Asked(
            first=given["from"], last=given["to"], teams=None if teams is None else tuple(sorted(teams)),
            service=given["service"].pk if given["service"] else None, priority=given["priority"],
            channel=given["channel"],
        )  # fmt: skip

    def show(self, asked: Asked) -> None:
        """Fills in the range that is shown where the address left it to us."""
        shown: Any = self.data
        self.data = shown.copy()
        self.data.update({"from": asked.first.isoformat(), "to": asked.last.isoformat()})  # type: ignore[attr-defined]

    def address(self) -> str:
        """The same question as the end of an address."""
        given = self.cleaned_data
        pairs = {
            "from": given["from"].isoformat(), "to": given["to"].isoformat(),
            "team": given["team"].pk if given["team"] else "",
            "service": given["service"].pk if given["service"] else "",
            "priority": given["priority"] or "", "channel": given["channel"],
        }  # fmt: skip
        return urlencode({name: value for name, value in pairs.items() if value != ""})


class DigestForm(forms.Form):
    """Which digest, and when."""

    kind = forms.ChoiceField(label=_("Digest"), choices=Digest.Kind.choices)
    at_time = forms.TimeField(
        label=_("Time of day"), widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"), input_formats=["%H:%M"]
    )
    weekday = forms.TypedChoiceField(
        label=_("Day, for the weekly one"),
        coerce=int,
        choices=[(str(number), name) for number, name in WEEKDAYS.items()],
    )
