"""One step of a page: whom it tells, by which contacts, with a link of their own. Called under the incident's lock."""

from __future__ import annotations

import logging
import secrets
import zoneinfo
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import translation

import incidents.actions
from accounts.models import User
from audit.actions import Invalid, record
from audit.actor import SYSTEM, Actor
from incidents.models import ParticipantRole
from notify.actions import enqueue
from notify.models import Channel, Contact, token_hash
from oncall import queries
from oncall.events import PageEvent
from oncall.models import Page, PageNotification, ResponderLink

log = logging.getLogger(__name__)

#: How long a link acts; after that its page offers to send a new one.
LINK_LIFETIME = timedelta(hours=24)
#: Level of the fallback in dedup keys and links.
FALLBACK = 0


def notify_people(
    page: Page, people: Sequence[User], by: Actor, at: datetime, *, last_resort: bool = False
) -> list[User]:
    """Tells people of the page's present round and level; returns those who can be reached. Records `page.notified`.

    With `last_resort` somebody without a usable contact gets a mail to the login address: better than silence.
    """
    contacts: dict[int, list[Contact]] = {user.pk: [] for user in people}
    for contact in Contact.objects.usable().for_urgency(page.snapshot["urgency"]).filter(user__in=contacts):
        contacts[contact.user_id].append(contact)
    reached, messages = [], 0
    for user in people:
        ways: list[Contact | None] = [*contacts[user.pk]]
        if not ways and last_resort and user.email:
            ways = [None]
        sent = _notify(page, user, ways, by, at) if ways else 0
        messages += sent
        reached += [user] if sent else []
    if messages:
        record(
            PageEvent.NOTIFIED, page, by, at, about=page.incident, round=page.round, level=page.level,
            users=[user.pk for user in reached], names=[str(user) for user in reached], messages=messages,
        )  # fmt: skip
    return reached


def _notify(page: Page, user: User, ways: Iterable[Contact | None], by: Actor, at: datetime) -> int:
    """One link for the person, one message for each way that this step has not used yet."""
    known = PageNotification.objects.filter(page=page, round=page.round, level=page.level, user=user)
    told = set(known.values_list("contact_ref", flat=True))
    fresh = [way for way in ways if (way.pk if way else 0) not in told]
    if not fresh:
        return len(told)
    # The system pages, also when a person passed it on: nobody gives others access by being paged.
    incidents.actions.add_participant(incident=page.incident, user=user, role=ParticipantRole.PAGED, by=SYSTEM, at=at)
    link = issue_link(page, user, at)
    sent = 0
    for way in fresh:
        try:
            with transaction.atomic():
                send_to(page, user, way, link, by, at, key=f"{page.topic}:{page.round}:{page.level}:{user.pk}")
            sent += 1
        except Invalid as error:  # a contact that can't even be written to must not keep the others from being told
            log.error("contact %s of user %s can't be used: %s", way and way.pk, user.pk, error.field)
    return sent


def issue_link(page: Page, user: User, at: datetime) -> str:
    """A new capability for this person at this level; only its hash is stored."""
    token = secrets.token_urlsafe(24)
    ResponderLink.objects.create(
        token_hash=token_hash(token), page=page, user=user, round=page.round, level=page.level,
        created_at=at, expires_at=at + LINK_LIFETIME,
    )  # fmt: skip
    return f"{settings.SERVICEDESK_URL}/r/{token}/"


def send_to(
    page: Page, user: User, way: Contact | None, link: str, by: Actor, at: datetime, *, key: str, remember: bool = True
) -> None:
    """Puts one message of the page into the outbox, in the person's language and time."""
    contact_ref = way.pk if way else 0
    words, facts = message_of(page, user, at)
    message = enqueue(
        channel=way.channel if way else Channel.MAIL,
        address=way.address if way else user.email,
        contact=way,
        subject=words["subject"],
        body=words["body"],
        data=facts,
        link=link,
        dedup_key=f"{key}:{contact_ref}",
        topic=page.topic,
        thread=page.incident.reference,
        about=page.incident,
        not_before=at + timedelta(seconds=page.scaled(way.delay_s)) if way and way.delay_s else None,
        urgent=page.snapshot["urgency"] == "high",
        by=by,
        at=at,
    )
    if remember:
        PageNotification.objects.create(
            page=page, round=page.round, level=page.level, user=user, contact_ref=contact_ref, message=message,
            created_at=at,
        )  # fmt: skip


def message_of(page: Page, user: User, at: datetime) -> tuple[dict[str, str], dict[str, Any]]:
    """Subject and body for the person, and the payload of a webhook."""
    incident = page.incident
    names = [str(one) for one in queries.next_people(page, at)]
    facts = {
        "kind": "page",
        "page": page.pk,
        "round": page.round,
        "level": page.level,
        "reference": incident.reference,
        "title": incident.title,
        "priority": incident.priority,
        "service": str(incident.service) if incident.service else None,
        "person": str(user),
        "drill": page.is_drill,
        "started_at": page.started_at.isoformat(),
        "next_escalation_at": page.escalate_at.isoformat() if page.escalate_at else None,
        "next": names,
    }
    shown = {
        "page": page,
        "incident": incident,
        "user": user,
        "next_at": page.escalate_at.astimezone(zoneinfo.ZoneInfo(user.time_zone)) if page.escalate_at else None,
        "zone": user.time_zone,
        "names": ", ".join(names),
        **queries.unreached_of(page),
    }
    with translation.override(user.locale):
        subject = str(render_to_string("oncall/page_subject.txt", shown))
        subject = " ".join("".join(one if one.isprintable() else " " for one in subject).split())
        body = render_to_string("oncall/page_body.txt", shown)
    return {"subject": subject[:300], "body": body.strip() + "\n"}, facts
