"""SEMANTICS part 2, line by line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from audit.models import Event
from incidents.models import HoldReason
from sla import queries, terms
from sla.models import Breach, Clock, ThresholdFired
from sla.tasks import sweep
from tests.sla.factories import SPLIT_DAYS, CalendarFactory, Desk, SlaPolicyFactory

AT = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
FIVE = ("1", "2", "3", "4", "5")


def per_priority(**seconds: int) -> dict[str, dict[str, int]]:
    return {target: dict.fromkeys(FIVE, value) for target, value in seconds.items()}


def policy(**values: object) -> object:
    values.setdefault("targets", per_priority(acknowledge=900, respond=1800, resolve=3600))
    return SlaPolicyFactory(**values)


# --- Targets, policy --------------------------------------------------------------------------------------------------


def test_each_target_has_its_clock_and_an_unowned_incident_one_of_its_own(desk: Desk) -> None:
    policy(targets=per_priority(acknowledge=900, respond=1800, resolve=3600, own=600))
    desk.open(AT)
    due = {clock.target: clock.due_at - AT for clock in Clock.objects.filter(incident=desk.incident) if clock.due_at}
    assert due == {"acknowledge": 15 * MINUTE, "respond": 30 * MINUTE, "resolve": HOUR, "own": 10 * MINUTE}


@pytest.mark.parametrize(("end_of_day", "due"), [(False, "2026-03-12T10:30:00"), (True, "2026-03-12T17:00:00")])
def test_working_days_are_due_at_the_same_clock_time_or_at_the_end_of_the_day(
    desk: Desk, end_of_day: bool, due: str
) -> None:
    calendar = CalendarFactory(week=SPLIT_DAYS, zone="Europe/Madrid")
    policy(calendar=calendar, targets={"resolve": {"3": {"days": 2, "end_of_day": end_of_day}}})
    desk.open(AT + HOUR + 30 * MINUTE)
    assert desk.clock().due_at == datetime.fromisoformat(due).replace(tzinfo=UTC)


def test_a_target_may_run_by_the_wall_clock(desk: Desk) -> None:
    policy(calendar=CalendarFactory(week=SPLIT_DAYS), targets={"resolve": {"3": {"seconds": 86400, "wall": True}}})
    desk.open(datetime(2026, 3, 13, 17, 0, tzinfo=UTC))
    assert desk.clock().due_at == datetime(2026, 3, 14, 17, 0, tzinfo=UTC)


def test_the_first_policy_in_order_is_taken_and_the_others_say_why_not(desk: Desk) -> None:
    policy(name="urgent", position=1, priorities=[1, 2])
    policy(name="others' team", position=2, teams=[desk.team.pk])
    policy(name="everything", position=3)
    choice = queries.policy_for(desk.open(AT))
    assert choice.rule
    assert choice.rule.policy.name == "others' team"
    assert choice.rejected == (
        ("urgent", "priority is 3, not one of 1, 2"),
        ("everything", "a policy before it was taken"),
    )


def test_without_a_policy_only_the_clock_of_an_unowned_incident_runs_and_comes_due_again(desk: Desk) -> None:
    desk.open(AT)
    own = desk.clock("own")
    assert [clock.target for clock in queries.clocks_for(desk.incident)] == ["own"]
    assert (own.budget_s, own.due_at) == (14400, AT + 4 * HOUR)
    sweep(AT + 5 * HOUR)
    assert desk.clock("own").next_threshold_at == AT + 8 * HOUR


# --- Start, stop, exactness -------------------------------------------------------------------------------------------


def test_a_persons_report_counts_from_when_it_was_reported(desk: Desk) -> None:
    policy()
    desk.open(AT, reported_at=AT - 10 * MINUTE)
    assert desk.clock().due_at == AT + 50 * MINUTE


def test_an_alert_counts_from_its_detection(desk: Desk) -> None:
    policy()
    desk.open(AT, channel="alert", detected_at=AT - 20 * MINUTE, detected_by="monitor", requester=None)
    assert desk.clock().due_at == AT + 40 * MINUTE


@pytest.mark.parametrize(("stops_at", "state"), [("resolved", "met"), ("closed", "running")])
def test_the_policy_says_whether_resolve_stops_when_resolved_or_closed(desk: Desk, stops_at: str, state: str) -> None:
    policy(resolve_stops_at=stops_at)
    desk.open(AT)
    desk.resolve(AT + MINUTE)
    assert desk.clock().state == state
    desk.do("close", AT + 2 * MINUTE, confirmation="by phone")
    assert desk.clock().state == "met"


@pytest.mark.parametrize(("late", "state"), [(timedelta(0), "met"), (timedelta(microseconds=1), "breached")])
def test_a_stop_at_the_deadline_is_met(desk: Desk, late: timedelta, state: str) -> None:
    policy()
    desk.open(AT)
    desk.resolve(AT + HOUR + late)
    assert desk.clock().state == state
    assert Breach.objects.filter(clock=desk.clock()).exists() is (state == "breached")


# --- First response ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", ["phone", "chat", "walk_in"])
def test_a_contact_by_voice_is_the_response_itself(desk: Desk, channel: str) -> None:
    policy()
    desk.open(AT, channel=channel, reported_at=AT - 5 * MINUTE)
    for target in ("acknowledge", "respond"):
        clock = desk.clock(target)
        assert (clock.state, clock.stopped_at, clock.elapsed_s) == ("met", AT - 5 * MINUTE, 0)


def test_a_portal_report_is_answered_by_a_public_message_of_an_agent(desk: Desk) -> None:
    policy()
    desk.open(AT, by=desk.requester, team=None, impact=None, urgency=None, requester=None)
    desk.do("assign", AT + MINUTE, by=desk.lead, assignee=desk.agent)
    desk.do("comment", AT + 2 * MINUTE, body="internal")
    desk.do("comment", AT + 3 * MINUTE, by=desk.requester, body="hello?")
    assert desk.clock("respond").state == "running"
    desk.do("comment", AT + 4 * MINUTE, body="we are looking", is_public=True)
    assert (desk.clock("respond").state, desk.clock("respond").elapsed_s) == ("met", 240)


def test_an_alert_is_answered_by_its_acknowledgement(desk: Desk) -> None:
    policy()
    desk.open(AT, channel="alert", requester=None)
    desk.do("comment", AT + MINUTE, body="public", is_public=True)
    assert desk.clock("respond").state == "running"
    desk.do("acknowledge", AT + 2 * MINUTE)
    assert (desk.clock("respond").state, desk.clock("acknowledge").state) == ("met", "met")


def test_resolving_stops_acknowledge_and_respond(desk: Desk) -> None:
    policy()
    desk.open(AT)
    desk.resolve(AT + MINUTE)
    assert {clock.state for clock in queries.clocks_for(desk.incident)} == {"met"}


# --- Pause ------------------------------------------------------------------------------------------------------------


def test_waiting_for_the_requester_pauses_resolve_by_default_and_for_nobody_else(desk: Desk) -> None:
    policy()
    desk.open(AT)
    desk.hold(AT + 10 * MINUTE)
    assert (desk.clock().state, desk.clock().elapsed_s, desk.clock().due_at) == ("paused", 600, None)
    desk.do("change_hold", AT + 20 * MINUTE, hold_reason="awaiting_vendor", until=AT + DAY)
    assert (desk.clock().state, desk.clock().due_at) == ("running", AT + HOUR + 10 * MINUTE)
    desk.do("resume", AT + 30 * MINUTE)
    assert desk.clock().due_at == AT + HOUR + 10 * MINUTE


def test_acknowledge_and_respond_never_pause_before_somebody_answered(desk: Desk) -> None:
    policy(pause_reasons={name: ["awaiting_requester"] for name in ("acknowledge", "respond", "resolve")})
    desk.open(AT)
    desk.hold(AT + MINUTE)
    assert {clock.target: clock.state for clock in queries.clocks_for(desk.incident).exclude(target="own")} == {
        "acknowledge": "running", "respond": "running", "resolve": "paused"
    }  # fmt: skip
    desk.do("comment", AT + 2 * MINUTE, body="which printer?", is_public=True)
    assert desk.clock("acknowledge").state == "paused"


def test_a_pause_outside_working_hours_counts_nothing(desk: Desk) -> None:
    policy(calendar=CalendarFactory(week=SPLIT_DAYS))
    desk.open(datetime(2026, 3, 13, 17, 30, tzinfo=UTC))  # a Friday
    desk.hold(datetime(2026, 3, 13, 18, 0, tzinfo=UTC))
    desk.do("resume", datetime(2026, 3, 16, 9, 0, tzinfo=UTC))
    assert desk.clock().due_at == datetime(2026, 3, 16, 9, 30, tzinfo=UTC)


def test_resolving_straight_from_hold_subtracts_the_pause(desk: Desk) -> None:
    policy()
    desk.open(AT)
    desk.hold(AT + 10 * MINUTE)
    desk.resolve(AT + DAY)
    assert (desk.clock().state, desk.clock().elapsed_s) == ("met", 600)


# --- Change of priority or policy -------------------------------------------------------------------------------------


def test_carry_keeps_the_elapsed_time_and_breaches_at_the_moment_of_the_change(desk: Desk) -> None:
    policy(targets={"resolve": {"3": 7200, "1": 1800}})
    desk.open(AT)
    desk.do("set_priority_inputs", AT + HOUR, impact=1, urgency=1)
    breach = Breach.objects.get(clock=desk.clock())
    assert (breach.at, breach.cause) == (AT + HOUR, "priority change")
    desk.do("set_priority_inputs", AT + HOUR + 10 * MINUTE, impact=2, urgency=2)
    assert (desk.clock().due_at, desk.clock().breached_at) == (AT + 2 * HOUR, AT + HOUR)
    assert Breach.objects.get(clock=desk.clock()) == breach


def test_restart_begins_a_new_cycle_and_leaves_the_old_verdict(desk: Desk) -> None:
    policy(targets={"resolve": {"3": 1800, "1": 1800}}, on_priority_change="restart")
    desk.open(AT)
    sweep(AT + 31 * MINUTE)
    desk.do("set_priority_inputs", AT + HOUR, impact=1, urgency=1)
    assert (desk.clock(cycle=1).state, desk.clock(cycle=2).due_at) == ("breached", AT + 90 * MINUTE)


def test_keep_leaves_the_deadline(desk: Desk) -> None:
    policy(targets={"resolve": {"3": 7200, "1": 1800}}, on_priority_change="keep")
    desk.open(AT)
    desk.do("set_priority_inputs", AT + HOUR, impact=1, urgency=1)
    assert (desk.clock().due_at, desk.clock().priority) == (AT + 2 * HOUR, 3)


def test_another_policy_takes_over_with_its_own_calendar(desk: Desk) -> None:
    policy(priorities=[1], calendar=CalendarFactory(week=SPLIT_DAYS), position=1)
    policy(targets=per_priority(resolve=7200), position=2)
    desk.open(datetime(2026, 3, 13, 17, 30, tzinfo=UTC))
    desk.do("set_priority_inputs", datetime(2026, 3, 13, 17, 45, tzinfo=UTC), impact=1, urgency=1)
    assert desk.clock().due_at == datetime(2026, 3, 16, 9, 30, tzinfo=UTC)


def test_a_running_clock_keeps_its_version(desk: Desk) -> None:
    from audit.actions import change_config
    from tests.sla.factories import ADMIN

    row = policy()
    desk.open(AT)
    change_config(row=row, values={"targets": per_priority(resolve=60)}, by=ADMIN, at=AT + MINUTE)  # type: ignore[arg-type]
    desk.hold(AT + 2 * MINUTE)
    desk.do("resume", AT + 3 * MINUTE)
    assert desk.clock().due_at == AT + HOUR + MINUTE
    desk.open(AT + 10 * MINUTE)
    assert desk.clock().due_at == AT + 11 * MINUTE


# --- Reopen -----------------------------------------------------------------------------------------------------------


def test_reopening_resumes_with_the_elapsed_time_without_the_resolved_interval(desk: Desk) -> None:
    policy()
    desk.open(AT)
    desk.resolve(AT + 20 * MINUTE)
    desk.reopen(AT + 5 * HOUR)
    assert (desk.clock(cycle=1).state, desk.clock(cycle=2).due_at) == ("met", AT + 5 * HOUR + 40 * MINUTE)
    desk.resolve(AT + 5 * HOUR + 41 * MINUTE)
    assert (desk.clock(cycle=1).state, desk.clock(cycle=2).state) == ("met", "breached")


@pytest.mark.parametrize(("option", "cycles"), [("restart", 2), ("once", 1)])
def test_reopening_restarts_or_is_judged_once(desk: Desk, option: str, cycles: int) -> None:
    policy(on_reopen=option)
    desk.open(AT)
    desk.resolve(AT + 20 * MINUTE)
    desk.reopen(AT + 5 * HOUR)
    assert Clock.objects.filter(incident=desk.incident, target="resolve").count() == cycles
    assert desk.clock().due_at == (AT + 6 * HOUR if cycles == 2 else AT + HOUR)


# --- Cancel, thresholds, breach ---------------------------------------------------------------------------------------


def test_cancelling_cancels_the_clocks_and_their_thresholds(desk: Desk) -> None:
    policy()
    desk.open(AT)
    desk.do("cancel", AT + MINUTE, by=desk.lead, reason="mistake", detail="")
    assert set(queries.clocks_for(desk.incident).values_list("state", "next_threshold_at")) == {("cancelled", None)}
    sweep(AT + DAY)
    assert not ThresholdFired.objects.exists()


def test_each_threshold_fires_once_per_clock_and_cycle(desk: Desk) -> None:
    policy(targets=per_priority(resolve=3600), thresholds=[{"percent": 50}, {"percent": 100}], repeat_percent=50)
    desk.open(AT, assignee=desk.agent)
    for minutes in (29, 30, 30, 61, 90, 91):
        sweep(AT + minutes * MINUTE)
    fired = ThresholdFired.objects.order_by("percent").values_list("percent", "reached_at")
    assert list(fired) == [(50, AT + 30 * MINUTE), (100, AT + HOUR), (150, AT + 90 * MINUTE)]
    assert Event.objects.filter(kind="clock.threshold_reached").count() == 3


def test_a_breach_is_a_fact_at_the_deadline_with_its_cause(desk: Desk) -> None:
    policy(targets=per_priority(resolve=3600))
    desk.open(AT, assignee=desk.agent)
    sweep(AT + HOUR)
    assert not Breach.objects.exists()
    sweep(AT + 2 * HOUR)
    breach = Breach.objects.get()
    assert (breach.at, breach.cause, breach.decided_at) == (AT + HOUR, "time", AT + 2 * HOUR)


def test_the_hold_reasons_of_the_rule_are_those_of_incidents() -> None:
    assert set(terms.HOLD_REASONS) == set(HoldReason.values)


def test_lunch_weekend_pause_and_upgrade_in_one_story(desk: Desk) -> None:
    """Madrid, Monday to Friday 09-14 and 15-18: every line of this page at once."""

    def madrid(text: str) -> datetime:
        return datetime.fromisoformat(f"2026-03-{text}:00+01:00")

    policy(
        calendar=CalendarFactory(week=SPLIT_DAYS, zone="Europe/Madrid"),
        targets={"respond": {"2": 1800}, "resolve": {"2": 8 * 3600, "1": 4 * 3600}},
        thresholds=[{"percent": 75}, {"percent": 100}],
    )
    desk.open(madrid("13T13:50"), by=desk.requester, team=None, requester=None, impact=None, urgency=None)
    desk.do("set_priority_inputs", madrid("13T13:50"), impact=1, urgency=2)
    desk.do("assign", madrid("13T13:50"), team=desk.team, assignee=desk.agent)
    assert (desk.clock("respond").due_at, desk.clock().due_at) == (madrid("13T15:20"), madrid("16T13:50"))
    desk.do("comment", madrid("13T15:10"), body="Which floor?", is_public=True)
    desk.hold(madrid("13T15:10"))
    assert (desk.clock("respond").state, desk.clock("respond").elapsed_s) == ("met", 20 * 60)
    desk.do("comment", madrid("14T10:00"), by=desk.requester, body="The third.")
    desk.do("comment", madrid("14T10:00"), body="I come up.", is_public=True)
    assert (desk.incident.state, desk.clock().due_at) == ("in_progress", madrid("16T17:40"))
    assert sweep(madrid("16T15:39")) == 0
    assert sweep(madrid("16T15:40")) == 1
    desk.do("set_priority_inputs", madrid("16T16:00"), impact=1, urgency=1)
    breach = Breach.objects.get()
    assert (breach.at, breach.cause, desk.clock().elapsed_s) == (madrid("16T16:00"), "priority change", 6 * 3600 + 1200)
    desk.do("set_priority_inputs", madrid("16T16:10"), impact=1, urgency=2)
    assert (desk.clock().breached_at, desk.clock().due_at) == (madrid("16T16:00"), madrid("16T17:40"))
    assert Breach.objects.get() == breach
