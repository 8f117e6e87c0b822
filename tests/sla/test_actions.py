"""Starting, recomputing, judging imports, and what a policy does at a threshold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.db.utils import DatabaseError
from django.test.utils import CaptureQueriesContext

from audit.actions import Invalid
from audit.actor import SYSTEM, job
from audit.models import Event
from incidents import actions as incidents
from incidents.models import Incident
from notify.models import Message
from sla import actions, queries
from sla.models import Breach, CalendarVersion, Clock, PolicyVersion, QueueEntry, SlaPolicy
from sla.tasks import sweep
from tests.accounts.factories import TeamFactory
from tests.sla.factories import SPLIT_DAYS, CalendarFactory, Desk, SlaPolicyFactory

AT = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def statements(run: Any) -> list[str]:
    """The statements of the sla app that ran."""
    with CaptureQueriesContext(connection) as captured:
        run()
    others = 1  # the event of the incident itself
    return [one["sql"] for one in captured if "sla_" in one["sql"] or "audit_event" in one["sql"]][others:]


def test_opening_costs_three_statements_of_ours(desk: Desk) -> None:
    SlaPolicyFactory()
    desk.open(AT)
    assert len(statements(lambda: desk.open(AT))) == 3


def test_opening_records_the_terms_and_enters_the_queue(desk: Desk) -> None:
    policy = SlaPolicyFactory(name="Standard")
    desk.open(AT)
    data = Event.objects.get(kind="clock.started").data
    assert (data["policy"], data["policy_version"], data["targets"]) == (
        "Standard", PolicyVersion.objects.get(policy=policy).pk, {"resolve": 3600}
    )  # fmt: skip
    entry = QueueEntry.objects.get(incident=desk.incident)
    assert (entry.team, entry.priority, entry.state, entry.due_at, entry.target, entry.is_breached) == (
        desk.team, 3, "new", AT + HOUR, "resolve", False
    )  # fmt: skip


def test_the_queue_follows_the_incident_and_forgets_it_when_it_is_over(desk: Desk) -> None:
    SlaPolicyFactory()
    desk.open(AT)
    desk.hold(AT + MINUTE)
    entry = QueueEntry.objects.get()
    assert (entry.state, entry.target) == ("on_hold", "own")
    desk.resolve(AT + HOUR)
    desk.do("close", AT + 2 * HOUR, confirmation="by phone")
    assert not QueueEntry.objects.exists()


def test_recomputing_again_changes_nothing(desk: Desk) -> None:
    SlaPolicyFactory()
    desk.open(AT)
    desk.hold(AT + MINUTE)
    before, events = list(Clock.objects.order_by("id").values()), Event.objects.count()
    actions.retime(incident=desk.incident, by=SYSTEM, at=AT + HOUR)
    assert list(Clock.objects.order_by("id").values()) == before
    assert Event.objects.count() == events


def test_a_lost_row_is_rebuilt_from_the_events(desk: Desk) -> None:
    SlaPolicyFactory()
    desk.open(AT)
    desk.hold(AT + MINUTE)
    before = list(Clock.objects.order_by("target").values())
    Clock.objects.all().delete()
    actions.retime(incident=desk.incident, by=SYSTEM, at=AT + HOUR)
    after = list(Clock.objects.order_by("target").values())
    assert [{**row, "id": 0} for row in after] == [{**row, "id": 0} for row in before]


def test_what_became_of_a_clock_stands_on_the_timeline(desk: Desk) -> None:
    SlaPolicyFactory()
    desk.open(AT, assignee=desk.agent)
    desk.hold(AT + MINUTE)
    desk.do("resume", AT + 2 * MINUTE)
    desk.resolve(AT + 3 * MINUTE)
    kinds = Event.objects.filter(about_id=desk.incident.pk, kind__startswith="clock.").order_by("id")
    assert list(kinds.values_list("kind", flat=True)) == ["clock.started", "clock.paused", "clock.resumed", "clock.met"]


def test_a_stop_after_the_deadline_is_a_breach_even_if_no_sweep_ran(desk: Desk) -> None:
    SlaPolicyFactory()
    desk.open(AT, assignee=desk.agent)
    desk.resolve(AT + 2 * HOUR)
    assert (desk.clock().state, Breach.objects.get().at) == ("breached", AT + HOUR)
    assert Event.objects.get(kind="clock.breached").data["cause"] == "time"


@pytest.mark.parametrize("statement", ["update sla_breach set cause = 'merge'", "delete from sla_breach"])
def test_a_breach_can_not_be_changed_or_removed(desk: Desk, statement: str) -> None:
    SlaPolicyFactory()
    desk.open(AT, assignee=desk.agent)
    sweep(AT + 2 * HOUR)
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute(statement)


# --- Thresholds -------------------------------------------------------------------------------------------------------


def test_a_threshold_notifies_assignee_and_leads_once_each(desk: Desk) -> None:
    SlaPolicyFactory(thresholds=[{"percent": 50, "actions": [{"do": "notify", "to": ["assignee", "team_lead"]}]}])
    desk.open(AT, assignee=desk.agent)
    Message.objects.all().delete()
    sweep(AT + 31 * MINUTE)
    assert set(Message.objects.values_list("address", flat=True)) == {desk.agent.email, desk.lead.email}


def test_a_breach_escalates_to_the_lead(desk: Desk) -> None:
    SlaPolicyFactory(on_breach=[{"do": "notify", "to": ["team_lead"]}])
    desk.open(AT, assignee=desk.agent)
    Message.objects.all().delete()
    sweep(AT + 2 * HOUR)
    (message,) = Message.objects.all()
    assert message.address == desk.lead.email
    assert "The time to resolve is over" in message.subject


def test_a_reminder_speaks_the_readers_language_and_time(desk: Desk) -> None:
    SlaPolicyFactory(on_breach=[{"do": "notify", "to": ["team_lead"]}])
    type(desk.lead).objects.filter(pk=desk.lead.pk).update(locale="es", time_zone="Europe/Madrid")
    desk.open(AT, assignee=desk.agent)
    Message.objects.all().delete()
    sweep(AT + 2 * HOUR)
    (message,) = Message.objects.all()
    due = (AT + HOUR).astimezone(ZoneInfo("Europe/Madrid"))
    assert "El tiempo para resolver ha terminado" in message.subject
    assert f"{due:%Y-%m-%d %H:%M:%S} (Europe/Madrid)" in message.body


def test_a_threshold_raises_priority_and_the_clocks_follow(desk: Desk) -> None:
    targets = {"resolve": {"3": 3600, "2": 2400}}
    SlaPolicyFactory(targets=targets, thresholds=[{"percent": 50, "actions": [{"do": "raise_priority"}]}])
    desk.open(AT, assignee=desk.agent)
    sweep(AT + 31 * MINUTE)
    incident = Incident.objects.get()
    assert (incident.priority, incident.priority_override_reason) == (2, "50 % of the time to resolve is used")
    assert desk.clock().due_at == AT + 40 * MINUTE


def test_a_threshold_reassigns(desk: Desk) -> None:
    other = TeamFactory()
    SlaPolicyFactory(thresholds=[{"percent": 50, "actions": [{"do": "reassign", "team": other.pk}]}])
    desk.open(AT, assignee=desk.agent)
    sweep(AT + 31 * MINUTE)
    incident = Incident.objects.get()
    assert (incident.team, incident.assignee, desk.clock("own").state) == (other, None, "running")


# --- Own, closing, reminders ------------------------------------------------------------------------------------------


def test_the_clock_of_an_unowned_incident_stops_with_an_owner_and_starts_again_without(desk: Desk) -> None:
    desk.open(AT)
    desk.do("claim", AT + MINUTE)
    assert desk.clock("own").state == "met"
    desk.do("assign", AT + HOUR, by=desk.lead, team=desk.team)
    assert (desk.clock("own").cycle, desk.clock("own").due_at) == (2, AT + 5 * HOUR)


def test_a_policy_closes_in_working_days(desk: Desk) -> None:
    SlaPolicyFactory(calendar=CalendarFactory(week=SPLIT_DAYS), auto_close_days=2)
    desk.open(datetime(2026, 3, 13, 9, 0, tzinfo=UTC))
    desk.resolve(datetime(2026, 3, 13, 10, 0, tzinfo=UTC))
    assert desk.clock().state == "met"
    assert Incident.objects.get().close_due_at == datetime(2026, 3, 17, 10, 0, tzinfo=UTC)


def test_the_idle_reminder_waits_for_a_working_day(desk: Desk) -> None:
    SlaPolicyFactory(calendar=CalendarFactory(week=SPLIT_DAYS, holidays=["2026-03-12"]))
    desk.open(AT - DAY)
    desk.do("claim", AT)
    assert Incident.objects.get().idle_at == datetime(2026, 3, 13, 9, 0, tzinfo=UTC)


def test_an_open_incident_is_watched_by_clock_reminder_or_wake_up(desk: Desk) -> None:
    desk.open(AT)
    assert not queries.unwatched_incidents(AT + HOUR).exists()
    assert queries.unwatched_incidents(AT + 5 * HOUR).get() == desk.incident
    sweep(AT + 5 * HOUR)
    assert not queries.unwatched_incidents(AT + 5 * HOUR).exists()


# --- Imports ----------------------------------------------------------------------------------------------------------


def imported(desk: Desk, resolved_after: timedelta) -> Incident:
    importer = job("import")
    incident = incidents.open_incident(
        title="Old", by=importer, at=AT, channel="phone", impact=2, urgency=2, team=desk.team, imported=True
    )
    return incidents.resolve(incident=incident, by=importer, at=AT + resolved_after, code="fixed", notes="old")


def test_imported_clocks_are_judged_once_by_the_logs_own_times_and_nobody_is_told(desk: Desk) -> None:
    SlaPolicyFactory(on_breach=[{"do": "notify", "to": ["team_lead"]}])
    incident = imported(desk, 2 * HOUR)
    assert not Clock.objects.exists()
    actions.judge_imported(incident=incident, by=job("import"), at=AT + 2 * HOUR)
    actions.judge_imported(incident=incident, by=job("import"), at=AT + 2 * HOUR)
    resolve = Clock.objects.get(target="resolve")
    assert (resolve.state, resolve.elapsed_s, Breach.objects.get().at) == ("breached", 7200, AT + HOUR)
    assert not Message.objects.exists()
    assert Event.objects.filter(kind__startswith="clock.").count() == 1


def test_an_imported_incident_that_is_still_open_is_never_swept(desk: Desk) -> None:
    SlaPolicyFactory()
    incident = incidents.open_incident(title="Old", by=job("import"), at=AT, team=desk.team, imported=True)
    actions.judge_imported(incident=incident, by=job("import"), at=AT)
    assert sweep(AT + DAY) == 0


# --- Configuration ----------------------------------------------------------------------------------------------------


def test_each_save_freezes_a_version(desk: Desk) -> None:
    from audit.actions import change_config
    from tests.sla.factories import ADMIN

    calendar = CalendarFactory(zone="Europe/Madrid", country="ES", region="MD")
    change_config(row=calendar, values={"holidays": ["2026-08-14"]}, by=ADMIN, at=AT)
    first, second = CalendarVersion.objects.filter(calendar=calendar).order_by("number")
    assert "2026-05-02" in first.definition["holidays"]
    assert first.definition["names"]["2026-12-25"] == "Christmas Day"
    assert ("2026-08-14" in first.definition["holidays"], "2026-08-14" in second.definition["holidays"]) == (
        False,
        True,
    )


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"week": {}}, "week"),
        ({"week": {"mon": [["09:00", "17:00"], ["16:00", "18:00"]]}}, "week"),
        ({"week": {"mon": [["17:00", "09:00"]]}}, "week"),
        ({"week": {"someday": []}}, "week"),
        ({"week": [1]}, "week"),
        ({"zone": "Europe/Atlantis"}, "zone"),
        ({"holidays": ["2026-02-30"]}, "holidays"),
        ({"holidays": {}}, "holidays"),
        ({"special": {"2026-01-01": 5}}, "special"),
        ({"country": "XX"}, "country"),
        ({"country": "ES", "region": "ZZ"}, "region"),
        ({"region": "MD"}, "region"),
    ],
)
def test_a_calendar_that_can_not_work_is_refused_with_its_field(db: None, values: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        CalendarFactory(**values)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"targets": {}}, "targets"),
        ({"targets": {"resolve": {"1": 0}}}, "targets"),
        ({"targets": {"resolve": {"1": -5}}}, "targets"),
        ({"targets": {"resolve": {"1": 10**12}}}, "targets"),
        ({"targets": {"resolve": {"9": 60}}}, "targets"),
        ({"targets": {"fix": {"1": 60}}}, "targets"),
        ({"targets": {"resolve": {"1": {"days": 1, "seconds": 1}}}}, "targets"),
        ({"targets": {"resolve": {"1": True}}}, "targets"),
        ({"targets": [[]]}, "targets"),
        ({"pause_reasons": {"resolve": ["lunch"]}}, "pause_reasons"),
        ({"pause_reasons": {"resolve": [[]]}}, "pause_reasons"),
        ({"thresholds": [{"percent": 90}, {"percent": 50}]}, "thresholds"),
        ({"thresholds": [{"percent": 50, "actions": [{"do": "explode"}]}]}, "thresholds"),
        ({"thresholds": [{"percent": 50, "actions": [{"do": "notify", "to": [{}]}]}]}, "thresholds"),
        ({"thresholds": [{"percent": 50, "actions": [{"do": "reassign", "team": 999999}]}]}, "thresholds"),
        ({"on_breach": [{"do": "notify"}]}, "on_breach"),
        ({"repeat_percent": 0}, "repeat_percent"),
        ({"priorities": [7]}, "priorities"),
        ({"kinds": ["party"]}, "kinds"),
        ({"services": [10**30]}, "services"),
    ],
)
def test_a_policy_that_can_not_be_kept_is_refused_with_its_field(db: None, values: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        SlaPolicyFactory(**values)
    assert refused.value.field == field


def test_a_fresh_desk_promises_an_answer_and_an_end_for_every_priority(db: None) -> None:
    promised = {
        (target, priority)
        for policy in SlaPolicy.objects.filter(is_active=True)
        for target, entries in policy.targets.items()
        for priority in entries
    }
    assert promised == {(t, p) for t in ("acknowledge", "respond", "resolve", "own") for p in "12345"}
    for policy in SlaPolicy.objects.all():
        policy.full_clean()
        assert policy.versions.get().definition == policy.definition()
