"""Pages follow what happens to incidents, clocks, messages and people."""

from __future__ import annotations

import oncall.actions
import oncall.queries
from audit.subscriptions import Recorded, subscribe

_BREACH = 100


@subscribe("incident.opened", required=True)
def page_who_is_on_call(told: Recorded) -> None:
    oncall.actions.start_page_for(incident=told.subject, cause="opened", by=told.by, at=told.at)


@subscribe("incident.recategorised", "incident.assigned")
def page_if_another_policy_applies(told: Recorded) -> None:
    oncall.actions.reconsider(incident=told.subject, cause=told.kind, by=told.by, at=told.at)


@subscribe("incident.priority_changed")
def page_if_it_became_urgent(told: Recorded) -> None:
    oncall.actions.reconsider(incident=told.subject, cause=told.kind, after_exhaustion=True, by=told.by, at=told.at)


@subscribe("incident.reopened")
def page_again(told: Recorded) -> None:
    """Not when the assignee reopens: the page would only tell them what they did."""
    if told.by.user_id is None or told.by.user_id != told.subject.assignee_id:
        oncall.actions.reconsider(incident=told.subject, cause=told.kind, by=told.by, at=told.at)


@subscribe("incident.acknowledged")
def stop_asking(told: Recorded) -> None:
    oncall.actions.acknowledge_pages(incident=told.subject, by=told.by, at=told.at)


@subscribe("incident.absorbed")
def ask_on_for_the_heir(told: Recorded) -> None:
    """Recorded before the merged incident's own event, so its pages still run here."""
    oncall.actions.take_over_pages(incident=told.subject, source_number=told.data["source"], by=told.by, at=told.at)


@subscribe("incident.major_overdue")
def page_who_decides(told: Recorded) -> None:
    oncall.actions.page_undecided_major(incident=told.subject, by=told.by, at=told.at)


@subscribe("incident.major_accepted", "incident.major_rejected")
def stop_asking_for_a_decision(told: Recorded) -> None:
    oncall.actions.end_major_pages(incident=told.subject, cause=told.kind, by=told.by, at=told.at)


@subscribe("incident.unmerged")
def page_again_after_undo(told: Recorded) -> None:
    if told.subject.acknowledged_at is None:
        oncall.actions.reconsider(incident=told.subject, cause=told.kind, by=told.by, at=told.at)


@subscribe("incident.resolved", "incident.closed", "incident.cancelled", "incident.merged")
def end_pages(told: Recorded) -> None:
    oncall.actions.stop_pages(incident=told.subject, cause=told.kind, by=told.by, at=told.at)


@subscribe(
    "incident.commented", "incident.started", "incident.claimed", "incident.put_on_hold", "incident.hold_changed",
    "incident.resumed", "incident.contained",
)  # fmt: skip
def reset_time_out(told: Recorded) -> None:
    oncall.actions.note_activity(incident=told.about, by=told.by, at=told.at)


def _is_asked(told: Recorded, percent: int) -> bool:
    """Whether any breach rule names this share: thousands of clocks may be due at once."""
    shares = told.once("oncall.shares_that_page", oncall.queries.shares_that_page)
    return ("", percent) in shares or (told.data["target"], percent) in shares


@subscribe("clock.threshold_reached")
def page_by_threshold(told: Recorded) -> None:
    """The breach itself is told by its own event."""
    if told.data["percent"] != _BREACH and _is_asked(told, told.data["percent"]):
        oncall.actions.start_pages_for_clock(
            incident=told.about, target=told.data["target"], percent=told.data["percent"],
            sla_policy_id=told.data.get("policy_id"), by=told.by, at=told.at,
        )  # fmt: skip


@subscribe("clock.breached")
def page_by_breach(told: Recorded) -> None:
    if _is_asked(told, _BREACH):
        oncall.actions.start_pages_for_clock(
            incident=told.about, target=told.data["target"], percent=_BREACH,
            sla_policy_id=told.data.get("policy_id"), by=told.by, at=told.at,
        )  # fmt: skip


@subscribe("message.failed")
def try_the_next_contact(told: Recorded) -> None:
    oncall.actions.pass_failed_contact(message=told.subject, by=told.by, at=told.at)


@subscribe("user.deactivated")
def pass_on_pages_of_leaver(told: Recorded) -> None:
    oncall.actions.pass_on_for_leaver(user=told.subject, by=told.by, at=told.at)
