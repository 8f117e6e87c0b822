"""The publish gate says everything that is missing at once."""

from __future__ import annotations

import dataclasses
from datetime import date

from postmortems.gate import Document, Item, Section, missing

ITEM = Item(id=7, title="Add an alert", owner_id=1, due_on=date(2026, 4, 1), verification="fire it")
COMPLETE = Document(
    is_in_review=True,
    has_owner=True,
    needs_second_person=True,
    submitted_by_id=1,
    no_actions_reason="",
    shown_entries=3,
    sections=(
        Section(position=1, title="Context", kind="text", is_required=True, body="It was full."),
        Section(position=2, title="Timeline", kind="timeline", is_required=True, body=""),
        Section(position=3, title="Actions", kind="actions", is_required=True, body=""),
        Section(position=4, title="Thanks", kind="text", is_required=False, body=""),
    ),
    items=(ITEM,),
)


def fields(publisher_id: int | None = 2, **changes: object) -> list[str]:
    return [one.field for one in missing(dataclasses.replace(COMPLETE, **changes), publisher_id=publisher_id)]  # type: ignore[arg-type]


def test_a_complete_document_passes() -> None:
    assert fields() == []


def test_an_empty_required_section_is_missing_even_if_it_holds_blanks() -> None:
    blank = dataclasses.replace(COMPLETE.sections[0], body=" \n ")
    assert fields(sections=(blank, *COMPLETE.sections[1:])) == ["sections[1]"]


def test_a_timeline_whose_entries_are_all_hidden_is_missing() -> None:
    assert fields(shown_entries=0) == ["sections[2]"]


def test_no_action_item_needs_a_reason() -> None:
    assert fields(items=()) == ["sections[3]"]
    assert fields(items=(), no_actions_reason="The vendor mended it.") == []


def test_an_action_item_needs_owner_date_and_verification() -> None:
    bare = Item(id=9, title="Something", owner_id=None, due_on=None, verification=" ")
    assert fields(items=(ITEM, bare)) == [
        "action_items[9].owner",
        "action_items[9].due_on",
        "action_items[9].verification",
    ]


def test_it_must_be_in_review_and_owned() -> None:
    assert fields(is_in_review=False) == ["state"]
    assert fields(has_owner=False) == ["owner"]


def test_a_second_person_publishes_where_the_template_asks_for_one() -> None:
    assert fields(publisher_id=1) == ["published_by"]
    assert fields(publisher_id=1, needs_second_person=False) == []
    assert fields(publisher_id=None) == []


def test_everything_is_said_at_once() -> None:
    found = fields(1, sections=COMPLETE.sections[:0] + COMPLETE.sections[2:], items=(), has_owner=False)
    assert found == ["sections[3]", "owner", "published_by"]
    assert all(one.problem and one.remedy for one in missing(COMPLETE, publisher_id=1))
