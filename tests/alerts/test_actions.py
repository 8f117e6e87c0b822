"""What becomes of an alert: incidents opened, joined, reopened, followed up, resolved, and never doubled."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

import alerts.actions
import incidents.actions
from accounts.queries import actor_for
from alerts.actions import Outcome, Receipt, SourceInactive
from alerts.models import Alert, AlertSource, Grouping, OnRecovery
from alerts.queries import actor_of
from audit.actions import Forbidden, Invalid
from audit.actor import SYSTEM, Actor
from audit.models import Event
from incidents.models import Incident
from tests.accounts.factories import TeamFactory, UserFactory
from tests.alerts.factories import AT, AlertSourceFactory
from tests.alerts.messages import alert, message
from tests.incidents.factories import ServiceFactory

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def post(source: AlertSource, *alerts_: dict[str, Any], at: datetime = AT, **fields: Any) -> Receipt:
    return alerts.actions.receive(source=source, payload=message(*alerts_, **fields), by=actor_of(source), at=at)


def only_incident() -> Incident:
    return Incident.objects.get()


@pytest.fixture
def source() -> AlertSource:
    return AlertSourceFactory()


@pytest.fixture
def admin() -> Actor:
    return actor_for(UserFactory(roles=["admin"]))


def test_a_firing_alert_opens_an_incident(source: AlertSource) -> None:
    receipt = post(source, alert())
    incident = only_incident()
    assert receipt.references == (incident.reference,)
    assert receipt.count(Outcome.OPENED) == 1
    assert (incident.title, incident.channel, incident.detected_by) == ("DiskFull is wrong", "alert", "monitor")
    assert (incident.impact, incident.urgency, incident.priority) == (1, 1, 1)
    assert incident.source_label == source.name


def test_server_time_decides_and_the_sources_own_start_is_kept(source: AlertSource) -> None:
    post(source, alert())
    incident, row = only_incident(), Alert.objects.get()
    assert incident.detected_at == row.detected_at == AT
    assert incident.occurred_at == row.occurred_at == datetime.fromisoformat("2026-03-10T08:55:00.123456Z")


def test_a_start_in_the_future_is_kept_but_not_believed(source: AlertSource) -> None:
    post(source, alert(startsAt="2099-01-01T00:00:00Z"))
    assert only_incident().occurred_at is None
    assert Alert.objects.get().occurred_at == datetime.fromisoformat("2099-01-01T00:00:00Z")


def test_repeats_are_counted_and_open_nothing(source: AlertSource) -> None:
    post(source, alert())
    events = Event.objects.count()
    for repeat in range(1, 4):
        receipt = post(source, alert(novelty=repeat), at=AT + repeat * MINUTE)
        assert receipt.count(Outcome.REPEATED) == 1
    row = Alert.objects.get()
    assert (row.repeat_count, row.last_seen_at, row.incident) == (3, AT + 3 * MINUTE, only_incident())
    assert row.last_payload is not None
    assert row.last_payload["alert"]["novelty"] == 3
    assert "novelty" not in row.payload["alert"]
    assert Event.objects.count() == events


def test_recovery_resolves_by_the_desks_own_job(source: AlertSource) -> None:
    post(source, alert())
    receipt = post(source, alert(status="resolved"), at=AT + MINUTE)
    incident = only_incident()
    assert receipt.count(Outcome.RESOLVED) == 1
    assert (incident.state, incident.resolution_code, incident.resolved_by) == ("resolved", "recovered", None)
    resolved = Event.objects.get(kind="incident.resolved")
    assert (resolved.actor_kind, resolved.on_behalf_of) == ("job", source.name)


@pytest.mark.parametrize(
    ("policy", "acknowledged", "state"),
    [
        (OnRecovery.RESOLVE, True, "resolved"),
        (OnRecovery.RESOLVE_UNHELD, False, "resolved"),
        (OnRecovery.RESOLVE_UNHELD, True, "in_progress"),
        (OnRecovery.PROPOSE, False, "new"),
    ],
)
def test_the_sources_policy_resolves_or_proposes(policy: str, acknowledged: bool, state: str) -> None:
    source = AlertSourceFactory(on_recovery=policy)
    post(source, alert())
    if acknowledged:
        manager = actor_for(UserFactory(roles=["incident_manager"]))
        incidents.actions.acknowledge(incident=only_incident(), by=manager, at=AT + MINUTE)
    post(source, alert(status="resolved"), at=AT + 2 * MINUTE)
    assert only_incident().state == state
    assert Event.objects.filter(kind="alert.recovery_proposed").exists() is (state != "resolved")


def test_what_a_person_ended_stays_ended_when_the_alert_recovers(source: AlertSource) -> None:
    post(source, alert())
    incidents.actions.cancel(incident=only_incident(), reason="mistake", by=SYSTEM, at=AT + MINUTE)
    assert post(source, alert(status="resolved"), at=AT + 2 * MINUTE).count(Outcome.RECOVERED) == 1
    assert only_incident().state == "cancelled"


def test_the_same_alert_again_while_resolved_reopens(source: AlertSource) -> None:
    post(source, alert())
    post(source, alert(status="resolved"), at=AT + MINUTE)
    assert post(source, alert(), at=AT + 2 * MINUTE).count(Outcome.REOPENED) == 1
    incident = only_incident()
    assert (incident.state, incident.reopen_count) == ("in_progress", 1)
    assert list(Alert.objects.order_by("id").values_list("state", "incident")) == [
        ("resolved", incident.pk), ("firing", incident.pk)
    ]  # fmt: skip


def test_an_alert_that_still_fires_reopens_what_a_person_resolved(source: AlertSource) -> None:
    post(source, alert())
    incidents.actions.resolve(incident=only_incident(), code="fixed", by=SYSTEM, at=AT + MINUTE)
    assert post(source, alert(), at=AT + 2 * MINUTE).count(Outcome.REOPENED) == 1
    assert (only_incident().state, Alert.objects.get().repeat_count) == ("in_progress", 1)


def test_the_same_alert_after_closing_opens_a_linked_incident(source: AlertSource) -> None:
    post(source, alert())
    post(source, alert(status="resolved"), at=AT + MINUTE)
    first = only_incident()
    incidents.actions.close(incident=first, by=SYSTEM, at=AT + 2 * MINUTE)
    receipt = post(source, alert(), at=AT + 3 * MINUTE)
    second = Incident.objects.exclude(pk=first.pk).get()
    assert receipt.count(Outcome.LINKED) == 1
    assert (second.recurrence_of, second.state) == (first, "new")
    assert Event.objects.get(kind="incident.recurred").data == {"recurrence": second.reference}


def test_an_alert_that_still_fires_after_closing_begins_anew(source: AlertSource) -> None:
    post(source, alert())
    first = only_incident()
    incidents.actions.resolve(incident=first, code="fixed", by=SYSTEM, at=AT + MINUTE)
    incidents.actions.close(incident=first, by=SYSTEM, at=AT + 2 * MINUTE)
    assert post(source, alert(), at=AT + 3 * MINUTE).count(Outcome.LINKED) == 1
    assert Alert.objects.firing().count() == 1
    assert Alert.objects.count() == 2


def test_repeats_of_a_cancelled_incident_are_only_counted_until_it_recovers(source: AlertSource) -> None:
    post(source, alert())
    incidents.actions.cancel(incident=only_incident(), reason="not_an_incident", by=SYSTEM, at=AT + MINUTE)
    assert post(source, alert(), at=AT + 2 * MINUTE).count(Outcome.REPEATED) == 1
    post(source, alert(status="resolved"), at=AT + 3 * MINUTE)
    assert post(source, alert(), at=AT + 4 * MINUTE).count(Outcome.OPENED) == 1


def test_a_mixed_group_is_worked_alert_by_alert(source: AlertSource) -> None:
    post(source, alert("a"), alert("b"), alert("c"))
    receipt = post(source, alert("a"), alert("b", "resolved"), alert("d"), at=AT + MINUTE)
    assert receipt.outcomes == {Outcome.REPEATED: 1, Outcome.RESOLVED: 1, Outcome.OPENED: 1}
    states = dict(Incident.objects.values_list("title", "state"))
    assert states == {"a is wrong": "new", "b is wrong": "resolved", "c is wrong": "new", "d is wrong": "new"}


def test_a_resolved_message_does_not_touch_members_that_it_omits(source: AlertSource) -> None:
    post(source, alert("a"), alert("b"))
    post(source, alert("a", "resolved"), at=AT + MINUTE)
    assert Incident.objects.get(title="b is wrong").state == "new"


def test_a_cut_off_resolved_message_closes_all_of_its_group(source: AlertSource) -> None:
    post(source, alert("a"), alert("b"))
    post(source, alert("other"), groupKey="another")
    receipt = post(source, alert("a", "resolved"), at=AT + MINUTE, truncatedAlerts=1)
    assert receipt.outcomes == {Outcome.RESOLVED: 2}
    assert Incident.objects.get(title="other is wrong").state == "new"


def test_a_cut_off_firing_message_closes_nothing(source: AlertSource) -> None:
    post(source, alert("a"), alert("b"))
    post(source, alert("a"), at=AT + MINUTE, truncatedAlerts=1)
    assert Alert.objects.firing().count() == 2


def test_a_grouping_source_opens_one_incident_for_a_group() -> None:
    source = AlertSourceFactory(grouping=Grouping.GROUP)
    assert post(source, alert("a"), alert("b")).outcomes == {Outcome.OPENED: 1, Outcome.ATTACHED: 1}
    assert post(source, alert("a", "resolved"), at=AT + MINUTE).outcomes == {Outcome.RECOVERED: 1}
    assert only_incident().state == "new"
    assert post(source, alert("b", "resolved"), at=AT + 2 * MINUTE).outcomes == {Outcome.RESOLVED: 1}
    assert only_incident().state == "resolved"


def test_a_group_whose_last_alert_recovers_while_another_fires_stays_open() -> None:
    source = AlertSourceFactory(grouping=Grouping.GROUP)
    post(source, alert("a"))
    post(source, alert("a", "resolved"), alert("b"), at=AT + MINUTE)
    assert (only_incident().state, only_incident().reopen_count) == ("new", 0)


def test_an_alert_that_stands_twice_in_a_message_is_worked_in_order(source: AlertSource) -> None:
    receipt = post(source, alert("a"), alert("a"), alert("a", "resolved"))
    assert receipt.outcomes == {Outcome.OPENED: 1, Outcome.REPEATED: 1, Outcome.RESOLVED: 1}


def test_a_recovery_of_something_unknown_is_kept_and_opens_nothing(source: AlertSource) -> None:
    for _ in range(2):
        assert post(source, alert(status="resolved")).outcomes == {Outcome.UNMATCHED: 1}
    assert Alert.objects.get().state == "resolved"
    assert not Incident.objects.exists()


def test_two_sources_do_not_share_fingerprints(source: AlertSource) -> None:
    post(source, alert())
    post(AlertSourceFactory(), alert())
    assert Incident.objects.count() == 2


@pytest.mark.parametrize(
    ("severity", "priority"), [("critical", 1), ("CRITICAL", 1), ("error", 2), ("warning", 3), ("info", 5), ("odd", 3)]
)
def test_severity_is_mapped_to_impact_and_urgency(source: AlertSource, severity: str, priority: int) -> None:
    post(source, alert(severity=severity))
    assert only_incident().priority == priority


def test_an_edited_severity_map_counts() -> None:
    source = AlertSourceFactory(severity_label="level", severities={"odd": {"impact": 3, "urgency": 3}})
    post(source, alert(labels={"level": "odd"}))
    assert only_incident().priority == 5


def test_a_severity_that_no_longer_fits_the_matrix_loses_no_alert() -> None:
    source = AlertSourceFactory(severities={"critical": {"impact": 9, "urgency": 9}})
    post(source, alert())
    assert only_incident().state == "new"


def test_service_and_team_come_from_the_source() -> None:
    service, team = ServiceFactory(), TeamFactory()
    source = AlertSourceFactory(service=service, team=team)
    post(source, alert())
    assert (only_incident().service, only_incident().team) == (service, team)


def test_a_label_may_name_the_service() -> None:
    payments = ServiceFactory(slug="payments", owner_team=TeamFactory())
    source = AlertSourceFactory(service=ServiceFactory(), service_label="app")
    post(source, alert(labels={"app": "payments"}))
    assert (only_incident().service, only_incident().team) == (payments, payments.owner_team)


def test_a_retired_service_or_team_loses_no_alert() -> None:
    source = AlertSourceFactory(service=ServiceFactory(is_active=False), team=TeamFactory(is_active=False))
    post(source, alert())
    assert only_incident().service is None


def test_past_the_storm_limit_new_alerts_share_one_incident_and_are_counted() -> None:
    source = AlertSourceFactory(storm_limit=2)
    receipt = post(source, *(alert(name) for name in "abcde"))
    assert receipt.outcomes == {Outcome.OPENED: 2, Outcome.SUPPRESSED: 3}
    storm = Incident.objects.get(title=f"Alert storm from {source.name}")
    assert Incident.objects.count() == 3
    assert Alert.objects.filter(is_suppressed=True, incident=storm).count() == 3
    assert Event.objects.filter(kind="alert_source.storm_began").count() == 1
    post(source, *(alert(name, "resolved") for name in "cde"), at=AT + MINUTE)
    assert Incident.objects.get(pk=storm.pk).state == "resolved"
    assert post(source, alert("c"), at=AT + 2 * MINUTE).count(Outcome.OPENED) == 1


def test_a_drill_source_opens_drills() -> None:
    post(AlertSourceFactory(is_drill=True), alert())
    assert only_incident().is_drill


def test_the_fast_path_counts_repeats_and_gives_back_the_rest(source: AlertSource) -> None:
    post(source, alert("a"), alert("b"))
    body = message(alert("a"), alert("b", "resolved"), alert("c"))
    receipt, rest = alerts.actions.count_repeats(source=source, payload=body, by=actor_of(source), at=AT + MINUTE)
    assert receipt.outcomes == {Outcome.REPEATED: 1}
    assert [one.fingerprint for one in rest.alerts] == ["fp-b", "fp-c"]
    assert Alert.objects.get(fingerprint="fp-a").repeat_count == 1


def test_a_switched_off_source_is_refused(source: AlertSource) -> None:
    source.is_active = False
    with pytest.raises(SourceInactive):
        post(source, alert())


def test_a_body_that_cannot_be_understood_changes_nothing(source: AlertSource) -> None:
    with pytest.raises(Invalid) as refused:
        post(source, alert("a"), alert("b", labels={"x": {}}))
    assert refused.value.field == "alerts[1].labels.x"
    assert not Alert.objects.exists()


def test_an_alert_tells_its_incidents_timeline(source: AlertSource) -> None:
    post(source, alert())
    fired = Event.objects.get(kind="alert.fired")
    assert (fired.about_type, fired.about_id) == ("incidents.incident", only_incident().pk)
    assert fired.data["outcome"] == "opened"


def test_a_source_is_created_with_a_key_that_is_only_shown_once(admin: Actor) -> None:
    source, key = alerts.actions.create_source(
        values={"name": "Prometheus", "adapter": "alertmanager"}, by=admin, at=AT
    )
    assert key.startswith(f"{source.key_prefix}_")
    assert key not in str(source.__dict__)
    assert alerts.queries.source_of_key(key) == source


def test_a_rotated_key_replaces_the_old_one(admin: Actor) -> None:
    source, old = alerts.actions.create_source(values={"name": "P", "adapter": "generic"}, by=admin, at=AT)
    _, new = alerts.actions.rotate_key(source=source, by=admin, at=AT)
    assert alerts.queries.source_of_key(old) is None
    assert alerts.queries.source_of_key(new) == source


@pytest.mark.parametrize(
    "severities",
    [[], {"a": 1}, {"a": {"impact": 1}}, {"a": {"impact": "1", "urgency": 1}}, {"a": {"impact": True, "urgency": 1}}],
)
def test_a_bad_severity_map_is_refused(admin: Actor, severities: object) -> None:
    with pytest.raises(Invalid) as refused:
        alerts.actions.create_source(
            values={"name": "P", "adapter": "generic", "severities": severities}, by=admin, at=AT
        )
    assert refused.value.field == "severities"


def test_only_an_admin_sets_up_sources() -> None:
    agent = actor_for(UserFactory(roles=["agent"]))
    with pytest.raises(Forbidden):
        alerts.actions.create_source(values={"name": "P", "adapter": "generic"}, by=agent, at=AT)
    with pytest.raises(Forbidden):
        alerts.actions.rotate_key(source=AlertSourceFactory(), by=agent, at=AT)
