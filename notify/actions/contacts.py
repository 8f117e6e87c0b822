"""A person's ways to be reached: added, changed, verified. Only the person and an admin may."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from audit.actions import ActionRefused, Forbidden, Invalid, action, assert_fresh, record
from audit.actor import Actor
from notify.actions.outbox import cancel_topic, enqueue
from notify.client import AddressRefusedError, refuse_inside
from notify.events import ContactEvent
from notify.models import Channel, Contact, Message, token_hash
from notify.permissions import can_change_contact, can_vouch_for_contact

VERIFICATION_LIFETIME = timedelta(days=3)
CHANGEABLE = frozenset({"channel", "address", "label", "urgency", "delay_s", "position", "is_active"})


class ContactInUse(ActionRefused):
    """The contact can't be removed now."""

    code = "contact_in_use"


class LinkExpired(ActionRefused):
    """The verification link is unknown, used or too old; which of them is not told."""

    status = 404
    code = "link_expired"


def _allow(by: Actor, user_id: int) -> None:
    if not can_change_contact(by, user_id):
        raise Forbidden(
            f"{by.label} may not change somebody else's contacts", remedy="ask the person or an admin to do it"
        )


#: Channels whose address is a mail address; the others post to a URL.
_ADDRESSED = (Channel.MAIL, Channel.TEST)


def _checked(contact: Contact) -> None:
    """Full validation, and an address that fits the channel."""
    try:
        contact.full_clean()
        if contact.channel in _ADDRESSED:
            validate_email(contact.address)
    except ValidationError as error:
        detail = "; ".join(error.messages)
        field = next(iter(error.message_dict)) if hasattr(error, "error_dict") else "address"
        raise Invalid(detail, field="" if field == "__all__" else field) from error
    if contact.channel not in _ADDRESSED:
        _check_url(contact.address)


def _check_url(address: str) -> None:
    try:
        parts = urlsplit(address)
        good = parts.scheme in {"http", "https"} and parts.hostname and not parts.username and parts.port != 0
    except ValueError:
        good = False
    if not good or any(ord(one) < 33 or ord(one) == 127 for one in address):
        raise Invalid(
            "the address is no URL to post to", field="address",
            remedy="https://host/path, without user name and password in it",
        )  # fmt: skip
    try:
        refuse_inside(address)
    except AddressRefusedError as error:
        raise Invalid(
            error.detail, field="address", remedy="give a public address, or ask who runs the desk to allow this one"
        ) from error


@action
def add_contact(
    *, user: Any, channel: str, address: str, by: Actor, at: datetime, label: str = "", urgency: str = "any",
    delay_s: int = 0, position: int = 1, is_active: bool = True, verify: bool = True,
) -> Contact:  # fmt: skip
    """Adds a contact and sends its verification link; refused for somebody else's. Records `contact.added`."""
    _allow(by, user.pk)
    contact = Contact(
        user=user, channel=channel, address=address, label=label, urgency=urgency, delay_s=delay_s, position=position,
        is_active=is_active,
    )  # fmt: skip
    _checked(contact)
    contact.save()
    record(ContactEvent.ADDED, contact, by, at, about=user, user=user.pk, channel=channel)
    if verify:
        send_verification(contact=contact, by=by, at=at)
    return contact


def _locked(contact: Contact, by: Actor) -> Contact:
    fresh = Contact.objects.select_for_update().select_related("user").get(pk=contact.pk)
    _allow(by, fresh.user_id)
    return fresh


@action
def change_contact(
    *, contact: Contact, values: Mapping[str, Any], by: Actor, at: datetime, expected_version: int | None = None
) -> Contact:
    """Changes a contact; a new address has to be verified again. Refused stale. Records `contact.changed`."""
    fresh = _locked(contact, by)
    assert_fresh(fresh, expected_version)
    if unknown := set(values) - CHANGEABLE:
        raise Invalid(f"{', '.join(sorted(unknown))} can't be changed", field=min(unknown))
    for name, value in values.items():
        setattr(fresh, name, value)
    changed = sorted(fresh.changed_fields())
    if not changed:
        return fresh
    if {"address", "channel"} & set(changed):
        fresh.verified_at = None
    _checked(fresh)
    fresh.save()
    record(
        ContactEvent.CHANGED, fresh, by, at, about=fresh.user, user=fresh.user_id, channel=fresh.channel,
        fields=changed,
    )  # fmt: skip
    if fresh.verified_at is None and {"address", "channel"} & set(changed):
        send_verification(contact=fresh, by=by, at=at)
    return fresh


