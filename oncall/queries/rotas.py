"""Who is on call: the stored schedule as values of oncall.rotation, which does the arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from accounts.models import User
from oncall import rotation
from oncall.models import Layer, Schedule
from oncall.weekhours import windows_of


def layer_of(layer: Layer, zone: str, participants: Sequence[int]) -> rotation.Layer | None:
    """The layer as a value; None when nobody is left in it. Raises ValueError with a reason for a bad one."""
    if not participants:
        return None
    turns = rotation.Rotation(
        zone=zone,
        start=datetime.combine(layer.start_on, layer.handover_time),
        kind=rotation.Kind(layer.unit),
        shift_length=layer.shift_length,
        participants=tuple(participants),
        n_on_at_once=min(layer.n_on_at_once, len(participants)),
        restrictions=windows_of(layer.restrictions),
    )
    return rotation.Layer(rotation=turns, priority=layer.priority, until=layer.ends_at)


def _parts(
    schedule: Schedule, start: datetime, stop: datetime
) -> tuple[list[rotation.Layer], list[rotation.Override], dict[int, User]]:
    people: dict[int, User] = {}
    layers = []
    for layer in schedule.layers.prefetch_related("members__user"):
        members = sorted(layer.members.all(), key=lambda one: one.position)
        people |= {one.user_id: one.user for one in members}
        # A deactivated person keeps the place: the shift is a gap to report, and nobody else's turn moves.
        value = layer_of(layer, schedule.zone, [one.user_id for one in members])
        layers += [value] if value else []
    overrides = list(
        schedule.overrides.filter(starts_at__lt=stop, ends_at__gt=start).select_related("user").order_by("id")
    )
    people |= {one.user_id: one.user for one in overrides}
    return layers, [rotation.Override(one.starts_at, one.ends_at, one.user_id) for one in overrides], people


def who_is_on_call(schedule: Schedule, at: datetime) -> list[User]:
    """The active people on call at an instant; empty in a gap and where only somebody who left is on."""
    layers, overrides, people = _parts(schedule, at, at + timedelta.resolution)
    found = [people[int(one)] for one in rotation.on_call_at(layers, overrides, at)]
    return [user for user in found if user.is_active]


def final_row(schedule: Schedule, start: datetime, stop: datetime) -> list[tuple[datetime, datetime, User, int | None]]:
    """The spans of a range with whom they belong to, people who left included."""
    layers, overrides, people = _parts(schedule, start, stop)
    return [
        (row.start, row.stop, people[int(row.who)], row.priority)
        for row in rotation.final_row(layers, overrides, start, stop)
    ]


def gaps_of(schedule: Schedule, start: datetime, stop: datetime) -> list[tuple[datetime, datetime]]:
    """The spans in which nobody active is on call."""
    rows = [
        rotation.Row(begin, end, user.pk, priority)
        for begin, end, user, priority in final_row(schedule, start, stop)
        if user.is_active
    ]
    return rotation.gaps(rows, start, stop)
