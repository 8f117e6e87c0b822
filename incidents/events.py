"""What the incidents app tells upwards: one kind per verb, with its meaning and the keys of its data."""

from __future__ import annotations

from enum import StrEnum

from audit.events import Kind


class IncidentEvent(StrEnum):
    OPENED = "incident.opened"
    ASSIGNED = "incident.assigned"
    CLAIMED = "incident.claimed"
    STARTED = "incident.started"
    ACKNOWLEDGED = "incident.acknowledged"
    PUT_ON_HOLD = "incident.put_on_hold"
    HOLD_CHANGED = "incident.hold_changed"
    RESUMED = "incident.resumed"
    WAKE_UP_DUE = "incident.wake_up_due"
    FOLLOW_UP_SENT = "incident.follow_up_sent"
    RESOLVED = "incident.resolved"
    CONFIRMED = "incident.confirmed"
    WORKAROUND_SETTLED = "incident.workaround_settled"
    REOPENED = "incident.reopened"
    CLOSED = "incident.closed"
    CANCELLED = "incident.cancelled"
    PRIORITY_CHANGED = "incident.priority_changed"
    PRIORITY_OVERRIDDEN = "incident.priority_overridden"
    RECATEGORISED = "incident.recategorised"
    DETAILS_CHANGED = "incident.details_changed"
    CONVERTED = "incident.converted"
    CONTAINED = "incident.contained"
    ESCALATED = "incident.escalated"
    RESTRICTED = "incident.restricted"
    UNRESTRICTED = "incident.unrestricted"
    RESTRICTED_READ = "incident.restricted_read"
    COMMENTED = "incident.commented"
    FILE_ATTACHED = "incident.file_attached"
    REPLIED = "incident.replied"
    REPLY_SETTLED = "incident.reply_settled"
    RESPONSE_BOUNCED = "incident.response_bounced"
    PARTICIPANT_ADDED = "incident.participant_added"
    PARTICIPANT_REMOVED = "incident.participant_removed"
    CLOSE_SCHEDULED = "incident.close_scheduled"
    IDLE_REMINDER_DUE = "incident.idle_reminder_due"
    RECURRED = "incident.recurred"
    MERGED = "incident.merged"
    UNMERGED = "incident.unmerged"
    ABSORBED = "incident.absorbed"
    RELEASED = "incident.released"
    PARENT_SET = "incident.parent_set"
    LINKED = "incident.linked"
    UNLINKED = "incident.unlinked"
    SPLIT = "incident.split"
    TASK_ADDED = "incident.task_added"
    TASK_CHANGED = "incident.task_changed"
    TASK_DONE = "incident.task_done"
    TASK_DROPPED = "incident.task_dropped"
    TASK_LATE = "incident.task_late"
    MAJOR_PROPOSED = "incident.major_proposed"
    MAJOR_ACCEPTED = "incident.major_accepted"
    MAJOR_REJECTED = "incident.major_rejected"
    MAJOR_DEMOTED = "incident.major_demoted"
    MAJOR_OVERDUE = "incident.major_overdue"
    MAJOR_ROLES_SET = "incident.major_roles_set"
    UPDATED = "incident.updated"
    CLOSING_PLANNED = "incident.closing_planned"
    CLOSING_DUE = "incident.closing_due"
    MATRIX_CHANGED = "matrix.changed"


_ON_HOLD = ("hold_reason", "held_s")

