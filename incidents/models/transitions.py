"""The state machine of an incident: which verb leads from where to where, and what it writes of its own."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django_fsm import RETURN_VALUE, FSMModelMixin, transition

from incidents.models.choices import OPEN_STATES, CancelReason, State

_NEW, _ASSIGNED, _IN_PROGRESS, _ON_HOLD = OPEN_STATES
_RESOLVED, _CLOSED, _CANCELLED = State.RESOLVED.value, State.CLOSED.value, State.CANCELLED.value


def _is_imported(incident: Any) -> bool:
    return bool(incident.is_imported)


def _is_merged(incident: Any) -> bool:
    return incident.merged_into_id is not None


class Transitions(FSMModelMixin, models.Model):
    """The moves of `Incident.state`; actions check who may and record, these only say what is possible."""

    class Meta:
        abstract = True

    @transition("state", source=[_NEW, _ASSIGNED], target=_ASSIGNED)
    @transition("state", source=_IN_PROGRESS, target=_IN_PROGRESS)
    @transition("state", source=_ON_HOLD, target=_ON_HOLD)
    def assign(self: Any, team_id: int | None, assignee_id: int | None) -> None:
        self.reassignment_count += team_id != self.team_id
        self.team_id, self.assignee_id = team_id, assignee_id

    @transition("state", source=[_NEW, _ASSIGNED], target=_IN_PROGRESS)
    def start(self: Any) -> None:
        """Work begins; who starts is not said here, because an import may not know."""

    @transition("state", source=[_NEW, _ASSIGNED, _IN_PROGRESS], target=_IN_PROGRESS)
    @transition("state", source=_ON_HOLD, target=_ON_HOLD)
    def acknowledge(self: Any, user_id: int, at: datetime) -> None:
        self.acknowledged_at, self.acknowledged_by_id = at, user_id
        if self.assignee_id is None:
            self.assignee_id = user_id

    @transition("state", source=[_NEW, _ASSIGNED, _IN_PROGRESS], target=_ON_HOLD)
    def put_on_hold(self: Any, reason: str, until: datetime, at: datetime, follow_ups: list[datetime]) -> None:
        self.hold_reason, self.hold_until, self.held_at = reason, until, at
        self.idle_at = None
        self.plan_follow_ups(follow_ups)

    @transition("state", source=_ON_HOLD, target=_ON_HOLD)
    def change_hold(self: Any, reason: str, until: datetime, follow_ups: list[datetime]) -> None:
        self.hold_reason, self.hold_until = reason, until
        self.plan_follow_ups(follow_ups)

    @transition("state", source=_ON_HOLD, target=_IN_PROGRESS)
    def resume(self: Any) -> None:
        self._end_hold()

    @transition("state", source=list(OPEN_STATES), target=_RESOLVED)
    def resolve(self: Any, at: datetime, user_id: int | None) -> None:
        self._end_hold()
        self.resolved_at, self.resolved_by_id, self.idle_at = at, user_id, None
        if self.assignee_id is None:
            self.assignee_id = user_id

    @transition("state", source=_RESOLVED, target=_IN_PROGRESS)
    def reopen(self: Any, at: datetime, user_id: int | None) -> None:
        self._forget_resolution(at, user_id)

    @transition("state", source=_CLOSED, target=_IN_PROGRESS, conditions=[_is_imported])
    def reopen_by_import(self: Any, at: datetime, user_id: int | None) -> None:
        self._forget_resolution(at, user_id)
        self.closed_at, self.closed_by_id, self.confirmation = None, None, ""

    @transition("state", source=_RESOLVED, target=_CLOSED)
    def close(self: Any, at: datetime, user_id: int | None) -> None:
        self.closed_at, self.closed_by_id, self.close_due_at, self.replied_at = at, user_id, None, None

    @transition("state", source=list(OPEN_STATES), target=_CANCELLED)
    def cancel(self: Any, reason: str, detail: str, at: datetime) -> None:
        self._end_hold()
        self.cancel_reason, self.cancel_detail, self.cancelled_at, self.idle_at = reason, detail, at, None
        self.replied_at = None

    def plan_follow_ups(self: Any, moments: list[datetime]) -> None:
        """Reminders to the requester; the last moment ends the wait without an answer."""
        self.follow_ups, self.follow_up_at = moments, moments[0] if moments else None

    @transition("state", source=list(OPEN_STATES), target=_CANCELLED)
    def merge(self: Any, into_id: int, at: datetime) -> None:
        self._end_hold()
        self.merged_into_id, self.cancel_reason = into_id, CancelReason.MERGED.value
        self.cancelled_at, self.idle_at, self.replied_at = at, None, None

    @transition("state", source=_CANCELLED, target=RETURN_VALUE(*OPEN_STATES), conditions=[_is_merged])
    def unmerge(self: Any, state: str) -> str:
        """Back to where it was; the action puts the other fields back."""
        self.merged_into_id = None
        return state

    def _end_hold(self: Any) -> None:
        self.hold_reason, self.hold_until, self.held_at = "", None, None
        self.plan_follow_ups([])

    def _forget_resolution(self: Any, at: datetime, user_id: int | None) -> None:
        self.reopen_count += 1
        self.reopened_at, self.reopened_by_id, self.works_at, self.replied_at = at, user_id, None, None
        self.workaround_note = self.article_ref = self.no_article_reason = ""
        self.resolved_at, self.resolved_by_id, self.close_due_at = None, None, None
        self.resolution_code = self.cause_code = self.resolution_notes = self.fix_kind = self.workaround_outcome = ""
        self.closing_category_id = None
