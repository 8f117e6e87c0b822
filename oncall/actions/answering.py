"""What stops a page or sets it going again: confirmations, time-outs, passing on, the end of the incident."""

from __future__ import annotations

import zoneinfo
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

import incidents.actions
from audit.actions import ActionRefused, Forbidden, action, record
from audit.actor import Actor
from incidents.models import Incident, ParticipantRole
from incidents.permissions import can_acknowledge
from notify.actions import cancel_topic
from notify.models import Contact
from oncall import queries
from oncall.actions.holding import end_page, hand_to, locked, until_of
from oncall.actions.paging import advance
from oncall.events import PageEvent
from oncall.models import Page, PageState

EXTENSION_S = 1_800


class AlreadyHeld(ActionRefused):
    """Somebody else confirmed before."""

    code = "already_held"


class PageEnded(ActionRefused):
    """The page is over, because its incident is."""

    code = "page_ended"


class NotTheHolder(Forbidden):
    """Only who has the page may do this."""

    code = "not_the_holder"


class NothingToExtend(ActionRefused):
    """No time-out runs."""

    code = "nothing_to_extend"


def _hhmm(moment: datetime, zone: str = "UTC") -> str:
    return moment.astimezone(zoneinfo.ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M ") + zone


def held_by_other(page: Page) -> AlreadyHeld:
    """The refusal that tells a second person who has it since when."""
    since = page.acknowledged_at or page.started_at
    return AlreadyHeld(
        _("%(name)s has it since %(since)s") % {"name": page.acknowledged_by, "since": _hhmm(since)},
        remedy=_("help on the incident's page, or ask for it to be passed on"),
        holder=str(page.acknowledged_by),
        since=since.isoformat(),
    )


def _is_paged(incident: Incident, by: Actor) -> bool:
    return incident.participants.filter(user_id=by.user_id or 0, role=ParticipantRole.PAGED).exists()


@action
def acknowledge_page(*, page_id: int, by: Actor, at: datetime) -> Page:
    """A named person has it: acknowledges the incident too, and nothing of the page goes out any more.

    Idempotent for the holder. Refused for bots, for who may not work on the incident, once another has it
    (`AlreadyHeld`), and after the incident ended (`PageEnded`). Records `page.acknowledged`.
    """
    page = locked(page_id)
    if page.state == PageState.RESOLVED:
        raise PageEnded(_("this page is over"), remedy=_("look at the incident"))
    if not can_acknowledge(by, page.incident, is_paged=_is_paged(page.incident, by)):
        raise Forbidden(_("only a named person who works on the incident can confirm"), remedy=_("ask who is on call"))
    if page.state == PageState.ACKNOWLEDGED:
        if page.acknowledged_by_id == by.user_id:
            return page
        raise held_by_other(page)
    if page.incident.acknowledged_at is None:
        # Its handler acknowledges all running pages of the incident, this one too.
        incidents.actions.acknowledge(incident=page.incident, by=by, at=at)
        page = locked(page.pk)
    if page.state != PageState.ACKNOWLEDGED and by.user_id is not None:
        hand_to(page, by.user_id, by, at)
    return page


@action(joins=True)
def acknowledge_pages(*, incident: Incident, by: Actor, at: datetime) -> list[Page]:
    """Hands every running or exhausted page of an acknowledged incident to the person who acknowledged it."""
    handed = []
    for page in queries.open_pages(incident.pk):
        if page.state in (PageState.RUNNING, PageState.EXHAUSTED) and incident.acknowledged_by_id is not None:
            page.incident = incident
            hand_to(page, incident.acknowledged_by_id, by, at)
            handed.append(page)
    return handed


@action(joins=True)
def stop_pages(*, incident: Incident, cause: str, by: Actor, at: datetime) -> list[Page]:
    """Ends all pages of an incident that is over and cancels what they have queued. Records `page.stopped`."""
    pages = queries.open_pages(incident.pk)
    for page in pages:
        page.incident = incident
        end_page(page, cause, by, at)
    return pages


@action
def time_out(*, page_id: int, by: Actor, at: datetime) -> Page:
    """Runs a page again whose holder's time is over: for the holder and for whoever is on call now.

    Does nothing when it is not due (any more). Records `page.timed_out`.
    """
    page = locked(page_id)
    if page.state != PageState.ACKNOWLEDGED or page.escalate_at is None or page.escalate_at > at:
        return page
    if not page.incident.is_open:
        end_page(page, f"the incident is {page.incident.state}", by, at)
        return page
    if Page.objects.running().filter(incident=page.incident, policy=page.policy_id).exists():
        # A later breach runs the same policy: one running page for each, so this one ends in it.
        end_page(page, "another page of the same policy runs", by, at)
        return page
    holder = page.acknowledged_by
    _set_going(page, at)
    page.round, page.level = page.round + 1, 0
    page.last_round = page.round + page.snapshot["repeats"]
    record(PageEvent.TIMED_OUT, page, by, at, about=page.incident, user=page.acknowledged_by_id, round=page.round)
    advance(page, by, at, cause="the acknowledgement timed out", holder=holder)
    return page


def _set_going(page: Page, at: datetime) -> None:
    page.run_again(at)
    page.round_started_at = at


@action
def pass_on(*, page_id: int, by: Actor, at: datetime, level: int | None = None) -> Page:
    """Passes the page to its next level at once, without the wait. Records `page.passed_on`.

    While it runs anybody who was paged may; after an acknowledgement only the holder. `level` is the level of the
    asking person: when the page has gone on meanwhile, nothing more happens.
    """
    page = locked(page_id)
    if page.state in (PageState.RESOLVED, PageState.EXHAUSTED):
        raise PageEnded(_("this page is over"), remedy=_("look at the incident"))
    if not can_acknowledge(by, page.incident, is_paged=_is_paged(page.incident, by)):
        raise Forbidden(_("only somebody who was paged can pass it on"), remedy=_("ask who is on call"))
    if page.state == PageState.ACKNOWLEDGED:
        if page.acknowledged_by_id != by.user_id:
            raise held_by_other(page)
        if Page.objects.running().filter(incident=page.incident, policy=page.policy_id).exists():
            raise PageEnded(_("a later page of the same policy runs already"), remedy=_("confirm that one"))
        _set_going(page, at)
        page.last_round = max(page.last_round, page.round + page.snapshot["repeats"])
    elif level is not None and level != page.level:
        return page
    mine = list(Contact.objects.filter(user_id=by.user_id or 0).values_list("pk", flat=True))
    cancel_topic(topic=page.topic, reason="passed on", contacts=mine, by=by, at=at)
    record(PageEvent.PASSED_ON, page, by, at, about=page.incident, user=by.user_id, level=page.level)
    advance(page, by, at, cause=f"passed on by {by.label}")
    return page


@action
def extend(*, page_id: int, by: Actor, at: datetime) -> Page:
    """Gives the holder half an hour more before the page runs again. Records `page.extended`."""
    page = locked(page_id)
    if page.state == PageState.RESOLVED:
        raise PageEnded(_("this page is over"), remedy=_("look at the incident"))
    if page.state != PageState.ACKNOWLEDGED or page.acknowledged_by_id != by.user_id:
        raise NotTheHolder(_("only who has it can ask for more time"), remedy=_("confirm it first"))
    if page.escalate_at is None:
        raise NothingToExtend(_("no time-out runs"), remedy=_("you have it until it is resolved"))
    page.escalate_at = max(page.escalate_at, at) + timedelta(seconds=page.scaled(EXTENSION_S))
    page.save()
    record(PageEvent.EXTENDED, page, by, at, about=page.incident, user=by.user_id, until=page.escalate_at.isoformat())
    return page


@action(joins=True)
def note_activity(*, incident: Incident, by: Actor, at: datetime) -> int:
    """A sign of life by the holder starts the time-out anew; returns how many pages it concerned."""
    if not by.is_person:
        return 0
    rows = Page.objects.select_for_update(no_key=True).filter(
        incident=incident, state=PageState.ACKNOWLEDGED, acknowledged_by_id=by.user_id, escalate_at__isnull=False
    )
    moved = 0
    for page in rows.order_by("id"):
        until = until_of(page, at)
        if until and page.escalate_at and until > page.escalate_at:
            page.escalate_at = until
            page.save()
            moved += 1
    return moved
