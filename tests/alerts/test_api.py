"""The intake as monitoring sees it, the list of alerts, and their sources."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts import api, body
from alerts.masking import MaskIntakeKeys
from alerts.models import Alert, AlertSource
from incidents.models import Incident
from tests.accounts.factories import ApiKeyFactory, MembershipFactory, TeamFactory, UserFactory
from tests.alerts.factories import AlertFactory, AlertSourceFactory, key_of
from tests.alerts.messages import alert, message
from tests.alerts.test_adapters import bodies
from tests.incidents.factories import IncidentFactory

pytestmark = pytest.mark.django_db
Post = Callable[..., Any]


@pytest.fixture(autouse=True)
def _no_limits() -> None:
    cache.clear()


@pytest.fixture
def source() -> AlertSource:
    return AlertSourceFactory()


@pytest.fixture
def post(client: Client) -> Post:
    def send(source: AlertSource, content: Any, **headers: str) -> Any:
        raw = content if isinstance(content, bytes) else json.dumps(content)
        return client.post(f"/api/v1/intake/{key_of(source)}/", raw, content_type="application/json", headers=headers)

    return send


def refusal(response: Any) -> tuple[int, str]:
    assert response["Content-Type"].startswith("application/problem+json")
    return response.status_code, response.json()["errors"][0]["field"]


def signed_in(client: Client, *roles: str, **fields: Any) -> Client:
    client.force_login(UserFactory(roles=list(roles), **fields))
    return client


def test_a_nul_in_one_label_costs_no_alert(post: Post, source: AlertSource) -> None:
    response = post(source, message(alert("a"), alert("b", labels={"note": "full\x00disk"})))
    assert response.status_code == 200, response.content
    assert response.json()["outcomes"] == {"opened": 2}
    assert response.json()["notes"] == ["NUL was replaced by U+FFFD at alerts[1].labels.note"]
    told = Incident.objects.get(description__contains="full\ufffddisk").description
    assert "stands for a character that no text can hold" in told


def test_a_message_opens_and_answers_with_what_became_of_it(post: Post, source: AlertSource) -> None:
    response = post(source, message(alert("a"), alert("b")))
    assert response.status_code == 200
    references = sorted(one.reference for one in Incident.objects.all())
    assert response.json() == {"outcomes": {"opened": 2}, "incidents": references}


def test_a_long_message_is_worked_in_parts(post: Post, source: AlertSource) -> None:
    assert post(source, message(*(alert(str(n)) for n in range(api.PART + 3)))).json()["outcomes"] == {"opened": 13}
    done = [alert("0", "resolved")]
    assert post(source, message(*done, truncatedAlerts=api.PART + 2)).json()["outcomes"] == {"resolved": 13}


@pytest.mark.parametrize("header", ["X-Intake-Key", "Authorization"])
def test_the_key_may_stand_in_a_header(client: Client, source: AlertSource, header: str) -> None:
    value = key_of(source) if header == "X-Intake-Key" else f"Bearer {key_of(source)}"
    response = client.post(
        "/api/v1/intake/", message(alert()), content_type="application/json", headers={header: value}
    )
    assert response.status_code == 200


def test_any_content_type_is_read_as_json(client: Client, source: AlertSource) -> None:
    response = client.post(
        f"/api/v1/intake/{key_of(source)}/",
        json.dumps(message(alert())),
        content_type="application/x-www-form-urlencoded",
    )
    assert response.json()["outcomes"] == {"opened": 1}


@pytest.mark.parametrize("key", ["sdi_00000000_wrong", "x", "%00", "sdk_1_2"])
def test_an_unknown_key_is_not_found(client: Client, source: AlertSource, key: str) -> None:
    response = client.post(f"/api/v1/intake/{key}/", message(alert()), content_type="application/json")
    assert response.status_code == 404
    assert not Alert.objects.exists()


def test_a_switched_off_source_is_not_found(post: Post) -> None:
    assert refusal(post(AlertSourceFactory(is_active=False), message(alert()))) == (404, "key")


@pytest.mark.usefixtures("one_window")
def test_guessing_keys_is_slowed_down_without_stopping_the_others(client: Client, source: AlertSource) -> None:
    for _ in range(api.UNKNOWN_KEYS):
        client.post("/api/v1/intake/sdi_guess/", b"{}", content_type="application/json")
    assert client.post("/api/v1/intake/sdi_guess/", b"{}", content_type="application/json").status_code == 429
    elsewhere = client.post(
        f"/api/v1/intake/{key_of(source)}/", message(alert()), content_type="application/json", REMOTE_ADDR="10.1.1.1"
    )
    assert elsewhere.status_code == 200


@pytest.mark.parametrize(
    ("content", "status", "place"),
    [
        (b"", 400, "line 1 column 1"),
        (b"{", 400, "line 1 column 2"),
        (b'{"alerts": NaN}', 400, "line 1 column 12"),
        (b"[]", 400, "body"),
        ({"status": "firing"}, 400, "alerts"),
        (message(alert(startsAt="soon")), 400, "alerts[0].startsAt"),
        (b" " * (body.MAX_BYTES + 1), 413, "body"),
        (b"[" * 100_000 + b"]" * 100_000, 400, "line 1 column 1"),
        (
            json.dumps({"alerts": [{"labels": {"a": "b"}, "x": json.loads("[" * 30 + "]" * 30)}]}).encode(),
            400,
            "alerts[0].x",
        ),
    ],
)
def test_a_broken_body_is_refused_with_its_place(
    post: Post, source: AlertSource, content: Any, status: int, place: str
) -> None:
    answered, field = refusal(post(source, content))
    assert answered == status
    assert field.startswith(place)
    assert not Alert.objects.exists()


def test_ten_thousand_labels_are_kept(post: Post, source: AlertSource) -> None:
    labels = {f"label{n}": str(n) for n in range(10_000)}
    assert post(source, message(alert(labels=labels))).status_code == 200
    assert len(Alert.objects.get().labels) >= 10_000


def test_the_intake_only_takes_posts(client: Client, source: AlertSource) -> None:
    assert client.get(f"/api/v1/intake/{key_of(source)}/").status_code == 405


@pytest.mark.parametrize("adapter", ["alertmanager", "generic"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(content=bodies | st.binary(max_size=40))
def test_hostile_bodies_are_taken_or_refused_and_never_a_fault(client: Client, adapter: str, content: Any) -> None:
    source = AlertSource.objects.filter(adapter=adapter).first() or AlertSourceFactory(adapter=adapter)
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    response = client.post(f"/api/v1/intake/{key_of(source)}/", raw, content_type="application/json")
    assert response.status_code in (200, 400, 413), response.content


def test_the_key_never_reaches_a_log(client: Client, source: AlertSource, caplog: pytest.LogCaptureFixture) -> None:
    hiding = MaskIntakeKeys()
    caplog.handler.addFilter(hiding)
    try:
        with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, logger="django.request"):
            client.post(f"/api/v1/intake/{key_of(source)}/", b"{", content_type="application/json")
        assert f"/intake/{source.key_prefix}_***/" in caplog.text
        assert "secret" not in caplog.text
    finally:
        caplog.handler.removeFilter(hiding)


def test_alerts_follow_their_incident(client: Client) -> None:
    team = TeamFactory()
    agent = MembershipFactory(user=UserFactory(roles=["agent"]), team=team).user
    mine = AlertFactory(incident=IncidentFactory(team=team))
    AlertFactory(incident=IncidentFactory(team=TeamFactory()))
    AlertFactory()
    client.force_login(agent)
    assert [one["id"] for one in client.get("/api/v1/alerts/").json()["results"]] == [mine.pk]
    client.force_login(UserFactory(roles=["incident_manager"]))
    assert len(client.get("/api/v1/alerts/").json()["results"]) == 3


def test_alerts_are_filtered_searched_and_read_only(client: Client) -> None:
    row = AlertFactory(incident=IncidentFactory(), title="Kraken")
    AlertFactory(incident=IncidentFactory(), title="Squid")
    signed_in(client, "incident_manager")
    assert [one["title"] for one in client.get("/api/v1/alerts/?search=kraken").json()["results"]] == ["Kraken"]
    found = client.get(f"/api/v1/alerts/?source={row.source_id}&state=firing").json()["results"]
    assert [one["incident"] for one in found] == [row.incident.reference]
    assert client.get("/api/v1/alerts/?colour=red").status_code == 400
    assert client.patch(f"/api/v1/alerts/{row.pk}/", {"title": "x"}, content_type="application/json").status_code == 405


def test_a_source_is_made_changed_and_rotated_and_its_key_shown_once(client: Client) -> None:
    signed_in(client, "admin")
    made = client.post("/api/v1/alert-sources/", {"name": "P", "adapter": "generic"}, content_type="application/json")
    assert made.status_code == 201
    address, key = f"/api/v1/alert-sources/{made.json()['id']}/", made.json()["key"]
    shown = client.get(address).json()
    assert "key" not in shown
    assert "key_hash" not in shown
    changed = client.patch(address, {"on_recovery": "propose"}, content_type="application/json")
    assert changed.json()["on_recovery"] == "propose"
    rotated = client.post(f"{address}rotate/", {}, content_type="application/json")
    assert rotated.json()["key"] != key
    body_ = json.dumps({"title": "x"})
    assert client.post(f"/api/v1/intake/{key}/", body_, content_type="application/json").status_code == 404
    fresh = rotated.json()["key"]
    assert client.post(f"/api/v1/intake/{fresh}/", body_, content_type="application/json").status_code == 200


def test_a_stale_change_of_a_source_is_refused(client: Client, source: AlertSource) -> None:
    signed_in(client, "admin")
    address = f"/api/v1/alert-sources/{source.pk}/"
    etag = client.get(address)["ETag"]
    client.patch(address, {"name": "first"}, content_type="application/json", headers={"If-Match": etag})
    late = client.patch(address, {"name": "second"}, content_type="application/json", headers={"If-Match": etag})
    assert late.status_code == 412


@pytest.mark.parametrize(
    "values", [{"key_prefix": "x"}, {"colour": "red"}, {"severities": 5}, {"adapter": "smoke"}, {"service": 10**30}]
)
def test_a_bad_source_is_refused(client: Client, values: dict[str, Any]) -> None:
    signed_in(client, "admin")
    content = {"name": "P", "adapter": "generic", **values}
    assert client.post("/api/v1/alert-sources/", content, content_type="application/json").status_code == 400


@pytest.mark.parametrize(
    ("role", "seen", "made"), [("requester", 404, 403), ("agent", 200, 403), ("auditor", 200, 403), ("admin", 200, 201)]
)
def test_who_may_see_and_make_sources(client: Client, source: AlertSource, role: str, seen: int, made: int) -> None:
    signed_in(client, role)
    assert client.get(f"/api/v1/alert-sources/{source.pk}/").status_code == seen
    content = {"name": "P", "adapter": "generic"}
    assert client.post("/api/v1/alert-sources/", content, content_type="application/json").status_code == made


def test_a_source_with_alerts_is_switched_off_rather_than_removed(client: Client) -> None:
    row = AlertFactory()
    signed_in(client, "admin")
    assert client.delete(f"/api/v1/alert-sources/{row.source_id}/").status_code == 409


def test_an_api_key_is_no_intake_key(client: Client) -> None:
    assert client.post("/api/v1/intake/", b"{}", content_type="application/json").status_code == 404
    key = ApiKeyFactory()
    assert client.post(f"/api/v1/intake/{key.prefix}/", b"{}", content_type="application/json").status_code == 404
