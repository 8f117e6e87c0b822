"""What is made of a message: whose thread, whose words, and what a machine's message never does."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

import incidents.actions
import integrations.actions
import notify.actions
from accounts.models import User
from audit.actions import Forbidden
from audit.actor import SYSTEM, job
from incidents.models import Attachment, Comment, Incident, State
from integrations.models import InboundMail, Verdict
from notify.models import Message
from notify.queries import thread_headers
from tests.accounts.factories import MembershipFactory, TeamFactory, UserFactory
from tests.incidents.factories import IncidentFactory, ParticipantFactory, person
from tests.incidents.trail import fresh
from tests.integrations.mails import AT, JOB, answer_to, arrive, mails_to, raw

pytestmark = pytest.mark.django_db


@pytest.fixture
def maria() -> User:
    return UserFactory(email="maria@example.org", name="Maria", roles=["requester"])


@pytest.fixture
def incident(maria: User) -> Incident:
    return IncidentFactory(requester=maria, at=AT)


def comments(incident: Incident) -> list[tuple[str, str, bool]]:
    rows = Comment.objects.filter(incident=incident).order_by("id")
    return [(one.author_kind, one.body, one.is_public) for one in rows]


def test_a_known_sender_opens_an_incident_and_gets_a_receipt(maria: User) -> None:
    mail = arrive(raw(subject="Re: [INC-999999] Printer\tburns"))
    assert mail.incident is not None
    assert (mail.verdict, mail.incident.title, mail.incident.channel) == (Verdict.OPENS, "Printer burns", "mail")
    assert mail.incident.requester == maria
    assert mail.incident.description == "It is on fire."
    assert len(mails_to(maria.email)) == 1


def test_a_new_sender_gets_an_account_without_a_password() -> None:
    arrive(raw(sender="=?utf-8?q?Jos=C3=A9?= <Jose@Example.ORG>", content_language="pt-BR"))
    user = User.objects.get(email="jose@example.org")
    assert (user.name, user.locale, user.has_usable_password(), user.is_staff) == ("José", "pt", False, False)


def test_strangers_wait_where_the_setting_does_not_welcome_them(settings: Any) -> None:
    settings.SERVICEDESK_MAIL_STRANGERS = ["example.com"]
    mail = arrive(raw())
    assert (mail.verdict, Incident.objects.count(), User.objects.count()) == (Verdict.HELD, 0, 0)
    assert arrive(raw(sender="a@example.com")).verdict == Verdict.OPENS
    agent = person(UserFactory(), "agent")
    assert integrations.actions.judge(mail=mail, by=agent, at=AT, let_in=True).verdict == Verdict.OPENS


def test_a_reply_lands_by_its_signed_thread_without_its_quotes(incident: Incident) -> None:
    text = "It still burns.\r\n\r\nOn Mon, 9 Mar 2026 at 10:00, Desk <desk@x.org> wrote:\r\n> We have your report"
    mail = arrive(answer_to(incident, text, subject="something else"))
    assert (mail.verdict, mail.incident) == (Verdict.REPLIES, incident)
    assert comments(incident) == [("requester", "It still burns.", True)]
    assert b"We have your report" in bytes(mail.content.raw)


def test_a_reply_resumes_what_waits_for_the_requester(incident: Incident) -> None:
    until = AT + dt.timedelta(days=2)
    incidents.actions.put_on_hold(incident=incident, hold_reason="awaiting_requester", until=until, by=SYSTEM, at=AT)
    arrive(answer_to(incident))
    assert fresh(incident).state == State.IN_PROGRESS


@pytest.mark.parametrize(
    "heads",
    [
        {"auto_submitted": "auto-replied"}, {"return_path": "<>"}, {"precedence": "bulk"}, {"list_id": "<x.y>"},
        {"x_autoreply": "yes"}, {"subject": "Automatic reply: Printer"}, {"subject": "Re: Out of office: x"},
        {"sender": "MAILER-DAEMON@example.org"}, {"content_type": "multipart/report; report-type=x; boundary=b"},
        {"subject": "Respuesta automática: fuera"}, {"x_ms_exchange_inbox_rules_loop": "maria@example.org"},
    ],
)  # fmt: skip
def test_a_machines_answer_does_nothing(incident: Incident, heads: dict[str, str]) -> None:
    until = AT + dt.timedelta(days=2)
    incidents.actions.put_on_hold(incident=incident, hold_reason="awaiting_requester", until=until, by=SYSTEM, at=AT)
    sent = Message.objects.count()
    mail = arrive(answer_to(incident, **heads))
    assert mail.verdict == Verdict.IGNORED
    assert mail.reason
    assert fresh(incident).state == State.ON_HOLD
    assert comments(incident) == []
    assert Message.objects.count() == sent


def test_the_null_return_path_of_the_envelope_counts(incident: Incident) -> None:
    assert arrive(answer_to(incident), envelope_from="").verdict == Verdict.IGNORED
    assert arrive(answer_to(incident, "y"), envelope_from="MAILER-DAEMON").verdict == Verdict.IGNORED
    assert arrive(answer_to(incident, "x"), envelope_from="maria@example.org").verdict == Verdict.REPLIES


def test_our_own_mail_that_comes_back_is_ignored(settings: Any) -> None:
    settings.SERVICEDESK_MAIL_ADDRESSES = ["Help@Example.org"]
    for sender in ("help@example.org", "Service desk <desk@servicedesk.localhost>"):
        assert arrive(raw(sender=sender)).verdict == Verdict.IGNORED


def test_a_subject_speaks_only_for_who_takes_part(incident: Incident) -> None:
    subject = f"Re: [{incident.reference}] News"
    stranger = arrive(raw(sender="eve@example.net", subject=subject))
    assert (stranger.verdict, stranger.incident == incident) == (Verdict.OPENS, False)
    assert arrive(raw(subject=subject)).incident == incident
    watcher = ParticipantFactory(incident=incident).user
    assert arrive(raw("me too", sender=watcher.email, subject=subject)).verdict == Verdict.NOTED
    assert [who for who, _, _ in comments(incident)] == ["requester", "system"]


def test_a_forged_thread_is_none(incident: Incident) -> None:
    ours = thread_headers("x", incident.reference)["Message-ID"]
    forged = ours.replace(ours[-60:-40], "0" * 20)
    assert arrive(raw(sender="eve@example.net", in_reply_to=forged)).incident != incident
    other = ours.replace(incident.reference.lower(), "inc-000001")
    assert arrive(raw("x", sender="eve@example.net", references=other)).verdict == Verdict.OPENS


def test_who_was_forwarded_the_thread_leaves_a_note_that_says_so(incident: Incident) -> None:
    assert arrive(answer_to(incident, "I know why", sender="Eve <eve@example.net>")).verdict == Verdict.NOTED
    ((who, body, is_public),) = comments(incident)
    assert (who, is_public) == ("system", False)
    assert "Eve <eve@example.net>; the sender is not confirmed" in body


@pytest.mark.parametrize(
    ("results", "verdict"),
    [
        (None, Verdict.NOTED), ("mx.example.org; dmarc=pass header.from=example.org", Verdict.REPLIES),
        ("mx.example.org; dkim=pass header.d=example.org", Verdict.REPLIES),
        ("evil.net; dmarc=pass header.from=example.org", Verdict.NOTED),
        ("mx.example.org; dmarc=fail header.from=example.org", Verdict.NOTED),
        ("mx.example.org; dkim=pass header.d=example.org.evil.net", Verdict.NOTED),
        ("mx.example.org; spf=pass smtp.mailfrom=example.org", Verdict.NOTED),
    ],
)  # fmt: skip
def test_staff_by_mail_is_staff_only_when_our_server_vouches(
    incident: Incident, settings: Any, results: str | None, verdict: str
) -> None:
    settings.SERVICEDESK_MAIL_AUTHSERV = "mx.example.org"
    agent, team = UserFactory(email="ines@example.org", roles=["agent"]), TeamFactory()
    MembershipFactory(user=agent, team=team)
    theirs = IncidentFactory(team=team, requester=incident.requester)
    heads = {"authentication_results": results} if results else {}
    mail = arrive(answer_to(theirs, sender="ines@example.org", **heads))
    assert mail.verdict == verdict
    assert [(one.author, one.is_public) for one in Comment.objects.filter(incident=theirs)] == [
        (agent if verdict == Verdict.REPLIES else None, False)
    ]
    assert fresh(theirs).first_response_at is None


def test_a_second_result_of_our_server_is_not_believed(settings: Any) -> None:
    from integrations.mail.reading import read
    from integrations.queries import is_authentic

    settings.SERVICEDESK_MAIL_AUTHSERV = "mx.example.org"
    own = b"Authentication-Results: mx.example.org; dmarc=fail header.from=example.org\r\n"
    forged = own.replace(b"fail", b"pass")
    assert not is_authentic(read(own + forged + raw()))
    assert is_authentic(read(forged + raw()))


def test_a_deactivated_sender_waits_for_a_person(maria: User) -> None:
    maria.is_active = False
    maria.save()
    assert arrive(raw()).verdict == Verdict.HELD


def test_what_answers_a_closed_incident_opens_a_linked_one(incident: Incident) -> None:
    incidents.actions.resolve(incident=incident, code="fixed", by=SYSTEM, at=AT, notes="done")
    incidents.actions.close(incident=fresh(incident), confirmation="by phone", by=SYSTEM, at=AT)
    mail = arrive(answer_to(incident, "It is back."))
    assert mail.incident is not None
    assert (mail.incident.recurrence_of, mail.incident.channel) == (incident, "mail")
    assert mail.incident.description == "It is back."


def test_a_mail_without_sender_or_too_large_is_held(settings: Any) -> None:
    assert arrive(b"Subject: x\r\n\r\ny").verdict == Verdict.HELD
    settings.SERVICEDESK_MAIL_MAX_BYTES = 200
    mail = arrive(raw("y" * 500))
    assert (mail.verdict, mail.is_cut, mail.size > 500, len(mail.content.raw)) == (Verdict.BROKEN, True, True, 200)


def test_what_asks_not_to_be_answered_waits(incident: Incident) -> None:
    assert arrive(answer_to(incident, x_auto_response_suppress="All")).verdict == Verdict.HELD


MIXED = """MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary="b"\r
\r
--b\r
Content-Type: text/plain\r
\r
See the files.\r
--b\r
Content-Type: application/octet-stream; name="../server.log"\r
\r
error 502\r
--b\r
Content-Type: image/png; name="photo.png"\r
Content-Transfer-Encoding: base64\r
\r
TVqQAAMAAAAEAAAA\r
--b--\r
"""


def test_files_are_kept_and_refused_ones_are_named(incident: Incident) -> None:
    mail = arrive(answer_to(incident, "x").partition(b"\r\n\r\n")[0] + b"\r\n" + MIXED.encode())
    kept = Attachment.objects.get()
    assert (kept.name, kept.is_public, kept.comment) == ("server.log", True, mail.comment)
    (spoken, note) = comments(incident)
    assert spoken[1] == "See the files."
    assert "photo.png: its content is of no type that is taken here" in note[1]
    assert not note[2]


def sent(incident: Incident) -> Message:
    """Our first mail about the incident, on its way."""
    message = Message.objects.filter(topic=f"incident:{incident.pk}").order_by("id")[0]
    token, _ = notify.actions.claim(limit=9, by=SYSTEM, at=AT + dt.timedelta(seconds=1))
    notify.actions.begin(message_id=message.pk, token=token, by=SYSTEM, at=AT + dt.timedelta(seconds=1))
    notify.actions.mark_sent(message_id=message.pk, token=token, by=SYSTEM, at=AT + dt.timedelta(seconds=1))
    return Message.objects.get(pk=message.pk)


DSN = """Content-Type: multipart/report; report-type=delivery-status; boundary=b\r
\r
--b\r
Content-Type: text/plain\r
\r
Sorry.\r
--b\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; mx\r
\r
Final-Recipient: rfc822; maria@example.org\r
Action: {action}\r
Status: {status}\r
\r
--b\r
Content-Type: text/rfc822-headers\r
\r
Message-ID: {id}\r
--b--\r
"""
PLAIN = "Mail returned to sender\r\n\r\n550 user unknown\r\n\r\n--- Original message ---\r\nMessage-Id: {id}\r\n"


def returned(text: str, message: Message, **values: str) -> InboundMail:
    body = text.format(id=message.headers["Message-ID"], **values)
    head = raw(sender="MAILER-DAEMON@mx.example.org", subject="Undeliverable").partition(b"\r\n\r\n")[0]
    gap = b"\r\n" if body.startswith("Content-Type") else b"\r\n\r\n"
    return arrive(head + gap + body.encode(), envelope_from="")


@pytest.mark.parametrize(
    ("text", "values", "state"),
    [
        (DSN, {"action": "failed", "status": "5.1.1"}, "bounced"), (PLAIN, {}, "bounced"),
        (DSN, {"action": "delayed", "status": "4.4.1"}, "sent"),
        (DSN, {"action": "delivered", "status": "2.0.0"}, "sent"),
    ],
)  # fmt: skip
def test_a_bounce_marks_our_mail_and_does_nothing_else(
    incident: Incident, text: str, values: dict[str, str], state: str
) -> None:
    message, before = sent(incident), Message.objects.count()
    mail = returned(text, message, **values)
    assert mail.verdict == Verdict.BOUNCE
    assert mail.bounced == message
    assert Message.objects.get(pk=message.pk).state == state
    assert (comments(incident), Message.objects.count()) == ([], before)


def test_an_absence_notice_that_quotes_our_mail_bounces_nothing(incident: Incident) -> None:
    message = sent(incident)
    arrive(answer_to(incident, f"Message-ID: {message.headers['Message-ID']}", auto_submitted="auto-replied"))
    assert Message.objects.get(pk=message.pk).state == "sent"


def test_a_person_who_forwards_a_bounce_is_heard() -> None:
    text = "What does this mean?\r\n\r\n> Delivery failed: 550 user unknown"
    assert arrive(raw(text, subject="Fwd: Undeliverable mail")).verdict == Verdict.OPENS


def test_a_message_is_judged_once(incident: Incident) -> None:
    mail = arrive(answer_to(incident))
    integrations.actions.judge(mail=mail, by=JOB, at=AT)
    arrive(answer_to(incident))
    assert len(comments(incident)) == 1
    assert InboundMail.objects.get().copies == 2


def test_only_the_desk_decides_about_mail(maria: User) -> None:
    mail = arrive(b"Subject: x\r\n\r\ny")
    for actor in (person(maria, "requester"), person(maria, "auditor")):
        with pytest.raises(Forbidden):
            integrations.actions.judge(mail=mail, by=actor, at=AT)
        with pytest.raises(Forbidden):
            integrations.actions.discard(mail=mail, by=actor, at=AT)
    assert integrations.actions.discard(mail=mail, by=person(maria, "agent"), at=AT).verdict == Verdict.DISCARDED


def test_a_message_that_makes_the_desk_stumble_ends_with_a_person() -> None:
    mail, _ = integrations.actions.receive(raw=raw(), source="pipe", by=JOB, at=AT)
    for _ in range(5):
        mail = integrations.actions.note_failure(mail=mail, error="Boom\0", by=job("x"), at=AT)
    assert (mail.verdict, mail.next_attempt_at, mail.error) == (Verdict.BROKEN, None, "Boom")


def test_mail_to_a_merged_incident_lands_in_the_target(incident: Incident, maria: User) -> None:
    team = TeamFactory()
    target = IncidentFactory(requester=maria, team=team, at=AT)
    lead = person(UserFactory(), "incident_manager")
    incidents.actions.merge(incident=incident, into=target, by=lead, at=AT, reason="the same")
    mail = arrive(answer_to(incident, "Still both."))
    assert (mail.verdict, mail.incident) == (Verdict.REPLIES, target)
    assert [one.body for one in Comment.objects.filter(incident=target)] == ["Still both."]
    with_files = arrive(answer_to(incident, "y").partition(b"\r\n\r\n")[0] + b"\r\n" + MIXED.encode())
    assert with_files.verdict == Verdict.REPLIES
    assert Attachment.objects.count() == 1
