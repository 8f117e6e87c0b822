"""The nine roles of the desk; a permission group of the same name exists for each."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    REQUESTER = "requester"
    AGENT = "agent"
    LEAD = "lead"
    RESPONDER = "responder"
    INCIDENT_MANAGER = "incident_manager"
    MANAGER = "manager"
    ADMIN = "admin"
    AUDITOR = "auditor"
    INTEGRATION = "integration"


#: Roles of people who work at the desk; they see names and teams, and may enter the admin site.
STAFF = frozenset(
    {Role.AGENT, Role.LEAD, Role.RESPONDER, Role.INCIDENT_MANAGER, Role.MANAGER, Role.ADMIN, Role.AUDITOR}
)

#: Value and words, as forms and schemas list them.
CHOICES = [(role.value, role.value.replace("_", " ")) for role in Role]
