"""What happens to incidents when somebody leaves, one that they belong to moves, or a rule is reached."""

from __future__ import annotations

import incidents.actions
from audit.subscriptions import Recorded, subscribe
from incidents.models import Incident


@subscribe("user.deactivated")
def hand_back_what_the_leaver_held(told: Recorded) -> None:
    incidents.actions.hand_back(user=told.subject, by=told.by, at=told.at)


@subscribe("team.retired", required=True)
def move_what_the_team_had(told: Recorded) -> None:
    """Required: a team that is gone while its work is left behind would be the work's end."""
    incidents.actions.leave_team(
        team=told.subject, successor_id=told.data["successor"], by=told.by, at=told.at, reason=told.reason
    )


@subscribe("incident.resolved", "incident.closed")
def tell_requesters_of_merged(told: Recorded) -> None:
    incidents.actions.tell_merged(incident=told.subject, kind=told.kind, by=told.by, at=told.at)


@subscribe("incident.assigned")
def escalate_what_changes_hands(told: Recorded) -> None:
    incidents.actions.escalate_by_rules(incident=told.subject, trigger="reassignments", by=told.by, at=told.at)


@subscribe("incident.priority_changed")
def escalate_what_became_urgent(told: Recorded) -> None:
    incidents.actions.escalate_by_rules(incident=told.subject, trigger="priority", by=told.by, at=told.at)


@subscribe("message.bounced")
def take_back_an_answer_that_came_back(told: Recorded) -> None:
    if isinstance(told.about, Incident):
        incidents.actions.withdraw_response(
            incident=told.about, dedup_key=told.subject.dedup_key, by=told.by, at=told.at
        )  # fmt: skip


@subscribe(
    "incident.put_on_hold", "incident.hold_changed", "incident.resumed", "incident.resolved", "incident.reopened",
)  # fmt: skip
def pass_to_children(told: Recorded) -> None:
    incidents.actions.cascade(incident=told.subject, kind=told.kind, by=told.by, at=told.at)


@subscribe("incident.resolved")
def plan_the_closing_of_a_major(told: Recorded) -> None:
    incidents.actions.keep_open(incident=told.subject, by=told.by, at=told.at)
