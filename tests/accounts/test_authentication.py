"""The doors: keys, sessions, the sign-in page with its limits."""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import actions
from accounts.models import ApiKey, User
from audit.actor import SYSTEM
from audit.models import Event
from tests.accounts.factories import AT, SECRET, ApiKeyFactory, UserFactory, bearer

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/login/"
PASSWORD = "a-good-long-one"


@pytest.fixture(autouse=True)
def _fresh_limits() -> None:
    cache.clear()


def _get(header: str, **more: Any) -> Any:
    return APIClient().get("/api/v1/users/", headers={"Authorization": header}, **more)


def _person(**more: Any) -> User:
    return actions.create_user(email="maria@example.org", password=PASSWORD, by=SYSTEM, at=AT, **more)


def test_a_key_opens_and_its_use_is_noted() -> None:
    key = ApiKeyFactory(user=UserFactory(roles=["agent"]))
    assert _get(bearer(key)).status_code == 200
    noted = ApiKey.objects.get(pk=key.pk).last_used_at
    assert noted is not None
    assert timezone.now() - noted < dt.timedelta(minutes=1)


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer x", "Bearer sdk_", f"Bearer sdk_0000000000_{SECRET}", "Bearer sdk_%00_" + SECRET,
     "Bearer " + "x" * 10_000, "Bearer sdk_é_" + SECRET, "Basic dXNlcjpwYXNz", f"Token sdk_0000000000_{SECRET}"],
)  # fmt: skip
def test_what_is_no_key_opens_nothing(header: str) -> None:
    assert _get(header).status_code == 401


def test_the_right_prefix_with_a_wrong_secret_opens_nothing() -> None:
    key = ApiKeyFactory()
    assert _get(f"Bearer sdk_{key.prefix}_{'6' * 64}").status_code == 401


def test_a_revoked_key_and_a_leavers_key_are_dead_at_once() -> None:
    user = UserFactory(roles=["agent"])
    mine, other = ApiKeyFactory(user=user), ApiKeyFactory(user=user)
    actions.revoke_api_key(key=mine, by=SYSTEM, at=AT)
    assert [_get(bearer(key)).status_code for key in (mine, other)] == [401, 200]
    actions.deactivate_user(user=user, by=SYSTEM, at=AT)
    assert _get(bearer(other)).status_code == 401


def test_an_expired_key_is_dead() -> None:
    assert _get(bearer(ApiKeyFactory(expires_at=timezone.now() - dt.timedelta(seconds=1)))).status_code == 401


def test_the_key_stands_in_no_log_and_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = f"Bearer sdk_{ApiKeyFactory().prefix}_{'7' * 64}"
    answer = _get(wrong)
    assert "7" * 64 not in caplog.text
    assert "7" * 64 not in answer.content.decode()


@pytest.mark.usefixtures("one_window")
def test_guessing_keys_has_to_wait() -> None:
    for _ in range(100):
        assert _get("Bearer sdk_x").status_code == 401
    assert _get("Bearer sdk_x").status_code == 429
    assert _get(bearer(ApiKeyFactory(user=UserFactory(roles=["agent"]))), REMOTE_ADDR="10.0.0.9").status_code == 200


def test_the_session_of_a_leaver_is_dead_at_once() -> None:
    user, client = UserFactory(roles=["admin"]), Client()
    client.force_login(user)
    assert client.get("/api/v1/users/").status_code == 200
    UserFactory(roles=["admin"])
    actions.deactivate_user(user=user, by=SYSTEM, at=AT)
    assert client.get("/api/v1/users/").status_code == 401
    assert client.get("/admin/").status_code == 302
    actions.reactivate_user(user=user, by=SYSTEM, at=AT)
    assert client.get("/api/v1/users/").status_code == 401
    client.force_login(User.objects.get(pk=user.pk))
    assert client.get("/api/v1/users/").status_code == 200


# --- the page -------------------------------------------------------------------------------------------------------


def _sign_in(client: Client, password: str = PASSWORD, email: str = "Maria@Example.org", **more: Any) -> Any:
    return client.post(LOGIN, {"username": email, "password": password, **more.pop("data", {})}, **more)


