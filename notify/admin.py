"""Contacts to change, the outbox and the trial's mailbox to look at."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

import notify.actions
from audit.actor import Actor
from audit.admin import ReadOnlyAdmin, TrackedAdmin, Transition
from notify.forms import VouchForm
from notify.models import Contact, MailboxMail, Message
from notify.permissions import can_change_contact, can_vouch_for_contact


@admin.register(Contact)
class ContactAdmin(TrackedAdmin):
    """Ways to reach people. A new or changed address gets a link; an admin who knows may vouch instead."""

    list_display = ("user", "channel", "address", "urgency", "position", "is_active", "verified_at")
    list_filter = ("channel", "urgency", "is_active")
    list_select_related = ("user",)
    search_fields = ("user__name", "user__email", "address")
    fields = ("user", "channel", "address", "label", "urgency", "delay_s", "position", "is_active")
    readonly_fields = ("verified_at",)
    transitions: ClassVar[dict[str, Transition]] = {
        "send-verification": Transition(
            label=_("Send a verification link"),
            allowed=lambda actor, row: can_change_contact(actor, row.user_id) and row.verified_at is None,
            run=lambda row, expected_version, **more: notify.actions.send_verification(contact=row, **more),
        ),
        "vouch": Transition(
            label=_("Vouch for it"),
            form=VouchForm,
            allowed=lambda actor, row: can_vouch_for_contact(actor) and row.verified_at is None,
            run=lambda row, expected_version, **more: notify.actions.vouch_for_contact(contact=row, **more),
        ),
    }

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A contact never moves to another person."""
        return [*super().get_readonly_fields(request, obj), *(["user"] if obj else [])]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.fields, "verified_at") if obj else self.fields

    def create_row(self, values: dict[str, Any], *, by: Actor, at: Any) -> Contact:
        return notify.actions.add_contact(**values, by=by, at=at)

    def change_row(
        self, row: Any, values: dict[str, Any], *, by: Actor, at: Any, expected_version: int | None
    ) -> Contact:
        return notify.actions.change_contact(
            contact=row, values=values, by=by, at=at, expected_version=expected_version
        )

    def remove_row(self, row: Any, *, by: Actor, at: Any) -> None:
        notify.actions.remove_contact(contact=row, by=by, at=at)


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    """The outbox. The link of a page is never shown: who can read it could answer in another's name."""

    list_display = ("id", "channel", "subject", "state", "attempts", "uncertain_count", "created_at", "sent_at")
    list_filter = ("state", "channel", "is_urgent")
    search_fields = ("=dedup_key", "=topic", "=address")
    exclude = ("link", "lease_token")
    ordering = ("-id",)


@admin.register(MailboxMail)
class MailboxMailAdmin(ReadOnlyAdmin):
    """Mails of the trial hold links that act, so here stand only their outsides; /mailbox/ shows the rest."""

    list_display = ("id", "subject", "received_at", "copies")
    exclude = ("body", "html")
    ordering = ("-id",)
