"""Signing in and out, and one's own password."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth import views as auth
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.debug import sensitive_post_parameters

import accounts.actions
from accounts.forms import PasswordForm, SignInForm
from accounts.models import User
from accounts.queries import actor_for
from audit.actions import ActionRefused
from audit.defaults import address_of
from audit.rest import actor_of, now_of


class SignIn(auth.LoginView):
    """The door for people: mail address and password."""

    template_name = "accounts/login.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        answer = super().form_valid(form)
        user: Any = form.get_user()
        accounts.actions.note_sign_in(
            user=user, address=address_of(self.request), by=actor_for(user), at=now_of(self.request)
        )
        return answer

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        waits = isinstance(form, SignInForm) and form.must_wait
        return self.render_to_response(self.get_context_data(form=form), status=429 if waits else 200)


class SignOut(auth.LogoutView):
    """Ends the session; by POST only."""


@method_decorator(sensitive_post_parameters(), name="dispatch")
class Password(LoginRequiredMixin, View):
    """One's own password; other sessions end with the change."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(request, PasswordForm(request.user))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = PasswordForm(request.user, request.POST)
        if not form.is_valid():
            return self._page(request, form)
        user: Any = request.user
        try:
            changed = accounts.actions.set_password(
                user=user, password=form.cleaned_data["new_password"], by=actor_of(request), at=now_of(request)
            )
        except ActionRefused as refusal:
            form.add_error("new_password", refusal.detail)
            return self._page(request, form)
        return self._done(request, changed)

    def _done(self, request: HttpRequest, user: User) -> HttpResponse:
        update_session_auth_hash(request, user)
        messages.success(request, _("The new password holds from now on."))
        return redirect("password")

    def _page(self, request: HttpRequest, form: PasswordForm) -> HttpResponse:
        return render(request, "accounts/password.html", {"form": form}, status=400 if form.errors else 200)
