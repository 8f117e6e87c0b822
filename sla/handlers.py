"""What the sla app does when something happens to an incident, or when a calendar or policy is saved.

Imported incidents are passed over: the import calls `judge_imported` once, at the end of each.
"""

from __future__ import annotations

from audit.subscriptions import Recorded, subscribe
from sla import actions
from sla.models import Calendar, SlaPolicy


@subscribe("incident.opened", required=True)
def start_clocks(told: Recorded) -> None:
    if not told.subject.is_imported:
        actions.start_clocks(incident=told.subject, by=told.by, at=told.at, opened=told.data, reason=told.reason)


@subscribe("clock.started", required=True)
def promise_an_answer(told: Recorded) -> None:
    """After the clocks, because the receipt names what they promise; in the same transaction, as the opening itself."""
    actions.send_receipt(incident=told.subject, answer_by=told.data["answer_by"], by=told.by, at=told.at)


@subscribe(
    "incident.assigned",
    "incident.claimed",
    "incident.started",
    "incident.acknowledged",
    "incident.put_on_hold",
    "incident.hold_changed",
    "incident.resumed",
    "incident.reply_settled",
    "incident.resolved",
    "incident.reopened",
    "incident.closed",
    "incident.cancelled",
    "incident.priority_changed",
    "incident.recategorised",
    "incident.details_changed",
    "incident.major_accepted",
    "incident.major_demoted",
    "incident.updated",
)
def retime(told: Recorded) -> None:
    if not told.subject.is_imported:
        actions.retime(incident=told.subject, by=told.by, at=told.at, reason=told.reason)


@subscribe("incident.merged", "incident.unmerged")
def refold(told: Recorded) -> None:
    if not told.subject.is_imported:
        actions.refold(incident=told.subject, by=told.by, at=told.at)


@subscribe("incident.absorbed")
def rebase(told: Recorded) -> None:
    if not told.subject.is_imported:
        actions.rebase(incident=told.subject, merge=told.data["merge"], by=told.by, at=told.at)


@subscribe("incident.released")
def give_back(told: Recorded) -> None:
    if not told.subject.is_imported:
        actions.give_back(incident=told.subject, merge=told.data["merge"], by=told.by, at=told.at)


@subscribe("incident.put_on_hold", "incident.hold_changed")
def plan_follow_ups(told: Recorded) -> None:
    if told.data.get("old") != told.subject.hold_reason:
        actions.plan_follow_ups(incident=told.subject, by=told.by, at=told.at)


@subscribe("incident.response_bounced")
def retime_when_a_response_came_back(told: Recorded) -> None:
    actions.retime(incident=told.subject, by=told.by, at=told.at)


@subscribe("incident.commented")
def retime_on_public_words(told: Recorded) -> None:
    if told.data.get("is_public") and not told.about.is_imported:
        actions.retime(incident=told.about, by=told.by, at=told.at, reason=told.reason)


@subscribe("clock.threshold_reached", "clock.breached")
def carry_out(told: Recorded) -> None:
    if told.data["actions"]:
        actions.carry_out(clock=told.subject, incident=told.about, told=told.data, by=told.by, at=told.at)


@subscribe("config.created", "config.changed", required=True)
def freeze(told: Recorded) -> None:
    if isinstance(told.subject, (Calendar, SlaPolicy)):
        actions.freeze(row=told.subject, by=told.by, at=told.at, reason=told.reason)
