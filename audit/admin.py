"""The admin's base classes: rights from the actor's roles, saves through actions, transitions as POST buttons."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from simple_history.admin import SimpleHistoryAdmin

from audit.actions import ActionRefused, Invalid, Stale, change_config, create_config, remove_config
from audit.actor import Actor
from audit.models import Delivery, Event, HistorySchema, UnattributedWrite
from audit.rest.call import actor_of, now_of
from audit.rest.versions import diff_since

VERSION = "_version"
#: They see everything, and changing nothing is up to the roles that may.
VIEWERS = frozenset({"admin", "auditor"})


class IdsField(forms.ModelMultipleChoiceField):
    """Rows picked by name, kept as their ids."""

    def clean(self, value: Any) -> Any:
        return sorted(row.pk for row in super().clean(value))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A button on an object's page: one POST, one action call.

    `run(row, by=, at=, expected_version=, **fields of the form)` is the action, wrapped where its names differ.
    `allowed(actor, row)` decides whether the button is shown; the action decides whether it works.
    """

    label: Any
    run: Callable[..., Any]
    form: type[forms.Form] | None = None
    allowed: Callable[[Actor, Any], bool] = lambda actor, row: True
    is_grave: bool = False


def expected_version(request: HttpRequest, row: Any) -> int | None:
    """The version that the page was made from; a form without it is none of ours."""
    if getattr(row, "version", None) is None:
        return None
    given = request.POST.get(VERSION, "")
    if not (given.isascii() and given.isdigit() and len(given) < 19):
        raise Invalid(_("The page does not say which version it shows."), remedy=_("Load it again."))
    return int(given)


def explain(refusal: ActionRefused, row: Any = None, seen: int | None = None) -> list[str]:
    """The lines of a refusal: what and why, the way out, and for a stale save what changed meanwhile."""
    lines = [str(refusal.detail)]
    if isinstance(refusal, Stale) and row is not None and seen is not None:
        for name, (old, new) in diff_since(row, seen).items():
            lines.append(f"{row._meta.get_field(name).verbose_name}: {old} → {new}")
    return [*lines, str(refusal.remedy)] if refusal.remedy else lines


class ReadOnlyAdmin(admin.ModelAdmin):
    """Shows and changes nothing: for rows that only the desk itself writes. Transitions still work."""

    #: Who may look, beside those who may change.
    view_roles: ClassVar[frozenset[str]] = VIEWERS
    transitions: ClassVar[Mapping[str, Transition]] = {}
    change_form_template = "admin/tracked_change_form.html"
    list_per_page = 50
    show_full_result_count = False
    list_editable = ()

    def change_roles(self) -> frozenset[str]:
        return frozenset()

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return actor_of(request).has_role(*self.view_roles, *self.change_roles())

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        visible_to = getattr(rows, "visible_to", None)
        return visible_to(actor_of(request)) if visible_to else rows

    def get_actions(self, request: HttpRequest) -> Any:
        """Never deletes in bulk: each row has its own guards."""
        return {name: found for name, found in super().get_actions(request).items() if name != "delete_selected"}

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:  # type: ignore[override]
        """The trail is the history's and the events'; a second one could differ."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:  # type: ignore[override]
        """See `log_addition`."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """See `log_addition`."""
        return []

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        if not isinstance(self, SimpleHistoryAdmin):
            raise Http404
        try:
            answer: HttpResponse = super().history_view(request, object_id, extra_context)
        except (ValueError, OverflowError) as error:
            raise Http404 from error
        return answer

    # --- transitions ------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_transition"
        own = path(
            "<path:object_id>/do/<slug:transition>/", self.admin_site.admin_view(self.transition_view), name=name
        )
        return [own, *super().get_urls()]

    def open_transitions(self, request: HttpRequest, row: Any) -> dict[str, Transition]:
        actor = actor_of(request)
        return {name: one for name, one in self.transitions.items() if one.allowed(actor, row)}

    def transition_view(self, request: HttpRequest, object_id: str, transition: str) -> HttpResponse:
        """Runs one transition by POST: back to the object's page, or the form again with what is wrong."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        row = self.get_object(request, unquote(object_id))
        if row is None or transition not in self.transitions:
            raise Http404
        chosen = self.open_transitions(request, row).get(transition)
        if chosen is None:
            messages.error(request, _("This is not possible now, or not for you."))
            return HttpResponseRedirect(self._page_of(row))
        form = chosen.form(request.POST) if chosen.form else None
        if form is not None and not form.is_valid():
            return self._ask_again(request, row, transition, chosen, form)
        try:
            with transaction.atomic():
                chosen.run(
                    row,
                    by=actor_of(request),
                    at=now_of(request),
                    expected_version=expected_version(request, row),
                    **(form.cleaned_data if form else {}),
                )
        except ActionRefused as refusal:
            for line in explain(refusal, row, _seen(request)):
                messages.error(request, line)
            return HttpResponseRedirect(self._page_of(row))
        messages.success(request, _("%(label)s: done.") % {"label": chosen.label})
        return HttpResponseRedirect(self._page_of(row))

    def _page_of(self, row: Any) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk])

    def _ask_again(
        self, request: HttpRequest, row: Any, name: str, chosen: Transition, form: forms.Form
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": chosen.label,
            "opts": self.opts,
            "original": row,
            "name": name,
            "transition": chosen,
            "form": form,
            "seen_version": _seen(request),
            "back": self._page_of(row),
        }
        return render(request, "admin/transition.html", context, status=400)

    def render_change_form(
        self,
        request: HttpRequest,
        context: Any,
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> Any:
        if obj is not None and not add:
            base = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[obj.pk])
            context["transitions"] = [
                {"url": base.removesuffix("change/") + f"do/{name}/", "transition": one,
                 "form": one.form(auto_id=f"id_{name}_%s") if one.form else None}
                for name, one in self.open_transitions(request, obj).items()
            ]  # fmt: skip
            # After a refusal the page still stands for the version that it was made from.
            context["seen_version"] = _seen(request) or getattr(obj, "version", None)
            context["has_history"] = isinstance(self, SimpleHistoryAdmin)
        return super().render_change_form(request, context, add=add, change=change, form_url=form_url, obj=obj)


