"""People, teams and keys in the admin; every button is an action."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.auth.models import Group
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _

import accounts.actions
from accounts import permissions
from accounts.models import ApiKey, Membership, Organisation, RoleGrant, Site, Team, User
from accounts.roles import CHOICES, Role
from accounts.roster import COLUMNS, MOST_BYTES, text_of
from audit.actions import ActionRefused
from audit.actor import Actor
from audit.admin import TrackedAdmin, TrackedInline, Transition
from audit.rest import actor_of, now_of


def _door(request: HttpRequest, extra_context: Any = None) -> HttpResponse:
    """The admin site has no sign-in of its own: one door, with one set of limits."""
    index = reverse("admin:index")
    if not request.user.is_authenticated:
        return redirect_to_login(request.GET.get("next") or index)
    if not admin.site.has_permission(request):
        raise PermissionDenied
    return redirect(index)


def _own_password(request: HttpRequest, extra_context: Any = None) -> HttpResponse:
    return redirect("password")


admin.site.login = _door  # type: ignore[method-assign]
admin.site.password_change = _own_password  # type: ignore[method-assign, assignment]
admin.site.site_header = admin.site.site_title = _("Service desk")
admin.site.unregister(Group)


class ReasonForm(forms.Form):
    reason = forms.CharField(label=_("Reason"), max_length=1000, required=False)


class RoleForm(forms.Form):
    role = forms.ChoiceField(label=_("Role"), choices=CHOICES)


class NewPasswordForm(forms.Form):
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class PlaceForm(forms.Form):
    user = forms.ModelChoiceField(label=_("Person"), queryset=User.objects.active().order_by("name", "email"))
    is_lead = forms.BooleanField(label=_("Leads"), required=False)


class MemberForm(forms.Form):
    user = forms.ModelChoiceField(label=_("Person"), queryset=User.objects.active().order_by("name", "email"))


class RetireTeamForm(ReasonForm):
    successor = forms.ModelChoiceField(
        label=_("Takes its open work"), queryset=Team.objects.active().order_by("name"), required=False
    )


class ShownInline(TrackedInline):
    """What a person or team has; changed by the buttons above."""

    can_change = False


class MembershipInline(ShownInline):
    model = Membership
    fields = ("user", "team", "is_lead")


class RoleGrantInline(ShownInline):
    model = RoleGrant
    fk_name = "user"
    fields = ("group", "granted_by", "granted_at")
    readonly_fields = ("granted_by", "granted_at")


class NewUserForm(forms.ModelForm):
    roles = forms.MultipleChoiceField(label=_("Roles"), choices=CHOICES, initial=[Role.REQUESTER], required=False)


class ImportForm(forms.Form):
    """A CSV file, or its text; `apply` does what was tried before."""

    file = forms.FileField(label=_("CSV file"), required=False)
    csv = forms.CharField(
        label=_("or its text"), required=False, strip=False, widget=forms.Textarea(attrs={"rows": 8, "cols": 80})
    )
    apply = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        if not self.cleaned_data.get("file") and not self.cleaned_data.get("csv"):
            raise forms.ValidationError(_("Choose a file, or paste its text."))
        return self.cleaned_data

    def content(self) -> bytes:
        if file := self.cleaned_data["file"]:
            found: bytes = file.read(MOST_BYTES + 1)
            return found
        return str(self.cleaned_data["csv"]).encode()


def _manages(actor: Actor, row: Any) -> bool:
    return permissions.can_manage_users(actor)


@admin.register(User)
class UserAdmin(TrackedAdmin):
    """People. They are deactivated, never removed."""

    list_display = ("__str__", "email", "organisation", "site", "is_vip", "is_staff", "is_active")
    list_filter = ("is_active", "is_staff", "is_vip", "groups", "organisation")
    search_fields = ("name", "email")
    ordering = ("name", "email")
    fields = ("email", "name", "phone", "time_zone", "locale", "is_vip", "organisation", "site")
    inlines = (RoleGrantInline, MembershipInline)
    can_delete = False
    transitions: ClassVar[dict[str, Transition]] = {
        "deactivate": Transition(
            label=_("Deactivate"),
            form=ReasonForm,
            is_grave=True,
            allowed=lambda actor, row: _manages(actor, row) and row.is_active,
            run=lambda row, **more: accounts.actions.deactivate_user(user=row, **more),
        ),
        "reactivate": Transition(
            label=_("Reactivate"),
            allowed=lambda actor, row: _manages(actor, row) and not row.is_active,
            run=lambda row, **more: accounts.actions.reactivate_user(user=row, **more),
        ),
        "grant-role": Transition(
            label=_("Grant a role"),
            form=RoleForm,
            allowed=lambda actor, row: permissions.can_grant_roles(actor, row.pk) and row.is_active,
            run=lambda row, expected_version, **more: accounts.actions.grant_role(user=row, **more),
        ),
        "revoke-role": Transition(
            label=_("Revoke a role"),
            form=RoleForm,
            allowed=_manages,
            run=lambda row, expected_version, **more: accounts.actions.revoke_role(user=row, **more),
        ),
        "set-password": Transition(
            label=_("Set a password"),
            form=NewPasswordForm,
            allowed=lambda actor, row: permissions.can_set_password(actor, row.pk) and row.is_active,
            run=lambda row, expected_version, **more: accounts.actions.set_password(user=row, **more),
        ),
    }

    change_list_template = "admin/accounts/user_list.html"

    def get_urls(self) -> list[Any]:
        own = path("import/", self.admin_site.admin_view(self.import_view), name="accounts_user_import")
        return [own, *super().get_urls()]

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """People by CSV: the first POST tries and shows each row, the second, with `apply`, does it."""
        if not permissions.can_manage_users(actor_of(request)):
            raise PermissionDenied
        form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
        context = {
            **self.admin_site.each_context(request),
            "title": _("Import people"),
            "columns": " ".join(COLUMNS),
            "opts": self.opts,
            "form": form,
        }
        if request.method == "POST" and form.is_valid():
            content = form.content()
            try:
                context["report"] = accounts.actions.import_people(
                    content=content, dry_run=not form.cleaned_data["apply"], by=actor_of(request), at=now_of(request)
                )
                context["csv"] = text_of(content)
            except ActionRefused as refusal:
                form.add_error(None, f"{refusal.field}: {refusal.detail} ({refusal.remedy})")
        return render(request, "admin/accounts/import.html", context, status=400 if form.errors else 200)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change=change, **(kwargs if obj else {**kwargs, "form": NewUserForm}))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else (*self.fields, "roles")

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj else ()

    def create_row(self, values: dict[str, Any], *, by: Actor, at: Any) -> User:
        return accounts.actions.create_user(**values, by=by, at=at)

    def change_row(self, row: Any, values: dict[str, Any], *, by: Actor, at: Any, expected_version: int | None) -> User:
        return accounts.actions.change_user(user=row, values=values, by=by, at=at, expected_version=expected_version)


@admin.register(Team)
class TeamAdmin(TrackedAdmin):
    list_display = ("name", "tier", "parent", "is_triage", "is_active")
    list_filter = ("tier", "is_active", "is_triage")
    search_fields = ("name",)
    prepopulated_fields: ClassVar[dict[str, Any]] = {"slug": ("name",)}
    inlines = (MembershipInline,)
    transitions: ClassVar[dict[str, Transition]] = {
        "retire": Transition(
            label=_("Retire"),
            form=RetireTeamForm,
            is_grave=True,
            allowed=lambda actor, row: row.is_active and actor.has_role(*Team.configured_by),
            run=lambda row, **more: accounts.actions.retire_team(team=row, **more),
        ),
        "set-member": Transition(
            label=_("Put a person into the team"),
            form=PlaceForm,
            allowed=lambda actor, row: permissions.can_set_members(actor, row.pk),
            run=lambda row, expected_version, **more: accounts.actions.set_membership(team=row, **more),
        ),
        "remove-member": Transition(
            label=_("Take a person out"),
            form=MemberForm,
            allowed=lambda actor, row: permissions.can_set_members(actor, row.pk),
            run=lambda row, expected_version, **more: accounts.actions.remove_membership(team=row, **more),
        ),
    }

    def create_row(self, values: dict[str, Any], *, by: Actor, at: Any) -> Team:
        return accounts.actions.create_team(values=values, by=by, at=at)

    def change_row(self, row: Any, values: dict[str, Any], *, by: Actor, at: Any, expected_version: int | None) -> Team:
        return accounts.actions.change_team(team=row, values=values, by=by, at=at, expected_version=expected_version)

    def remove_row(self, row: Any, *, by: Actor, at: Any) -> None:
        accounts.actions.remove_team(team=row, by=by, at=at)


@admin.register(Organisation)
class OrganisationAdmin(TrackedAdmin):
    search_fields = ("name",)


@admin.register(Site)
class SiteAdmin(TrackedAdmin):
    list_display = ("name", "organisation", "time_zone")
    search_fields = ("name",)


@admin.register(Membership)
class MembershipAdmin(TrackedAdmin):
    """To look at, with its history; changed on the team's page."""

    list_display = ("user", "team", "is_lead")
    list_select_related = ("user", "team")
    can_add = can_change = can_delete = False


