"""Post-mortems, their parts, templates and rules in the admin; every button is an action."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

import postmortems.actions
from audit.actor import Actor
from audit.admin import TrackedAdmin, TrackedInline, Transition
from audit.rest import actor_of
from postmortems import permissions
from postmortems.forms import ReasonForm
from postmortems.models import (
    ActionItem,
    ActionItemState,
    ObligationRule,
    PostMortem,
    PostMortemState,
    SectionKind,
    SectionText,
    Template,
    TemplateSection,
    TimelineEntry,
)


class SectionInline(TrackedInline):
    model = TemplateSection
    fields = ("position", "title", "kind", "is_required", "guidance")


@admin.register(Template)
class TemplateAdmin(TrackedAdmin):
    """Templates with their sections; documents keep the sections they were drafted with."""

    list_display = ("name", "needs_second_person", "is_active")
    search_fields = ("name",)
    inlines = (SectionInline,)


@admin.register(ObligationRule)
class ObligationRuleAdmin(TrackedAdmin):
    """Which incidents owe which post-mortem; the first that matches counts."""

    list_display = ("position", "name", "priority_at_most", "template", "due_days", "is_active")
    list_display_links = ("name",)
    list_select_related = ("template",)
    ordering = ("position",)


def _to(run: Callable[..., Any], name: str) -> Callable[..., Any]:
    return lambda row, **more: run(**{name: row}, **more)


def _without_version(run: Callable[..., Any], name: str) -> Callable[..., Any]:
    return lambda row, expected_version, **more: run(**{name: row}, **more)


def _in_states(*states: str) -> Callable[[Actor, Any], bool]:
    """The button is shown in these states to whoever may write; the action has the last word."""

    def allowed(actor: Actor, row: Any) -> bool:
        document = row if isinstance(row, PostMortem) else row.postmortem
        return row.state in states and permissions.can_write(actor, document)

    return allowed


class _PartAdmin(TrackedAdmin):
    """Documents and their parts: seen and written by the people of the incident, not by a role alone."""

    view_roles = permissions.READERS
    can_delete = False

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """A link to what the person may not see is refused like one to nothing."""
        visible_to = getattr(db_field.related_model._default_manager.all(), "visible_to", None)
        if visible_to is not None:
            kwargs["queryset"] = visible_to(actor_of(request))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def change_roles(self) -> frozenset[str]:
        return permissions.READERS - {"manager", "auditor"}

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return (
            self.can_change
            and super().has_change_permission(request, obj)
            and (obj is None or self._may_write(request, obj))
        )

    def _may_write(self, request: HttpRequest, obj: Any) -> bool:
        document = obj if isinstance(obj, PostMortem) else obj.postmortem
        return document.is_open and permissions.can_write(actor_of(request), document)


@admin.register(PostMortem)
class PostMortemAdmin(_PartAdmin):
    """The documents; sections, entries and action items have their own lists."""

    list_display = ("title", "state", "owner", "due_at", "published_at", "is_drill")
    list_filter = ("state", "is_drill", "template")
    list_select_related = ("owner",)
    search_fields = ("title",)
    fields = ("incident", "template", "title", "owner", "due_at", "no_actions_reason")
    #: What a person gives to draft one; everything else follows from the incident.
    _drafted_from = ("incident", "template")
    raw_id_fields = ("incident", "owner")
    _derived = (
        "state", "rule", "needs_second_person", "is_drill", "created_at", "submitted_at", "submitted_by",
        "published_at", "published_by",
    )  # fmt: skip
    transitions: ClassVar[dict[str, Transition]] = {
        "submit": Transition(
            label=_("Submit"),
            run=_to(postmortems.actions.submit, "postmortem"),
            allowed=_in_states(PostMortemState.DRAFT),
        ),
        "return": Transition(
            label=_("Return to draft"),
            form=ReasonForm,
            run=_to(postmortems.actions.return_to_draft, "postmortem"),
            allowed=_in_states(PostMortemState.IN_REVIEW),
        ),
        "publish": Transition(
            label=_("Publish"),
            run=_to(postmortems.actions.publish, "postmortem"),
            allowed=_in_states(PostMortemState.IN_REVIEW),
        ),
        "extend": Transition(
            label=_("Bring the timeline up to date"),
            run=_without_version(postmortems.actions.extend_timeline, "postmortem"),
            allowed=_in_states(PostMortemState.DRAFT, PostMortemState.IN_REVIEW),
        ),
        "cancel": Transition(
            label=_("Give up"),
            form=ReasonForm,
            is_grave=True,
            run=_to(postmortems.actions.cancel, "postmortem"),
            allowed=_in_states(PostMortemState.DRAFT, PostMortemState.IN_REVIEW),
        ),
    }

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.fields, *self._derived) if obj else self._drafted_from

    def get_readonly_fields(self, request: Any, obj: Any = None) -> Any:
        stock = super().get_readonly_fields(request, obj)
        return (*stock, *self._drafted_from, *self._derived) if obj else stock

    def create_row(self, values: dict[str, Any], *, by: Actor, at: Any) -> PostMortem:
        return postmortems.actions.draft(**values, by=by, at=at)

    def change_row(
        self, row: PostMortem, values: dict[str, Any], *, by: Actor, at: Any, expected_version: int | None
    ) -> PostMortem:
        return postmortems.actions.change(
            postmortem=row, values=values, by=by, at=at, expected_version=expected_version
        )


@admin.register(SectionText)
class SectionTextAdmin(_PartAdmin):
    """Sections of documents: only their text is written."""

    list_display = ("title", "postmortem", "position", "kind", "is_required")
    list_filter = ("kind",)
    list_select_related = ("postmortem",)
    search_fields = ("title", "postmortem__title")
    fields = ("postmortem", "position", "title", "guidance", "kind", "is_required", "body")
    readonly_fields = ("postmortem", "position", "title", "guidance", "kind", "is_required")
    can_add = False

    def change_row(
        self, row: SectionText, values: dict[str, Any], *, by: Actor, at: Any, expected_version: int | None
    ) -> SectionText:
        given = {"body": row.body, **values}
        return postmortems.actions.write_section(section=row, **given, by=by, at=at, expected_version=expected_version)

    def _may_write(self, request: HttpRequest, obj: Any) -> bool:
        return obj.kind != SectionKind.TIMELINE and super()._may_write(request, obj)


@admin.register(TimelineEntry)
class TimelineEntryAdmin(_PartAdmin):
    """Moments of timelines: people's own can be changed, those of the trail only hidden."""

    list_display = ("at", "text", "postmortem", "kind", "source_event", "hidden_at")
    list_filter = ("kind",)
    list_select_related = ("postmortem",)
    search_fields = ("text", "postmortem__title")
    fields = ("postmortem", "at", "text")
    raw_id_fields = ("postmortem",)
    _derived = ("kind", "source_event", "who", "added_by", "hidden_at", "hidden_by", "hidden_reason")
    transitions: ClassVar[dict[str, Transition]] = {
        "hide": Transition(
            label=_("Hide"),
            form=ReasonForm,
            run=_without_version(postmortems.actions.hide_entry, "entry"),
            allowed=lambda actor, row: row.hidden_at is None and permissions.can_write(actor, row.postmortem),
        ),
        "show": Transition(
            label=_("Show again"),
            run=_without_version(postmortems.actions.show_entry, "entry"),
            allowed=lambda actor, row: row.hidden_at is not None and permissions.can_write(actor, row.postmortem),
        ),
    }

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.fields, *self._derived) if obj else self.fields

    def get_readonly_fields(self, request: Any, obj: Any = None) -> Any:
        stock = super().get_readonly_fields(request, obj)
        return (*stock, "postmortem", *self._derived) if obj else stock

    def create_row(self, values: dict[str, Any], *, by: Actor, at: Any) -> TimelineEntry:
        return postmortems.actions.add_entry(
            postmortem=values["postmortem"], happened_at=values["at"], text=values["text"], by=by, at=at
        )

    def change_row(
        self, row: TimelineEntry, values: dict[str, Any], *, by: Actor, at: Any, expected_version: int | None
    ) -> TimelineEntry:
        return postmortems.actions.change_entry(
            entry=row,
            happened_at=values.get("at", row.at),
            text=values.get("text", row.text),
            by=by,
            at=at,
            expected_version=expected_version,
        )

    def _may_write(self, request: HttpRequest, obj: Any) -> bool:
        return obj.is_manual and super()._may_write(request, obj)


