"""What stands between a post-mortem and its publication, all of it at once: nobody should learn it item by item."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import date


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    position: int
    title: str
    kind: str
    is_required: bool
    body: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An action item that was not given up."""

    id: int
    title: str
    owner_id: int | None
    due_on: date | None
    verification: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """One thing that is missing: where, what, and how to mend it."""

    field: str
    problem: str
    remedy: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Of a post-mortem, what the gate looks at."""

    is_in_review: bool
    has_owner: bool
    needs_second_person: bool
    submitted_by_id: int | None
    no_actions_reason: str
    shown_entries: int
    sections: tuple[Section, ...]
    items: tuple[Item, ...]


def missing(document: Document, *, publisher_id: int | None) -> list[Missing]:
    """Everything that is missing, in the order of the document; `publisher_id` None: the reviewer is not known yet."""
    found = [*_of_sections(document), *_of_items(document)]
    if not document.has_owner:
        found.append(Missing(field="owner", problem="nobody owns it", remedy="name an owner"))
    if not document.is_in_review:
        found.append(Missing(field="state", problem="it was not handed in for review", remedy="submit it"))
    elif document.needs_second_person and publisher_id is not None and publisher_id == document.submitted_by_id:
        found.append(
            Missing(
                field="published_by",
                problem="no second person has reviewed it",
                remedy="let somebody else than the one who submitted it publish it",
            )
        )
    return found


def _of_sections(document: Document) -> Iterable[Missing]:
    for section in document.sections:
        where = f"sections[{section.position}]"
        if not section.is_required:
            continue
        if section.kind == "text" and not section.body.strip():
            yield Missing(field=where, problem=f"“{section.title}” is empty", remedy="write the section")
        if section.kind == "timeline" and not document.shown_entries:
            yield Missing(field=where, problem="the timeline is empty", remedy="add an entry or show a hidden one")
        if section.kind == "actions" and not document.items and not document.no_actions_reason.strip():
            yield Missing(
                field=where,
                problem="there is no action item",
                remedy="add one, or say in no_actions_reason why none is needed",
            )


def _of_items(document: Document) -> Iterable[Missing]:
    for item in document.items:
        where = f"action_items[{item.id}]"
        if item.owner_id is None:
            yield Missing(field=f"{where}.owner", problem=f"“{item.title}” has no owner", remedy="name one")
        if item.due_on is None:
            yield Missing(field=f"{where}.due_on", problem=f"“{item.title}” has no due date", remedy="set one")
        if not item.verification.strip():
            yield Missing(
                field=f"{where}.verification",
                problem=f"nobody knows how to see that “{item.title}” works",
                remedy="write how it will be verified",
            )
