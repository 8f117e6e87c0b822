"""Incidents, categories, services and the priority matrix by REST."""

from typing import Any

from incidents.api.configuration import (
    CategoryViewSet,
    ClosingRuleViewSet,
    EscalationRuleViewSet,
    PriorityMatrixViewSet,
    ServiceViewSet,
)
from incidents.api.incidents import IncidentViewSet
from incidents.api.mails import MailTemplateViewSet
from incidents.api.related import TaskViewSet
from incidents.api.routing import RoutingRuleViewSet

ROUTES: list[tuple[str, Any]] = [
    ("incidents", IncidentViewSet),
    ("tasks", TaskViewSet),
    ("categories", CategoryViewSet),
    ("services", ServiceViewSet),
    ("priority-matrix", PriorityMatrixViewSet),
    ("routing-rules", RoutingRuleViewSet),
    ("closing-rules", ClosingRuleViewSet),
    ("escalation-rules", EscalationRuleViewSet),
    ("mail-templates", MailTemplateViewSet),
]

__all__ = ["ROUTES"]
