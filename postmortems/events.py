"""What post-mortems tell upwards."""

from __future__ import annotations

from enum import StrEnum

from audit.events import Kind


class PostMortemEvent(StrEnum):
    OWED = "postmortem.owed"
    DRAFTED = "postmortem.drafted"
    CHANGED = "postmortem.changed"
    SECTION_WRITTEN = "postmortem.section_written"
    TIMELINE_EXTENDED = "postmortem.timeline_extended"
    ENTRY_ADDED = "postmortem.entry_added"
    ENTRY_CHANGED = "postmortem.entry_changed"
    ENTRY_HIDDEN = "postmortem.entry_hidden"
    ENTRY_SHOWN = "postmortem.entry_shown"
    SUBMITTED = "postmortem.submitted"
    RETURNED = "postmortem.returned"
    PUBLISHED = "postmortem.published"
    CANCELLED = "postmortem.cancelled"


class ActionItemEvent(StrEnum):
    ADDED = "action_item.added"
    CHANGED = "action_item.changed"
    STARTED = "action_item.started"
    DONE = "action_item.done"
    VERIFIED = "action_item.verified"
    REOPENED = "action_item.reopened"
    CANCELLED = "action_item.cancelled"


KINDS: dict[str, Kind] = {
    PostMortemEvent.OWED: Kind("A rule says that the incident owes a post-mortem.", ("rule", "due_at")),
    PostMortemEvent.DRAFTED: Kind("A post-mortem was drafted from its incident.", ("template", "entries")),
    PostMortemEvent.CHANGED: Kind("Title, owner, due time or the reason for no action items changed.", ("fields",)),
    PostMortemEvent.SECTION_WRITTEN: Kind("A section was written.", ("position", "title")),
    PostMortemEvent.TIMELINE_EXTENDED: Kind("What happened since was added to the timeline.", ("entries",)),
    PostMortemEvent.ENTRY_ADDED: Kind("A person added an entry to the timeline.", ("entry",)),
    PostMortemEvent.ENTRY_CHANGED: Kind("A person changed an entry that a person had added.", ("entry",)),
    PostMortemEvent.ENTRY_HIDDEN: Kind("A timeline entry was hidden, with a reason.", ("entry",)),
    PostMortemEvent.ENTRY_SHOWN: Kind("A hidden timeline entry was shown again.", ("entry",)),
    PostMortemEvent.SUBMITTED: Kind("A post-mortem was handed in for review.", ()),
    PostMortemEvent.RETURNED: Kind("A reviewer gave a post-mortem back, with a reason.", ()),
    PostMortemEvent.PUBLISHED: Kind("A post-mortem was published.", ("late",)),
    PostMortemEvent.CANCELLED: Kind("A post-mortem was given up, with a reason.", ()),
    ActionItemEvent.ADDED: Kind("An action item was added.", ("title", "owner", "due_on")),
    ActionItemEvent.CHANGED: Kind("An action item was changed.", ("fields",)),
    ActionItemEvent.STARTED: Kind("Work on an action item began.", ()),
    ActionItemEvent.DONE: Kind("An action item was done; it still waits to be verified.", ()),
    ActionItemEvent.VERIFIED: Kind("Another person verified that an action item works.", ("verification",)),
    ActionItemEvent.REOPENED: Kind("An action item that was done is open again.", ()),
    ActionItemEvent.CANCELLED: Kind("An action item was given up, with a reason.", ()),
}
