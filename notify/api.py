"""Contacts by REST: one's own; an admin's anybody's."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers

import notify.actions
from accounts.models import User
from audit.actions import Invalid
from audit.rest import Call, ConfigViewSet, StrictModelSerializer, StrictSerializer, verb
from notify.models import Contact


class ContactSerializer(StrictModelSerializer):
    """A way to reach a person; it is used once `verified_at` is set."""

    user = serializers.PrimaryKeyRelatedField(
        queryset=User.objects.all(), required=False, help_text="The caller where it is left out; never changes."
    )

    class Meta:
        model = Contact
        fields: ClassVar[list[str]] = [
            "id", "user", "channel", "address", "label", "urgency", "delay_s", "position", "is_active", "verified_at",
            "version",
        ]  # fmt: skip
        read_only_fields: ClassVar[list[str]] = ["verified_at", "version"]
        # The action refuses a second one of the same; the stock validator would make `user` required.
        validators: ClassVar[list[Any]] = []


class VouchInput(StrictSerializer):
    reason = serializers.CharField(max_length=1000)


class ContactViewSet(ConfigViewSet):
    """Mail, webhook and ntfy contacts. A new or changed one gets a link and pages only after it was confirmed."""

    queryset = Contact.objects.select_related("user")
    serializer_class = ContactSerializer
    filterset_fields: ClassVar[dict[str, list[str]]] = {
        "user": ["exact"],
        "channel": ["exact"],
        "urgency": ["exact"],
        "is_active": ["exact"],
    }

    def create_row(self, values: dict[str, Any]) -> Contact:
        user = values.pop("user", None) or User.objects.filter(pk=self.actor.user_id or 0).first()
        if user is None:
            raise Invalid("no person stands behind this key", field="user", remedy="name the person")
        return notify.actions.add_contact(user=user, **values, by=self.actor, at=self.now)

    def change_row(self, row: Contact, values: dict[str, Any], expected_version: int | None) -> Contact:
        return notify.actions.change_contact(
            contact=row, values=values, by=self.actor, at=self.now, expected_version=expected_version
        )

    def remove_row(self, row: Contact, expected_version: int | None) -> None:
        notify.actions.remove_contact(contact=row, by=self.actor, at=self.now, expected_version=expected_version)

    @verb(path="send-verification")
    def send_verification(self, call: Call) -> Contact:
        """Sends a new link to the contact; the one before is void."""
        return notify.actions.send_verification(contact=call.row, by=call.by, at=call.at)

    @verb(VouchInput)
    def vouch(self, call: Call) -> Contact:
        """An admin says that the contact reaches the person."""
        return notify.actions.vouch_for_contact(contact=call.row, by=call.by, at=call.at, **call.data)


ROUTES = [("contacts", ContactViewSet)]
