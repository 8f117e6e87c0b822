"""Calendars and policies in the admin: picked conditions, errors by field, versions; the rest is only looked at."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from sla.models import Calendar, Clock, SlaPolicy
from tests.accounts.factories import TeamFactory, UserFactory
from tests.sla.factories import LONG_AGO, Desk, SlaPolicyFactory


def client_of(*roles: str) -> Client:
    client = Client()
    client.force_login(UserFactory(roles=list(roles)))
    return client


def form_of(policy: SlaPolicy, **changes: Any) -> dict[str, Any]:
    names = ("targets", "pause_reasons", "thresholds", "on_breach")
    values: dict[str, Any] = {name: json.dumps(getattr(policy, name)) for name in names}
    values |= {
        name: getattr(policy, name)
        for name in ("name", "position", "priorities", "resolve_stops_at", "on_priority_change", "on_reopen")
    }
    return {**values, "is_active": "on", "calendar": policy.calendar_id, "_version": policy.version, **changes}


def test_an_admin_picks_conditions_and_the_save_makes_a_version(db: None) -> None:
    policy, team = SlaPolicy.objects.order_by("position")[0], TeamFactory()
    page = reverse("admin:sla_slapolicy_change", args=[policy.pk])
    client = client_of("admin")
    assert team.name in client.get(page).content.decode()
    answer = client.post(page, form_of(policy, teams=[team.pk]))
    assert answer.status_code == 302, answer.content.decode()
    policy = SlaPolicy.objects.get(pk=policy.pk)
    assert (policy.teams, policy.version, policy.versions.count()) == ([team.pk], 2, 2)


def test_a_promise_that_can_not_be_kept_is_an_error_of_its_field(db: None) -> None:
    policy = SlaPolicy.objects.order_by("position")[0]
    page = reverse("admin:sla_slapolicy_change", args=[policy.pk])
    answer = client_of("admin").post(page, form_of(policy, targets='{"resolve": {"1": 0}}'))
    assert answer.status_code == 200
    assert "targets" in answer.context["adminform"].form.errors
    assert policy.versions.count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("zone", "Mars/Olympus"),
        ("zone", ""),
        ("week", "{}"),
        ("week", '{"mon": []}'),
        ("week", '{"mon": [["17:00", "09:00"]]}'),
        ("holidays", '["soon"]'),
    ],
)
def test_a_calendar_that_never_opens_or_lies_nowhere_is_an_error_of_its_field(db: None, field: str, value: str) -> None:
    good = {"name": "X", "zone": "UTC", "week": '{"mon": [["09:00", "17:00"]]}', "holidays": "[]", "special": "{}"}
    add, client, before = reverse("admin:sla_calendar_add"), client_of("admin"), Calendar.objects.count()
    answer = client.post(add, {**good, "yearly": "[]", field: value})
    assert field in answer.context["adminform"].form.errors
    assert Calendar.objects.count() == before
    assert client.post(add, {**good, "yearly": "[]"}).status_code == 302


@pytest.mark.parametrize("name", ["calendar", "calendarversion", "policyversion", "clock", "breach", "queueentry"])
def test_an_auditor_sees_lists_and_adds_nothing(desk: Desk, name: str) -> None:
    SlaPolicyFactory()
    desk.open(LONG_AGO)
    client = client_of("auditor")
    assert client.get(reverse(f"admin:sla_{name}_changelist")).status_code == 200
    assert client.get(reverse(f"admin:sla_{name}_add")).status_code == 403


def test_a_clock_is_shown_and_not_edited(desk: Desk) -> None:
    SlaPolicyFactory()
    desk.open(LONG_AGO)
    page = reverse("admin:sla_clock_change", args=[desk.clock().pk])
    assert client_of("admin").get(page).status_code == 200
    assert client_of("admin").post(page, {"state": "met"}).status_code == 403
    assert Clock.objects.get(pk=desk.clock().pk).state == "running"


def test_every_model_of_ours_is_in_the_admin() -> None:
    registered = {model.__name__ for model in admin.site._registry if model._meta.app_label == "sla"}
    assert registered == {
        "Breach", "BreachVoid", "Calendar", "CalendarVersion", "Clock", "PolicyVersion", "QueueEntry", "SlaPolicy",
        "ThresholdFired",
    }  # fmt: skip
    assert Calendar in admin.site._registry
