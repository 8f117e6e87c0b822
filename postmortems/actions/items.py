"""Action items: added to a document, and followed until somebody else has seen that they work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from accounts.models import User
from audit.actions import Forbidden, Invalid, action, assert_fresh, record
from audit.actor import Actor
from postmortems import queries
from postmortems.actions.steps import WrongState, assigned, checked, locked, may_write, person_of
from postmortems.events import ActionItemEvent
from postmortems.models import ActionItem, ActionItemState, PostMortem, PostMortemState
from postmortems.permissions import can_progress

_CHANGEABLE = frozenset({"title", "description", "owner", "due_on", "verification"})


def _refuse_unless_open_to(postmortem: PostMortem, by: Actor) -> None:
    """Items live on after publication, that is their point; only a document that was given up takes none."""
    if not may_write(postmortem, by):
        raise Forbidden(f"{by.label} may not write this post-mortem", remedy="ask its owner or the incident's team")
    if postmortem.state == PostMortemState.CANCELLED:
        raise WrongState("the post-mortem was given up", remedy="draft it again first")


def _refuse_gone(owner: User | None) -> None:
    if owner is not None and not owner.is_active:
        raise Invalid(f"{owner} is deactivated", field="owner", remedy="name somebody who is here")


@action
def add_action_item(
    *,
    postmortem: PostMortem,
    title: str,
    by: Actor,
    at: datetime,
    description: str = "",
    owner: User | None = None,
    due_on: date | None = None,
    verification: str = "",
) -> ActionItem:
    """Adds an action item. Records `action_item.added`."""
    document = locked(postmortem)
    _refuse_unless_open_to(document, by)
    _refuse_gone(owner)
    item = ActionItem(
        postmortem=document, title=title.strip(), description=description, owner=owner, due_on=due_on,
        verification=verification,
    )  # fmt: skip
    checked(item)
    item.save()
    record(
        ActionItemEvent.ADDED, item, by, at, about=document.incident, title=item.title, owner=item.owner_id,
        due_on=due_on.isoformat() if due_on else None,
    )  # fmt: skip
    return item


@action
def change_action_item(
    *,
    item: ActionItem,
    values: Mapping[str, Any],
    by: Actor,
    at: datetime,
    expected_version: int | None = None,
    reason: str = "",
) -> ActionItem:
    """Changes title, description, owner, due date or verification. Records `action_item.changed`."""
    document = locked(item.postmortem)
    _refuse_unless_open_to(document, by)
    fresh = _locked_item(item, expected_version)
    if fresh.state in (ActionItemState.VERIFIED, ActionItemState.CANCELLED):
        raise WrongState(f"it is {fresh.get_state_display()}", remedy="reopen it, or add another")
    _refuse_gone(values.get("owner"))
    fields = assigned(fresh, values, _CHANGEABLE)
    if not fields:
        return fresh
    checked(fresh)
    fresh.save()
    record(ActionItemEvent.CHANGED, fresh, by, at, about=document.incident, reason=reason, fields=fields)
    return fresh


def _locked_item(item: ActionItem, expected_version: int | None) -> ActionItem:
    fresh: ActionItem = ActionItem.objects.select_for_update(no_key=True).get(pk=item.pk)
    assert_fresh(fresh, expected_version)
    return fresh


def _moved(
    item: ActionItem,
    by: Actor,
    expected_version: int | None,
    sources: tuple[ActionItemState, ...],
    move: Callable[[ActionItem], None],
) -> ActionItem:
    """The item, locked, moved and saved; refused in any other state than `sources`, and to strangers."""
    document = locked(item.postmortem)
    fresh = _locked_item(item, expected_version)
    fresh.postmortem = document
    if not can_progress(by, fresh, is_paged=queries.is_paged(by, document.incident)):
        raise Forbidden(f"{by.label} may not move this action item", remedy="ask its owner")
    if fresh.state not in sources:
        names = ", ".join(str(one.label) for one in sources)
        raise WrongState(f"it is {fresh.get_state_display()}", remedy=f"this can be done while it is: {names}")
    move(fresh)
    fresh.save()
    return fresh


@action
def start_action_item(*, item: ActionItem, by: Actor, at: datetime, expected_version: int | None = None) -> ActionItem:
    """Says that work began. Records `action_item.started`."""
    moved = _moved(item, by, expected_version, (ActionItemState.OPEN,), ActionItem.start)
    record(ActionItemEvent.STARTED, moved, by, at, about=moved.postmortem.incident)
    return moved


@action
def finish_action_item(*, item: ActionItem, by: Actor, at: datetime, expected_version: int | None = None) -> ActionItem:
    """Says that it is done; that it works is for somebody else to see. Records `action_item.done`."""
    person = person_of(by, "say that it is done")
    moved = _moved(
        item, by, expected_version, (ActionItemState.OPEN, ActionItemState.IN_PROGRESS),
        lambda one: one.finish(by_id=person, at=at),
    )  # fmt: skip
    record(ActionItemEvent.DONE, moved, by, at, about=moved.postmortem.incident)
    return moved


@action
def verify_action_item(*, item: ActionItem, by: Actor, at: datetime, expected_version: int | None = None) -> ActionItem:
    """Says that it works; refused to the one who did it. Records `action_item.verified`."""
    person = person_of(by, "verify it")
    if item.done_by_id == person:
        raise Forbidden("whoever did it can't verify it", remedy="ask somebody else to look")
    moved = _moved(item, by, expected_version, (ActionItemState.DONE,), lambda one: one.verify(by_id=person, at=at))
    record(ActionItemEvent.VERIFIED, moved, by, at, about=moved.postmortem.incident, verification=moved.verification)
    return moved


@action
def reopen_action_item(
    *, item: ActionItem, reason: str, by: Actor, at: datetime, expected_version: int | None = None
) -> ActionItem:
    """Opens an item again that was done but does not work. Records `action_item.reopened`."""
    _refuse_without(reason)
    moved = _moved(item, by, expected_version, (ActionItemState.DONE, ActionItemState.VERIFIED), ActionItem.reopen)
    record(ActionItemEvent.REOPENED, moved, by, at, about=moved.postmortem.incident, reason=reason)
    return moved


@action
def cancel_action_item(
    *, item: ActionItem, reason: str, by: Actor, at: datetime, expected_version: int | None = None
) -> ActionItem:
    """Gives an item up, with a reason. Records `action_item.cancelled`."""
    _refuse_without(reason)
    moved = _moved(
        item, by, expected_version, (ActionItemState.OPEN, ActionItemState.IN_PROGRESS, ActionItemState.DONE),
        lambda one: one.cancel(reason=reason.strip()),
    )  # fmt: skip
    record(ActionItemEvent.CANCELLED, moved, by, at, about=moved.postmortem.incident, reason=reason)
    return moved


def _refuse_without(reason: str) -> None:
    if not reason.strip():
        raise Invalid("a reason is needed", field="reason", remedy="say why")
