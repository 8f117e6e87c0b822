"""The whole promise by the public interfaces: alert, page, silence, level two, a tap, recovery, post-mortem."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

import audit.tasks
import incidents.tasks
import notify.tasks
import oncall.tasks
import sla.tasks
from accounts.models import User
from audit.models import Delivery, Event
from audit.queries import history_faults
from audit.subscriptions import declared_kinds
from incidents.models import Incident
from notify.models import MailboxMail, Message
from servicedesk.watchdog import violations
from tests.accounts.factories import ApiKeyFactory, UserFactory, bearer

pytestmark = pytest.mark.django_db

START = dt.datetime(2026, 3, 4, 2, 10, tzinfo=dt.UTC)
API = "/api/v1"
PROBLEM = "application/problem+json"


class Clock:
    """The one clock of the requests; what beat would wake is woken when time passes."""

    def __init__(self) -> None:
        self.at = START

    def pass_time(self, minutes: float = 0) -> None:
        self.at += dt.timedelta(minutes=minutes)
        for sweep in (
            incidents.tasks.sweep, sla.tasks.sweep, oncall.tasks.sweep, notify.tasks.send_due,
            audit.tasks.sweep_deliveries,
        ):  # fmt: skip
            sweep(at=self.at)
        assert violations(self.at) == []


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(timezone, "now", lambda: found.at)
    return found


@pytest.fixture(autouse=True)
def _mailbox(settings: Any) -> None:
    settings.EMAIL_BACKEND = "notify.channels.mailbox.EmailBackend"
    settings.SERVICEDESK_MAILBOX = True


def client_of(user: User) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=bearer(ApiKeyFactory(user=user)))
    return client


def made(client: APIClient, resource: str, body: dict[str, Any] | None = None, status: int = 201) -> Any:
    answer = client.post(f"{API}/{resource}/", body or {}, format="json")
    assert answer.status_code == status, answer.content
    return answer.json()


def set_up(admin: APIClient) -> str:
    """Two people, a service, a policy and a source, all by REST; the address of the intake."""
    team = made(admin, "teams", {"name": "Platform", "slug": "platform", "tier": 3})
    people = []
    for name in ("olu", "wen"):
        person = made(admin, "users", {"email": f"{name}@example.org", "name": name.title(), "roles": ["responder"]})
        contact = made(admin, "contacts", {"user": person["id"], "channel": "mail", "address": person["email"]})
        made(admin, f"contacts/{contact['id']}/vouch", {"reason": "known for years"}, 200)
        made(admin, f"teams/{team['id']}/set-member", {"user": person["id"]}, 200)
        people.append(person["id"])
    service = made(
        admin, "services", {"name": "Payments", "slug": "payments", "owner_team": team["id"], "criticality": 1}
    )
    levels = [{"delay_s": 300, "targets": [{"user": one}]} for one in people]
    policy = made(
        admin, "escalation-policies", {"name": "Payments 24x7", "levels": levels, "fallback_team": team["id"]}
    )
    made(admin, f"escalation-policies/{policy['id']}/assign", {"service": service["id"]}, 200)
    source = made(admin, "alert-sources", {"name": "Monitoring", "adapter": "generic", "service": service["id"]})
    return f"intake/{source['key']}"


def link_to(name: str) -> str:
    mail = MailboxMail.objects.filter(recipients__contains=[f"{name}@example.org"]).order_by("-id")[0]
    found = re.search(r"(/r/[A-Za-z0-9_-]+/)", mail.body)
    assert found
    return found[1]


def told() -> list[str]:
    """Who was mailed because of a page, in order."""
    pages = Message.objects.filter(topic__startswith="page:", state="sent").order_by("sent_at", "id")
    return [one.address.partition("@")[0] for one in pages]


def write_up(client: APIClient, url: str, owner: int) -> None:
    for section in client.get(f"{url}sections/").json()["results"]:
        if section["kind"] == "text":
            made(client, f"{url}sections"[len(API) + 1 :], {"position": section["position"], "body": "Known."}, 200)
    item = {"title": "Alert on queue depth", "owner": owner, "due_on": "2026-03-20", "verification": "Fire it."}
    made(client, f"{url}action-items"[len(API) + 1 :], item)
    assert client.patch(url, {"owner": owner}, format="json").status_code == 200


def test_a_report_becomes_a_confirmed_response_and_a_post_mortem(clock: Clock) -> None:
    admin = client_of(UserFactory(roles=["admin"]))
    intake = set_up(admin)
    alert = {"title": "Payment gateway returns 502", "severity": "critical", "fingerprint": "gateway-502"}

    (reference,) = made(admin, intake, alert, 200)["incidents"]
    clock.pass_time()
    assert told() == ["olu"]
    made(admin, intake, alert, 200)  # it still fires: counted, and nobody is paged for it again
    clock.pass_time(5)
    assert told() == ["olu", "wen"]

    link, phone = link_to("wen"), Client(enforce_csrf_checks=True)
    assert phone.get(link).status_code == 200
    incident = admin.get(f"{API}/incidents/{reference}/").json()
    assert (incident["state"], incident["acknowledged_at"], incident["priority"]) == ("new", None, 1)
    assert phone.post(link, {"verb": "acknowledge"}).status_code == 200
    assert phone.post(link, {"verb": "acknowledge"}).status_code == 200
    incident = admin.get(f"{API}/incidents/{reference}/").json()
    wen = User.objects.get(email="wen@example.org")
    assert (incident["state"], incident["assignee"]) == ("in_progress", wen.pk)

    clock.pass_time(240)
    assert told() == ["olu", "wen"]
    assert not Message.objects.filter(topic__startswith="page:", state="queued").exists()
    (page,) = admin.get(f"{API}/pages/", {"incident": reference}).json()["results"]
    assert (page["state"], page["acknowledged_by"], page["round"], page["level"]) == ("acknowledged", wen.pk, 1, 2)

    made(admin, intake, {**alert, "status": "resolved"}, 200)
    clock.pass_time()
    assert admin.get(f"{API}/incidents/{reference}/").json()["state"] == "resolved"
    (page,) = admin.get(f"{API}/pages/", {"incident": reference}).json()["results"]
    assert page["state"] == "resolved"
    met = {
        one["target"]: one["state"] for one in admin.get(f"{API}/clocks/", {"incident": reference}).json()["results"]
    }
    assert (met["acknowledge"], met["respond"], met["own"]) == ("met", "met", "met")

    publish_what_was_learnt(reference, wen)
    check_the_trail(reference)


def publish_what_was_learnt(reference: str, wen: User) -> None:
    writer, reviewer = (client_of(UserFactory(roles=["incident_manager"])) for _ in range(2))
    (drafted,) = writer.get(f"{API}/postmortems/").json()["results"]
    assert (drafted["incident"], drafted["state"]) == (reference, "draft")
    url = f"{API}/postmortems/{drafted['id']}/"
    entries = writer.get(f"{url}timeline/").json()["results"]
    assert {"incident.opened", "page.notified", "incident.acknowledged", "incident.resolved"} <= {
        one["kind"] for one in entries
    }
    assert all(one["source_event"] for one in entries)
    refused = writer.post(f"{url}publish/")
    assert (refused.status_code, refused["Content-Type"]) == (409, PROBLEM)
    assert {"state", "sections[1]", "sections[6]"} <= {one["field"] for one in refused.json()["missing"]}
    write_up(writer, url, wen.pk)
    assert writer.post(f"{url}submit/").json()["state"] == "in_review"
    assert reviewer.post(f"{url}publish/").json()["state"] == "published"


def check_the_trail(reference: str) -> None:
    """Nothing is owed, everything is attributed and verifies, and every event is what its declaration says."""
    incident = Incident.objects.get(number=int(reference.removeprefix("INC-")))
    assert history_faults(Incident, incident.pk) == []
    assert not Delivery.objects.exists()
    declared = declared_kinds()
    undeclared = {one.kind: set(one.data) - set(declared[one.kind].keys) for one in Event.objects.all()}
    assert {kind: keys for kind, keys in undeclared.items() if keys} == {}
    assert not Event.objects.filter(actor_id="").exists()
    tap = Event.objects.get(kind="incident.acknowledged")
    assert (tap.actor_label, tap.channel) == ("Wen", "link")
