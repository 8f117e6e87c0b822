"""The sentence that an event of the trail becomes on a post-mortem's timeline."""

from __future__ import annotations

from collections.abc import Mapping

#: Kinds that say nothing to a reader of a post-mortem: the machinery's own steps.
LEFT_OUT: tuple[str, ...] = (
    "message.",
    "postmortem.",
    "action_item.",
    "clock.started",
    "clock.paused",
    "clock.resumed",
    "clock.met",
)
LEFT_OUT += ("clock.cancelled", "page.stopped", "incident.close_scheduled", "incident.idle_reminder_due")

#: Kind -> sentence; `{who}` is the actor, the others are data keys. What is not listed shows its declared meaning.
SENTENCES: dict[str, str] = {
    "incident.opened": "{who} opened the incident",
    "incident.assigned": "{who} assigned the incident",
    "incident.claimed": "{who} took the incident",
    "incident.started": "{who} began to work on it",
    "incident.acknowledged": "{who} acknowledged: “I am on it”",
    "incident.put_on_hold": "{who} put it on hold",
    "incident.hold_changed": "{who} changed the reason of the hold",
    "incident.resumed": "{who} resumed work",
    "incident.resolved": "{who} resolved the incident",
    "incident.reopened": "{who} reopened the incident",
    "incident.closed": "{who} closed the incident",
    "incident.priority_changed": "Priority changed from P{old} to P{new}",
    "incident.priority_overridden": "{who} overrode the priority",
    "incident.recategorised": "{who} changed category or service",
    "incident.commented": "{who} wrote a comment",
    "alert.fired": "Alert fired at {source}: {title}",
    "alert.recovered": "Alert recovered at {source}: {title}",
    "page.started": "Paging began",
    "page.notified": "Level {level} was notified",
    "page.escalated": "The page escalated: {cause}",
    "page.acknowledged": "{who} answered the page",
    "page.exhausted": "The page ran out of levels: {cause}",
    "page.timed_out": "The acknowledgement timed out; paging began again",
    "clock.threshold_reached": "{percent} % of the time to {target} was used up",
    "clock.breached": "The time to {target} ran out",
}


def is_told(kind: str) -> bool:
    """Whether an event belongs on the timeline."""
    return not kind.startswith(LEFT_OUT)


def sentence(kind: str, who: str, data: Mapping[str, object], reason: str, meaning: str) -> str:
    """One line of the timeline; an event whose data lack a key of its sentence falls back to its declared meaning."""
    if kind == "page.exhausted":
        data = {**data, "cause": "nobody could be reached" if data.get("reached") is False else "nobody confirmed"}
    try:
        told = SENTENCES[kind].format(who=who, **{key: value for key, value in data.items() if key != "who"})
    except (KeyError, IndexError, ValueError):
        told = f"{who}: {meaning.rstrip('.')}" if meaning else f"{who}: {kind}"
    return f"{told} ({reason})" if reason else told
