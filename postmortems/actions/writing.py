"""Writes the document: sections, and what people add to or hide from the timeline."""

from __future__ import annotations

from datetime import datetime

from audit.actions import Invalid, action, assert_fresh, record
from audit.actor import Actor
from postmortems.actions.steps import WrongState, checked, extended, locked, person_of, refuse_unless_writable
from postmortems.events import PostMortemEvent
from postmortems.models import PostMortem, SectionKind, SectionText, TimelineEntry


class FromTheTrail(WrongState):
    """The entry stands for an event of the trail; its words are not anybody's to change."""

    code = "from_the_trail"


@action
def write_section(
    *, section: SectionText, body: str, by: Actor, at: datetime, expected_version: int | None = None
) -> SectionText:
    """Writes a text section; refused once published, and on a save made on older words.

    Records `postmortem.section_written`.
    """
    postmortem = locked(section.postmortem)
    refuse_unless_writable(postmortem, by)
    fresh: SectionText = SectionText.objects.select_for_update(no_key=True).get(pk=section.pk)
    assert_fresh(fresh, expected_version)
    if fresh.kind == SectionKind.TIMELINE:
        raise WrongState("the timeline is made of entries", remedy="add entries to it")
    fresh.body = body
    if not fresh.changed_fields():
        return fresh
    checked(fresh)
    fresh.save()
    record(
        PostMortemEvent.SECTION_WRITTEN, postmortem, by, at, about=postmortem.incident, position=fresh.position,
        title=fresh.title,
    )  # fmt: skip
    return fresh


@action
def extend_timeline(*, postmortem: PostMortem, by: Actor, at: datetime) -> PostMortem:
    """Adds what has happened since the draft to the timeline. Records `postmortem.timeline_extended`."""
    fresh = locked(postmortem)
    refuse_unless_writable(fresh, by)
    if entries := extended(fresh):
        record(PostMortemEvent.TIMELINE_EXTENDED, fresh, by, at, about=fresh.incident, entries=entries)
    return fresh


@action
def add_entry(*, postmortem: PostMortem, happened_at: datetime, text: str, by: Actor, at: datetime) -> TimelineEntry:
    """Adds what no event tells, e.g. a call to the vendor. Records `postmortem.entry_added`."""
    fresh = locked(postmortem)
    refuse_unless_writable(fresh, by)
    _refuse_future(happened_at, at)
    entry = TimelineEntry(
        postmortem=fresh, at=happened_at, text=text.strip(), who=by.label,
        added_by_id=person_of(by, "add to the timeline"),
    )  # fmt: skip
    checked(entry)
    entry.save()
    record(PostMortemEvent.ENTRY_ADDED, fresh, by, at, about=fresh.incident, entry=entry.pk)
    return entry


def _refuse_future(happened_at: datetime, at: datetime) -> None:
    if happened_at > at:
        raise Invalid("a timeline tells what has happened", field="at", remedy="give a time that is past")


@action
def change_entry(
    *,
    entry: TimelineEntry,
    happened_at: datetime,
    text: str,
    by: Actor,
    at: datetime,
    expected_version: int | None = None,
) -> TimelineEntry:
    """Changes an entry that a person added; refused for one from the trail. Records `postmortem.entry_changed`."""
    postmortem = locked(entry.postmortem)
    refuse_unless_writable(postmortem, by)
    fresh: TimelineEntry = TimelineEntry.objects.select_for_update(no_key=True).get(pk=entry.pk)
    assert_fresh(fresh, expected_version)
    if not fresh.is_manual:
        raise FromTheTrail("this entry comes from the trail", remedy="hide it with a reason, or add one beside it")
    _refuse_future(happened_at, at)
    fresh.at, fresh.text = happened_at, text.strip()
    if fresh.changed_fields():
        checked(fresh)
        fresh.save()
        record(PostMortemEvent.ENTRY_CHANGED, postmortem, by, at, about=postmortem.incident, entry=fresh.pk)
    return fresh


@action
def hide_entry(*, entry: TimelineEntry, reason: str, by: Actor, at: datetime) -> TimelineEntry:
    """Hides an entry, its reason shown in its place to those who look. Records `postmortem.entry_hidden`."""
    postmortem = locked(entry.postmortem)
    refuse_unless_writable(postmortem, by)
    if not reason.strip():
        raise Invalid("a reason is needed", field="reason", remedy="say why readers don't need it")
    fresh: TimelineEntry = TimelineEntry.objects.select_for_update(no_key=True).get(pk=entry.pk)
    if fresh.hidden_at is not None:
        raise WrongState("it is hidden already", remedy="nothing is left to do")
    fresh.hidden_at, fresh.hidden_by_id = at, person_of(by, "hide an entry")
    fresh.hidden_reason = reason.strip()
    fresh.save()
    record(PostMortemEvent.ENTRY_HIDDEN, postmortem, by, at, about=postmortem.incident, reason=reason, entry=fresh.pk)
    return fresh


@action
def show_entry(*, entry: TimelineEntry, by: Actor, at: datetime) -> TimelineEntry:
    """Shows a hidden entry again. Records `postmortem.entry_shown`."""
    postmortem = locked(entry.postmortem)
    refuse_unless_writable(postmortem, by)
    fresh: TimelineEntry = TimelineEntry.objects.select_for_update(no_key=True).get(pk=entry.pk)
    if fresh.hidden_at is None:
        raise WrongState("it is not hidden", remedy="nothing is left to do")
    fresh.hidden_at, fresh.hidden_by, fresh.hidden_reason = None, None, ""
    fresh.save()
    record(PostMortemEvent.ENTRY_SHOWN, postmortem, by, at, about=postmortem.incident, entry=fresh.pk)
    return fresh
