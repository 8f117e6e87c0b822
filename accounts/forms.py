"""Signing in, with limits, and choosing a new password."""

from __future__ import annotations

import logging
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.utils.translation import gettext_lazy as _

from audit.defaults import address_of, count, counted

log = logging.getLogger(__name__)

#: Failures within a quarter of an hour before an account, or an address, has to wait.
PER_ACCOUNT, PER_ADDRESS, WINDOW = 10, 50, 900


class SignInForm(AuthenticationForm):
    """Mail address and password. Failures are counted by account and by address, also for accounts that don't exist."""

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": _("The mail address or the password is wrong."),
        "wait": _("Too many attempts. Wait a quarter of an hour and try again."),
    }

    def __init__(self, request: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.fields["username"].label = _("Mail address")
        self.fields["username"].widget = forms.EmailInput(
            attrs={"autofocus": True, "autocomplete": "username", "maxlength": 254}
        )

    @property
    def must_wait(self) -> bool:
        return self.has_error("__all__", "wait")

    def clean(self) -> dict[str, Any]:
        account = str(self.cleaned_data.get("username") or "").strip().lower()
        address = address_of(self.request) if self.request is not None else ""
        if counted("sign-in", account, WINDOW) >= PER_ACCOUNT or counted("sign-in", address, WINDOW) >= PER_ADDRESS:
            raise forms.ValidationError(self.error_messages["wait"], code="wait")
        try:
            return super().clean()
        except forms.ValidationError:
            count("sign-in", account, WINDOW)
            if count("sign-in", address, WINDOW) >= PER_ADDRESS:
                log.warning("too many failed sign-ins from one address")
            raise


class PasswordForm(forms.Form):
    """The old password and the new one."""

    old_password = forms.CharField(
        label=_("Present password"),
        strip=False,
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )
    new_password = forms.CharField(
        label=_("New password"),
        strip=False,
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, user: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_old_password(self) -> str:
        given: str = self.cleaned_data["old_password"]
        if counted("password", str(self.user.pk), WINDOW) >= PER_ACCOUNT:
            raise forms.ValidationError(_("Too many attempts. Wait a quarter of an hour and try again."))
        if not self.user.check_password(given):
            count("password", str(self.user.pk), WINDOW)
            raise forms.ValidationError(_("This is not your present password."))
        return given
