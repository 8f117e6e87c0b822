"""Mails to requesters by the texts in force: one way to fill them in, whoever's change is told."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.formats import date_format

import notify.actions
from accounts.models import User
from audit.actor import Actor
from incidents import wording
from incidents.models import Incident, links
from incidents.models.mails import PLACEHOLDERS, MailKind, shipped, text_of
from notify.models import Channel
from notify.threading import subject_token

#: What of a mail is the reader's own link, with what it proposes to say there.
_LINKS = {
    "link": wording.LINK,
    "works": f"{wording.LINK}?say=works",
    "broken": f"{wording.LINK}?say=broken",
    "rate": f"{wording.LINK}?say=rate",
}


def mail_requester(
    user: User, incident: Incident, kind: str, key: str, by: Actor, at: datetime, facts: Mapping[str, Any]
) -> None:
    """One mail about an incident to its requester, in their language and zone, with a link to it that needs no login.

    Texts of the facts may be lazy, as labels are, so that they are said in the reader's language.
    """
    about = {"name": greeted(user), "reference": incident.reference, "title": incident.title}
    subject, body = filled(kind, user.locale, {**about, **facts}, user.time_zone)
    notify.actions.enqueue_mail_to_user(
        user=user, subject=f"{subject_token(incident.reference)} {subject}", body=body + "\n",
        html=wording.to_html(body, user.locale), link=links.link_for(user, incident, at),
        dedup_key=f"incident:{incident.pk}:{key}:{user.pk}", topic=f"incident:{incident.pk}", about=incident,
        thread=incident.reference, kind=kind, by=by, at=at,
    )  # fmt: skip


def greeted(user: User) -> str:
    """How a mail calls a person; a mail address is no name."""
    return user.get_short_name() if user.name else ""


def mail_address(
    address: str, locale: str, kind: str, key: str, about: Any, link: str, by: Actor, at: datetime,
    facts: Mapping[str, Any], expires_at: datetime,
) -> None:  # fmt: skip
    """One mail with a link to an address, about nothing that has a thread yet."""
    subject, body = filled(kind, locale, facts)
    notify.actions.enqueue(
        channel=Channel.MAIL, address=address, subject=subject, body=body + "\n",
        html=wording.to_html(body, locale), link=link, dedup_key=key, topic=key[:80], about=about,
        expires_at=expires_at, by=by, at=at,
    )  # fmt: skip


def filled(kind: str, locale: str, facts: Mapping[str, Any], time_zone: str = "UTC") -> tuple[str, str]:
    """Subject and body of a kind with what is known; what is not is empty, so that a text can ask for it."""
    with translation.override(locale):
        known = {**_LINKS, "new": f"{settings.SERVICEDESK_URL}/help/new/"}
        values = {
            name: known[name] if name in known else wording.inert(_said(facts.get(name), time_zone))
            for name in PLACEHOLDERS[kind]
        }
    try:
        return _rendered(*text_of(kind, locale), values)
    except wording.Misworded:  # written past the check: a bad text must never keep an incident from being opened
        return _rendered(*shipped(kind, locale), values)


def _rendered(subject: str, body: str, values: Mapping[str, str]) -> tuple[str, str]:
    return " ".join(wording.render(subject, values).split()), wording.render(body, values)


def _said(value: Any, time_zone: str) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return in_zone(value, time_zone)
    return str(value)


def in_zone(moment: datetime, time_zone: str) -> str:
    local = moment.astimezone(zoneinfo.ZoneInfo(time_zone))
    return f"{date_format(local, 'j N Y, H:i')} ({time_zone})"


__all__ = ["MailKind", "filled", "greeted", "in_zone", "mail_address", "mail_requester"]
