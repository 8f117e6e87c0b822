"""Webhooks by REST and in the admin: keys shown once, the log, and for whom it is."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from audit.actor import SYSTEM
from incidents.models import Incident
from integrations import actions
from integrations.models import WebhookDelivery, WebhookEndpoint
from tests.accounts.factories import ApiKeyFactory, UserFactory, bearer
from tests.incidents.factories import IncidentFactory
from tests.integrations.factories import WebhookAttemptFactory, WebhookEndpointFactory, secret_of

pytestmark = pytest.mark.django_db
NEW = {"name": "Chat", "url": "https://hooks.example.org/in", "kinds": ["incident.*"]}


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(UserFactory(roles=["admin"]))
    return client


def post(client: Client, path: str, body: dict[str, Any] | None = None, **headers: str) -> Any:
    return client.post(f"/api/v1/{path}", body or {}, content_type="application/json", headers=headers)


def test_the_key_is_shown_once_and_never_again(admin: Client) -> None:
    answer = post(admin, "webhooks/", NEW, **{"Idempotency-Key": "k1"})
    assert answer.status_code == 201
    made = answer.json()
    assert made["secret"] == secret_of(WebhookEndpoint.objects.get(pk=made["id"]))
    again = post(admin, "webhooks/", NEW, **{"Idempotency-Key": "k1"})
    assert "secret" not in again.json() or again.json()["secret"] != made["secret"]
    for path in (f"webhooks/{made['id']}/", "webhooks/", f"webhooks/{made['id']}/history/"):
        text = admin.get(f"/api/v1/{path}").content.decode()
        assert made["secret"] not in text
        assert "salt" not in text


def test_its_verbs(admin: Client) -> None:
    endpoint = WebhookEndpointFactory()
    path = f"webhooks/{endpoint.pk}"
    rotated = post(admin, f"{path}/rotate-secret/", {"overlap_hours": 2})
    assert rotated.json()["secret"].startswith("whsec_")
    assert rotated.json()["key_number"] == 2
    assert post(admin, f"{path}/pause/").json()["state"] == "paused"
    assert post(admin, f"{path}/test/").status_code == 409
    assert post(admin, f"{path}/enable/").json()["state"] == "active"
    assert post(admin, f"{path}/test/").status_code == 202
    assert post(admin, f"{path}/replay/", {"since": "2026-01-01T00:00:00Z"}).json() == {"deliveries": 0}
    assert post(admin, f"{path}/rotate-secret/", {"overlap_hours": 169}).status_code == 400


@pytest.mark.parametrize("field", ["state", "key_salt", "secret", "failures", "key_number"])
def test_what_is_not_set_by_hand_is_refused(admin: Client, field: str) -> None:
    assert post(admin, "webhooks/", {**NEW, field: "1"}).status_code == 400
    assert not WebhookEndpoint.objects.exists()


def test_a_stale_change_is_refused(admin: Client) -> None:
    endpoint = WebhookEndpointFactory()
    path = f"/api/v1/webhooks/{endpoint.pk}/"
    for status in (200, 412):
        answer = admin.patch(path, {"name": f"N{status}"}, content_type="application/json", headers={"If-Match": '"1"'})
        assert answer.status_code == status


def test_the_log_shows_content_and_calls_and_replays(admin: Client) -> None:
    call = WebhookAttemptFactory(status=500, outcome="failed", detail="oops")
    delivery = call.delivery
    shown = admin.get(f"/api/v1/webhook-deliveries/{delivery.pk}/").json()
    assert shown["payload"] == {"type": "webhook.test"}
    assert shown["calls"][0]["status"] == 500
    delivery.give_up(call.at)
    delivery.save()
    (row,) = admin.get("/api/v1/webhook-deliveries/?state=failed").json()["results"]
    assert "payload" not in row
    assert post(admin, f"webhook-deliveries/{delivery.pk}/replay/").json()["state"] == "queued"


def test_the_log_hides_incidents_that_its_reader_may_not_see(admin: Client) -> None:
    endpoint, incident = WebhookEndpointFactory(), IncidentFactory()
    row = WebhookDelivery.objects.create(
        endpoint=endpoint, incident=incident, webhook_id="msg_1", kind="incident.opened", payload={},
        created_at=incident.created_at,
    )  # fmt: skip
    assert admin.get(f"/api/v1/webhook-deliveries/{row.pk}/").status_code == 200
    Incident.objects.filter(pk=incident.pk).update(is_restricted=True, restricted_reason="personnel")
    assert admin.get(f"/api/v1/webhook-deliveries/{row.pk}/").status_code == 404
    assert admin.get("/api/v1/webhook-deliveries/").json()["results"] == []


@pytest.mark.parametrize("role", ["requester", "agent", "lead", "responder", "incident_manager", "manager"])
def test_for_others_there_are_none(client: Client, role: str) -> None:
    endpoint = WebhookEndpointFactory()
    client.force_login(UserFactory(roles=[role]))
    assert client.get("/api/v1/webhooks/").json()["results"] == []
    assert client.get(f"/api/v1/webhooks/{endpoint.pk}/").status_code == 404
    assert post(client, "webhooks/", NEW).status_code == 403


def test_an_auditor_reads_and_changes_nothing(client: Client) -> None:
    endpoint = WebhookEndpointFactory()
    client.force_login(UserFactory(roles=["auditor"]))
    assert client.get(f"/api/v1/webhooks/{endpoint.pk}/").status_code == 200
    for verb in ("pause", "test", "rotate-secret"):
        assert post(client, f"webhooks/{endpoint.pk}/{verb}/").status_code == 403


def test_a_key_needs_the_scope(client: Client) -> None:
    admin = UserFactory(roles=["admin"])
    narrow = bearer(ApiKeyFactory(user=admin, scopes=["incidents:write"]))
    wide = bearer(ApiKeyFactory(user=admin, scopes=["webhooks:read"]))
    assert client.get("/api/v1/webhooks/", headers={"Authorization": narrow}).status_code == 403
    assert client.get("/api/v1/webhooks/", headers={"Authorization": wide}).status_code == 200
    assert post(client, "webhooks/", NEW, Authorization=wide).status_code == 403


def test_the_admin_makes_one_and_shows_its_key_once(admin: Client) -> None:
    base = "/admin/integrations/webhookendpoint/"
    answer = admin.post(f"{base}add/", {"name": "Chat", "url": NEW["url"], "kinds": "incident.*,clock.breached"})
    endpoint = WebhookEndpoint.objects.get()
    assert secret_of(endpoint) in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    page = admin.get(f"{base}{endpoint.pk}/change/").content.decode()
    assert "whsec_" not in page
    rotated = admin.post(f"{base}{endpoint.pk}/do/rotate/", {"_version": endpoint.version, "overlap_hours": 1})
    assert secret_of(WebhookEndpoint.objects.get()) in rotated.content.decode()


def test_the_admins_log_opens_and_replays(admin: Client) -> None:
    endpoint = WebhookEndpointFactory()
    actions.send_test(endpoint=endpoint, by=SYSTEM, at=endpoint.history.first().history_date)
    row = WebhookDelivery.objects.get()
    assert admin.get("/admin/integrations/webhookdelivery/").status_code == 200
    assert admin.get(f"/admin/integrations/webhookdelivery/{row.pk}/change/").status_code == 200
    row.cancel("x", row.created_at)
    row.save()
    admin.post(f"/admin/integrations/webhookdelivery/{row.pk}/do/replay/")
    assert WebhookDelivery.objects.get().state == "queued"
