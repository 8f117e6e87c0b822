"""Contacts: one's own, verified by a link or by an admin who vouches, used only then."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

import notify.actions
import notify.tasks
from accounts.queries import actor_for
from audit.actions import Forbidden, Invalid, Stale
from audit.models import Event
from notify.actions import ContactInUse, LinkExpired
from notify.models import Contact, MailboxMail, Message
from tests.accounts.factories import UserFactory
from tests.notify.factories import AT, ContactFactory, MailboxMailFactory

pytestmark = pytest.mark.django_db


def add(user: Any, **given: Any) -> Contact:
    values: dict[str, Any] = {"channel": "mail", "address": "me@example.org", "at": AT}
    return notify.actions.add_contact(user=user, by=actor_for(user), **values | given)


def link_in_mailbox(at: dt.datetime) -> str:
    notify.tasks.send_due(at=at)
    found = re.search(r"https?://[^/]+(/contacts/\S+)", MailboxMail.objects.latest("id").body)
    assert found
    return found[1]


def test_a_new_contact_is_used_only_after_its_link_was_confirmed(client: Client) -> None:
    now = timezone.now()
    contact = add(UserFactory(), at=now)
    assert not Contact.objects.usable().exists()
    link = link_in_mailbox(now)
    for _ in range(3):
        assert client.get(link).status_code == 200
    assert not Contact.objects.usable().exists()
    for _ in range(2):
        assert client.post(link).status_code == 200
    assert Contact.objects.usable().get() == contact
    assert Event.objects.filter(kind="contact.verified").count() == 1


@pytest.mark.parametrize("token", ["x", "a" * 32, "a" * 3000])
def test_an_unknown_link_verifies_nothing(client: Client, token: str) -> None:
    for answer in (client.get(f"/contacts/{token}/"), client.post(f"/contacts/{token}/")):
        assert answer.status_code == 404


def test_a_link_ends_with_its_time_and_with_the_next_one() -> None:
    user = UserFactory()
    contact = add(user)
    first = Message.objects.get().link.split("/")[-2]
    notify.actions.send_verification(contact=contact, by=actor_for(user), at=AT)
    second = Message.objects.latest("id").link.split("/")[-2]
    for token, at in ((first, AT), (second, AT + dt.timedelta(days=4))):
        with pytest.raises(LinkExpired):
            notify.actions.verify_contact(token=token, by=actor_for(user), at=at)
    assert notify.actions.verify_contact(token=second, by=actor_for(user), at=AT).verified_at == AT


def test_a_changed_address_has_to_be_verified_again() -> None:
    contact = ContactFactory()
    values = {"address": "other@example.org"}
    changed = notify.actions.change_contact(contact=contact, values=values, by=actor_for(contact.user), at=AT)
    assert changed.verified_at is None
    assert Message.objects.get().address == "other@example.org"


def test_a_changed_label_has_not() -> None:
    contact = ContactFactory()
    changed = notify.actions.change_contact(
        contact=contact, values={"label": "work"}, by=actor_for(contact.user), at=AT
    )
    assert changed.verified_at == AT
    with pytest.raises(Stale):
        notify.actions.change_contact(
            contact=contact, values={"label": "home"}, by=actor_for(contact.user), at=AT, expected_version=1
        )


def test_somebody_elses_contacts_are_an_admins_business() -> None:
    contact, other, admin = ContactFactory(), UserFactory(roles=["agent"]), UserFactory(roles=["admin"])
    with pytest.raises(Forbidden):
        notify.actions.change_contact(contact=contact, values={"label": "x"}, by=actor_for(other), at=AT)
    notify.actions.change_contact(contact=contact, values={"label": "x"}, by=actor_for(admin), at=AT)
    assert Contact.objects.visible_to(actor_for(other)).count() == 0
    assert Contact.objects.visible_to(actor_for(admin)).count() == 1


def test_an_admin_vouches_with_a_reason_only() -> None:
    contact = ContactFactory(verified_at=None)
    admin = actor_for(UserFactory(roles=["admin"]))
    with pytest.raises(Invalid):
        notify.actions.vouch_for_contact(contact=contact, reason=" ", by=admin, at=AT)
    with pytest.raises(Forbidden):
        notify.actions.vouch_for_contact(contact=contact, reason="mine", by=actor_for(contact.user), at=AT)
    assert notify.actions.vouch_for_contact(contact=contact, reason="called", by=admin, at=AT).verified_at == AT


@pytest.mark.parametrize(
    ("channel", "address"),
    [
        ("mail", "nobody"), ("mail", "a@b\nBcc: c@d"), ("webhook", "ftp://x/"), ("webhook", "example.org"),
        ("webhook", "http://u:p@example.org/"), ("ntfy", "https://exa mple.org/"), ("ntfy", "http://[::1"),
        ("fax", "1"),
    ],
)  # fmt: skip
def test_a_bad_address_is_refused_with_its_field(channel: str, address: str) -> None:
    with pytest.raises(Invalid) as refused:
        add(UserFactory(), channel=channel, address=address)
    assert refused.value.field in {"address", "channel"}


def test_the_same_contact_twice_is_refused() -> None:
    user = UserFactory()
    add(user)
    with pytest.raises(Invalid):
        add(user)


def test_a_contact_with_messages_on_their_way_stays() -> None:
    contact = ContactFactory()
    by = actor_for(contact.user)
    notify.actions.enqueue(
        channel="mail", address=contact.address, subject="s", body="b", dedup_key="k", topic="page:1",
        about=contact.user, contact=contact, by=by, at=AT,
    )  # fmt: skip
    with pytest.raises(ContactInUse):
        notify.actions.remove_contact(contact=contact, by=by, at=AT)
    notify.actions.cancel_topic(topic="page:1", reason="x", by=by, at=AT)
    notify.actions.remove_contact(contact=contact, by=by, at=AT)
    assert not Contact.objects.exists()
    assert Contact.history.filter(history_type="-").count() == 1


@pytest.mark.parametrize("shown", [True, False])
def test_the_mailbox_is_a_page_of_the_trial_only(client: Client, settings: Any, shown: bool) -> None:
    settings.SERVICEDESK_MAILBOX = shown
    client.force_login(UserFactory(roles=["agent"]))
    mail = MailboxMailFactory()
    assert client.get("/mailbox/").status_code == (200 if shown else 404)
    assert client.get(f"/mailbox/{mail.pk}/").status_code == (200 if shown else 404)


def test_links_of_a_mail_can_be_followed_and_markup_can_not(client: Client) -> None:
    client.force_login(UserFactory(roles=["agent"]))
    mail = MailboxMailFactory(body="Open http://localhost:8000/r/abc/ <script>alert(1)</script>", subject="<b>")
    html = client.get(f"/mailbox/{mail.pk}/").content.decode()
    assert '<a href="http://localhost:8000/r/abc/"' in html
    assert "<script>" not in html
    assert "<b>" not in html


def test_the_mailbox_asks_to_sign_in(client: Client) -> None:
    assert client.get("/mailbox/").status_code == 302


def test_the_mailbox_pages_and_filters(client: Client) -> None:
    client.force_login(UserFactory(roles=["agent"]))
    MailboxMailFactory.create_batch(51)
    mine = MailboxMailFactory(recipients=["me@example.org"], subject="Only this")
    assert b"before=" in client.get("/mailbox/").content
    assert client.get(f"/mailbox/?before={mine.pk}&to=x").status_code == 200
    assert client.get("/mailbox/?to=me@example.org").content.count(b"/mailbox/") >= 1
    assert client.get("/mailbox/?before=99999999999999999999999").status_code == 200


INSIDE = [
    "http://10.0.0.7/hook", "http://192.168.1.1/", "http://localhost/x", "http://desk.localhost:8000/", "http://[::1]/",
    "http://169.254.169.254/latest", "http://2130706433/", "http://0x7f.1/", "http://[::ffff:10.0.0.1]/",
    "http://LOCALHOST./", "http://[fd00::1]/",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
@pytest.mark.parametrize("channel", ["webhook", "ntfy"])
def test_an_address_inside_is_refused_when_it_is_saved(settings: Any, channel: str, address: str) -> None:
    settings.SERVICEDESK_OUTGOING_ALLOW = []
    user = UserFactory()
    with pytest.raises(Invalid) as refused:
        add(user, channel=channel, address=address)
    assert refused.value.field == "address"
    settings.SERVICEDESK_OUTGOING_ALLOW = ["0.0.0.0/0", "::/0"]
    assert add(user, channel=channel, address=address).pk


def test_the_trials_mailbox_is_read_by_the_desk_alone(settings: Any, client: Client) -> None:
    settings.SERVICEDESK_MAILBOX = True
    mail = MailboxMailFactory()
    for roles, status in (([], 404), (["requester"], 404), (["agent"], 200)):
        client.force_login(UserFactory(roles=roles))
        assert client.get("/mailbox/").status_code == client.get(f"/mailbox/{mail.pk}/").status_code == status
