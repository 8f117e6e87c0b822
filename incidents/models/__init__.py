"""Incidents, what is said about them, and what they are sorted by."""

from incidents.models.attachment import Attachment
from incidents.models.choices import (
    OPEN_STATES,
    VOICE_CHANNELS,
    CancelReason,
    CauseCode,
    Channel,
    ClosingField,
    DetectedBy,
    EscalationKind,
    EscalationTrigger,
    FixKind,
    HoldReason,
    Kind,
    LinkKind,
    Nature,
    ParticipantRole,
    ResolutionCode,
    State,
    WorkaroundOutcome,
)
from incidents.models.configuration import Category, ClosingRule, EscalationRule, PriorityMatrix, Service
from incidents.models.conversation import Comment, Participant
from incidents.models.incident import Incident, IncidentQuerySet
from incidents.models.mails import MailKind, MailTemplate
from incidents.models.majors import MajorIncident, MajorState
from incidents.models.relations import IncidentLink, Merge, Task
from incidents.models.reports import Report
from incidents.models.routing import RoutingRule
from incidents.models.saved_views import SavedView

__all__ = [
    "OPEN_STATES",
    "VOICE_CHANNELS",
    "Attachment",
    "CancelReason",
    "Category",
    "CauseCode",
    "Channel",
    "ClosingField",
    "ClosingRule",
    "Comment",
    "DetectedBy",
    "EscalationKind",
    "EscalationRule",
    "EscalationTrigger",
    "FixKind",
    "HoldReason",
    "Incident",
    "IncidentLink",
    "IncidentQuerySet",
    "Kind",
    "LinkKind",
    "MailKind",
    "MailTemplate",
    "MajorIncident",
    "MajorState",
    "Merge",
    "Nature",
    "Participant",
    "ParticipantRole",
    "PriorityMatrix",
    "Report",
    "ResolutionCode",
    "RoutingRule",
    "SavedView",
    "Service",
    "State",
    "Task",
    "WorkaroundOutcome",
]
