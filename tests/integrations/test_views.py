"""The pages about received mail: who sees what, that looking changes nothing, and what a person decides."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from integrations.models import InboundMail, Verdict
from tests.accounts.factories import UserFactory
from tests.incidents.factories import IncidentFactory
from tests.integrations.mails import MailContentFactory, answer_to, arrive, raw

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent() -> User:
    return UserFactory(roles=["agent"])


def held(content: bytes = raw(subject="Hello <b>you</b>", sender="eve@example.net")) -> InboundMail:
    mail: InboundMail = MailContentFactory(raw=content, mail__subject="Hello <b>you</b>").mail
    return mail


def test_what_waits_is_listed_and_shown_as_text(client: Client, agent: User) -> None:
    mail = held(raw("<script>alert(1)</script>", sender="eve@example.net"))
    client.force_login(agent)
    listed = client.get("/mail/").content.decode()
    assert "Hello &lt;b&gt;you" in listed
    shown = client.get(f"/mail/{mail.key}/").content.decode()
    assert "&lt;script&gt;alert(1)" in shown
    assert "<script>alert" not in shown


def test_the_raw_message_is_a_download(client: Client, agent: User) -> None:
    mail = held()
    client.force_login(agent)
    answer = client.get(f"/mail/{mail.key}/raw/")
    assert answer.content == bytes(mail.content.raw)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="mail-{mail.pk}.eml"'
    assert answer.headers["Content-Type"] == "application/octet-stream"


def test_a_person_lets_a_mail_in_or_puts_it_aside(client: Client, agent: User) -> None:
    first, second = held(), held(raw("other", sender="eve@example.net"))
    client.force_login(agent)
    client.post(f"/mail/{first.key}/let-in/")
    client.post(f"/mail/{second.key}/discard/")
    verdicts = dict(InboundMail.objects.values_list("pk", "verdict"))
    assert verdicts == {first.pk: Verdict.OPENS, second.pk: Verdict.DISCARDED}
    assert client.post(f"/mail/{first.key}/nonsense/").status_code == 404
    assert client.get(f"/mail/{first.key}/let-in/").status_code == 405


@pytest.mark.parametrize("role", ["requester", "responder", "manager"])
def test_who_does_not_work_at_the_desk_sees_no_mail(client: Client, role: str) -> None:
    mail = held()
    client.force_login(UserFactory(roles=[role]))
    paths = ["/mail/", f"/mail/{mail.key}/", f"/mail/{mail.key}/raw/"]
    assert [client.get(path).status_code for path in paths] == [404, 404, 404]
    assert client.post(f"/mail/{mail.key}/let-in/").status_code == 404


def test_mail_of_incidents_out_of_scope_does_not_exist(client: Client, agent: User) -> None:
    from tests.accounts.factories import TeamFactory

    requester = UserFactory(email="maria@example.org", roles=["requester"])
    mail = arrive(answer_to(IncidentFactory(requester=requester, team=TeamFactory())))
    client.force_login(agent)
    assert client.get(f"/mail/{mail.key}/").status_code == 404
    assert "maria@example.org" not in client.get("/mail/?verdict=all").content.decode()
    client.force_login(UserFactory(roles=["auditor"]))
    assert client.get(f"/mail/{mail.key}/").status_code == 200
    assert client.post(f"/mail/{mail.key}/judge/").status_code == 302


def test_the_list_costs_the_same_for_many(client: Client, agent: User, django_assert_max_num_queries: Any) -> None:
    for _ in range(12):
        held()
    client.force_login(agent)
    with django_assert_max_num_queries(9):
        client.get("/mail/")
    assert client.get("/mail/?before=x&verdict=nonsense").status_code == 200
