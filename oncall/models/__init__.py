"""Rotas, escalation policies and pages."""

from oncall.models.pages import LinkUse, Page, PageNotification, PageState, ResponderLink, Verb
from oncall.models.policies import BreachRule, EscalationPolicy, Level, LevelTarget, PolicyAssignment
from oncall.models.schedules import Layer, Override, RotationMember, Schedule, Unit

__all__ = [
    "BreachRule",
    "EscalationPolicy",
    "Layer",
    "Level",
    "LevelTarget",
    "LinkUse",
    "Override",
    "Page",
    "PageNotification",
    "PageState",
    "PolicyAssignment",
    "ResponderLink",
    "RotationMember",
    "Schedule",
    "Unit",
    "Verb",
]
