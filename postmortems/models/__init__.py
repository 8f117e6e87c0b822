"""Templates, the rules of who owes what, and the documents: sections, timeline and action items."""

from postmortems.models.documents import (
    ActionItem,
    ActionItemState,
    PostMortem,
    PostMortemQuerySet,
    PostMortemState,
    SectionText,
    TimelineEntry,
)
from postmortems.models.templates import ObligationRule, SectionKind, Template, TemplateSection

__all__ = [
    "ActionItem",
    "ActionItemState",
    "ObligationRule",
    "PostMortem",
    "PostMortemQuerySet",
    "PostMortemState",
    "SectionKind",
    "SectionText",
    "Template",
    "TemplateSection",
    "TimelineEntry",
]
