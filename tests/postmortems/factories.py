"""One factory for each model of post-mortems; documents are drafted by the action itself."""

from __future__ import annotations

import datetime as dt
from typing import Any

import factory
from factory.django import DjangoModelFactory

import incidents.actions
import postmortems.actions
from audit.actor import SYSTEM
from postmortems.models import (
    ActionItem,
    ObligationRule,
    PostMortem,
    SectionText,
    Template,
    TemplateSection,
    TimelineEntry,
)
from tests.accounts.factories import UserFactory
from tests.incidents.factories import AT, IncidentFactory, later

DUE_ON = dt.date(2026, 4, 1)


class TemplateFactory(DjangoModelFactory[Template]):
    class Meta:
        model = Template

    name = factory.Sequence(lambda n: f"Template {n}")


class TemplateSectionFactory(DjangoModelFactory[TemplateSection]):
    class Meta:
        model = TemplateSection

    template = factory.SubFactory(TemplateFactory)
    position = factory.Sequence(lambda n: n + 1)
    title = factory.Sequence(lambda n: f"Section {n}")


class ObligationRuleFactory(DjangoModelFactory[ObligationRule]):
    class Meta:
        model = ObligationRule

    name = factory.Sequence(lambda n: f"Rule {n}")
    position = factory.Sequence(lambda n: n + 100)
    template = factory.SubFactory(TemplateFactory)


class PostMortemFactory(DjangoModelFactory[PostMortem]):
    """Drafted for a resolved P3 incident, which owes none by rule; `template=` takes another than the full one."""

    class Meta:
        model = PostMortem

    incident = factory.SubFactory(IncidentFactory, impact=2, urgency=2)
    by = SYSTEM
    at = factory.LazyFunction(lambda: later(hours=2))

    @classmethod
    def _create(cls, model_class: type[PostMortem], *args: Any, **kwargs: Any) -> PostMortem:
        incident, owner = kwargs["incident"], kwargs.pop("owner", None)
        if incident.state != "resolved":
            kwargs["incident"] = incidents.actions.resolve(
                incident=incident, code="fixed", by=SYSTEM, at=later(hours=1)
            )
        made = postmortems.actions.draft(**kwargs)
        if owner is None:
            return made
        return postmortems.actions.change(postmortem=made, values={"owner": owner}, by=SYSTEM, at=later(hours=2))


class SectionTextFactory(DjangoModelFactory[SectionText]):
    class Meta:
        model = SectionText

    postmortem = factory.SubFactory(PostMortemFactory)
    position = factory.Sequence(lambda n: n + 100)
    title = factory.Sequence(lambda n: f"Section {n}")


class TimelineEntryFactory(DjangoModelFactory[TimelineEntry]):
    """An entry that a person added."""

    class Meta:
        model = TimelineEntry

    postmortem = factory.SubFactory(PostMortemFactory)
    at = AT
    text = "Called the vendor."
    added_by = factory.SubFactory(UserFactory)


class ActionItemFactory(DjangoModelFactory[ActionItem]):
    class Meta:
        model = ActionItem

    postmortem = factory.SubFactory(PostMortemFactory)
    title = factory.Sequence(lambda n: f"Mend {n}")
    owner = factory.SubFactory(UserFactory)
    due_on = DUE_ON
    verification = "The alert fires in the test."
