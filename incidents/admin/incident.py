"""Incidents in the admin: logged there, moved by POST buttons; state and derived fields are read-only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

import incidents.actions
from audit.actions import Invalid
from audit.actor import Actor
from audit.admin import ReadOnlyAdmin, TrackedAdmin, Transition
from audit.rest import actor_of, now_of
from incidents import forms, permissions, queries
from incidents.models import (
    Attachment,
    Comment,
    Incident,
    IncidentLink,
    MajorIncident,
    Merge,
    Participant,
    Report,
    Task,
)

WORKERS = frozenset({"agent", "lead", "responder", "incident_manager", "admin"})
OVERSEERS = frozenset({"manager", "auditor"})


def _act(action: Callable[..., Any]) -> Callable[..., Any]:
    """The action, called as a button calls it."""

    def run(row: Incident, **given: Any) -> Any:
        return action(incident=row, **given)

    return run


def _open_again(row: Incident, *, expected_version: int | None, **given: Any) -> Any:
    """The new incident is a row of its own, so the version of the old one says nothing."""
    return incidents.actions.open_again_linked(incident=row, **given)


def _named(by: Actor, field: str, reference: str) -> Incident:
    found = queries.visible_by_reference(by, reference)
    if found is None:
        raise Invalid(str(_("There is no such incident, or you may not see it.")), field=field)
    return found


def _merge(row: Incident, *, into: str, by: Actor, **given: Any) -> Any:
    return incidents.actions.merge(incident=row, into=_named(by, "into", into), by=by, **given)


def _set_parent(row: Incident, *, parent: str, by: Actor, **given: Any) -> Any:
    elder = _named(by, "parent", parent) if parent else None
    return incidents.actions.set_parent(incident=row, parent=elder, by=by, **given)


def _link(row: Incident, *, other: str, by: Actor, expected_version: int | None, **given: Any) -> Any:
    return incidents.actions.add_link(incident=row, other=_named(by, "other", other), by=by, **given)


def _unversioned(action: Callable[..., Any]) -> Callable[..., Any]:
    """An action that is safe whatever happened meanwhile."""

    def run(row: Incident, *, expected_version: int | None, **given: Any) -> Any:
        return action(incident=row, **given)

    return run


def _of_task(action: Callable[..., Any]) -> Callable[..., Any]:
    def run(row: Task, **given: Any) -> Any:
        return action(task=row, **given)

    return run


def _may_relate(actor: Actor, row: Incident) -> bool:
    return permissions.can_work(actor, row) and row.state not in ("closed", "cancelled")


def _may_decide(state: str) -> Callable[[Actor, Any], bool]:
    def allowed(actor: Actor, row: Incident) -> bool:
        return (
            permissions.can_decide_major(actor, row)
            and getattr(MajorIncident.objects.live_of(row), "state", "") == state
        )

    return allowed


def _can(verb: str) -> Callable[[Actor, Any], bool]:
    def allowed(actor: Actor, row: Incident) -> bool:
        return verb in queries.possible_verbs(actor, row)

    return allowed


def _can_comment(actor: Actor, row: Incident) -> bool:
    return permissions.can_note(actor, row, is_participant=bool(queries.roles_in(actor, row)))


def _button(
    verb: str, label: Any, action: Callable[..., Any], form: Any = None, *, is_grave: bool = False
) -> tuple[str, Transition]:
    return verb, Transition(label=label, run=_act(action), form=form, allowed=_can(verb), is_grave=is_grave)


class CommentInline(admin.TabularInline):
    """The conversation, to read; a button writes."""

    model = Comment
    fk_name = "incident"
    fields = ("created_at", "author_label", "is_public", "body")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def get_queryset(self, request: HttpRequest) -> Any:
        """Who reads only the public part of an incident elsewhere does so here."""
        rows: Any = super().get_queryset(request)
        actor = actor_of(request)
        if permissions.sees_all(actor):
            return rows
        number = request.resolver_match.kwargs.get("object_id", "") if request.resolver_match else ""
        incident = Incident.objects.visible_to(actor).filter(pk=number).first() if number.isdigit() else None
        return rows if incident is not None and queries.is_staff_for(actor, incident) else rows.public()


@admin.register(Incident)
class IncidentAdmin(TrackedAdmin):
    """Every record, and each permitted transition as a POST button with its form."""

    can_delete = False
    view_roles = WORKERS | OVERSEERS
    list_display = ("reference", "title", "state", "priority", "team", "assignee", "channel", "reported_at")
    list_filter = ("state", "priority", "kind", "channel", "is_drill", "is_imported")
    list_select_related = ("team", "assignee")
    search_fields = ("title",)
    search_help_text = _("a reference, or words of title and description")
    ordering = ("-number",)
    inlines = (CommentInline,)
    form = forms.ReviseIncidentForm
    transitions: ClassVar[dict[str, Transition]] = dict(
        (
            _button("acknowledge", _("Acknowledge"), incidents.actions.acknowledge),
            _button("claim", _("Claim"), incidents.actions.claim),
            _button("assign", _("Assign"), incidents.actions.assign, forms.AssignForm),
            _button("start", _("Start"), incidents.actions.start),
            _button("hold", _("Put on hold"), incidents.actions.put_on_hold, forms.HoldForm),
            _button("change-hold", _("Change the hold"), incidents.actions.change_hold, forms.ChangeHoldForm),
            _button("resume", _("Resume"), incidents.actions.resume, forms.NoteForm),
            _button("contain", _("Contain"), incidents.actions.contain, forms.ContainForm),
            _button("escalate", _("Escalate to another team"), incidents.actions.escalate_to_team, forms.EscalateForm),
            _button("tell-manager", _("Tell a manager"), incidents.actions.tell_manager, forms.TellManagerForm),
            _button("resolve", _("Resolve"), incidents.actions.resolve, forms.ResolveForm),
            _button("settle-reply", _("No answer needed"), incidents.actions.settle_reply),
            _button("restrict", _("Restrict"), incidents.actions.restrict, forms.RestrictForm, is_grave=True),
            _button("unrestrict", _("Lift the restriction"), incidents.actions.unrestrict, forms.RestrictForm),
            _button(
                "settle-workaround", _("Settle the workaround"), incidents.actions.settle_workaround, forms.SettleForm
            ),
            _button("reopen", _("Reopen"), incidents.actions.reopen, forms.ReasonForm),
            _button("close", _("Close"), incidents.actions.close, forms.CloseForm),
            _button("cancel", _("Cancel"), incidents.actions.cancel, forms.CancelForm, is_grave=True),
            _button(
                "override-priority", _("Override the priority"), incidents.actions.override_priority, forms.OverrideForm
            ),
        )
    ) | {
        "open-again": Transition(
            label=_("Open again as a linked incident"),
            run=_open_again,
            form=forms.ReasonForm,
            allowed=_can("open-again"),
        ),
        "merge": Transition(label=_("Merge"), run=_merge, form=forms.MergeForm, allowed=_can("merge")),
        "unmerge": Transition(
            label=_("Take the merge back"),
            run=_act(incidents.actions.unmerge),
            form=forms.ReasonForm,
            allowed=_can("unmerge"),
        ),
        "set-parent": Transition(
            label=_("Choose the parent"), run=_set_parent, form=forms.ParentForm, allowed=_may_relate
        ),
        "link": Transition(label=_("Link"), run=_link, form=forms.LinkForm, allowed=_may_relate),
        "add-task": Transition(
            label=_("Add a task"),
            run=_unversioned(incidents.actions.add_task),
            form=forms.TaskForm,
            allowed=_may_relate,
        ),
        "propose-major": Transition(
            label=_("Propose as a major incident"),
            run=_act(incidents.actions.propose_major),
            form=forms.WhyForm,
            allowed=lambda actor, row: (
                row.is_open and permissions.can_propose_major(actor, row) and MajorIncident.objects.live_of(row) is None
            ),
        ),
        "accept-major": Transition(
            label=_("Accept as major"),
            run=_act(incidents.actions.accept_major),
            form=forms.ReasonForm,
            allowed=_may_decide("proposed"),
        ),
        "reject-major": Transition(
            label=_("Reject"),
            run=_act(incidents.actions.reject_major),
            form=forms.WhyForm,
            allowed=_may_decide("proposed"),
        ),
        "demote-major": Transition(
            label=_("Demote"),
            run=_act(incidents.actions.demote_major),
            form=forms.WhyForm,
            allowed=_may_decide("accepted"),
        ),
        "comment": Transition(
            label=_("Comment"), run=_act(incidents.actions.comment), form=forms.CommentForm, allowed=_can_comment
        ),
    }

    def change_roles(self) -> frozenset[str]:
        return WORKERS

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The same predicate as everywhere; without an object: whether there may be something to change."""
        actor = actor_of(request)
        if obj is None:
            return actor.has_role(*WORKERS)
        return "revise" in queries.possible_verbs(actor, obj)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = forms.NewIncidentForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [*forms.NewIncidentForm.Meta.fields, "reported_at_reason"]
        return ["reference", "state", "priority", *forms.ReviseIncidentForm.Meta.fields, *self._shown_only()]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        stock = list(super().get_readonly_fields(request, obj))
        own = [] if obj is None else ["reference", "state", "priority", *self._shown_only()]
        return [*stock, *(name for name in own if name not in stock)]

    def _shown_only(self) -> list[str]:
        hidden = {"id", "version", "number", "state", "priority", *forms.ReviseIncidentForm.Meta.fields}
        return [field.name for field in Incident._meta.concrete_fields if field.name not in hidden]

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj is not None else ()

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> Any:
        """An auditor's look at a restricted incident stands in its timeline."""
        actor = actor_of(request)
        rows = Incident.objects.visible_to(actor).filter(pk=object_id if object_id.isdecimal() else 0)
        if actor.has_role("auditor") and request.method == "GET":
            incidents.actions.note_access(rows=rows, via="admin", by=actor, at=now_of(request))
        return super().change_view(request, object_id, *args, **kwargs)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By the index of the full-text search, not by scanning."""
        words = search_term.replace("\x00", "").strip()[:200]
        return (queries.search_rows(queryset, words, actor_of(request)) if words else queryset), False

    def create_row(self, values: dict[str, Any], *, by: Actor, at: Any) -> Any:
        given = {name: value for name, value in values.items() if value is not None}
        return incidents.actions.open_incident(by=by, at=at, **given)

    def change_row(self, row: Any, values: dict[str, Any], *, by: Actor, at: Any, expected_version: int | None) -> Any:
        return incidents.actions.revise(incident=row, values=values, by=by, at=at, expected_version=expected_version)


class RelationAdmin(TrackedAdmin):
    """Verbs of the incident change these rows; here they are looked at, with their history."""

    can_add = False
    can_change = False
    can_delete = False
    view_roles = WORKERS | OVERSEERS


@admin.register(Merge)
class MergeAdmin(RelationAdmin):
    list_display = ("source", "target", "merged_at", "merged_by", "undone_at", "undone_by")
    list_select_related = ("source", "target", "merged_by", "undone_by")
    search_fields = ("=source__number", "=target__number")


@admin.register(IncidentLink)
class IncidentLinkAdmin(RelationAdmin):
    list_display = ("incident", "kind", "other", "added_at")
    list_select_related = ("incident", "other")
    list_filter = ("kind",)
    search_fields = ("=incident__number", "=other__number")


@admin.register(MajorIncident)
class MajorIncidentAdmin(RelationAdmin):
    list_display = ("incident", "state", "proposed_at", "decided_at", "commander", "closing_owner", "close_on")
    list_select_related = ("incident", "commander", "closing_owner")
    list_filter = ("state",)
    search_fields = ("=incident__number",)


@admin.register(Task)
class TaskAdmin(RelationAdmin):
    transitions: ClassVar[dict[str, Transition]] = {
        "finish": Transition(
            label=_("Done"), run=_of_task(incidents.actions.finish_task), allowed=lambda actor, row: row.done_at is None
        ),
    }
    list_display = ("title", "incident", "owner", "due_at", "done_at")
    list_select_related = ("incident", "owner")
    search_fields = ("title", "=incident__number")


@admin.register(Comment)
class CommentAdmin(ReadOnlyAdmin):
    list_display = ("incident", "author_label", "is_public", "created_at")
    list_select_related = ("incident",)
    list_filter = ("is_public", "author_kind")


@admin.register(Attachment)
class AttachmentAdmin(ReadOnlyAdmin):
    """What was attached; the file itself is handed out on the incident's page."""

    list_display = ("name", "incident", "content_type", "size", "is_public", "author_label", "created_at")
    list_select_related = ("incident",)
    list_filter = ("is_public", "content_type", "channel")
    exclude = ("file",)


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin):
    """Reports that wait for the confirmation of their address."""

    list_display = ("email", "title", "created_at", "expires_at", "incident")
    list_select_related = ("incident",)
    fields = ("email", "title", "description", "urgency", "locale", "created_at", "expires_at", "incident")


@admin.register(Participant)
class ParticipantAdmin(TrackedAdmin):
    """Who follows; verbs of the incident change it."""

    can_add = False
    can_change = False
    can_delete = False
    list_display = ("incident", "user", "role", "added_at")
    list_select_related = ("incident", "user")
    list_filter = ("role",)
