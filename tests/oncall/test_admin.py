"""Rotas, policies and pages in the admin."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from oncall.models import EscalationPolicy, Layer, Page, Schedule
from tests.accounts.factories import UserFactory
from tests.oncall.factories import Desk, desk, responder

pytestmark = pytest.mark.django_db
MODELS = sorted(
    f"{model._meta.app_label}_{model._meta.model_name}"
    for model in admin.site._registry
    if model._meta.app_label in {"oncall", "notify"}
)


def client_of(*roles: str) -> Client:
    client = Client()
    client.force_login(UserFactory(roles=list(roles)))
    return client


@pytest.fixture
def paged() -> Desk:
    at = desk()
    at.open()
    at.pass_time()
    return at


def layers(*people: str) -> str:
    one = {"name": "Weekly", "unit": "weekly", "start_on": "2026-01-05", "handover_time": "09:00", "members": people}
    return json.dumps([one])


def test_every_model_is_in_the_admin() -> None:
    from django.apps import apps

    for app in ("oncall", "notify"):
        for model in apps.get_app_config(app).get_models():
            if not model.__name__.startswith("Historical"):
                assert model in admin.site._registry, model


@pytest.mark.parametrize("name", MODELS)
def test_an_auditor_sees_everything_and_adds_nothing(paged: Desk, name: str) -> None:
    client = client_of("auditor")
    assert client.get(reverse(f"admin:{name}_changelist")).status_code == 200
    assert client.get(reverse(f"admin:{name}_add")).status_code == 403


@pytest.mark.parametrize("name", ["oncall_page", "oncall_pagenotification", "oncall_responderlink", "notify_message"])
def test_what_the_desk_writes_can_be_looked_at_without_its_secrets(paged: Desk, name: str) -> None:
    model = next(one for one in admin.site._registry if f"{one._meta.app_label}_{one._meta.model_name}" == name)
    row: Any = model._default_manager.latest("pk")
    html = client_of("admin").get(reverse(f"admin:{name}_change", args=[row.pk])).content.decode()
    assert "/r/" not in html
    assert not getattr(row, "token_hash", "") or row.token_hash not in html


def test_a_rota_is_made_and_changed_as_a_whole() -> None:
    responder(email="olu@example.org")
    client = client_of("admin")
    form = {"name": "Primary", "zone": "Europe/Madrid", "layers": layers("olu@example.org"), "overrides": "[]"}
    answer = client.post(reverse("admin:oncall_schedule_add"), form)
    assert answer.status_code == 302, answer.content.decode()
    row = Schedule.objects.get()
    page = reverse("admin:oncall_schedule_change", args=[row.pk])
    assert "olu@example.org" in client.get(page).content.decode()
    assert client.post(page, {**form, "name": "Second", "_version": row.version}).status_code == 302
    assert Layer.objects.get().schedule.name == "Second"
    stale = client.post(page, {**form, "name": "Third", "_version": row.version})
    assert stale.status_code == 200
    assert Schedule.objects.get().name == "Second"


@pytest.mark.parametrize(
    "text", ["{", "[1]", '[{"name": "x"}]', layers("nobody@example.org"), layers(), '[{"colour": 1}]']
)
def test_a_bad_layer_is_a_form_error(text: str) -> None:
    form = {"name": "Primary", "zone": "UTC", "layers": text, "overrides": "[]"}
    answer = client_of("admin").post(reverse("admin:oncall_schedule_add"), form)
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors
    assert not Schedule.objects.exists()


def policy_form(**given: Any) -> dict[str, Any]:
    levels = json.dumps([{"delay_s": 300, "targets": [{"user": "olu@example.org"}]}])
    return {
        "name": "P", "is_active": "on", "priority_threshold": 2, "urgency": "high", "repeats": 3, "levels": levels,
        **given,
    }  # fmt: skip


def test_a_policy_is_made_and_refused_when_it_would_page_nobody() -> None:
    responder(email="olu@example.org")
    UserFactory(email="gone@example.org", is_active=False)
    client, add = client_of("admin"), reverse("admin:oncall_escalationpolicy_add")
    nobody = json.dumps([{"delay_s": 300, "targets": [{"user": "gone@example.org"}]}])
    for bad in ("[]", "", nobody, '[{"targets": [{"user": "olu@example.org", "team": "x"}]}]', '[{"targets": 1}]'):
        assert client.post(add, policy_form(levels=bad)).status_code == 200
    assert not EscalationPolicy.objects.exists()
    answer = client.post(add, policy_form())
    assert answer.status_code == 302, answer.content.decode()
    row = EscalationPolicy.objects.get()
    page = reverse("admin:oncall_escalationpolicy_change", args=[row.pk])
    loop = client.post(page, policy_form(fallback_policy=row.pk, _version=row.version))
    assert "fallback_policy" in loop.context["adminform"].form.errors


def test_a_page_is_acknowledged_by_a_button(paged: Desk) -> None:
    page = Page.objects.get()
    client = client_of("admin")
    address = reverse("admin:oncall_page_transition", args=[page.pk, "acknowledge"])
    assert client.get(address).status_code == 405
    assert client.post(address).status_code == 302
    assert Page.objects.get().state == "acknowledged"
    assert client_of("auditor").post(address).status_code in {302, 403}


def test_a_contact_is_added_and_vouched_for() -> None:
    from notify.models import Contact

    client, user = client_of("admin"), responder()
    form = {
        "user": user.pk,
        "channel": "mail",
        "address": "a@example.org",
        "urgency": "any",
        "delay_s": 0,
        "position": 1,
    }
    answer = client.post(reverse("admin:notify_contact_add"), {**form, "is_active": "on"})
    assert answer.status_code == 302, answer.content.decode()
    contact = Contact.objects.get()
    vouch = reverse("admin:notify_contact_transition", args=[contact.pk, "vouch"])
    client.post(vouch, {"_version": contact.version, "reason": "called"})
    assert Contact.objects.get().verified_at
