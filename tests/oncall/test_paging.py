"""Paging: levels in order, rounds bounded, confirmation stops everything, silence is loud."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

import incidents.actions
import notify.actions
import oncall.actions
from accounts.queries import actor_for
from audit.actions import Forbidden
from audit.actor import SYSTEM, Actor, ActorKind, job
from audit.models import Delivery, Event
from incidents.models import Incident, Participant
from notify.models import Contact, Message, State
from oncall.actions import AlreadyHeld
from oncall.models import Page, PageState
from tests.oncall.factories import (
    AT,
    MINUTE,
    BreachRuleFactory,
    Desk,
    EscalationPolicyFactory,
    LevelFactory,
    LevelTargetFactory,
    PolicyAssignmentFactory,
    contact_of,
    desk,
    person,
    told,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_is_owed() -> Any:
    """No handler failed quietly."""
    yield
    assert list(Delivery.objects.open().values_list("handler", "last_error")) == []


def page() -> Page:
    return Page.objects.select_related("acknowledged_by").get()


def test_an_urgent_incident_starts_a_page_in_its_own_transaction() -> None:
    at = desk()
    incident = at.open()
    assert (page().state, page().escalate_at, page().incident_id) == (PageState.RUNNING, AT, incident.pk)
    assert Event.objects.filter(kind="page.started", about_id=incident.pk).exists()


@pytest.mark.parametrize(
    "given",
    [{"impact": 3, "urgency": 3}, {"service": None}, {"kind": "request"}],
    ids=["not urgent", "no policy", "a request"],
)
def test_nothing_else_pages(given: dict[str, Any]) -> None:
    desk().open(**given)
    assert not Page.objects.exists()


def test_imported_history_pages_nobody() -> None:
    desk().open(imported=True, external_ref="INC1", by=job("replay"))
    assert not Page.objects.exists()


def test_the_policy_of_the_team_pages_where_the_service_has_none() -> None:
    at = desk()
    team = at.service.owner_team
    policy = EscalationPolicyFactory()
    LevelTargetFactory(level=LevelFactory(policy=policy), user=at.wen)
    PolicyAssignmentFactory(policy=policy, team=team)
    at.open(service=None, team=team)
    assert page().policy == policy


def test_levels_follow_each_other_and_rounds_are_bounded() -> None:
    at = desk()
    at.open()
    for minutes in (0, 5, 5, 5, 5):
        at.pass_time(minutes)
    assert told(page()) == [(1, 1, "Olu"), (1, 2, "Wen"), (2, 1, "Olu"), (2, 2, "Wen"), (3, 0, "Ada")]
    assert page().state == PageState.EXHAUSTED
    assert Event.objects.filter(kind="page.exhausted").count() == 1
    assert at.pass_time(60) == 0


def test_a_level_never_fires_before_the_wait_of_the_one_before_is_over() -> None:
    at = desk()
    at.open()
    at.pass_time()
    assert at.pass_time(4.99) == 0
    assert told(page()) == [(1, 1, "Olu")]


def test_sweeping_again_pages_nobody_twice() -> None:
    at = desk()
    at.open()
    for _ in range(3):
        at.pass_time()
    found = page()
    for _ in range(2):
        oncall.actions.escalate(page_id=found.pk, step=(1, 0), by=SYSTEM, at=AT + 60 * MINUTE)
    assert told(found)[:1] == [(1, 1, "Olu")]
    assert Message.objects.filter(dedup_key__startswith=f"page:{found.pk}:1:1:").count() == 1


def test_a_late_sweep_takes_one_step_and_waits_from_now() -> None:
    at = desk()
    at.open()
    at.pass_time(40)
    assert told(page()) == [(1, 1, "Olu")]
    assert page().escalate_at == at.at + 5 * MINUTE


def test_the_message_says_what_who_is_next_and_when() -> None:
    at = desk()
    incident = at.open()
    at.pass_time()
    message = Message.objects.get()
    assert message.subject == f"P1 {incident.reference} Payment gateway returns 502"
    assert "{link}" in message.body
    assert "Wen will be paged at 09:05:00 (UTC)" in message.body
    assert message.data["next_escalation_at"] == (AT + 5 * MINUTE).isoformat()
    assert (message.data["service"], message.data["priority"], message.is_urgent) == ("Payments", 1, True)
    assert "/r/" in message.link


def test_markup_and_line_breaks_in_a_title_reach_no_header() -> None:
    at = desk()
    at.open(title="<b>db\u2028down\x07 {link}")
    at.pass_time()
    assert Message.objects.get().subject.endswith("<b>db down {link}")


def test_who_was_paged_may_see_the_incident() -> None:
    at = desk()
    incident = at.open()
    assert not Incident.objects.visible_to(actor_for(at.olu)).exists()
    at.pass_time()
    assert Participant.objects.get(role="paged").user == at.olu
    assert Incident.objects.visible_to(actor_for(at.olu)).get() == incident


def test_acknowledging_stops_the_page_and_cancels_what_is_queued() -> None:
    at = desk()
    incident = at.open()
    at.pass_time()
    at.pass_time(5)
    at.acknowledge(incident, at.wen)
    assert (page().state, page().acknowledged_by, page().escalate_at) == (PageState.ACKNOWLEDGED, at.wen, None)
    assert set(Message.objects.values_list("state", flat=True)) == {State.CANCELLED}
    assert at.pass_time(60) == 0


def test_resolving_stops_the_page() -> None:
    at = desk()
    incident = at.open()
    at.pass_time()
    incidents.actions.resolve(incident=incident, code="fixed", by=SYSTEM, at=at.at)
    assert page().state == PageState.RESOLVED
    assert Message.objects.get().state == State.CANCELLED
    assert at.pass_time(60) == 0


def test_a_page_that_a_failed_handler_left_running_repairs_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    at = desk()
    incident = at.open()
    at.pass_time()
    monkeypatch.setattr(oncall.actions, "acknowledge_pages", lambda **given: 1 / 0)
    at.at += MINUTE
    at.acknowledge(incident, at.olu)
    Delivery.objects.all().delete()
    assert page().state == PageState.RUNNING
    at.pass_time(5)
    assert (page().state, page().acknowledged_by) == (PageState.ACKNOWLEDGED, at.olu)
    assert told(page()) == [(1, 1, "Olu")]


def test_only_a_named_person_confirms() -> None:
    at = desk()
    at.open()
    at.pass_time()
    for bot in (SYSTEM, Actor(kind=ActorKind.KEY, id="k", label="key", roles=frozenset({"integration"}))):
        with pytest.raises(Forbidden):
            oncall.actions.acknowledge_page(page_id=page().pk, by=bot, at=at.at)
    assert page().state == PageState.RUNNING


def test_the_second_person_is_told_who_has_it() -> None:
    at = desk()
    at.open()
    at.pass_time()
    at.pass_time(5)
    oncall.actions.acknowledge_page(page_id=page().pk, by=actor_for(at.olu), at=at.at)
    again = oncall.actions.acknowledge_page(page_id=page().pk, by=actor_for(at.olu), at=at.at + MINUTE)
    assert again.acknowledged_at == at.at
    with pytest.raises(AlreadyHeld, match="Olu has it since"):
        oncall.actions.acknowledge_page(page_id=page().pk, by=actor_for(at.wen), at=at.at + MINUTE)
    assert Event.objects.filter(kind="page.acknowledged").count() == 1


def test_the_time_out_pages_the_holder_and_whoever_is_on_call_now() -> None:
    at = desk(ack_timeout_s=1800)
    incident = at.open()
    at.pass_time()
    at.pass_time(5)
    at.acknowledge(incident, at.wen)
    assert at.pass_time(29) == 0
    at.pass_time(1)
    assert told(page())[2:] == [(2, 1, "Wen"), (2, 1, "Olu")]
    assert (page().state, page().last_round) == (PageState.RUNNING, 3)
    oncall.actions.acknowledge_page(page_id=page().pk, by=actor_for(at.olu), at=at.at)
    assert page().acknowledged_by == at.olu
    assert Event.objects.filter(kind="page.timed_out").count() == 1


def test_a_sign_of_life_by_the_holder_starts_the_time_out_anew() -> None:
    at = desk(ack_timeout_s=1800)
    incident = at.open()
    at.pass_time()
    at.acknowledge(incident, at.olu)
    at.at += 20 * MINUTE
    incidents.actions.comment(incident=incident, body="Looking", is_public=False, by=actor_for(at.olu), at=at.at)
    assert page().escalate_at == at.at + 30 * MINUTE
    incidents.actions.comment(incident=incident, body="bot", is_public=False, by=SYSTEM, at=at.at + MINUTE)
    assert page().escalate_at == at.at + 30 * MINUTE


def test_passing_on_pages_the_next_level_at_once() -> None:
    at = desk()
    at.open()
    at.pass_time()
    oncall.actions.pass_on(page_id=page().pk, level=1, by=actor_for(at.olu), at=at.at)
    assert told(page()) == [(1, 1, "Olu"), (1, 2, "Wen")]
    oncall.actions.pass_on(page_id=page().pk, level=1, by=actor_for(at.olu), at=at.at)
    assert len(told(page())) == 2


def test_the_holder_passes_on_after_acknowledging() -> None:
    at = desk()
    incident = at.open()
    at.pass_time()
    at.acknowledge(incident, at.olu)
    oncall.actions.pass_on(page_id=page().pk, by=actor_for(at.olu), at=at.at)
    assert told(page()) == [(1, 1, "Olu"), (1, 2, "Wen")]
    assert page().state == PageState.RUNNING
    assert at.pass_time(4) == 0
    assert page().state == PageState.RUNNING


def test_a_level_with_nobody_reachable_tells_the_fallback_and_goes_on_at_once() -> None:
    at = desk()
    Contact.objects.filter(user=at.olu).update(verified_at=None)
    at.open()
    at.pass_time()
    assert told(page()) == [(1, 0, "Ada"), (1, 2, "Wen")]
    assert Event.objects.filter(kind="page.unreachable").count() == 1
    assert Event.objects.get(kind="page.escalated").data["cause"] == "nobody could be reached"
    for minutes in (5, 5, 5):
        at.pass_time(minutes)
    assert page().end_cause == "nobody confirmed"
    assert "on level 1 nobody could be reached" in Message.objects.latest("id").body


def test_when_nobody_at_all_is_reachable_fallback_and_admins_are_told_and_rounds_go_on() -> None:
    at = desk()
    Contact.objects.all().delete()
    admin = person("Root", contacts=0, roles=("admin",))
    at.open()
    at.pass_time()
    assert [row[2] for row in told(page())] == ["Ada"]
    assert Message.objects.get().address == at.ada.email
    at.pass_time(5)
    at.pass_time(5)
    assert page().state == PageState.EXHAUSTED
    assert told(page())[-1] == (3, 0, admin.name)
    assert page().end_cause == "nobody could be reached"
    assert Event.objects.get(kind="page.exhausted").data["unreached"] == [1, 2]
    assert "Nobody could be reached in any round" in Message.objects.latest("id").body


def test_without_a_fallback_the_admins_are_told() -> None:
    at = desk(repeats=0)
    at.policy.fallback_user = None
    at.policy.save()
    person("Root", roles=("admin",))
    at.open()
    for minutes in (0, 5, 5):
        at.pass_time(minutes)
    assert told(page())[-1] == (2, 0, "Root")


def test_an_exhausted_page_can_still_be_confirmed() -> None:
    at = desk(repeats=0)
    incident = at.open()
    for minutes in (0, 5, 5):
        at.pass_time(minutes)
    assert page().state == PageState.EXHAUSTED
    at.acknowledge(incident, at.wen)
    assert page().state == PageState.ACKNOWLEDGED


def test_the_fallback_policy_takes_over() -> None:
    at = desk(repeats=0)
    second = EscalationPolicyFactory(name="Managers")
    LevelTargetFactory(level=LevelFactory(policy=second), user=at.ada)
    at.policy.fallback_policy = second
    at.policy.save()
    at.open()
    for minutes in (0, 5, 5):
        at.pass_time(minutes)
    assert sorted(Page.objects.values_list("policy__name", "state")) == [
        ("Managers", PageState.RUNNING),
        ("Payments 24x7", PageState.EXHAUSTED),
    ]


def test_a_failed_contact_passes_to_the_next_one_at_once_and_then_to_the_next_level() -> None:
    at = desk()
    second = contact_of(person("Second"))
    second.user, second.position, second.delay_s = at.olu, 2, 120
    second.save()
    at.open()
    at.pass_time()
    first, later = Message.objects.order_by("id")
    assert later.next_attempt_at == AT + 2 * MINUTE
    fail(first, at.at)
    assert Message.objects.get(pk=later.pk).next_attempt_at == AT
    assert at.pass_time() == 0
    fail(later, at.at)
    at.pass_time()
    assert told(page())[-1] == (1, 2, "Wen")
    assert list(
        Event.objects.filter(kind="page.contact_failed").order_by("id").values_list("data__next", flat=True)
    ) == [
        "contact",
        "level",
    ]


def fail(message: Message, at: dt.datetime) -> None:
    token, ids = notify.actions.claim(limit=10, by=SYSTEM, at=at)
    assert message.pk in ids
    notify.actions.mark_failed(message_id=message.pk, token=token, error="gone", permanent=True, by=SYSTEM, at=at)
    Message.objects.filter(lease_token=token).update(lease_token="", lease_until=None)


def test_a_change_of_the_policy_does_not_reach_a_running_page() -> None:
    at = desk()
    at.open()
    at.pass_time()
    at.policy.levels.all().delete()
    at.pass_time(5)
    assert told(page()) == [(1, 1, "Olu"), (1, 2, "Wen")]


def test_a_removed_policy_leaves_its_page_running() -> None:
    at = desk()
    at.open()
    at.policy.assignments.all().delete()
    at.policy.delete()
    at.pass_time()
    assert told(page()) == [(1, 1, "Olu")]


def test_a_priority_that_becomes_urgent_starts_a_page_once() -> None:
    at = desk()
    incident = at.open(impact=3, urgency=3)
    for impact in (1, 3, 1):
        incident = incidents.actions.set_priority_inputs(incident=incident, impact=impact, urgency=1, by=SYSTEM, at=AT)
    assert Page.objects.count() == 1


def test_a_reopened_incident_pages_again() -> None:
    at = desk()
    incident = at.open()
    incident = incidents.actions.resolve(incident=incident, code="fixed", by=SYSTEM, at=AT)
    incidents.actions.reopen(incident=incident, reason="still broken", by=SYSTEM, at=AT + MINUTE)
    assert sorted(Page.objects.values_list("state", flat=True)) == [PageState.RESOLVED, PageState.RUNNING]


def test_a_breach_joins_a_running_page_and_starts_a_new_one_after_an_acknowledgement() -> None:
    at = desk()
    BreachRuleFactory(target="respond")
    incident = at.open()
    breach: dict[str, Any] = {
        "incident": incident,
        "target": "respond",
        "percent": 100,
        "sla_policy_id": None,
        "by": SYSTEM,
        "at": AT,
    }
    oncall.actions.start_pages_for_clock(**breach)
    assert Page.objects.count() == 1
    at.pass_time()
    at.acknowledge(incident, at.olu)
    oncall.actions.start_pages_for_clock(**breach)
    assert sorted(Page.objects.values_list("state", flat=True)) == [PageState.ACKNOWLEDGED, PageState.RUNNING]
    second = Page.objects.running().get()
    at.pass_time()
    oncall.actions.acknowledge_page(page_id=second.pk, by=actor_for(at.olu), at=AT)
    assert not Page.objects.running().exists()


@pytest.mark.parametrize(
    "rule", [{"percent": 75}, {"target": "resolve"}, {"is_active": False}, {"priority_threshold": 1}]
)
def test_a_rule_pages_only_for_what_it_names(rule: dict[str, Any]) -> None:
    at = desk()
    BreachRuleFactory(escalation_policy=at.policy, **rule)
    incident = at.open(impact=2, urgency=3)
    oncall.actions.start_pages_for_clock(
        incident=incident, target="respond", percent=100, sla_policy_id=None, by=SYSTEM, at=AT
    )
    assert not Page.objects.exists()


def test_a_leaver_passes_the_page_on_at_once() -> None:
    import accounts.actions

    at = desk()
    at.open()
    at.pass_time()
    person("Root", roles=("admin",))
    accounts.actions.deactivate_user(user=at.olu, by=_admin(), at=at.at)
    at.pass_time()
    assert told(page())[-1] == (1, 2, "Wen")


def test_a_holder_who_leaves_lets_the_page_run_again() -> None:
    import accounts.actions

    at = desk()
    incident = at.open()
    at.pass_time()
    at.acknowledge(incident, at.olu)
    person("Root", roles=("admin",))
    accounts.actions.deactivate_user(user=at.olu, by=_admin(), at=at.at)
    at.pass_time()
    assert page().state == PageState.RUNNING
    assert told(page())[-1] == (2, 2, "Wen")


def _admin() -> Actor:
    return Actor(kind=ActorKind.PERSON, id="0", label="Admin", roles=frozenset({"admin"}))


def test_a_drill_scales_the_delays_and_never_the_clock() -> None:
    from oncall.drill import delays_scaled_by

    at = desk()
    with delays_scaled_by(0.01):
        at.open(is_drill=True)
    at.pass_time()
    assert page().escalate_at == AT + dt.timedelta(seconds=3)
    assert Message.objects.get().subject.startswith("[drill] P1")


def test_only_drills_are_scaled() -> None:
    from oncall.drill import delays_scaled_by

    at: Desk = desk()
    with delays_scaled_by(0.01):
        at.open()
    at.pass_time()
    assert page().escalate_at == AT + 5 * MINUTE


def test_sorting_an_exhausted_incident_does_not_page_everybody_again() -> None:
    at = desk(repeats=0)
    incident = at.open()
    for minutes in (0, 5, 5):
        at.pass_time(minutes)
    incidents.actions.assign(incident=incident, team=at.service.owner_team, assignee=None, by=SYSTEM, at=at.at)
    incidents.actions.recategorise(incident=incident, service=at.service, by=SYSTEM, at=at.at)
    assert Page.objects.count() == 1


def test_moving_an_incident_to_a_service_that_pages_starts_its_page() -> None:
    at = desk()
    incident = at.open(service=None)
    incidents.actions.recategorise(incident=incident, service=at.service, by=SYSTEM, at=at.at)
    assert page().cause == "incident.recategorised"


def test_what_is_queued_for_a_leaver_is_cancelled() -> None:
    import accounts.actions

    at = desk()
    at.open()
    at.pass_time()
    person("Root", roles=("admin",))
    accounts.actions.deactivate_user(user=at.olu, by=_admin(), at=at.at)
    assert Message.objects.get().state == State.CANCELLED
