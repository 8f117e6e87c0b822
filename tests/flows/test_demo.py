"""The demonstration: about 200 incidents in the state that their own actions left, once, and a page that waits."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

import audit.tasks
import notify.tasks
import oncall.tasks
from accounts.models import User
from audit.models import Delivery, Event, UnattributedWrite
from audit.queries import history_faults
from audit.subscriptions import declared_kinds
from incidents.models import Incident
from notify.models import MailboxMail, Message
from oncall.models import EscalationPolicy, Page, Schedule
from oncall.queries import who_is_on_call
from postmortems.models import PostMortem
from servicedesk.demo import stories
from servicedesk.watchdog import violations
from sla.models import Clock

pytestmark = pytest.mark.usefixtures("demonstration")


@pytest.fixture(scope="module")
def demonstration(django_db_setup: None, django_db_blocker: Any) -> Any:
    """Loaded once, in a transaction that is rolled back after the last test; each test sees what the one before did."""
    from django.db import transaction
    from django.test import override_settings

    mailbox = override_settings(
        EMAIL_BACKEND="notify.channels.mailbox.EmailBackend",
        SERVICEDESK_MAILBOX=True,
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    )
    with django_db_blocker.unblock(), mailbox, transaction.atomic():
        yield load()
        transaction.set_rollback(True)


def load() -> str:
    printed = io.StringIO()
    call_command("demo", stdout=printed)
    return printed.getvalue()


def test_it_has_about_two_hundred_believable_incidents(demonstration: str) -> None:
    assert "incidents loaded." in demonstration
    assert 190 <= Incident.objects.count() <= 215
    assert {"new", "in_progress", "on_hold", "resolved", "closed"} <= set(
        Incident.objects.values_list("state", flat=True)
    )
    assert Incident.objects.values("team").distinct().count() >= 4
    assert len(set(Incident.objects.values_list("priority", flat=True))) >= 4


def test_it_prints_sign_ins_that_work(demonstration: str) -> None:
    for one in stories.PEOPLE:
        assert f"{one.login}@{stories.DOMAIN}" in demonstration
    assert stories.PASSWORD in demonstration
    sign_in = {"username": f"ines@{stories.DOMAIN}", "password": stories.PASSWORD}
    answer = Client().post("/accounts/login/", sign_in)
    assert answer.status_code == 302, answer.content


def test_nobody_is_left_without_care_and_nothing_is_owed() -> None:
    assert violations(timezone.now()) == []
    assert not Delivery.objects.exists()
    assert not UnattributedWrite.objects.exists()


def test_the_rota_covers_now_and_the_policies_reach_people() -> None:
    schedules = list(Schedule.objects.all())
    assert schedules
    assert all(who_is_on_call(one, timezone.now()) for one in schedules)
    assert EscalationPolicy.objects.filter(is_active=True, levels__isnull=False, assignments__isnull=False).exists()


def test_a_big_incident_has_its_post_mortem() -> None:
    found = PostMortem.objects.get(incident__title="Card payments are declined")
    assert found.timeline.exists()
    assert found.sections.count() == 6


def test_its_past_pages_and_mails_nobody() -> None:
    past = Incident.objects.filter(is_imported=True)
    assert past.count() > 100
    assert not Page.objects.filter(incident__in=past).exists()
    assert not Message.objects.filter(topic__in=[f"incident:{pk}" for pk in past.values_list("pk", flat=True)]).exists()
    assert Clock.objects.filter(incident__in=past).exists()


def test_every_event_is_what_its_declaration_says() -> None:
    declared = declared_kinds()
    undeclared = {
        kind: set(data) - set(declared[kind].keys) for kind, data in Event.objects.values_list("kind", "data")
    }
    assert {kind: keys for kind, keys in undeclared.items() if keys} == {}


def test_its_histories_verify() -> None:
    assert [history_faults(Incident, pk) for pk in Incident.objects.values_list("pk", flat=True)[:10]] == [[]] * 10


def test_again_it_changes_nothing(demonstration: str) -> None:
    def size() -> list[int]:
        return [model.objects.count() for model in (Incident, Event, User, Message, Incident.history.model)]

    before = size()
    again = load()
    assert "here already" in again
    assert size() == before
    assert stories.PASSWORD in again


def test_a_newcomer_opens_the_page_that_was_sent_and_acknowledges() -> None:
    now = timezone.now()
    audit.tasks.sweep_deliveries(at=now)
    oncall.tasks.sweep(at=now)
    notify.tasks.send_due(at=now)
    incident = Incident.objects.get(title="Payment gateway returns 502")
    mail = MailboxMail.objects.filter(subject__contains=incident.reference, body__contains="/r/").latest("id")
    link = re.search(r"(/r/[A-Za-z0-9_-]+/)", mail.body)
    assert link
    phone = Client()
    assert "I am on it" in phone.get(link[1]).content.decode()
    assert phone.post(link[1], {"verb": "acknowledge"}).status_code == 200
    acknowledged = Incident.objects.get(pk=incident.pk)
    assert acknowledged.acknowledged_by is not None
    assert acknowledged.acknowledged_by.email in mail.recipients
