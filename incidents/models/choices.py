"""The words of an incident's life, as stored and as shown."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Kind(models.TextChoices):
    INCIDENT = "incident", _("incident")
    REQUEST = "request", _("service request")
    QUESTION = "question", _("question")


class Channel(models.TextChoices):
    PHONE = "phone", _("phone")
    CHAT = "chat", _("chat")
    WALK_IN = "walk_in", _("walk-in")
    PORTAL = "portal", _("portal")
    MAIL = "mail", _("mail")
    API = "api", _("API")
    ALERT = "alert", _("alert")


#: Where the contact itself is the first response, because a person answered.
VOICE_CHANNELS = frozenset({Channel.PHONE.value, Channel.CHAT.value, Channel.WALK_IN.value})


class State(models.TextChoices):
    NEW = "new", _("new")
    ASSIGNED = "assigned", _("assigned")
    IN_PROGRESS = "in_progress", _("in progress")
    ON_HOLD = "on_hold", _("on hold")
    RESOLVED = "resolved", _("resolved")
    CLOSED = "closed", _("closed")
    CANCELLED = "cancelled", _("cancelled")


OPEN_STATES = (State.NEW.value, State.ASSIGNED.value, State.IN_PROGRESS.value, State.ON_HOLD.value)


class DetectedBy(models.TextChoices):
    MONITOR = "monitor", _("monitoring")
    AGENT = "agent", _("agent")
    USER = "user", _("user")


class HoldReason(models.TextChoices):
    REQUESTER = "awaiting_requester", _("awaiting requester")
    VENDOR = "awaiting_vendor", _("awaiting vendor")
    EVIDENCE = "awaiting_evidence", _("awaiting evidence")
    CHANGE = "awaiting_change", _("awaiting change")
    PROBLEM = "awaiting_problem", _("awaiting problem")
    PARENT = "awaiting_parent", _("awaiting parent")
    SCHEDULED = "scheduled", _("scheduled")


class ResolutionCode(models.TextChoices):
    FIXED = "fixed", _("fixed")
    ANSWERED = "answered", _("question answered")
    FULFILLED = "fulfilled", _("request fulfilled")
    RECOVERED = "recovered", _("recovered by itself")
    NOT_REPRODUCIBLE = "not_reproducible", _("could not be reproduced")
    BY_VENDOR = "by_vendor", _("fixed by the vendor")
    WITHDRAWN = "withdrawn", _("withdrawn by the requester")
    NO_ANSWER = "no_answer", _("no answer from the requester")
    OTHER = "other", _("other")


class CauseCode(models.TextChoices):
    HUMAN_ERROR = "human_error", _("human error")
    CHANGE = "change", _("a change")
    CONFIGURATION = "configuration", _("configuration")
    SOFTWARE = "software", _("software defect")
    HARDWARE = "hardware", _("hardware failure")
    NETWORK = "network", _("network")
    CAPACITY = "capacity", _("capacity")
    POWER = "power", _("power or building")
    SECURITY = "security", _("security")
    VENDOR = "vendor", _("vendor or third party")
    DATA = "data", _("data")
    KNOWLEDGE = "knowledge", _("missing knowledge")
    UNKNOWN = "unknown", _("unknown")


class FixKind(models.TextChoices):
    FIX = "fix", _("fix")
    WORKAROUND = "workaround", _("workaround")
    NONE = "none", _("nothing was done")


class WorkaroundOutcome(models.TextChoices):
    REMOVED = "removed", _("removed")
    WAIVED = "waived", _("waived with a reason")
    HANDED_OVER = "handed_over", _("handed over to a problem")


class CancelReason(models.TextChoices):
    DUPLICATE = "duplicate", _("duplicate")
    NOT_AN_INCIDENT = "not_an_incident", _("not an incident")
    MISTAKE = "mistake", _("logged by mistake")
    #: Only a merge gives this one.
    MERGED = "merged", _("merged into another")


class Nature(models.TextChoices):
    """What a message is: only a person's word moves an incident."""

    PERSON = "person", _("a person's word")
    AUTO_REPLY = "auto_reply", _("automatic reply")
    BOUNCE = "bounce", _("bounce")


class EscalationKind(models.TextChoices):
    FUNCTIONAL = "functional", _("to another tier or team")
    HIERARCHICAL = "hierarchical", _("a manager is told")


class EscalationTrigger(models.TextChoices):
    PRIORITY = "priority", _("it has this priority or a higher one")
    REASSIGNMENTS = "reassignments", _("it changed its team so many times")


class ClosingField(models.TextChoices):
    """What a person may have to say before closing; the resolution code always is."""

    CAUSE = "cause", _("cause")
    CLOSING_CATEGORY = "closing_category", _("closing category")
    CONFIRMATION = "confirmation", _("how restoration was confirmed")
    NOTES = "notes", _("resolution notes")
    ARTICLE = "article", _("article, or why there is none")


class ParticipantRole(models.TextChoices):
    WATCHER = "watcher", _("watcher")
    PAGED = "paged", _("paged")


class LinkKind(models.TextChoices):
    RELATED = "related", _("related to")
    CAUSED_BY = "caused_by", _("caused by")
    DUPLICATE_OF = "duplicate_of", _("duplicate of")
    RECURRENCE_OF = "recurrence_of", _("recurrence of")
    SPLIT_FROM = "split_from", _("split from")
