"""Forms of the admin's buttons on contacts."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class VouchForm(forms.Form):
    reason = forms.CharField(label=_("How do you know that it reaches the person?"), max_length=1000)
