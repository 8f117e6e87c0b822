"""Saves a template with its sections as one thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from audit.actions import Invalid, action, change_config, create_config, record
from audit.actor import Actor
from audit.events import AuditEvent
from postmortems.actions.steps import checked
from postmortems.models import SectionKind, Template, TemplateSection

_SECTION_FIELDS = frozenset({"title", "guidance", "kind", "is_required"})


@action
def save_template(
    *,
    values: Mapping[str, Any],
    by: Actor,
    at: datetime,
    template: Template | None = None,
    sections: Sequence[Mapping[str, Any]] | None = None,
    expected_version: int | None = None,
    reason: str = "",
) -> Template:
    """Creates or changes a template; `sections`, where given, become its sections in this order.

    Refused without the role, without a section, or with two timelines. Records `config.created` or `config.changed`.
    """
    if template is None:
        saved: Template = create_config(model=Template, values=values, by=by, at=at, reason=reason)
        sections = sections or ()
    else:
        saved = change_config(
            row=template, values=values, by=by, at=at, expected_version=expected_version, reason=reason
        )
    if sections is not None and _replaced(saved, sections) and template is not None:
        record(
            AuditEvent.CONFIG_CHANGED, saved, by, at, reason=reason, model=Template._meta.label_lower,
            label=str(saved), fields=["sections"],
        )  # fmt: skip
    return saved


def _replaced(template: Template, sections: Sequence[Mapping[str, Any]]) -> bool:
    """Makes the template's sections equal to these, row by row, so that their history stays readable."""
    _refuse_bad(sections)
    known = {one.position: one for one in template.sections.select_for_update(no_key=True)}
    is_changed = False
    for position, values in enumerate(sections, start=1):
        row = known.pop(position, None) or TemplateSection(template=template, position=position)
        for name in _SECTION_FIELDS & set(values):
            setattr(row, name, values[name])
        if row._state.adding or row.changed_fields():
            checked(row)
            row.save()
            is_changed = True
    for row in known.values():
        row.delete()
        is_changed = True
    return is_changed


def _refuse_bad(sections: Sequence[Mapping[str, Any]]) -> None:
    if not sections:
        raise Invalid("a template needs a section", field="sections", remedy="give at least one")
    for values in sections:
        if unknown := set(values) - _SECTION_FIELDS - {"position"}:
            raise Invalid(f"{sorted(unknown)[0]} is no field of a section", field="sections", remedy="leave it out")
    for kind in (SectionKind.TIMELINE, SectionKind.ACTIONS):
        if sum(values.get("kind") == kind for values in sections) > 1:
            raise Invalid(f"a template has one section of the kind {kind.label}", field="sections", remedy="keep one")