def _seen(request: HttpRequest) -> int | None:
    given = request.POST.get(VERSION, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None


class TrackedInline(admin.TabularInline):
    """Parts of a tracked object, saved by the same actions and with their own versions."""

    extra = 0
    can_change = True

    def _may(self, request: HttpRequest) -> bool:
        return self.can_change and actor_of(request).has_role(*getattr(self.model, "configured_by", ()))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request)

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Each row carries the version that the page shows."""
        base: Any = self.form

        class Versioned(base):
            row_version = forms.IntegerField(required=False, widget=forms.HiddenInput)

            def __init__(self, *args: Any, **more: Any) -> None:
                super().__init__(*args, **more)
                self.fields["row_version"].initial = (
                    getattr(self.instance, "version", None) if self.instance.pk else None
                )

        if kwargs.get("fields") is not None:
            kwargs["fields"] = [name for name in kwargs["fields"] if name != "row_version"]
        return super().get_formset(request, obj, form=Versioned, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = list(super().get_fields(request, obj))
        return fields if "row_version" in fields or not self._may(request) else [*fields, "row_version"]


class TrackedAdmin(ReadOnlyAdmin, SimpleHistoryAdmin):
    """A model that people change: by actions, on the version they saw, with history and without revert.

    Override `create_row`, `change_row` or `remove_row` where the model has actions of its own, and `can_add`,
    `can_change` or `can_delete` where it has none. `transitions = {"resolve": Transition(...)}` makes POST buttons.
    """

    can_add: ClassVar[bool] = True
    can_change: ClassVar[bool] = True
    can_delete: ClassVar[bool] = True
    object_history_list_template = "admin/tracked_history_list.html"

    def __init__(self, model: Any, admin_site: Any) -> None:
        super().__init__(model, admin_site)
        # The stock history page looks for these among fields that are read-only there, and fails.
        self._prepopulated = self.prepopulated_fields
        self.__dict__["prepopulated_fields"] = {}

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self._prepopulated

    def change_roles(self) -> frozenset[str]:
        return frozenset(self.model.configured_by)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.can_add and actor_of(request).has_role(*self.change_roles())

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.can_change and actor_of(request).has_role(*self.change_roles())

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.can_delete and actor_of(request).has_role(*self.change_roles())

    # --- what is saved, and how -------------------------------------------------------------------------------------

    def create_row(self, values: dict[str, Any], *, by: Actor, at: Any) -> Any:
        return create_config(model=self.model, values=values, by=by, at=at)

    def change_row(self, row: Any, values: dict[str, Any], *, by: Actor, at: Any, expected_version: int | None) -> Any:
        return change_config(row=row, values=values, by=by, at=at, expected_version=expected_version)

    def remove_row(self, row: Any, *, by: Actor, at: Any) -> None:
        remove_config(row=row, by=by, at=at)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        by, at = actor_of(request), now_of(request)
        if change:
            values = {name: form.cleaned_data[name] for name in form.changed_data}
            row = self.change_row(obj, values, by=by, at=at, expected_version=expected_version(request, obj))
        else:
            row = self.create_row(dict(form.cleaned_data), by=by, at=at)
        obj.__dict__.update(row.__dict__)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.remove_row(obj, by=actor_of(request), at=now_of(request))

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Parts are saved one by one, each by its action."""
        by, at = actor_of(request), now_of(request)
        formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []
        for part in formset.deleted_forms:
            if part.instance.pk:
                remove_config(row=part.instance, by=by, at=at, expected_version=part.cleaned_data.get("row_version"))
                formset.deleted_objects.append(part.instance)
        for part in formset.forms:
            if part in formset.deleted_forms or not part.has_changed():
                continue
            names = [name for name in part.changed_data if name not in {"row_version", "DELETE", formset.fk.name}]
            values = {name: part.cleaned_data[name] for name in names if name in part.cleaned_data}
            if part.instance.pk:
                seen = part.cleaned_data.get("row_version")
                change_config(row=part.instance, values=values, by=by, at=at, expected_version=seen or -1)
            else:
                model = type(part.instance)
                create_config(model=model, values={**values, formset.fk.name: form.instance}, by=by, at=at)

    # --- refusals are form errors -----------------------------------------------------------------------------------

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        base = super().get_form(request, obj, change=change, **kwargs)

        class Refusable(base):  # type: ignore[misc, valid-type]
            def clean(self) -> Any:
                cleaned = super().clean()
                refusal = getattr(request, "_refusal", None)
                if refusal is not None:
                    field = refusal.field if refusal.field in self.fields else None
                    self.add_error(field, explain(refusal, obj, _seen(request)))
                return cleaned

        return Refusable

    def _changeform_view(self, request: Any, object_id: Any, form_url: Any, extra_context: Any) -> Any:
        """An action's refusal is shown by the same form, validated once more with the refusal as its error."""
        try:
            with transaction.atomic():
                return super()._changeform_view(request, object_id, form_url, extra_context)
        except ActionRefused as refusal:
            request._refusal = refusal
            return super()._changeform_view(request, object_id, form_url, extra_context)

    def _delete_view(self, request: Any, object_id: Any, extra_context: Any) -> Any:
        try:
            with transaction.atomic():
                return super()._delete_view(request, object_id, extra_context)
        except ActionRefused as refusal:
            for line in explain(refusal):
                messages.error(request, line)
            page = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
            return HttpResponseRedirect(reverse(page, args=[object_id]))

    # --- history is read-only ---------------------------------------------------------------------------------------

    def history_form_view(
        self, request: Any, object_id: str, version_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """A past version, to look at. The stock view would save a POST, revert disabled or not."""
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        request._shows_the_past = True
        try:
            answer: HttpResponse = super().history_form_view(request, object_id, version_id, extra_context)
        except (ValueError, OverflowError) as error:
            raise Http404 from error
        return answer

    def get_readonly_fields(self, request: Any, obj: Any = None) -> Any:
        stock = super().get_readonly_fields(request, obj)
        if not getattr(request, "_shows_the_past", False):
            return stock
        shown = [field.name for field in self.model.history.model.tracked_fields if field.name != "version"]
        return [*stock, *(name for name in shown if name not in stock)]


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """The trail: what happened, to what, by whom, by which way."""

    list_display = ("id", "at", "kind", "subject_type", "subject_id", "actor_label", "channel", "reason")
    list_filter = ("actor_kind", "channel")
    search_fields = ("=kind", "=request_id", "=actor_label")
    ordering = ("-id",)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ("id", "event", "handler", "attempts", "next_attempt_at", "done_at", "given_up_at")
    list_select_related = ("event",)
    search_fields = ("=handler",)
    ordering = ("-id",)


@admin.register(UnattributedWrite)
class UnattributedWriteAdmin(ReadOnlyAdmin):
    list_display = ("at", "model", "object_id", "object_version", "role")
    ordering = ("-id",)


@admin.register(HistorySchema)
class HistorySchemaAdmin(ReadOnlyAdmin):
    list_display = ("model", "schema_version", "created_at")
    ordering = ("model", "schema_version")


__all__ = [
    "ReadOnlyAdmin",
    "TrackedAdmin",
    "TrackedInline",
    "Transition",
    "expected_version",
    "explain",
]
