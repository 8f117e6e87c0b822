"""Webhooks end to end: what is read, what is told to whom, in which order, and what happens when nobody answers."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from standardwebhooks import Webhook

import incidents.actions
from audit.actions import Forbidden, Invalid
from audit.actor import SYSTEM
from audit.models import Event
from incidents.api.shown import INTERNAL
from incidents.models import Incident
from integrations import actions, tasks
from integrations.models import EndpointState, WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookLane
from notify.models import Message
from tests.accounts.factories import TeamFactory, UserFactory
from tests.incidents.factories import AT, IncidentFactory, later, person
from tests.integrations.factories import WebhookEndpointFactory, secret_of
from tests.notify.factories import Provider, running_provider

pytestmark = pytest.mark.django_db


@pytest.fixture
def receiver(settings: Any) -> Iterator[Provider]:
    settings.SERVICEDESK_OUTGOING_ALLOW = ["127.0.0.0/8"]
    with running_provider() as provider:
        yield provider


@pytest.fixture
def endpoint(receiver: Provider) -> WebhookEndpoint:
    tasks.sweep_webhooks(at=AT)
    made: WebhookEndpoint = WebhookEndpointFactory(url=receiver.url)
    return made


def got(receiver: Provider) -> list[dict[str, Any]]:
    return [json.loads(text) for text in receiver.texts]


def kinds(receiver: Provider) -> list[Any]:
    return [body["type"] for body in got(receiver)]


def resolved(incident: Incident, at: dt.datetime) -> Incident:
    return incidents.actions.resolve(incident=incident, by=SYSTEM, at=at, code="fixed", notes="Paper.")


def fresh(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    return WebhookEndpoint.objects.get(pk=endpoint.pk)


def test_a_receiver_can_verify_what_it_gets(endpoint: WebhookEndpoint, receiver: Provider) -> None:
    incident = IncidentFactory()
    tasks.sweep_webhooks()
    told = Webhook(secret_of(endpoint)).verify(receiver.texts[0], receiver.headers[0])
    event = Event.objects.get(kind="incident.opened", about_id=incident.pk)
    assert (told["type"], told["event"], told["form"]) == ("incident.opened", event.pk, 1)
    assert told["data"]["incident"]["reference"] == incident.reference
    assert told["data"]["incident"]["version"] == incident.version
    assert "details" not in told["data"]


def test_each_event_comes_once_and_in_order(endpoint: WebhookEndpoint, receiver: Provider) -> None:
    incident = IncidentFactory()
    resolved(incident, later(hours=1))
    for _ in range(3):
        tasks.sweep_webhooks(at=later(hours=2))
    numbers = [body["event"] for body in got(receiver)]
    assert numbers == sorted(set(numbers))
    assert kinds(receiver)[0] == "incident.opened"
    assert "incident.resolved" in kinds(receiver)
    assert not WebhookLane.objects.exclude(next_attempt_at=None).exists()


def test_the_next_event_of_an_incident_waits_for_the_one_before(endpoint: WebhookEndpoint, receiver: Provider) -> None:
    receiver.status = 500
    one, other = IncidentFactory(), IncidentFactory()
    resolved(one, AT)
    tasks.sweep_webhooks(at=AT)
    assert [(body["type"], body["data"]["incident"]["reference"]) for body in got(receiver)] == [
        ("incident.opened", one.reference), ("incident.opened", other.reference),
    ]  # fmt: skip
    receiver.status = 200
    tasks.sweep_webhooks(at=AT)
    assert len(receiver.texts) == 2
    tasks.sweep_webhooks(at=later(seconds=7))
    mine = [body["type"] for body in got(receiver)[2:] if body["data"]["incident"]["reference"] == one.reference]
    assert mine[0] == "incident.opened"
    assert "incident.resolved" in mine


def test_a_repeat_carries_the_same_id_and_content(endpoint: WebhookEndpoint, receiver: Provider) -> None:
    receiver.status = 503
    IncidentFactory()
    tasks.sweep_webhooks(at=AT)
    receiver.status = 204
    tasks.sweep_webhooks(at=later(seconds=7))
    assert receiver.headers[0]["webhook-id"] == receiver.headers[1]["webhook-id"]
    assert receiver.texts[0] == receiver.texts[1]
    calls = WebhookAttempt.objects.values_list("outcome", "status")
    assert list(calls) == [("failed", 503), ("ok", 204)]


def test_a_receiver_that_is_down_for_a_day_gets_everything_once_it_is_up(
    endpoint: WebhookEndpoint, receiver: Provider
) -> None:
    receiver.status = 502
    some = [IncidentFactory() for _ in range(5)]
    for hour in range(25):
        if hour == 3:
            for one in some:
                resolved(one, later(hours=3))
        tasks.sweep_webhooks(at=later(hours=hour))
    tried = len(receiver.texts)
    assert tried < 60
    receiver.status = 200
    tasks.sweep_webhooks(at=later(hours=25))
    since = got(receiver)[tried:]
    wanted = Event.objects.filter(kind__startswith="incident.", about_id__in=[one.pk for one in some])
    assert sorted(body["event"] for body in since) == sorted(wanted.values_list("pk", flat=True))
    for one in some:
        mine = [body["event"] for body in since if body["data"]["incident"]["reference"] == one.reference]
        assert mine == sorted(mine)
    assert fresh(endpoint).failures == 0


def test_one_message_that_is_always_refused_keeps_only_its_incident_waiting_and_is_given_up(
    endpoint: WebhookEndpoint, receiver: Provider
) -> None:
    receiver.status = 400
    poison = IncidentFactory()
    at = AT
    for hours in (0, 1, 2, 6, 14, 30, 45, 70, 100, 130, 160):
        at = later(hours=hours)
        receiver.status = 400
        tasks.sweep_webhooks(at=at)
        receiver.status = 200
        IncidentFactory(at=at)
        tasks.sweep_webhooks(at=at)
    delivery = WebhookDelivery.objects.get(incident=poison, kind="incident.opened")
    assert (delivery.state, delivery.attempts, delivery.last_status) == ("failed", 11, 400)
    assert Event.objects.filter(kind="webhook.given_up").count() == 1
    assert fresh(endpoint).state == EndpointState.ACTIVE


def test_retry_after_holds_the_whole_endpoint(endpoint: WebhookEndpoint, receiver: Provider) -> None:
    receiver.status, receiver.answer_headers = 429, {"Retry-After": "120"}
    IncidentFactory(), IncidentFactory()
    tasks.sweep_webhooks(at=AT)
    assert len(receiver.texts) == 1
    receiver.status = 200
    tasks.sweep_webhooks(at=later(seconds=119))
    assert len(receiver.texts) == 1
    tasks.sweep_webhooks(at=later(seconds=121))
    assert len(receiver.texts) == 3


def test_410_switches_off_and_tells_the_admins(endpoint: WebhookEndpoint, receiver: Provider) -> None:
    admin = UserFactory(roles=["admin"], locale="es")
    receiver.status = 410
    IncidentFactory()
    tasks.sweep_webhooks(at=AT)
    assert fresh(endpoint).state == EndpointState.DISABLED
    notice = Message.objects.get(address=admin.email)
    assert endpoint.name in notice.subject
    assert Event.objects.get(kind="webhook.disabled").data == {"told": [admin.pk]}
    tasks.sweep_webhooks(at=later(days=1))
    assert len(receiver.texts) == 1
    assert mail.outbox == []


def test_lasting_failure_switches_off_loudly_and_nothing_queued_is_lost(
    endpoint: WebhookEndpoint, receiver: Provider
) -> None:
    UserFactory(roles=["admin"])
    receiver.status = 500
    for hour in range(0, 125, 12):
        IncidentFactory(at=later(hours=hour))
        tasks.sweep_webhooks(at=later(hours=hour))
    assert fresh(endpoint).state == EndpointState.DISABLED
    assert Message.objects.filter(topic=f"webhook:{endpoint.pk}").count() == 1
    late = IncidentFactory(at=later(hours=126))
    tasks.sweep_webhooks(at=later(hours=126))
    receiver.status = 200
    by = person(None, "admin")
    actions.enable_webhook(endpoint=endpoint, by=by, at=later(hours=127))
    actions.replay_since(endpoint=endpoint, since=AT, by=by, at=later(hours=127))
    receiver.texts.clear()
    tasks.sweep_webhooks(at=later(hours=127))
    assert late.reference in {body["data"]["incident"]["reference"] for body in got(receiver)}
    assert not WebhookDelivery.objects.exclude(state="delivered").exists()


def test_an_unknown_outcome_is_tried_again_under_the_same_id(endpoint: WebhookEndpoint, receiver: Provider) -> None:
    receiver.is_silent = True
    IncidentFactory()
    tasks.sweep_webhooks(at=AT)
    receiver.is_silent = False
    tasks.sweep_webhooks(at=later(seconds=7))
    assert len({one["webhook-id"] for one in receiver.headers}) == 1
    assert list(WebhookAttempt.objects.values_list("outcome", flat=True)) == ["uncertain", "ok"]


def test_an_inside_address_is_refused_and_nothing_arrives(receiver: Provider, settings: Any) -> None:
    tasks.sweep_webhooks(at=AT)
    WebhookEndpointFactory(url=receiver.url)
    settings.SERVICEDESK_OUTGOING_ALLOW = []
    IncidentFactory()
    tasks.sweep_webhooks(at=AT)
    assert receiver.texts == []
    assert "may not call" in WebhookDelivery.objects.get().last_error


def test_only_the_kinds_that_are_asked_for(receiver: Provider) -> None:
    tasks.sweep_webhooks(at=AT)
    WebhookEndpointFactory(url=receiver.url, kinds=["incident.resolved"])
    resolved(IncidentFactory(), AT)
    tasks.sweep_webhooks(at=AT)
    assert kinds(receiver) == ["incident.resolved"]


def test_it_gets_nothing_that_happened_before_it(receiver: Provider) -> None:
    tasks.sweep_webhooks(at=AT)
    IncidentFactory()
    actions.create_webhook(values={"name": "New", "url": receiver.url, "kinds": ["*"]}, by=person(None, "admin"), at=AT)
    tasks.sweep_webhooks(at=AT)
    assert receiver.texts == []


def test_imported_incidents_and_drills_are_never_told(endpoint: WebhookEndpoint, receiver: Provider) -> None:
    IncidentFactory(is_drill=True)
    tasks.sweep_webhooks(at=AT)
    assert receiver.texts == []


def test_internal_notes_are_told_only_where_allowed(endpoint: WebhookEndpoint, receiver: Provider) -> None:
    WebhookEndpointFactory(url=receiver.url, includes_internal=True, name="Internal")
    incident = IncidentFactory()
    incidents.actions.comment(incident=incident, body="It was Bob", is_public=False, by=SYSTEM, at=AT)
    incidents.actions.comment(incident=incident, body="We are on it", is_public=True, by=SYSTEM, at=AT)
    actions.capture_events(by=SYSTEM, at=AT)
    told = {
        name: [one.payload["data"]["text"] for one in WebhookDelivery.objects.filter(
            endpoint__name=name, kind="incident.commented").order_by("id")]
        for name in (endpoint.name, "Internal")
    }  # fmt: skip
    assert told == {endpoint.name: ["We are on it"], "Internal": ["It was Bob", "We are on it"]}


def test_it_reads_with_its_persons_eyes_and_asks_again_before_each_call(receiver: Provider) -> None:
    tasks.sweep_webhooks(at=AT)
    reader = UserFactory(roles=["requester"])
    WebhookEndpointFactory(url=receiver.url, reader=reader)
    mine, _other = IncidentFactory(requester=reader), IncidentFactory()
    actions.capture_events(by=SYSTEM, at=AT)
    assert {one.incident for one in WebhookDelivery.objects.all()} == {mine}
    assert not any(one.payload["data"]["incident"]["source_label"] for one in WebhookDelivery.objects.all())
    Incident.objects.filter(pk=mine.pk).update(requester=None)
    tasks.send_due(at=AT)
    assert receiver.texts == []
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"cancelled"}


def test_a_paused_one_gets_later_what_happened_meanwhile(endpoint: WebhookEndpoint, receiver: Provider) -> None:
    by = person(None, "admin")
    actions.pause_webhook(endpoint=endpoint, by=by, at=AT)
    IncidentFactory()
    tasks.sweep_webhooks(at=AT)
    assert receiver.texts == []
    actions.enable_webhook(endpoint=endpoint, by=by, at=AT)
    tasks.sweep_webhooks(at=AT)
    assert "incident.opened" in kinds(receiver)


def test_a_test_is_signed_like_any_other(endpoint: WebhookEndpoint, receiver: Provider) -> None:
    actions.send_test(endpoint=endpoint, by=person(None, "admin"), at=AT)
    tasks.sweep_webhooks()
    assert Webhook(secret_of(endpoint)).verify(receiver.texts[0], receiver.headers[0])["type"] == "webhook.test"


def test_a_replay_sends_the_same_again(endpoint: WebhookEndpoint, receiver: Provider) -> None:
    IncidentFactory()
    tasks.sweep_webhooks(at=AT)
    delivery = WebhookDelivery.objects.get()
    actions.replay_delivery(delivery=delivery, by=person(None, "admin"), at=AT)
    tasks.sweep_webhooks(at=AT)
    assert receiver.texts[0] == receiver.texts[1]
    assert WebhookAttempt.objects.filter(delivery=delivery).count() == 2


def test_both_keys_sign_while_rotating_and_the_old_one_ends(endpoint: WebhookEndpoint, receiver: Provider) -> None:
    old, by = secret_of(endpoint), person(None, "admin")
    now = dt.datetime.now(dt.UTC)
    rotated, new = actions.rotate_webhook_key(endpoint=endpoint, by=by, at=now, overlap=dt.timedelta(hours=1))
    actions.send_test(endpoint=rotated, by=by, at=now)
    tasks.sweep_webhooks(at=now)
    for secret in (old, new):
        Webhook(secret).verify(receiver.texts[0], receiver.headers[0])
    actions.send_test(endpoint=rotated, by=by, at=now)
    tasks.sweep_webhooks(at=now + dt.timedelta(hours=2))
    assert len(receiver.headers[1]["webhook-signature"].split()) == 1


def test_no_key_stands_in_the_database(endpoint: WebhookEndpoint) -> None:
    made, secret = actions.create_webhook(
        values={"name": "Key", "url": endpoint.url, "kinds": ["*"]}, by=person(None, "admin"), at=AT
    )
    with connection.cursor() as cursor:
        for table in ("integrations_webhookendpoint", "integrations_historicalwebhookendpoint", "audit_event"):
            cursor.execute(f"select string_agg(x::text, ' ') from {table} x")
            dump = cursor.fetchone()[0]
            assert secret not in dump
            assert secret.removeprefix("whsec_") not in dump
    assert secret_of(made) == secret


def test_a_replaced_key_of_the_desk_switches_off_loudly(
    endpoint: WebhookEndpoint, receiver: Provider, settings: Any
) -> None:
    IncidentFactory()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    tasks.sweep_webhooks(at=AT)
    assert len(receiver.texts) == 1
    settings.SECRET_KEY_FALLBACKS = []
    IncidentFactory()
    tasks.sweep_webhooks(at=AT)
    assert fresh(endpoint).state == EndpointState.DISABLED
    assert "own key" in fresh(endpoint).disabled_because


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"url": "ftp://example.org"}, "url"), ({"url": "https://user:pw@example.org/"}, "url"),
        ({"url": "http://169.254.169.254/"}, "url"), ({"url": "http://[::1]/"}, "url"), ({"kinds": []}, "kinds"),
        ({"kinds": ["incident"]}, "kinds"), ({"kinds": ["nothing.*"]}, "kinds"), ({"state": "paused"}, "state"),
        ({"key_salt": b""}, "key_salt"), ({"name": ""}, "name"),
    ],
)  # fmt: skip
def test_what_can_not_be_set_up(values: dict[str, Any], field: str) -> None:
    usual = {"name": "Bad", "url": "https://hooks.example.org/", "kinds": ["*"]}
    with pytest.raises(Invalid) as refusal:
        actions.create_webhook(values=usual | values, by=person(None, "admin"), at=AT)
    assert refusal.value.field == field
    assert not WebhookEndpoint.objects.exists()


@pytest.mark.parametrize("role", ["requester", "agent", "lead", "manager", "auditor", "integration"])
def test_nobody_but_an_admin_sets_up(role: str) -> None:
    with pytest.raises(Forbidden):
        actions.create_webhook(
            values={"name": "X", "url": "https://hooks.example.org/", "kinds": ["*"]}, by=person(None, role), at=AT
        )


def test_old_deliveries_are_forgotten_with_their_content(endpoint: WebhookEndpoint, receiver: Provider) -> None:
    IncidentFactory()
    tasks.sweep_webhooks(at=AT)
    assert tasks.prune_webhooks(at=later(days=29)) == 0
    assert tasks.prune_webhooks(at=later(days=31)) > 0
    assert not WebhookDelivery.objects.exists()


def test_reading_many_events_takes_as_many_statements_as_few(endpoint: WebhookEndpoint) -> None:
    IncidentFactory()
    for _ in range(3):
        actions.capture_events(by=SYSTEM, at=AT)
    counts = []
    for number in (10, 60):
        for _ in range(number):
            IncidentFactory()
        with CaptureQueriesContext(connection) as queries:
            actions.capture_events(by=SYSTEM, at=AT)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 14


def test_a_webhook_adds_no_statement_to_a_logged_incident(receiver: Provider) -> None:
    team = TeamFactory()
    IncidentFactory(team=team)
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            IncidentFactory(team=team)
        counts.append(len(queries))
        WebhookEndpointFactory(url=receiver.url)
    assert counts[0] == counts[1]


def test_the_content_is_what_the_api_shows(endpoint: WebhookEndpoint, client: Any) -> None:
    incident = IncidentFactory()
    actions.capture_events(by=SYSTEM, at=AT)
    told = json.loads(json.dumps(WebhookDelivery.objects.get().payload["data"]["incident"]))
    client.force_login(UserFactory(roles=["admin"]))
    shown = client.get(f"/api/v1/incidents/{incident.reference}/").json()
    assert set(told) == set(shown)
    assert {name for name in told if told[name] != shown[name]} <= set(INTERNAL)