KINDS: dict[str, Kind] = {
    IncidentEvent.OPENED: Kind(
        "An incident was opened; `state` tells whether it was opened in progress or resolved, `routed` by what it found"
        " its team (named, rule, service, triage) and, for a rule, its id, name and version.",
        (
            "state",
            "channel",
            "priority",
            "team",
            "assignee",
            "is_first_contact",
            "reported_at",
            "is_imported",
            "routed",
        ),
    ),
    IncidentEvent.ASSIGNED: Kind(
        "The team or the assignee changed; ids before and after, null for nobody; `cause` is person, sla, leaver or "
        "escalation.",
        ("old_team", "team", "old_assignee", "assignee", "cause"),
    ),
    IncidentEvent.CLAIMED: Kind("A person took an incident that nobody held.", ("team", "assignee")),
    IncidentEvent.STARTED: Kind("Work began without a page.", ("assignee",)),
    IncidentEvent.ACKNOWLEDGED: Kind(
        "A named person said “I am on it”; `is_first_response` is true for incidents born from alerts.",
        ("assignee", "is_first_response"),
    ),
    IncidentEvent.PUT_ON_HOLD: Kind(
        "Work waits for something, until a wake-up; `is_assumed` marks a wake-up that an import made up.",
        ("hold_reason", "until", "is_assumed"),
    ),
    IncidentEvent.HOLD_CHANGED: Kind(
        "The reason or the wake-up of a hold changed.", ("old", "new", "old_until", "until")
    ),
    IncidentEvent.RESUMED: Kind("Work goes on; `cause` is person, requester or wake_up.", (*_ON_HOLD, "cause")),
    IncidentEvent.WAKE_UP_DUE: Kind("A hold came to its wake-up.", ("hold_reason",)),
    IncidentEvent.FOLLOW_UP_SENT: Kind(
        "The requester was reminded of an open question; how many reminders are left, and when the wait ends.",
        ("left", "ends_at"),
    ),
    IncidentEvent.CONFIRMED: Kind(
        "The requester said that it works, while a workaround still keeps it from closing.", ("workaround_outcome",)
    ),
    IncidentEvent.RESOLVED: Kind(
        "The service is back; who has it then, and a hold that ended by it with its seconds.",
        ("code", "cause", "fix_kind", "first_resolution", "assignee", *_ON_HOLD),
    ),
    IncidentEvent.WORKAROUND_SETTLED: Kind(
        "The workaround of a resolved incident was removed, waived or handed over.", ("outcome",)
    ),
    IncidentEvent.REOPENED: Kind(
        "A resolved incident was opened again, and who has it; `by_import` marks a step out of closed by an import.",
        ("count", "by_import", "assignee"),
    ),
    IncidentEvent.CLOSED: Kind(
        "The incident ended; how restoration was confirmed.", ("confirmation", "closing_category", "cause", "article")
    ),
    IncidentEvent.CANCELLED: Kind(
        "The incident was none; the former state and a hold that ended by it.", ("cancel_reason", "old", *_ON_HOLD)
    ),
    IncidentEvent.PRIORITY_CHANGED: Kind(
        "The priority in force changed, by new inputs, an override, or the end of one.", ("old", "new", "cause")
    ),
    IncidentEvent.PRIORITY_OVERRIDDEN: Kind(
        "A person or a rule put a priority above the derived one, or lifted it (null).",
        ("override", "until", "derived"),
    ),
    IncidentEvent.RECATEGORISED: Kind(
        "Category or service changed; ids before and after.", ("old_category", "category", "old_service", "service")
    ),
    IncidentEvent.DETAILS_CHANGED: Kind(
        "Text, kind, requester or early times changed; the names of the fields.", ("fields",)
    ),
    IncidentEvent.CONVERTED: Kind("Its kind changed; number and history stay.", ("old", "new")),
    IncidentEvent.CONTAINED: Kind(
        "The damage no longer grows; how many users, sites and services it reached, null where unknown.",
        ("note", "users", "sites", "services"),
    ),
    IncidentEvent.FILE_ATTACHED: Kind(
        "A file was attached; `attachment` is its key.", ("attachment", "is_public", "size", "content_type")
    ),
    IncidentEvent.ESCALATED: Kind(
        "It went to another tier or team (functional), or somebody above was told (hierarchical: `told` are the "
        "people); `cause` is person, sla, priority or reassignments, `rule` the id of the rule.",
        ("how", "old_team", "team", "told", "cause", "rule"),
    ),
    IncidentEvent.RESTRICTED: Kind("Only its team, who takes part, incident managers and auditors see it now.", ()),
    IncidentEvent.UNRESTRICTED: Kind("It is no longer restricted.", ()),
    IncidentEvent.RESTRICTED_READ: Kind("An auditor read a restricted incident; by which way.", ("via",)),
    IncidentEvent.COMMENTED: Kind(
        "A comment was written; `author_kind` is requester, agent or system, `nature` person, auto_reply or bounce; "
        "`is_apart`: with the requester of an incident that was merged into it, and nobody else.",
        ("comment", "is_public", "author_kind", "is_first_response", "nature", "is_apart"),
    ),
    IncidentEvent.REPLIED: Kind(
        "The requester wrote on what waits for somebody else or is resolved: somebody has to look.",
        ("comment", "state"),
    ),
    IncidentEvent.REPLY_SETTLED: Kind("The requester's message was read and needs no answer.", ()),
    IncidentEvent.RESPONSE_BOUNCED: Kind(
        "The mail with the first response came back, so it is none; `instead` is a later word that counts, or null.",
        ("comment", "instead"),
    ),
    IncidentEvent.PARTICIPANT_ADDED: Kind("A person watches, or was paged.", ("user", "role")),
    IncidentEvent.PARTICIPANT_REMOVED: Kind("A person stopped watching.", ("user", "role")),
    IncidentEvent.CLOSE_SCHEDULED: Kind("The moment of closing by the system was set.", ("old", "close_due_at")),
    IncidentEvent.IDLE_REMINDER_DUE: Kind("Nothing happened for too long.", ("assignee", "team")),
    IncidentEvent.RECURRED: Kind("A closed incident came back as a new linked one.", ("recurrence",)),
    IncidentEvent.MERGED: Kind(
        "The incident became part of another; its former state, and who reads what as it was confirmed.",
        ("target", "merge", "old", "confirmed"),
    ),
    IncidentEvent.UNMERGED: Kind("The merge was taken back: it is an incident of its own again.", ("target", "merge")),
    IncidentEvent.ABSORBED: Kind(
        "Another incident became part of this one; when that one's clocks had started, early times before and after.",
        ("source", "merge", "start_at", "own", "earliest"),
    ),
    IncidentEvent.RELEASED: Kind(
        "An incident that had become part of this one is one of its own again.", ("source", "merge")
    ),
    IncidentEvent.PARENT_SET: Kind(
        "It became the child of another one, or nobody's (null); references before and after.", ("old", "parent")
    ),
    IncidentEvent.LINKED: Kind("It was linked to another one.", ("other", "link_kind")),
    IncidentEvent.UNLINKED: Kind("A link was taken back.", ("other", "link_kind")),
    IncidentEvent.SPLIT: Kind("A part of it became an incident of its own.", ("part", "comment")),
    IncidentEvent.TASK_ADDED: Kind("A piece of work was noted.", ("task", "title", "owner", "due_at")),
    IncidentEvent.TASK_CHANGED: Kind("A task got another title, owner or due time.", ("task", "title", "fields")),
    IncidentEvent.TASK_DONE: Kind("A task was done.", ("task", "title")),
    IncidentEvent.TASK_DROPPED: Kind("A task need not be done.", ("task", "title")),
    IncidentEvent.TASK_LATE: Kind("The owner of a task was told that it is late.", ("task", "title", "owner")),
    IncidentEvent.MAJOR_PROPOSED: Kind(
        "Somebody says that it is a major incident; by when that is decided.", ("major", "decide_by_at")
    ),
    IncidentEvent.MAJOR_ACCEPTED: Kind(
        "It is a major incident; who leads it.", ("major", "commander", "communications_lead", "scribe")
    ),
    IncidentEvent.MAJOR_REJECTED: Kind("It is no major incident.", ("major",)),
    IncidentEvent.MAJOR_DEMOTED: Kind("It is no longer a major incident.", ("major",)),
    IncidentEvent.MAJOR_OVERDUE: Kind("Nobody decided in time whether it is a major incident.", ("major",)),
    IncidentEvent.MAJOR_ROLES_SET: Kind(
        "Who leads a major incident changed.", ("major", "commander", "communications_lead", "scribe")
    ),
    IncidentEvent.UPDATED: Kind("Everyone was told how a major incident stands.", ("major", "comment")),
    IncidentEvent.CLOSING_PLANNED: Kind(
        "Who closes a major incident, and on which day.", ("major", "owner", "close_on")
    ),
    IncidentEvent.CLOSING_DUE: Kind("The closing owner of a major incident was reminded.", ("major", "owner")),
    IncidentEvent.MATRIX_CHANGED: Kind("A new version of the priority matrix was saved.", ("number", "is_current")),
}
