"""Parent and child: one level, through which hold, resolution and an agent's reopening pass, never closing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from audit.actions import ActionRefused, action, assert_fresh, record
from audit.actor import Actor, ActorKind
from audit.models import Event
from incidents import permissions
from incidents.actions.ending import reopen, resolve
from incidents.actions.frame import require, saved, settled, text
from incidents.actions.holding import change_hold, put_on_hold, resume
from incidents.actions.merging import locked_together
from incidents.events import IncidentEvent
from incidents.models import OPEN_STATES, FixKind, HoldReason, Incident, State

#: The actor that carries something from a parent to its children.
CASCADE = "incidents.cascade"


class NotFamily(ActionRefused):
    """These two can't be parent and child."""

    code = "not_family"


@action
def set_parent(
    *,
    incident: Incident,
    parent: Incident | None,
    by: Actor,
    at: datetime,
    reason: str = "",
    expected_version: int | None = None,
) -> Incident:
    """Makes the incident a child of another, or nobody's. Records `incident.parent_set`.

    Children keep their clocks and count once, with their parent. Refused: to itself, in a second level, once one of
    them is over, a drill among others, and to who may not work on both.
    """
    reason = text("reason", reason, longest=2000)
    if parent is not None and parent.pk == incident.pk:
        raise NotFamily(f"{incident.reference} can't be its own parent", field="parent", remedy="name another one")
    both = locked_together(incident, *([parent] if parent else []))
    child = both[incident.pk]
    assert_fresh(child, expected_version)
    require(permissions.can_work, by, child, "choose the parent of")
    if parent is not None:
        elder = both[parent.pk]
        require(permissions.can_work, by, elder, "put children under")
        _check(child, elder)
    old = child.parent_id
    child.parent_id = parent.pk if parent else None
    if not child.changed_fields():
        return child
    saved(child)
    record(
        IncidentEvent.PARENT_SET, child, by, at, reason=reason, old=_reference(old),
        parent=parent.reference if parent else None,
    )  # fmt: skip
    return settled(child)


def _reference(pk: int | None) -> str | None:
    return None if pk is None else Incident.objects.get(pk=pk).reference


def _check(child: Incident, elder: Incident) -> None:
    if elder.parent_id is not None or Incident.objects.filter(parent_id=child.pk).exists():
        which = elder if elder.parent_id is not None else child
        why = "is a child itself" if which is elder else "has children"
        raise NotFamily(f"{which.reference} {why}", field="parent", remedy="a family has one level: name its top one")
    for one in (child, elder):
        if one.state in (State.CLOSED, State.CANCELLED):
            raise NotFamily(f"{one.reference} is {State(one.state).label}", field="parent", remedy="link them instead")
    if child.is_drill != elder.is_drill or child.is_imported != elder.is_imported:
        raise NotFamily("a drill or imported history has only its like", field="parent", remedy="link them instead")


@action(joins=True)
def cascade(*, incident: Incident, kind: str, by: Actor, at: datetime) -> None:
    """Passes to the children what happened to their parent; each child's own guards and state decide.

    Children that somebody else works on at this moment make it fail, and the delivery is tried again: waiting for them
    under the parent's lock could block both for ever.
    """
    ids = list(Incident.objects.filter(parent_id=incident.pk).order_by("pk").values_list("pk", flat=True))
    if not ids:
        return
    rows = Incident.objects.select_for_update(no_key=True, nowait=True).filter(pk__in=ids, parent_id=incident.pk)
    carrier = Actor(kind=ActorKind.JOB, id=CASCADE, label=f"cascade of {incident.reference}", on_behalf_of=by.label)
    for child in list(rows.order_by("pk")):
        _PASSED[kind](incident, child, by, carrier, at)


def _hold(parent: Incident, child: Incident, by: Actor, carrier: Actor, at: datetime) -> None:
    """Not the wait for a requester: the child's requester may know the answer, and has clocks of their own."""
    until = parent.hold_until
    if until is None or parent.hold_reason == HoldReason.REQUESTER:
        return
    if child.state == State.ON_HOLD and child.hold_reason == HoldReason.PARENT and child.hold_until != until:
        change_hold(incident=child, until=until, by=carrier, at=at)
    elif child.state in OPEN_STATES and child.state != State.ON_HOLD:
        put_on_hold(incident=child, hold_reason=HoldReason.PARENT.value, until=until, by=carrier, at=at)


def _resume(parent: Incident, child: Incident, by: Actor, carrier: Actor, at: datetime) -> None:
    if child.state == State.ON_HOLD and child.hold_reason == HoldReason.PARENT:
        resume(incident=child, by=carrier, at=at)


def _resolve(parent: Incident, child: Incident, by: Actor, carrier: Actor, at: datetime) -> None:
    """The code and cause of the parent; its notes may be about its own requester."""
    if child.state not in OPEN_STATES or not parent.resolution_code:
        return
    fix = FixKind.FIX if parent.fix_kind == FixKind.FIX else FixKind.NONE
    resolve(incident=child, code=parent.resolution_code, cause=parent.cause_code, fix_kind=fix.value, by=carrier, at=at)


def _reopen(parent: Incident, child: Incident, by: Actor, carrier: Actor, at: datetime) -> None:
    """Only what the parent resolved, and only at the word of the desk: the parent's requester speaks for one."""
    if child.state != State.RESOLVED or by.kind is ActorKind.MAIL or permissions.is_own(by, parent):
        return
    told = Event.objects.filter(
        kind=str(IncidentEvent.RESOLVED), about_type=Incident._meta.label_lower, about_id=child.pk
    )
    if told.order_by("-id").values_list("actor_id", flat=True).first() == CASCADE:
        reopen(incident=child, reason=f"{parent.reference} was reopened", by=carrier, at=at)


_PASSED: dict[str, Callable[..., None]] = {
    IncidentEvent.PUT_ON_HOLD: _hold,
    IncidentEvent.HOLD_CHANGED: _hold,
    IncidentEvent.RESUMED: _resume,
    IncidentEvent.RESOLVED: _resolve,
    IncidentEvent.REOPENED: _reopen,
}
