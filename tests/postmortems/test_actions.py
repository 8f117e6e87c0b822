"""Post-mortems owed, drafted, written, reviewed and published; action items until they are verified."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import incidents.actions
import postmortems.actions
from accounts.models import User
from audit.actions import Forbidden, Invalid, Stale
from audit.actor import SYSTEM, Actor
from audit.models import Event
from incidents.models import Incident
from postmortems.actions import NotPublishable, WrongState
from postmortems.models import ActionItem, ObligationRule, PostMortem, SectionText, Template, TimelineEntry
from tests.accounts.factories import TeamFactory, UserFactory
from tests.incidents.factories import AT, IMPORT, IncidentFactory, ServiceFactory, key, later, person
from tests.postmortems.factories import (
    DUE_ON,
    ActionItemFactory,
    ObligationRuleFactory,
    PostMortemFactory,
    TemplateFactory,
    TemplateSectionFactory,
    TimelineEntryFactory,
)

pytestmark = pytest.mark.django_db
NOW = later(hours=3)


def resolved(**fields: Any) -> Incident:
    incident = IncidentFactory(**{"impact": 1, "urgency": 1, **fields})
    return incidents.actions.resolve(incident=incident, code="fixed", by=SYSTEM, at=later(hours=1))


@pytest.fixture
def writer() -> Actor:
    return person(None, "incident_manager")


@pytest.fixture
def reviewer() -> Actor:
    return person(None, "incident_manager")


def fill(postmortem: PostMortem, by: Actor) -> PostMortem:
    """Writes all that the full template asks for."""
    for section in postmortem.sections.filter(kind="text"):
        postmortems.actions.write_section(section=section, body="We know it.", by=by, at=NOW)
    ActionItemFactory(postmortem=postmortem)
    owner = UserFactory()
    return postmortems.actions.change(postmortem=postmortem, values={"owner": owner}, by=by, at=NOW)


# --- owed and drafted ----------------------------------------


def test_resolving_a_p1_drafts_the_full_template_due_in_five_days() -> None:
    incident = resolved()
    postmortem = PostMortem.objects.get(incident=incident)
    assert (postmortem.state, postmortem.template.name) == ("draft", "Full post-mortem")
    assert postmortem.due_at == later(hours=1) + timedelta(days=5)
    assert [one.title for one in postmortem.sections.all()] == [
        "Context", "Timeline", "Impact", "Root cause", "What worked, what did not", "Actions"
    ]  # fmt: skip
    owed = Event.objects.get(kind="postmortem.owed")
    assert (owed.actor_kind, owed.actor_id, owed.data["rule"]) == ("job", "postmortems.obligations", "P1 and P2")


@pytest.mark.parametrize("fields", [{"impact": 2, "urgency": 2}, {"kind": "request"}, {"kind": "question"}])
def test_smaller_incidents_and_requests_owe_none(fields: dict[str, Any]) -> None:
    resolved(**fields)
    assert not PostMortem.objects.exists()


def test_imported_history_owes_none() -> None:
    incident = IncidentFactory(impact=1, urgency=1, imported=True, by=IMPORT)
    incidents.actions.resolve(incident=incident, code="fixed", by=IMPORT, at=later(hours=1))
    assert not PostMortem.objects.exists()


def test_a_drill_drafts_one_that_no_metric_counts() -> None:
    resolved(is_drill=True)
    assert PostMortem.objects.get().is_drill
    assert not PostMortem.objects.counted().exists()
    resolved()
    assert PostMortem.objects.counted().count() == 1


def test_the_first_rule_that_matches_counts() -> None:
    service, light = ServiceFactory(), Template.objects.get(name="Light post-mortem")
    ObligationRuleFactory(position=0, service=service, template=light, due_days=2)
    incident = resolved(impact=3, urgency=3, service=service)
    postmortem = PostMortem.objects.get(incident=incident)
    assert (postmortem.template, postmortem.due_at) == (light, later(hours=1) + timedelta(days=2))


@pytest.mark.parametrize("change", [{"is_active": False}, {"priority_at_most": 2}, {"only_breached": True}])
def test_a_rule_that_does_not_match_owes_nothing(change: dict[str, Any]) -> None:
    ObligationRuleFactory(position=0, **change)
    resolved(impact=3, urgency=3)
    assert not PostMortem.objects.exists()


def test_a_rule_by_team_only_takes_its_team() -> None:
    team = TeamFactory()
    ObligationRuleFactory(position=0, team=team)
    resolved(impact=3, urgency=3, team=TeamFactory())
    incident = resolved(impact=3, urgency=3, team=team)
    assert [one.incident for one in PostMortem.objects.all()] == [incident]


def test_resolved_too_late_a_rule_for_breaches_applies() -> None:
    ObligationRule.objects.all().delete()
    rule = ObligationRuleFactory(only_breached=True)
    incident = IncidentFactory(impact=1, urgency=1)
    incidents.actions.resolve(incident=incident, code="fixed", by=SYSTEM, at=later(days=10))
    assert PostMortem.objects.get().rule == rule


def test_a_rule_may_count_the_working_days_of_a_calendar() -> None:
    from sla.models import Calendar

    ObligationRule.objects.update(calendar=Calendar.objects.get(name__startswith="Office"))
    resolved()  # Monday 9 March, 10:00
    assert PostMortem.objects.get().due_at == AT + timedelta(days=7, hours=1)


def test_the_timeline_is_written_from_the_trail_with_provenance() -> None:
    incident = IncidentFactory(impact=1, urgency=1)
    olu = person(UserFactory(name="Olu"), "incident_manager")
    incidents.actions.acknowledge(incident=incident, by=olu, at=later(minutes=4))
    incidents.actions.resolve(incident=incident, code="fixed", by=olu, at=later(hours=1))
    entries = list(PostMortem.objects.get().timeline.filter(kind__startswith="incident."))
    assert [(one.at, one.kind) for one in entries] == [
        (AT, "incident.opened"), (later(minutes=4), "incident.acknowledged"), (later(hours=1), "incident.resolved"),
    ]  # fmt: skip
    assert entries[1].text == "Olu acknowledged: “I am on it”"
    for entry in entries:
        event = Event.objects.get(pk=entry.source_event)
        assert (event.kind, event.at, event.about_id) == (entry.kind, entry.at, incident.pk)


def test_resolved_again_the_same_document_is_extended() -> None:
    incident = resolved()
    before = TimelineEntry.objects.count()
    incidents.actions.reopen(incident=incident, by=SYSTEM, at=later(hours=2))
    incidents.actions.resolve(incident=incident, code="fixed", by=SYSTEM, at=later(hours=3))
    assert PostMortem.objects.count() == 1
    kinds = list(TimelineEntry.objects.order_by("id")[before:].values_list("kind", flat=True))
    assert "incident.reopened" in kinds
    assert kinds.count("incident.resolved") == 1


def test_a_failing_draft_never_keeps_an_incident_from_being_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: Any) -> None:
        raise RuntimeError("no draft today")

    monkeypatch.setattr(postmortems.actions, "owe", broken)
    assert resolved().state == "resolved"


def test_a_person_drafts_one_that_no_rule_asks_for(writer: Actor) -> None:
    incident = IncidentFactory(impact=3, urgency=3)
    postmortem = postmortems.actions.draft(incident=incident, by=writer, at=NOW)
    assert (postmortem.rule, postmortem.due_at, postmortem.template.name) == (None, None, "Full post-mortem")
    with pytest.raises(WrongState):
        postmortems.actions.draft(incident=incident, by=writer, at=NOW)


def test_a_stranger_may_not_draft() -> None:
    incident = IncidentFactory(team=TeamFactory())
    for stranger in (
        person(None, "agent"),
        person(None, "requester"),
        person(None, "auditor"),
        person(None, "manager"),
    ):
        with pytest.raises(Forbidden):
            postmortems.actions.draft(incident=incident, by=stranger, at=NOW)


def test_a_retired_template_is_refused(writer: Actor) -> None:
    with pytest.raises(Invalid):
        postmortems.actions.draft(
            incident=IncidentFactory(), template=TemplateFactory(is_active=False), by=writer, at=NOW
        )


def test_a_document_keeps_its_sections_when_the_template_changes() -> None:
    postmortem = PostMortemFactory()
    admin = person(None, "admin")
    postmortems.actions.save_template(
        template=postmortem.template, values={}, sections=[{"title": "Only this"}], by=admin, at=NOW
    )
    assert postmortem.sections.count() == 6
    assert [one.title for one in postmortem.template.sections.all()] == ["Only this"]


# --- writing ----------------------------------------


def test_a_section_is_written_and_its_old_words_stay_in_history(writer: Actor) -> None:
    section = PostMortemFactory().sections.get(position=1)
    for words in ("first", "second"):
        section = postmortems.actions.write_section(section=section, body=words, by=writer, at=NOW)
    assert [one.body for one in SectionText.history.filter(id=section.pk).order_by("version")] == [
        "",
        "first",
        "second",
    ]


def test_stale_words_are_refused(writer: Actor) -> None:
    section = PostMortemFactory().sections.get(position=1)
    postmortems.actions.write_section(section=section, body="first", by=writer, at=NOW)
    with pytest.raises(Stale):
        postmortems.actions.write_section(section=section, body="other", by=writer, at=NOW, expected_version=1)


def test_the_timeline_section_is_made_of_entries(writer: Actor) -> None:
    section = PostMortemFactory().sections.get(kind="timeline")
    with pytest.raises(WrongState):
        postmortems.actions.write_section(section=section, body="x", by=writer, at=NOW)


def test_a_person_adds_and_changes_an_entry(writer: Actor) -> None:
    postmortem = PostMortemFactory()
    entry = postmortems.actions.add_entry(
        postmortem=postmortem, happened_at=later(minutes=9), text="Called the vendor", by=writer, at=NOW
    )
    assert entry.is_manual
    assert (entry.added_by_id, entry.source_event) == (writer.user_id, None)
    changed = postmortems.actions.change_entry(
        entry=entry, happened_at=later(minutes=8), text="Called them", by=writer, at=NOW
    )
    assert (changed.at, changed.text) == (later(minutes=8), "Called them")


def test_an_entry_of_the_future_is_refused(writer: Actor) -> None:
    with pytest.raises(Invalid):
        postmortems.actions.add_entry(
            postmortem=PostMortemFactory(), happened_at=NOW + timedelta(seconds=1), text="x", by=writer, at=NOW
        )


def test_an_entry_of_the_trail_is_never_changed_only_hidden_with_a_reason(writer: Actor) -> None:
    entry = PostMortemFactory().timeline.exclude(source_event=None).first()
    assert entry is not None
    with pytest.raises(WrongState):
        postmortems.actions.change_entry(entry=entry, happened_at=entry.at, text="nicer", by=writer, at=NOW)
    with pytest.raises(Invalid):
        postmortems.actions.hide_entry(entry=entry, reason=" ", by=writer, at=NOW)
    hidden = postmortems.actions.hide_entry(entry=entry, reason="noise", by=writer, at=NOW)
    assert (hidden.hidden_by_id, hidden.hidden_reason) == (writer.user_id, "noise")
    shown = postmortems.actions.show_entry(entry=hidden, by=writer, at=NOW)
    assert (shown.hidden_at, shown.hidden_reason) == (None, "")


def test_a_bot_adds_nothing_to_a_timeline() -> None:
    bot = key("incidents:write", "postmortems:write", "postmortems:read")
    with pytest.raises(Forbidden):
        postmortems.actions.add_entry(postmortem=PostMortemFactory(), happened_at=AT, text="x", by=bot, at=NOW)


def test_what_happens_later_is_added_on_demand(writer: Actor) -> None:
    postmortem = PostMortemFactory()
    incidents.actions.close(incident=postmortem.incident, by=SYSTEM, at=later(hours=2))
    postmortems.actions.extend_timeline(postmortem=postmortem, by=writer, at=NOW)
    assert postmortem.timeline.filter(kind="incident.closed").count() == 1
    entries = postmortem.timeline.count()
    postmortems.actions.extend_timeline(postmortem=postmortem, by=writer, at=NOW)
    assert postmortem.timeline.count() == entries


def test_the_owner_may_write_without_being_of_the_team() -> None:
    owner = UserFactory()
    postmortem = PostMortemFactory(incident=IncidentFactory(team=TeamFactory()), owner=owner)
    section = postmortem.sections.get(position=1)
    assert postmortems.actions.write_section(section=section, body="x", by=person(owner, "agent"), at=NOW).body == "x"
    with pytest.raises(Forbidden):
        postmortems.actions.write_section(section=section, body="y", by=person(None, "agent"), at=NOW)


def test_a_paged_responder_may_write() -> None:
    postmortem = PostMortemFactory(incident=IncidentFactory(team=TeamFactory()))
    wen = UserFactory()
    incidents.actions.add_participant(incident=postmortem.incident, user=wen, role="paged", by=SYSTEM, at=NOW)
    changed = postmortems.actions.change(
        postmortem=postmortem, values={"title": "Better"}, by=person(wen, "responder"), at=NOW
    )
    assert changed.title == "Better"


@pytest.mark.parametrize("values", [{"state": "published"}, {"is_drill": True}, {"title": ""}])
def test_only_four_fields_are_changed_and_checked(writer: Actor, values: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        postmortems.actions.change(postmortem=PostMortemFactory(), values=values, by=writer, at=NOW)


def test_a_leaver_can_not_own_one(writer: Actor) -> None:
    gone = UserFactory(is_active=False)
    with pytest.raises(Invalid):
        postmortems.actions.change(postmortem=PostMortemFactory(), values={"owner": gone}, by=writer, at=NOW)
    with pytest.raises(Invalid):
        postmortems.actions.add_action_item(postmortem=PostMortemFactory(), title="x", owner=gone, by=writer, at=NOW)


# --- review and publication ----------------------------------------


def test_a_full_one_is_published_by_a_second_person(writer: Actor, reviewer: Actor) -> None:
    postmortem = fill(PostMortemFactory(), writer)
    postmortem = postmortems.actions.submit(postmortem=postmortem, by=writer, at=NOW)
    with pytest.raises(NotPublishable) as refused:
        postmortems.actions.publish(postmortem=postmortem, by=writer, at=NOW)
    assert [one["field"] for one in refused.value.extra["missing"]] == ["published_by"]
    published = postmortems.actions.publish(postmortem=postmortem, by=reviewer, at=NOW)
    assert (published.state, published.published_by_id) == ("published", reviewer.user_id)


def test_the_gate_lists_everything_that_is_missing(writer: Actor) -> None:
    postmortem = PostMortemFactory()
    ActionItemFactory(postmortem=postmortem, owner=None, due_on=None)
    with pytest.raises(NotPublishable) as refused:
        postmortems.actions.publish(postmortem=postmortem, by=writer, at=NOW)
    fields = [one["field"] for one in refused.value.extra["missing"]]
    assert len(fields) == 8
    assert {"sections[1]", "owner", "state"} < set(fields)
    assert refused.value.status == 409


def test_a_light_one_is_published_by_one_person(writer: Actor) -> None:
    light = Template.objects.get(name="Light post-mortem")
    postmortem: PostMortem = PostMortemFactory(template=light, owner=UserFactory())
    section = postmortem.sections.get(position=1)
    postmortems.actions.write_section(section=section, body="It broke.", by=writer, at=NOW)
    postmortem = postmortems.actions.submit(postmortem=postmortem, by=writer, at=NOW)
    assert postmortems.actions.publish(postmortem=postmortem, by=writer, at=NOW).state == "published"


def test_without_action_items_a_reason_is_enough(writer: Actor, reviewer: Actor) -> None:
    postmortem = fill(PostMortemFactory(), writer)
    ActionItem.objects.all().delete()
    values = {"no_actions_reason": "The vendor replaced it."}
    postmortem = postmortems.actions.change(postmortem=postmortem, values=values, by=writer, at=NOW)
    postmortem = postmortems.actions.submit(postmortem=postmortem, by=writer, at=NOW)
    assert postmortems.actions.publish(postmortem=postmortem, by=reviewer, at=NOW).state == "published"


def test_submitting_brings_the_timeline_up_to_date(writer: Actor) -> None:
    postmortem = PostMortemFactory()
    incidents.actions.close(incident=postmortem.incident, by=SYSTEM, at=later(hours=2))
    postmortems.actions.submit(postmortem=postmortem, by=writer, at=NOW)
    assert postmortem.timeline.filter(kind="incident.closed").exists()


def test_a_reviewer_gives_it_back_with_a_reason(writer: Actor, reviewer: Actor) -> None:
    postmortem = postmortems.actions.submit(postmortem=PostMortemFactory(), by=writer, at=NOW)
    with pytest.raises(Invalid):
        postmortems.actions.return_to_draft(postmortem=postmortem, reason="", by=reviewer, at=NOW)
    back = postmortems.actions.return_to_draft(postmortem=postmortem, reason="no cause", by=reviewer, at=NOW)
    assert (back.state, back.submitted_at, back.submitted_by) == ("draft", None, None)


def test_a_published_one_stands_still(writer: Actor, reviewer: Actor) -> None:
    postmortem = fill(PostMortemFactory(), writer)
    postmortem = postmortems.actions.submit(postmortem=postmortem, by=writer, at=NOW)
    postmortem = postmortems.actions.publish(postmortem=postmortem, by=reviewer, at=NOW)
    section = postmortem.sections.get(position=1)
    refusals: list[Callable[[], object]] = [
        lambda: postmortems.actions.write_section(section=section, body="x", by=writer, at=NOW),
        lambda: postmortems.actions.change(postmortem=postmortem, values={"title": "x"}, by=writer, at=NOW),
        lambda: postmortems.actions.submit(postmortem=postmortem, by=writer, at=NOW),
        lambda: postmortems.actions.publish(postmortem=postmortem, by=reviewer, at=NOW),
        lambda: postmortems.actions.cancel(postmortem=postmortem, reason="x", by=writer, at=NOW),
    ]
    for refused in refusals:
        with pytest.raises(WrongState):
            refused()
    assert ActionItem.objects.get().state == "open"
    postmortems.actions.start_action_item(item=ActionItem.objects.get(), by=writer, at=NOW)


def test_a_late_publication_says_so(writer: Actor) -> None:
    resolved()
    light = Template.objects.get(name="Light post-mortem")
    postmortem = PostMortem.objects.get()
    postmortem.sections.filter(kind="text").exclude(position=1).delete()
    fill(postmortem, writer)
    assert light
    late = later(days=9)
    assert PostMortem.objects.overdue(late).exists()
    submitted = postmortems.actions.submit(postmortem=postmortem, by=writer, at=late)
    postmortems.actions.publish(postmortem=submitted, by=person(None, "incident_manager"), at=late)
    assert Event.objects.get(kind="postmortem.published").data == {"late": True}
    assert not PostMortem.objects.overdue(late).exists()


def test_one_that_was_given_up_is_taken_up_again(writer: Actor) -> None:
    postmortem = PostMortemFactory()
    given_up = postmortems.actions.cancel(postmortem=postmortem, reason="duplicate", by=writer, at=NOW)
    assert given_up.state == "cancelled"
    again = postmortems.actions.draft(incident=postmortem.incident, by=writer, at=NOW)
    assert (again.pk, again.state) == (postmortem.pk, "draft")


def test_a_stale_change_is_refused(writer: Actor) -> None:
    postmortem = PostMortemFactory()
    postmortems.actions.change(postmortem=postmortem, values={"title": "one"}, by=writer, at=NOW)
    with pytest.raises(Stale):
        postmortems.actions.submit(postmortem=postmortem, by=writer, at=NOW, expected_version=postmortem.version)


# --- action items ----------------------------------------


def test_an_action_item_is_done_by_one_and_verified_by_another(writer: Actor) -> None:
    owner = UserFactory()
    item = postmortems.actions.add_action_item(
        postmortem=PostMortemFactory(), title="Add an alert", owner=owner, due_on=DUE_ON, verification="fire it",
        by=writer, at=NOW,
    )  # fmt: skip
    doer = person(owner)
    item = postmortems.actions.start_action_item(item=item, by=doer, at=NOW)
    item = postmortems.actions.finish_action_item(item=item, by=doer, at=NOW)
    with pytest.raises(Forbidden):
        postmortems.actions.verify_action_item(item=item, by=doer, at=NOW)
    item = postmortems.actions.verify_action_item(item=item, by=writer, at=NOW)
    assert (item.state, item.done_by, item.verified_by_id) == ("verified", owner, writer.user_id)


def test_what_does_not_work_is_reopened_with_a_reason(writer: Actor) -> None:
    item: ActionItem = ActionItemFactory()
    item = postmortems.actions.finish_action_item(item=item, by=writer, at=NOW)
    with pytest.raises(Invalid):
        postmortems.actions.reopen_action_item(item=item, reason="", by=writer, at=NOW)
    item = postmortems.actions.reopen_action_item(item=item, reason="it broke again", by=writer, at=NOW)
    assert (item.state, item.done_at, item.done_by) == ("open", None, None)


@pytest.mark.parametrize("verb", ["verify_action_item", "reopen_action_item"])
def test_an_open_item_can_not_be_verified_or_reopened(writer: Actor, verb: str) -> None:
    more = {"reason": "x"} if verb == "reopen_action_item" else {}
    with pytest.raises(WrongState):
        getattr(postmortems.actions, verb)(item=ActionItemFactory(), by=writer, at=NOW, **more)


def test_an_item_that_was_given_up_does_not_hold_the_gate(writer: Actor) -> None:
    item: ActionItem = ActionItemFactory(owner=None)
    item = postmortems.actions.cancel_action_item(item=item, reason="not worth it", by=writer, at=NOW)
    assert item.state == "cancelled"
    found = [one.field for one in postmortems.queries.missing(item.postmortem)]
    assert "sections[6]" in found
    assert not [one for one in found if one.startswith("action_items")]


def test_a_stranger_may_not_move_an_item() -> None:
    item = ActionItemFactory(postmortem=PostMortemFactory(incident=IncidentFactory(team=TeamFactory())))
    with pytest.raises(Forbidden):
        postmortems.actions.start_action_item(item=item, by=person(None, "agent"), at=NOW)


# --- templates ----------------------------------------


def test_a_template_is_saved_with_its_sections_in_order() -> None:
    admin = person(None, "admin")
    sections = [{"title": "What"}, {"title": "When", "kind": "timeline"}]
    made = postmortems.actions.save_template(values={"name": "Mine"}, sections=sections, by=admin, at=NOW)
    assert [(one.position, one.title) for one in made.sections.all()] == [(1, "What"), (2, "When")]
    postmortems.actions.save_template(template=made, values={}, sections=sections[::-1], by=admin, at=NOW)
    assert [one.title for one in made.sections.all()] == ["When", "What"]


@pytest.mark.parametrize(
    "sections", [[], [{"title": ""}], [{"title": "a", "kind": "timeline"}] * 2, [{"title": "a", "colour": "red"}]]
)
def test_a_bad_template_is_refused_whole(sections: list[dict[str, Any]]) -> None:
    with pytest.raises(Invalid):
        postmortems.actions.save_template(values={"name": "Mine"}, sections=sections, by=person(None, "admin"), at=NOW)
    assert not Template.objects.filter(name="Mine").exists()


def test_only_an_admin_saves_templates() -> None:
    with pytest.raises(Forbidden):
        postmortems.actions.save_template(
            values={"name": "Mine"}, sections=[{"title": "a"}], by=person(None, "lead"), at=NOW
        )


# --- who sees what ----------------------------------------


def test_a_postmortem_is_seen_by_who_sees_the_incident_but_not_by_its_requester() -> None:
    team, caller = TeamFactory(), UserFactory()
    postmortem = PostMortemFactory(incident=IncidentFactory(team=team, requester=caller))
    TimelineEntryFactory(postmortem=postmortem)
    TemplateSectionFactory()

    def sees(actor: Actor) -> bool:
        parts = {model.objects.visible_to(actor).exists() for model in (PostMortem, SectionText, TimelineEntry)}
        assert len(parts) == 1
        return parts.pop()

    user: User = UserFactory()
    assert sees(person(user, "agent", teams=(team,)))
    assert sees(person(None, "auditor"))
    assert sees(key("incidents:read", "postmortems:read"))
    assert not sees(key("incidents:read"))
    assert not sees(person(None, "agent"))
    assert not sees(person(caller, "requester"))
