"""Locks a page, hands it to a person, ends it: the steps that several actions share, under the incident's lock."""

from __future__ import annotations

from datetime import datetime, timedelta

from audit.actions import record
from audit.actor import Actor
from incidents.models import Incident
from notify.actions import cancel_topic
from oncall.events import PageEvent
from oncall.models import Page


def locked(page_id: int) -> Page:
    """The page under its lock; its incident is locked first, as in every action."""
    known = Page.objects.values_list("incident_id", flat=True).get(pk=page_id)
    incident = Incident.objects.select_for_update(no_key=True, of=("self",)).select_related("service").get(pk=known)
    page = Page.objects.select_for_update(no_key=True, of=("self",)).select_related("acknowledged_by").get(pk=page_id)
    page.incident = incident
    return page


def until_of(page: Page, at: datetime) -> datetime | None:
    seconds = page.snapshot.get("ack_timeout_s")
    return at + timedelta(seconds=page.scaled(seconds)) if seconds else None


def hand_to(page: Page, user_id: int, by: Actor, at: datetime) -> None:
    """Gives the page to a person and cancels what it has queued, in one transaction."""
    until = until_of(page, at)
    page.acknowledge(user_id, at, until)
    page.save()
    cancel_topic(topic=page.topic, reason="acknowledged", by=by, at=at)
    record(
        PageEvent.ACKNOWLEDGED, page, by, at, about=page.incident, user=user_id, level=page.level,
        until=until.isoformat() if until else None,
    )  # fmt: skip


def end_page(page: Page, cause: str, by: Actor, at: datetime) -> None:
    page.stop(at, cause)
    page.save()
    cancel_topic(topic=page.topic, reason=cause, by=by, at=at)
    record(PageEvent.STOPPED, page, by, at, about=page.incident, cause=cause)
