"""Goes on at once where waiting is no use: a contact that failed, a person who left."""

from __future__ import annotations

from datetime import datetime

from accounts.models import User
from audit.actions import action, record
from audit.actor import Actor
from notify.actions import bring_forward, cancel_topic
from notify.models import Contact, Message, State
from notify.wakeup import wake_after_commit
from oncall.actions.holding import locked
from oncall.actions.paging import SWEEP
from oncall.events import PageEvent
from oncall.models import Page, PageNotification, PageState, ResponderLink

#: States in which a message may still reach its person, or may have.
HOPEFUL = (State.QUEUED, State.SENT, State.DELIVERED, State.UNCERTAIN)


@action
def pass_failed_contact(*, message: Message, by: Actor, at: datetime) -> str:
    """Tries the person's next contact at once; when the whole level failed, the next level. Says which, or "".

    Records `page.contact_failed`. Nothing happens once the page has gone on or somebody has it.
    """
    told = PageNotification.objects.filter(message=message).select_related("user").first()
    if told is None:
        return ""
    page = locked(told.page_id)
    if page.state != PageState.RUNNING or (page.round, page.level) != (told.round, told.level):
        return ""
    step = PageNotification.objects.filter(page=page, round=told.round, level=told.level)
    others = step.filter(user=told.user).exclude(pk=told.pk).values_list("contact_ref", flat=True)
    went_on = ""
    if bring_forward(topic=page.topic, contacts=list(others), by=by, at=at):
        went_on = "contact"
    elif not step.filter(message__state__in=HOPEFUL).exists():
        _due_now(page, at)
        went_on = "level"
    record(
        PageEvent.CONTACT_FAILED, page, by, at, about=page.incident, level=told.level, user=told.user_id, next=went_on
    )
    return went_on


def _due_now(page: Page, at: datetime) -> None:
    if page.escalate_at is None or page.escalate_at > at:
        page.escalate_at = at
        page.save()
    wake_after_commit(SWEEP)


@action
def pass_on_for_leaver(*, user: User, by: Actor, at: datetime) -> list[Page]:
    """Makes the pages due now that wait for somebody who left: theirs to confirm, or confirmed by them.

    Their links are dead for good, also should they come back.
    """
    ResponderLink.objects.filter(user=user, expires_at__gt=at).update(expires_at=at)
    mine = Page.objects.filter(state=PageState.ACKNOWLEDGED, acknowledged_by=user)
    asked = Page.objects.running().filter(notifications__user=user)
    # Incidents are locked in id order, as everywhere.
    waiting = sorted({(page.incident_id, page.pk) for page in [*mine, *asked]})
    theirs = list(Contact.objects.filter(user=user).values_list("pk", flat=True))
    moved = []
    for _, page_id in waiting:
        page = locked(page_id)
        cancel_topic(topic=page.topic, reason=f"{user} left", contacts=theirs, by=by, at=at)
        if _waits_only_for(page, user):
            _due_now(page, at)
            moved.append(page)
    return moved


def _waits_only_for(page: Page, user: User) -> bool:
    if page.state == PageState.ACKNOWLEDGED:
        return page.acknowledged_by_id == user.pk
    step = PageNotification.objects.filter(page=page, round=page.round, level=page.level)
    return page.state == PageState.RUNNING and not step.filter(user__is_active=True).exclude(user=user).exists()
