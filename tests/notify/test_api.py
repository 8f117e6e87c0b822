"""Contacts by REST."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from notify.models import Contact, Message
from tests.accounts.factories import ApiKeyFactory, UserFactory, bearer
from tests.notify.factories import ContactFactory

pytestmark = pytest.mark.django_db
CONTACTS = "/api/v1/contacts/"


def client_for(user: User) -> APIClient:
    client = APIClient()
    client.default_format = "json"
    client.credentials(HTTP_AUTHORIZATION=bearer(ApiKeyFactory(user=user, scopes=["*:write"])))
    return client


def test_a_person_adds_changes_and_removes_an_own_contact() -> None:
    client = client_for(UserFactory(roles=["responder"]))
    made = client.post(CONTACTS, {"channel": "mail", "address": "me@example.org"})
    assert (made.status_code, made.json()["verified_at"]) == (201, None)
    address = f"{CONTACTS}{made.json()['id']}/"
    assert client.patch(address, {"label": "home"}).json()["label"] == "home"
    assert client.post(f"{address}send-verification/").status_code == 200
    assert Message.objects.pending().count() == 1
    assert client.delete(address).status_code == 204


def test_the_link_that_verifies_is_in_no_answer() -> None:
    client = client_for(UserFactory(roles=["responder"]))
    made = client.post(CONTACTS, {"channel": "mail", "address": "me@example.org"})
    assert "verification" not in made.content.decode()


@pytest.mark.parametrize("body", [{"verified_at": "2026-01-01T00:00:00Z"}, {"verification_hash": "x"}, {"id": 5}])
def test_nobody_verifies_by_writing_a_field(body: dict[str, object]) -> None:
    contact = ContactFactory(verified_at=None)
    answer = client_for(contact.user).patch(f"{CONTACTS}{contact.pk}/", body)
    assert answer.status_code == 400
    assert Contact.objects.get().verified_at is None


def test_a_contact_never_moves_to_another_person() -> None:
    contact = ContactFactory()
    admin = client_for(UserFactory(roles=["admin"]))
    assert admin.patch(f"{CONTACTS}{contact.pk}/", {"user": UserFactory().pk}).status_code == 400


def test_somebody_elses_contact_answers_404_and_can_not_be_added() -> None:
    contact, client = ContactFactory(), client_for(UserFactory(roles=["agent"]))
    assert client.get(CONTACTS).json()["results"] == []
    assert client.get(f"{CONTACTS}{contact.pk}/").status_code == 404
    body = {"user": contact.user_id, "channel": "mail", "address": "x@example.org"}
    assert client.post(CONTACTS, body).status_code == 403


def test_an_admin_vouches_with_a_reason() -> None:
    contact = ContactFactory(verified_at=None)
    admin = client_for(UserFactory(roles=["admin"]))
    assert admin.post(f"{CONTACTS}{contact.pk}/vouch/").status_code == 400
    assert admin.post(f"{CONTACTS}{contact.pk}/vouch/", {"reason": "called"}).json()["verified_at"]
    assert client_for(contact.user).post(f"{CONTACTS}{contact.pk}/vouch/", {"reason": "me"}).status_code == 403


@pytest.mark.parametrize("address", ["http://[::1", "javascript:alert(1)", "x" * 600, "http://a/\x00"])
def test_a_bad_address_answers_400(address: str) -> None:
    client = client_for(UserFactory(roles=["responder"]))
    assert client.post(CONTACTS, {"channel": "webhook", "address": address}).status_code == 400