@action
def remove_contact(*, contact: Contact, by: Actor, at: datetime, expected_version: int | None = None) -> None:
    """Removes a contact; refused while messages to it are on their way. Records `contact.removed`."""
    fresh = _locked(contact, by)
    assert_fresh(fresh, expected_version)
    cancel_topic(topic=f"contact:{fresh.pk}", reason="contact removed", by=by, at=at)
    if Message.objects.pending().filter(contact=fresh).exists():
        raise ContactInUse(_("messages to this contact are on their way"), remedy=_("switch it off, remove it later"))
    record(ContactEvent.REMOVED, fresh, by, at, about=fresh.user, user=fresh.user_id, channel=fresh.channel)
    fresh.delete()


@action
def send_verification(*, contact: Contact, by: Actor, at: datetime) -> Contact:
    """Sends a new verification link to the contact, which voids the one before. Records the sending."""
    fresh = _locked(contact, by)
    token = secrets.token_urlsafe(24)
    fresh.verification_hash = token_hash(token)
    fresh.verification_until = at + VERIFICATION_LIFETIME
    fresh.save()
    cancel_topic(topic=f"contact:{fresh.pk}", reason="a newer link was sent", by=by, at=at)
    enqueue(
        channel=fresh.channel,
        address=fresh.address,
        subject=_("Confirm that pages may reach you here"),
        body=_("The service desk is to page you here. Open this page to confirm:\n\n{link}\n"),
        link=f"{settings.SERVICEDESK_URL}/contacts/{token}/",
        data={"kind": "verification"},
        dedup_key=f"contact:{fresh.pk}:{fresh.verification_hash[:16]}",
        topic=f"contact:{fresh.pk}",
        about=fresh.user,
        contact=fresh,
        expires_at=fresh.verification_until,
        by=by,
        at=at,
    )
    record(ContactEvent.VERIFICATION_SENT, fresh, by, at, about=fresh.user, user=fresh.user_id, channel=fresh.channel)
    return fresh


@action
def verify_contact(*, token: str, by: Actor, at: datetime) -> Contact:
    """Verifies the contact that the link was sent to; refused when the link is unknown or too old."""
    contact = (
        Contact.objects.select_for_update(of=("self",)).select_related("user")
        .filter(verification_hash=token_hash(token), verification_until__gt=at, user__is_active=True).first()
    )  # fmt: skip
    if contact is None:
        raise LinkExpired(_("this link is not valid any more"), remedy=_("ask for a new one on your contacts page"))
    return _verified(contact, by, at, by_link=True)


@action
def vouch_for_contact(*, contact: Contact, reason: str, by: Actor, at: datetime) -> Contact:
    """Lets an admin vouch for a contact without the link; needs a reason. Records `contact.verified`."""
    if not can_vouch_for_contact(by):
        raise Forbidden(f"{by.label} may not vouch for a contact", remedy="use the link that was sent to it")
    if not reason.strip():
        raise Invalid("a reason is needed", field="reason", remedy="say how you know that it reaches the person")
    fresh = Contact.objects.select_for_update(of=("self",)).select_related("user").get(pk=contact.pk)
    return _verified(fresh, by, at, by_link=False)


def _verified(contact: Contact, by: Actor, at: datetime, *, by_link: bool) -> Contact:
    """The link stays valid until it expires, so that a second tap gets the same answer; only the first one records."""
    if contact.verified_at is None:
        contact.verified_at = at
        contact.save()
        record(
            ContactEvent.VERIFIED, contact, by, at, about=contact.user, user=contact.user_id, channel=contact.channel,
            by_link=by_link,
        )  # fmt: skip
    return contact
