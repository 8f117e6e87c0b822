"""What the requester's pages ask for."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

import incidents.queries
from incidents.models import PriorityMatrix
from metrics.models import HIGHEST, LOWEST
from servicedesk.desk.forms import Area, sides


class ReportForm(forms.Form):
    """One required field; who has no account says where to send the confirmation."""

    title = forms.CharField(label=_("What is wrong?"), max_length=300)
    description = forms.CharField(
        required=False, label=_("Anything else? (optional)"), widget=Area(4), max_length=10_000
    )
    urgency = forms.TypedChoiceField(
        coerce=int, required=False, empty_value=None, label=_("How much does it hold you up?"), widget=forms.RadioSelect
    )
    email = forms.EmailField(
        label=_("Your mail address"), max_length=254, help_text=_("We send a link there that confirms the report."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )  # fmt: skip

    def __init__(self, *args: Any, knows: bool, **kwargs: Any) -> None:
        """With `knows` the reader is signed in, so the address is known."""
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        fields: Any = self.fields
        if knows:
            del fields["email"]
        matrix = incidents.queries.current_matrix() or PriorityMatrix()
        fields["urgency"].choices = list(reversed(sides(matrix.urgencies)))
        self.initial.setdefault("urgency", len(matrix.urgencies))
        fields["title"].widget.attrs["autofocus"] = True


class AddressForm(forms.Form):
    email = forms.EmailField(
        label=_("Your mail address"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})


class ReplyForm(forms.Form):
    body = forms.CharField(max_length=20_000)


class NoteForm(forms.Form):
    note = forms.CharField(required=False, max_length=2000)


class RatingForm(forms.Form):
    score = forms.TypedChoiceField(coerce=int, choices=[(one, str(one)) for one in range(LOWEST, HIGHEST + 1)])
    comment = forms.CharField(required=False, max_length=2000)