@admin.register(RoleGrant)
class RoleGrantAdmin(TrackedAdmin):
    """To look at, with its history; changed on the person's page."""

    list_display = ("user", "group", "granted_by", "granted_at")
    list_select_related = ("user", "group", "granted_by")
    can_add = can_change = can_delete = False


@admin.register(ApiKey)
class ApiKeyAdmin(TrackedAdmin):
    """Keys are issued and revoked, never changed; the key itself is shown once, on the page that follows its making."""

    list_display = ("name", "prefix", "user", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_select_related = ("user",)
    fields = ("name", "user", "scopes", "expires_at")
    search_fields = ("name", "prefix")
    readonly_fields = ("prefix", "created_at", "created_by", "last_used_at", "revoked_at")
    can_change = can_delete = False
    transitions: ClassVar[dict[str, Transition]] = {
        "revoke": Transition(
            label=_("Revoke"),
            form=ReasonForm,
            is_grave=True,
            allowed=lambda actor, row: permissions.can_revoke_key(actor, row.user_id) and row.revoked_at is None,
            run=lambda row, expected_version, **more: accounts.actions.revoke_api_key(key=row, **more),
        )
    }

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.fields, *self.readonly_fields) if obj else self.fields

    def create_row(self, values: dict[str, Any], *, by: Actor, at: Any) -> ApiKey:
        key, secret = accounts.actions.issue_api_key(**values, by=by, at=at)
        key.__dict__["shown_once"] = secret
        return key

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> HttpResponse:
        """Shows the key in the answer itself: a message would leave it in a cookie."""
        context = {**self.admin_site.each_context(request), "title": _("The key"), "opts": self.opts, "original": obj}
        answer = render(request, "admin/accounts/key_issued.html", {**context, "key": obj.__dict__["shown_once"]})
        answer.headers["Cache-Control"] = "no-store"
        return answer
