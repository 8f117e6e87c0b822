"""How messages come in: IMAP, LMTP and the pipe; stored before anybody is told so, fetched again after any failure."""

from __future__ import annotations

import io
import os
import re
import smtplib
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError

import integrations.actions
from incidents.models import Incident
from integrations.mail.lmtp import Lmtp
from integrations.management.commands import receive_mail
from integrations.models import InboundMail, MailSource, Verdict
from integrations.queries import trouble
from integrations.tasks import fetch_mail, judge_mail
from tests.integrations.mails import AT, JOB, InboundMailFactory, MailSourceFactory, raw

pytestmark = pytest.mark.django_db


class Mailbox(socketserver.ThreadingTCPServer):
    """A strict double of an IMAP server: messages by UID, flags, and a line that can break after so many fetches."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, *messages: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Imap)
        self.messages = {101 + number * 7: message for number, message in enumerate(messages)}
        self.seen: set[int] = set()
        self.breaks_after = 1000
        self.password = "secret"

    @property
    def url(self) -> str:
        return f"imap://desk%40x:secret@127.0.0.1:{self.server_address[1]}/INBOX?tls=no"


class _Imap(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.fetched = 0
        self.wfile.write(b"* OK ready\r\n")
        while line := self.rfile.readline():
            tag, _, rest = line.decode().strip().partition(" ")
            if self._answer(tag, rest) is False:
                return

    def _answer(self, tag: str, rest: str) -> bool:
        box: Any = self.server
        said, status = "", "OK done"
        if rest.upper().startswith("CAPABILITY"):
            said = "* CAPABILITY IMAP4rev1\r\n"
        elif rest.upper().startswith("LOGIN"):
            status = "OK in" if f'"{box.password}"' in rest else "NO wrong"
        elif rest.upper().startswith("SELECT"):
            said = f"* {len(box.messages)} EXISTS\r\n"
        elif rest.upper().startswith("UID SEARCH UNSEEN"):
            said = "* SEARCH " + " ".join(str(uid) for uid in box.messages if uid not in box.seen) + "\r\n"
        elif fetch := re.match(r"UID FETCH (\d+) \(UID BODY\.PEEK\[\]<0\.(\d+)>\)", rest):
            return self._fetch(tag, int(fetch[1]), int(fetch[2]))
        elif store := re.match(r"UID STORE (\d+) \+FLAGS\.SILENT \(\\Seen\)", rest):
            box.seen.add(int(store[1]))
        elif not rest.upper().startswith("LOGOUT"):
            status = "BAD what"
        self.wfile.write(f"{said}{tag} {status}\r\n".encode())
        return not rest.upper().startswith("LOGOUT")

    def _fetch(self, tag: str, uid: int, longest: int) -> bool:
        box: Any = self.server
        if self.fetched >= box.breaks_after:
            return False
        self.fetched += 1
        text = box.messages[uid][:longest]
        self.wfile.write(f"* 1 FETCH (UID {uid} BODY[]<0> {{{len(text)}}}\r\n".encode() + text + b")\r\n")
        self.wfile.write(f"{tag} OK done\r\n".encode())
        return True


@contextmanager
def running(server: Any) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


MESSAGES = [raw(f"Message {number}", sender=f"m{number}@example.org") for number in range(3)]


def test_unseen_messages_are_fetched_stored_and_then_marked() -> None:
    with running(Mailbox(*MESSAGES)) as box:
        assert fetch_mail(box.url) == 3
        assert box.seen == set(box.messages)
        assert fetch_mail(box.url) == 0
    assert Incident.objects.count() == 3
    assert MailSource.objects.get().name == "imap://desk%40x@127.0.0.1/INBOX"
    assert MailSource.objects.get().failing_since_at is None


def test_a_lost_connection_loses_and_doubles_nothing() -> None:
    with running(Mailbox(*MESSAGES)) as box:
        box.breaks_after = 1
        assert fetch_mail(box.url) == 1
        assert MailSource.objects.get().error
        assert [fetch_mail(box.url) for _ in range(2)] == [1, 1]
        assert MailSource.objects.get().error == ""
    assert InboundMail.objects.count() == 3


def test_a_message_that_was_stored_but_not_marked_is_not_stored_twice() -> None:
    with running(Mailbox(*MESSAGES)) as box:
        fetch_mail(box.url)
        box.seen.clear()
        assert fetch_mail(box.url) == 0
        assert box.seen == set(box.messages)
    assert Incident.objects.count() == 3


def test_a_message_that_can_not_be_stored_stays_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**values: Any) -> Any:
        raise DatabaseError("disk full")

    with running(Mailbox(*MESSAGES)) as box:
        monkeypatch.setattr(integrations.actions, "receive", broken)
        assert fetch_mail(box.url) == 0
        assert box.seen == set()
    assert "disk full" in MailSource.objects.get().error


def test_a_server_that_is_away_or_refuses_is_noted(settings: Any) -> None:
    with running(Mailbox()) as box:
        box.password = "other"
        assert fetch_mail(box.url) == 0
    assert "error" in MailSource.objects.get().error.lower()
    assert fetch_mail(box.url) == 0
    assert MailSource.objects.get().failing_since_at is not None
    assert fetch_mail("pop3://x@127.0.0.1/") == 0
    assert fetch_mail() == 0


def test_without_tls_only_this_machine_is_asked() -> None:
    with running(Mailbox(*MESSAGES)) as box:
        assert fetch_mail(box.url.removesuffix("?tls=no")) == 0
    assert not InboundMail.objects.exists()


def test_a_message_that_is_too_large_is_fetched_up_to_the_limit(settings: Any) -> None:
    settings.SERVICEDESK_MAIL_MAX_BYTES = 100
    with running(Mailbox(raw("x" * 5000))) as box:
        fetch_mail(box.url)
    mail = InboundMail.objects.get()
    assert (mail.verdict, mail.is_cut, len(mail.content.raw)) == (Verdict.BROKEN, True, 100)


@pytest.fixture
def lmtp() -> Iterator[tuple[Any, list[tuple[bytes, str]]]]:
    kept: list[tuple[bytes, str]] = []

    def store(message: bytes, sender: str) -> bool:
        kept.append((message, sender))
        return b"fail" not in message

    server = Lmtp(("127.0.0.1", 0), store, 1000)
    with running(server), smtplib.LMTP("127.0.0.1", server.server_address[1]) as link:
        yield link, kept


def test_lmtp_takes_a_message_and_says_so_for_each_recipient(lmtp: Any) -> None:
    link, kept = lmtp
    assert link.sendmail("m@example.org", ["a@desk"], b"Subject: x\r\n\r\n.dot\r\n..\r\n") == {}
    assert kept == [(b"Subject: x\r\n\r\n.dot\r\n..\r\n", "m@example.org")]
    link.docmd("MAIL FROM:<>")
    assert [link.docmd(f"RCPT TO:<{one}@desk>")[0] for one in "ab"] == [250, 250]
    assert [link.data(b"again")[0], link.getreply()[0]] == [250, 250]
    assert kept[1] == (b"again\r\n", "")


def test_lmtp_says_when_it_could_not_store(lmtp: Any) -> None:
    link, _kept = lmtp
    with pytest.raises(smtplib.SMTPDataError) as refused:
        link.sendmail("m@example.org", ["a@desk"], b"fail")
    assert refused.value.smtp_code == 451
    with pytest.raises(smtplib.SMTPSenderRefused):
        link.sendmail("m@example.org", ["a@desk"], b"x" * 2000)


def test_lmtp_refuses_what_is_out_of_order_or_too_large(lmtp: Any) -> None:
    link, kept = lmtp
    assert link.docmd("DATA")[0] == 503
    assert link.docmd("RCPT TO:<a@desk>")[0] == 503
    assert link.docmd("MAIL FROM: nobody")[0] == 501
    assert link.docmd("EXPN list")[0] == 500
    link.docmd("MAIL FROM:<m@example.org>")
    assert link.docmd("RCPT TO:<a@desk>")[0] == 250
    assert link.data(b"x" * 5000)[0] == 552
    assert link.docmd("NOOP")[0] == 250
    assert kept == []


def piped(monkeypatch: pytest.MonkeyPatch, content: bytes, *arguments: str) -> int:
    """The exit code of the command with this on its standard input."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    try:
        call_command("receive_mail", *arguments)
    except CommandError as error:
        return error.returncode
    return 0


