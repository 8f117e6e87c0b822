"""What the administrators' pages take."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from servicedesk.blueprint.text import MOST_BYTES


class SettingsForm(forms.Form):
    """A YAML file, or its text; `apply` does what was compared before."""

    file = forms.FileField(label=_("YAML file"), required=False)
    text = forms.CharField(label=_("or its text"), required=False, strip=False, widget=forms.Textarea)
    apply = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        if not self.cleaned_data.get("file") and not self.cleaned_data.get("text"):
            raise forms.ValidationError(_("Choose a file, or paste its text."))
        return self.cleaned_data

    def content(self) -> bytes:
        if file := self.cleaned_data["file"]:
            found: bytes = file.read(MOST_BYTES + 1)
            return found
        return str(self.cleaned_data["text"]).encode()
