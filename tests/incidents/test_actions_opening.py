"""How incidents begin."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

import incidents.actions
from audit.actions import Forbidden, Invalid
from audit.actor import SYSTEM
from audit.models import Event
from incidents.actions import Inactive, Resolution, TimesOutOfOrder
from incidents.models import Incident
from notify.models import Message
from tests.accounts.factories import TeamFactory, UserFactory
from tests.incidents.factories import (
    AT,
    IMPORT,
    CategoryFactory,
    IncidentFactory,
    PriorityMatrixFactory,
    ServiceFactory,
    key,
    later,
    person,
)
from tests.incidents.trail import kinds

pytestmark = pytest.mark.django_db


def test_an_incident_gets_a_reference_and_the_lowest_priority() -> None:
    incident: Incident = IncidentFactory()
    assert incident.reference == f"INC-{incident.number:06d}"
    assert (incident.state, incident.impact, incident.urgency, incident.priority) == ("new", 3, 3, 5)
    assert kinds(incident) == ["opened"]


@pytest.mark.parametrize(
    ("impact", "urgency", "priority"),
    [(1, 1, 1), (1, 2, 2), (1, 3, 3), (2, 1, 2), (2, 2, 3), (2, 3, 4), (3, 1, 3), (3, 2, 4), (3, 3, 5)],
)
def test_the_priority_follows_from_the_shipped_matrix(impact: int, urgency: int, priority: int) -> None:
    assert IncidentFactory(impact=impact, urgency=urgency).priority == priority


def test_a_matrix_of_its_own_may_be_named() -> None:
    matrix = PriorityMatrixFactory(rows=[[1, 2], [3, 4]], impacts=["a", "b"], urgencies=["a", "b"])
    assert IncidentFactory(matrix=matrix, impact=2, urgency=1).priority == 3


@pytest.mark.parametrize(("field", "value"), [("impact", 0), ("impact", 4), ("urgency", 9), ("urgency", -1)])
def test_a_value_outside_the_matrix_is_refused(field: str, value: int) -> None:
    with pytest.raises(Invalid) as refusal:
        IncidentFactory(**{field: value})
    assert (refusal.value.field, refusal.value.remedy) == (field, "1 to 3")


@pytest.mark.parametrize(("criticality", "impact"), [(1, 1), (2, 2), (3, 3), (4, 3)])
def test_impact_is_suggested_by_the_criticality_of_the_service(criticality: int, impact: int) -> None:
    assert IncidentFactory(service=ServiceFactory(criticality=criticality)).impact == impact


def test_a_vip_raises_urgency_by_one_step_where_the_matrix_says_so() -> None:
    matrix = PriorityMatrixFactory(vip_raises_urgency=True)
    vip = UserFactory(is_vip=True)
    incident: Incident = IncidentFactory(matrix=matrix, impact=2, urgency=2, requester=vip)
    assert (incident.impact, incident.urgency, incident.priority, incident.is_vip_raised) == (2, 2, 2, True)


def test_a_vip_changes_nothing_by_default() -> None:
    assert IncidentFactory(impact=2, urgency=2, requester=UserFactory(is_vip=True)).priority == 3


def test_the_owner_team_of_the_service_takes_it() -> None:
    service = ServiceFactory()
    assert IncidentFactory(service=service).team_id == service.owner_team_id


def test_the_triage_team_takes_what_nothing_routes() -> None:
    triage = TeamFactory(is_triage=True)
    assert IncidentFactory().team_id == triage.pk


def test_who_is_named_as_assignee_is_assigned() -> None:
    incident: Incident = IncidentFactory(assignee=UserFactory())
    assert incident.state == "assigned"


@pytest.mark.parametrize("channel", ["phone", "chat", "walk_in"])
def test_on_the_phone_the_contact_is_the_first_response(channel: str) -> None:
    incident: Incident = IncidentFactory(channel=channel, by=person(None, "agent"), reported_at=later(minutes=-5))
    assert incident.first_response_at == later(minutes=-5)
    assert incident.acknowledged_at is None


@pytest.mark.parametrize("channel", ["portal", "mail", "api", "alert"])
def test_elsewhere_opening_is_no_response(channel: str) -> None:
    assert IncidentFactory(channel=channel, by=person(None, "agent")).first_response_at is None


def test_an_incident_fixed_on_the_phone_is_opened_resolved_in_one_step() -> None:
    agent = person(None, "agent")
    incident: Incident = IncidentFactory(
        channel="phone", by=agent, resolved=Resolution(code="fixed", cause="knowledge")
    )
    assert (incident.state, incident.resolved_at, incident.version) == ("resolved", AT, 1)
    assert incident.assignee_id == incident.resolved_by_id == agent.user_id
    assert incident.close_due_at == later(days=5)
    assert kinds(incident) == ["opened", "resolved"]


def test_an_alert_was_detected_by_the_monitoring_when_it_arrived() -> None:
    incident: Incident = IncidentFactory(channel="alert", occurred_at=later(minutes=-3))
    assert (incident.detected_at, incident.detected_by, incident.occurred_at) == (AT, "monitor", later(minutes=-3))


def test_unknown_times_stay_unknown() -> None:
    incident: Incident = IncidentFactory()
    assert (incident.occurred_at, incident.detected_at, incident.detected_by) == (None, None, "")


@pytest.mark.parametrize(
    ("times", "field"),
    [
        ({"reported_at": later(seconds=1)}, "reported_at"),
        ({"occurred_at": later(days=1)}, "occurred_at"),
        ({"occurred_at": later(minutes=-1), "detected_at": later(minutes=-2)}, "occurred_at"),
        ({"detected_at": later(minutes=-1), "reported_at": later(minutes=-2)}, "detected_at"),
        ({"occurred_at": later(minutes=-1), "reported_at": later(minutes=-2)}, "occurred_at"),
        ({"occurred_at": dt.datetime(9999, 12, 31, tzinfo=dt.UTC)}, "occurred_at"),
    ],
)
def test_times_out_of_order_are_refused(times: dict[str, dt.datetime], field: str) -> None:
    with pytest.raises(TimesOutOfOrder) as refusal:
        IncidentFactory(**times)
    assert refusal.value.field == field


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(Invalid, match="no time zone"):
        IncidentFactory(occurred_at=dt.datetime(2026, 3, 1))


def test_setting_reported_at_back_takes_a_reason_past_15_minutes() -> None:
    assert IncidentFactory(reported_at=later(minutes=-15)).reported_at == later(minutes=-15)
    with pytest.raises(Invalid) as refusal:
        IncidentFactory(reported_at=later(minutes=-15, seconds=-1))
    assert refusal.value.field == "reported_at_reason"
    incident: Incident = IncidentFactory(reported_at=later(hours=-3), reported_at_reason="the desk was offline")
    assert (incident.reported_at, incident.created_at) == (later(hours=-3), AT)
    assert Event.objects.get(about_id=incident.pk, kind="incident.opened").reason == "the desk was offline"


@pytest.mark.parametrize(
    ("field", "value"),
    [("title", "  "), ("title", "x" * 301), ("title", "a\x00b"), ("description", "a\x00b"), ("kind", "problem"),
     ("channel", "fax"), ("detected_by", "dog")],
)  # fmt: skip
def test_bad_values_are_refused_by_field(field: str, value: str) -> None:
    with pytest.raises(Invalid) as refusal:
        IncidentFactory(**{field: value})
    assert refusal.value.field == field
    assert refusal.value.remedy


def test_line_breaks_in_a_title_become_spaces() -> None:
    assert IncidentFactory(title="Mail\r\nBcc: all@example.org \x07 down").title == "Mail Bcc: all@example.org down"


def test_retired_things_are_refused() -> None:
    gone = UserFactory()
    gone.is_active = False
    for field, row in {
        "category": CategoryFactory(is_active=False),
        "service": ServiceFactory(is_active=False),
        "team": TeamFactory(is_active=False),
        "assignee": gone,
        "requester": gone,
    }.items():
        with pytest.raises(Inactive) as refusal:
            IncidentFactory(**{field: row})
        assert refusal.value.field == field


def test_a_requester_reports_for_themselves() -> None:
    caller = UserFactory()
    incident: Incident = IncidentFactory(by=person(caller, "requester"), urgency=1)
    assert (incident.requester_id, incident.logged_by_id, incident.priority) == (caller.pk, caller.pk, 3)


@pytest.mark.parametrize("field", ["team", "assignee", "requester", "resolved", "reported_at", "channel", "started"])
def test_what_a_requester_may_not_fill_in_is_refused(field: str) -> None:
    values: dict[str, Any] = {
        "team": TeamFactory, "assignee": UserFactory, "requester": UserFactory, "started": lambda: True,
        "resolved": lambda: Resolution(code="fixed"), "reported_at": lambda: later(minutes=-1),
        "channel": lambda: "phone",
    }  # fmt: skip
    with pytest.raises(Forbidden) as refusal:
        IncidentFactory(by=person(None, "requester"), **{field: values[field]()})
    assert refusal.value.field == field


def test_only_a_job_imports() -> None:
    with pytest.raises(Forbidden):
        IncidentFactory(by=person(None, "admin"), imported=True)


def test_drills_are_not_for_everybody() -> None:
    with pytest.raises(Forbidden):
        IncidentFactory(by=person(None, "agent"), is_drill=True)
    assert IncidentFactory(by=person(None, "incident_manager"), is_drill=True).is_drill


def test_the_requester_gets_a_receipt_with_the_number() -> None:
    incident: Incident = IncidentFactory(requester=UserFactory(email="maria@example.org", locale="en"))
    incidents.actions.send_receipt(incident=incident, answer_by=None, by=SYSTEM, at=AT)
    mail = Message.objects.get(topic=f"incident:{incident.pk}")
    assert (mail.address, mail.subject) == (
        "maria@example.org", f"[{incident.reference}] We have your report: {incident.title}",
    )  # fmt: skip
    assert incident.reference in mail.body
    assert mail.headers["References"]


@pytest.mark.parametrize("quiet", [{"imported": True, "by": IMPORT}, {"is_drill": True}])
def test_imports_and_drills_tell_nobody(quiet: dict[str, object]) -> None:
    IncidentFactory(requester=UserFactory(), resolved=Resolution(code="fixed"), **quiet)
    IncidentFactory(requester=UserFactory(), **quiet)
    assert not Message.objects.exists()


def test_an_import_keeps_the_times_of_its_log() -> None:
    long_ago = dt.datetime(2016, 2, 29, 1, 23, tzinfo=dt.UTC)
    incident: Incident = IncidentFactory(
        imported=True, by=IMPORT, at=long_ago, reported_at=long_ago - dt.timedelta(hours=9), started=True,
        external_ref="INC0000045",
    )  # fmt: skip
    assert (incident.state, incident.created_at, incident.idle_at) == ("in_progress", long_ago, None)


def test_a_key_opens_within_its_scope() -> None:
    assert IncidentFactory(by=key("incidents:write"), channel="api").logged_by_id is None
    with pytest.raises(Forbidden):
        IncidentFactory(by=key("incidents:read"), channel="api")


def test_after_closing_a_new_linked_incident_is_opened() -> None:
    old: Incident = IncidentFactory(service=ServiceFactory(), impact=2, urgency=1, requester=UserFactory())
    old = incidents.actions.resolve(incident=old, by=SYSTEM, at=AT, code="fixed")
    with pytest.raises(incidents.actions.IllegalTransition, match="not closed"):
        incidents.actions.open_again_linked(incident=old, by=SYSTEM, at=later(hours=1))
    old = incidents.actions.close(incident=old, by=SYSTEM, at=AT)
    fresh = incidents.actions.open_again_linked(incident=old, by=SYSTEM, at=later(days=9))
    assert (fresh.recurrence_of_id, fresh.title, fresh.priority, fresh.service_id, fresh.state) == (
        old.pk, old.title, old.priority, old.service_id, "new",
    )  # fmt: skip
    assert kinds(old)[-1] == "recurred"


def test_a_requester_opens_their_closed_incident_again() -> None:
    caller = UserFactory()
    own = person(caller, "requester")
    old = incidents.actions.resolve(incident=IncidentFactory(by=own), by=SYSTEM, at=AT, code="fixed")
    old = incidents.actions.close(incident=old, by=own, at=AT)
    with pytest.raises(Forbidden):
        incidents.actions.open_again_linked(incident=old, by=person(None, "requester"), at=later(days=9))
    fresh = incidents.actions.open_again_linked(incident=old, description="Again!", by=own, at=later(days=9))
    assert (fresh.recurrence_of_id, fresh.requester_id, fresh.description) == (old.pk, caller.pk, "Again!")


def test_opening_takes_few_statements(django_assert_max_num_queries: object) -> None:
    service = ServiceFactory(owner_team=TeamFactory())
    agent = person(None, "agent")
    with django_assert_max_num_queries(16):  # type: ignore[operator]
        IncidentFactory(service=service, by=agent, channel="phone")