def test_the_pipe_stores_and_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    assert piped(monkeypatch, raw(), "--from", "maria@example.org") == 0
    assert InboundMail.objects.get().verdict == Verdict.OPENS
    assert piped(monkeypatch, raw("away"), "--from", "") == 0
    assert InboundMail.objects.order_by("-id")[0].verdict == Verdict.IGNORED
    assert piped(monkeypatch, b" \n") == os.EX_DATAERR
    assert piped(monkeypatch, b"", "--lmtp", "nonsense") == os.EX_USAGE


def test_the_pipe_asks_for_another_try_when_it_can_not_store(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**values: Any) -> Any:
        raise DatabaseError("gone")

    monkeypatch.setattr(integrations.actions, "receive", broken)
    assert piped(monkeypatch, raw()) == os.EX_TEMPFAIL
    assert not receive_mail.keep(raw(), None, "lmtp")


def test_one_message_that_breaks_does_not_stop_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    real = integrations.actions.judge

    def judge(**values: Any) -> Any:
        if values["mail"].pk == first.pk:
            raise RuntimeError("boom")
        return real(**values)

    first, _ = integrations.actions.receive(raw=MESSAGES[0], source="pipe", by=JOB, at=AT)
    second, _ = integrations.actions.receive(raw=MESSAGES[1], source="pipe", by=JOB, at=AT)
    monkeypatch.setattr(integrations.actions, "judge", judge)
    assert judge_mail(AT) == 1
    assert InboundMail.objects.get(pk=second.pk).verdict == Verdict.OPENS
    assert InboundMail.objects.get(pk=first.pk).error == "RuntimeError: boom"
    assert judge_mail(AT) == 0


def test_what_is_stuck_is_trouble() -> None:
    assert trouble(AT) == {"stuck": 0, "held": 0, "failing": {}}
    InboundMailFactory(verdict="waiting", judged_at=None, received_at=AT - MailSource.PATIENCE * 2)
    InboundMailFactory()
    MailSourceFactory(name="imaps://x/INBOX", failing_since_at=AT - MailSource.PATIENCE * 2, error="gone")
    assert trouble(AT) == {"stuck": 1, "held": 1, "failing": {"imaps://x/INBOX": "gone"}}
