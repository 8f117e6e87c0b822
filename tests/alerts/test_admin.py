"""Alerts in the admin: sources with a key that is shown once, alerts to look at."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from alerts.models import AlertSource
from alerts.queries import source_of_key
from tests.accounts.factories import UserFactory
from tests.alerts.factories import AlertFactory, AlertSourceFactory, key_of

pytestmark = pytest.mark.django_db
SOURCE = {
    "name": "Prometheus", "adapter": "alertmanager", "is_active": "on", "grouping": "fingerprint", "impact": "2",
    "urgency": "2", "severities": "{}", "severity_label": "severity", "on_recovery": "resolve",
    "recovery_code": "recovered", "storm_limit": "10", "service": "", "team": "", "service_label": "",
}  # fmt: skip


def signed_in(client: Client, *roles: str) -> Client:
    client.force_login(UserFactory(roles=list(roles)))
    return client


def page(row: Any) -> str:
    return reverse(f"admin:alerts_{row._meta.model_name}_change", args=[row.pk])


def key_in(response: Any) -> str:
    assert "no-store" in response["Cache-Control"]
    text: str = response.content.decode().partition("<pre>")[2].partition("</pre>")[0]
    return text


def test_a_new_source_shows_its_key_once(client: Client) -> None:
    signed_in(client, "admin")
    made = client.post(reverse("admin:alerts_alertsource_add"), SOURCE)
    source = AlertSource.objects.get()
    assert source_of_key(key_in(made)) == source
    shown = client.get(page(source)).content.decode()
    assert source.key_prefix in shown
    assert source.key_hash not in shown


def test_a_source_is_changed_and_a_stale_save_refused(client: Client) -> None:
    source = AlertSourceFactory()
    signed_in(client, "admin")
    assert client.post(page(source), {**SOURCE, "name": "One", "_version": "1"}).status_code == 302
    assert client.post(page(source), {**SOURCE, "name": "Two", "_version": "1"}).status_code == 200
    assert AlertSource.objects.get().name == "One"


def test_a_bad_severity_map_is_a_form_error(client: Client) -> None:
    source = AlertSourceFactory()
    signed_in(client, "admin")
    answer = client.post(page(source), {**SOURCE, "severities": '{"a": 1}', "_version": "1"})
    assert answer.status_code == 200
    assert "impact and urgency" in answer.content.decode()


def test_replacing_the_key_shows_the_new_one_and_kills_the_old(client: Client) -> None:
    source = AlertSourceFactory()
    signed_in(client, "admin")
    button = page(source).removesuffix("change/") + "do/rotate/"
    assert client.get(button).status_code == 405
    answer = client.post(button, {"_version": "1"})
    assert source_of_key(key_in(answer)) == source
    assert source_of_key(key_of(source)) is None


@pytest.mark.parametrize("role", ["auditor", "agent"])
def test_others_look_and_change_nothing(client: Client, role: str) -> None:
    source = AlertSourceFactory()
    signed_in(client, role)
    assert client.get(page(source)).status_code == 200
    assert client.post(page(source), {**SOURCE, "_version": "1"}).status_code == 403
    assert client.post(reverse("admin:alerts_alertsource_add"), SOURCE).status_code == 403
    client.post(page(source).removesuffix("change/") + "do/rotate/", {"_version": "1"})
    assert source_of_key(key_of(source)) == source


def test_alerts_are_listed_and_read_only(client: Client) -> None:
    row = AlertFactory()
    signed_in(client, "admin")
    assert row.title in client.get(reverse("admin:alerts_alert_changelist") + "?q=disk").content.decode()
    assert client.get(page(row)).status_code == 200
    assert client.post(page(row), {"title": "x"}).status_code == 403
    assert client.get(reverse("admin:alerts_alert_add")).status_code == 403