def _progress(*states: str) -> Callable[[Actor, Any], bool]:
    return lambda actor, row: row.state in states and permissions.can_progress(actor, row)


@admin.register(ActionItem)
class ActionItemAdmin(_PartAdmin):
    """What will be done, over all post-mortems."""

    list_display = ("title", "state", "owner", "due_on", "postmortem")
    list_filter = ("state",)
    list_select_related = ("owner", "postmortem")
    search_fields = ("title", "postmortem__title")
    fields = ("postmortem", "title", "description", "owner", "due_on", "verification")
    raw_id_fields = ("postmortem", "owner")
    _derived = ("state", "done_at", "done_by", "verified_at", "verified_by", "cancel_reason")
    transitions: ClassVar[dict[str, Transition]] = {
        "start": Transition(
            label=_("Start"),
            run=_to(postmortems.actions.start_action_item, "item"),
            allowed=_progress(ActionItemState.OPEN),
        ),
        "finish": Transition(
            label=_("Done"),
            run=_to(postmortems.actions.finish_action_item, "item"),
            allowed=_progress(ActionItemState.OPEN, ActionItemState.IN_PROGRESS),
        ),
        "verify": Transition(
            label=_("Verified"),
            run=_to(postmortems.actions.verify_action_item, "item"),
            allowed=_progress(ActionItemState.DONE),
        ),
        "reopen": Transition(
            label=_("Reopen"),
            form=ReasonForm,
            run=_to(postmortems.actions.reopen_action_item, "item"),
            allowed=_progress(ActionItemState.DONE, ActionItemState.VERIFIED),
        ),
        "cancel": Transition(
            label=_("Give up"),
            form=ReasonForm,
            is_grave=True,
            run=_to(postmortems.actions.cancel_action_item, "item"),
            allowed=_progress(ActionItemState.OPEN, ActionItemState.IN_PROGRESS, ActionItemState.DONE),
        ),
    }

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.fields, *self._derived) if obj else self.fields

    def get_readonly_fields(self, request: Any, obj: Any = None) -> Any:
        stock = super().get_readonly_fields(request, obj)
        return (*stock, "postmortem", *self._derived) if obj else stock

    def create_row(self, values: dict[str, Any], *, by: Actor, at: Any) -> ActionItem:
        return postmortems.actions.add_action_item(**values, by=by, at=at)

    def change_row(
        self, row: ActionItem, values: dict[str, Any], *, by: Actor, at: Any, expected_version: int | None
    ) -> ActionItem:
        return postmortems.actions.change_action_item(
            item=row, values=values, by=by, at=at, expected_version=expected_version
        )

    def _may_write(self, request: HttpRequest, obj: Any) -> bool:
        is_closed = obj.state in (ActionItemState.VERIFIED, ActionItemState.CANCELLED)
        document: PostMortem = obj.postmortem
        if is_closed or document.state == PostMortemState.CANCELLED:
            return False
        return permissions.can_write(actor_of(request), document)
