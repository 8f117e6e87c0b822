"""The same mail twice at one moment, and mail beside people's work: nothing is lost, nothing is doubled."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

import incidents.actions
import integrations.actions
from audit.actor import SYSTEM
from incidents.models import Comment, Incident
from integrations.models import InboundMail, Verdict
from tests.accounts.factories import UserFactory
from tests.incidents.factories import IncidentFactory
from tests.integrations.mails import AT, JOB, answer_to, arrive, raw

pytestmark = pytest.mark.usefixtures("committed_db")


def at_once(*tasks: Callable[[], Any]) -> list[BaseException]:
    """Runs all at one moment, each on its own connection; returns what they raised."""
    raised: list[BaseException] = []
    ready = threading.Barrier(len(tasks))

    def run(task: Callable[[], Any]) -> None:
        try:
            ready.wait()
            task()
        except BaseException as error:  # noqa: BLE001 - the test shows it
            raised.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return raised


def test_copies_that_come_by_two_ways_at_once_open_one_incident() -> None:
    message = raw(message_id="<1@example.org>")
    copies = [message, message, b"Received: by a\r\n" + message, b"Received: by b\r\n" + message]
    assert at_once(*(lambda copy=copy: arrive(copy) for copy in copies)) == []
    assert Incident.objects.count() == 1
    assert InboundMail.objects.count() == 3
    assert sorted(InboundMail.objects.values_list("verdict", flat=True)) == [
        Verdict.IGNORED,
        Verdict.IGNORED,
        Verdict.OPENS,
    ]


def test_a_message_that_two_workers_judge_is_acted_on_once() -> None:
    requester = UserFactory(email="maria@example.org", roles=["requester"])
    incident = IncidentFactory(requester=requester)
    mail, _ = integrations.actions.receive(raw=answer_to(incident), source="imap", by=JOB, at=AT)
    assert at_once(*[lambda: integrations.actions.judge(mail=mail, by=JOB, at=AT)] * 4) == []
    assert Comment.objects.filter(incident=incident).count() == 1


def test_replies_and_work_at_one_moment_all_arrive() -> None:
    requester = UserFactory(email="maria@example.org", roles=["requester"])
    incident = IncidentFactory(requester=requester)
    replies = [lambda n=n: arrive(answer_to(incident, f"Reply {n}")) for n in range(4)]
    work = [
        lambda n=n: incidents.actions.comment(incident=incident, by=SYSTEM, at=AT, body=f"Note {n}") for n in range(4)
    ]
    assert at_once(*replies, *work) == []
    assert Comment.objects.filter(incident=incident).count() == 8


def test_two_mails_of_a_new_sender_make_one_account() -> None:
    raised = at_once(*(lambda n=n: arrive(raw(f"Mail {n}", sender="new@example.org")) for n in range(4)))
    assert raised == []
    assert InboundMail.objects.filter(verdict=Verdict.OPENS).count() == 4