def test_a_person_signs_in_by_address_in_any_spelling_and_it_is_told() -> None:
    user, client = _person(), Client()
    assert client.get(LOGIN).status_code == 200
    assert _sign_in(client).status_code == 302
    assert client.session["_auth_user_id"] == str(user.pk)
    assert Event.objects.get(kind="user.signed_in").data == {"address": "127.0.0.1"}
    assert User.objects.get().version == 1


@pytest.mark.parametrize(
    ("email", "password"), [("maria@example.org", "wrong"), ("nobody@example.org", PASSWORD), ("\x00", "\x00")]
)
def test_a_wrong_address_or_password_gets_the_same_answer(email: str, password: str) -> None:
    _person()
    answer = _sign_in(Client(), password, email)
    assert answer.status_code == 200
    assert "_auth_user_id" not in answer.client.session


def test_a_leaver_does_not_get_in() -> None:
    actions.deactivate_user(user=_person(), by=SYSTEM, at=AT)
    assert _sign_in(Client()).status_code == 200


@pytest.mark.usefixtures("one_window")
def test_after_ten_failures_an_account_has_to_wait_even_with_the_right_password() -> None:
    _person()
    for number in range(10):
        assert _sign_in(Client(), "wrong", REMOTE_ADDR=f"10.0.0.{number}").status_code == 200
    assert _sign_in(Client(), REMOTE_ADDR="10.0.1.1").status_code == 429


@pytest.mark.usefixtures("one_window")
def test_after_fifty_failures_an_address_has_to_wait_whatever_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.forms.PER_ADDRESS", 5)
    _person()
    for number in range(5):
        _sign_in(Client(), "wrong", f"x{number}@example.org")
    assert _sign_in(Client()).status_code == 429
    assert _sign_in(Client(), REMOTE_ADDR="10.0.1.1").status_code == 302


def test_a_forwarded_address_counts_only_behind_a_trusted_proxy(settings: Any) -> None:
    _person()
    client = Client(headers={"X-Forwarded-For": "6.6.6.6, 10.1.1.1"})
    _sign_in(client)
    settings.SERVICEDESK_PROXY = True
    _sign_in(Client(headers={"X-Forwarded-For": "6.6.6.6, 10.1.1.1"}))
    told = Event.objects.filter(kind="user.signed_in").order_by("id")
    assert [event.data["address"] for event in told] == ["127.0.0.1", "10.1.1.1"]


def test_signing_in_leads_nowhere_outside() -> None:
    _person()
    answer = _sign_in(Client(), data={"next": "https://evil.example/"})
    assert answer["Location"] == "/"


def test_signing_out_takes_a_post() -> None:
    client = Client()
    client.force_login(_person())
    assert client.get("/accounts/logout/").status_code == 405
    assert client.post("/accounts/logout/").status_code == 302
    assert "_auth_user_id" not in client.session


def test_the_admin_has_no_door_of_its_own() -> None:
    answer = Client().get("/admin/login/?next=/admin/accounts/")
    assert (answer.status_code, answer["Location"]) == (302, f"{LOGIN}?next=/admin/accounts/")
    assert Client().post("/admin/login/", {"username": "x", "password": "y"}).status_code == 302


def test_a_new_password_ends_the_other_sessions() -> None:
    user, here, there = _person(), Client(), Client()
    for client in (here, there):
        client.force_login(user)
    wrong = here.post("/accounts/password/", {"old_password": "x", "new_password": "another-good-one"})
    weak = here.post("/accounts/password/", {"old_password": PASSWORD, "new_password": "short"})
    right = here.post("/accounts/password/", {"old_password": PASSWORD, "new_password": "another-good-one"})
    assert [one.status_code for one in (wrong, weak, right)] == [400, 400, 302]
    assert here.get("/accounts/password/").status_code == 200
    assert there.get("/accounts/password/").status_code == 302
    assert list(Event.objects.filter(kind="user.password_changed").values_list("actor_label", flat=True)) == [str(user)]
