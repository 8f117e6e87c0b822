"""What the verbs between incidents ask for on the desk's page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

import incidents.queries
from servicedesk.desk.forms import VerbForm


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
