"""The administrators' pages over all apps: settings as a file, and the mail settings tried."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.models import Organisation
from tests.accounts.factories import UserFactory

pytestmark = pytest.mark.django_db
FILE = "servicedesk: 1\norganisations: [{name: Acme}]\n"


@pytest.fixture
def admin(client: Client) -> Client:
    cache.clear()
    client.force_login(UserFactory(roles=["admin"], email="boss@example.org"))
    return client


class _Smtp(socketserver.StreamRequestHandler):
    """Takes a mail, or says no to its recipient."""

    def handle(self) -> None:
        self.wfile.write(b"220 hello\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
                self.wfile.write(b"250 queued as 4711\r\n")
            elif word == b"RCPT" and self.server.says_no:  # type: ignore[attr-defined]
                self.wfile.write(b"550 5.1.1 no such user, hunter2 said\r\n")
            else:
                self.wfile.write(b"250 ok\r\n")


@pytest.fixture
def server(settings: Any) -> Iterator[Any]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Smtp) as running:
        running.daemon_threads, running.says_no = True, False  # type: ignore[attr-defined]
        threading.Thread(target=running.serve_forever, daemon=True).start()
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", running.server_address[1]
        settings.SERVICEDESK_MAILBOX, settings.EMAIL_HOST_USER = False, ""
        yield running
        running.shutdown()


def test_a_test_mail_shows_what_the_server_answered(admin: Client, server: Any) -> None:
    page = admin.post("/setup/mail/").content.decode()
    assert "250 queued as 4711" in page
    assert "boss@example.org" in page


def test_a_refusal_is_shown_without_the_password(admin: Client, server: Any, settings: Any) -> None:
    server.says_no, settings.EMAIL_HOST_PASSWORD = True, "hunter2"
    page = admin.post("/setup/mail/").content.decode()
    assert "550 5.1.1 no such user, *** said" in page
    assert "hunter2" not in page + admin.get("/setup/mail/").content.decode()


def test_no_server_is_an_answer_too_and_floods_are_stopped(admin: Client, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    assert b"ConnectionRefusedError" in admin.post("/setup/mail/").content
    assert [admin.post("/setup/mail/").status_code for _ in range(6)][-1] == 429


def test_a_settings_file_is_compared_first_and_then_taken_over(admin: Client) -> None:
    compared = admin.post("/setup/settings/", {"text": FILE})
    assert b"Acme" in compared.content
    assert not Organisation.objects.exists()
    assert b"Taken over" in admin.post("/setup/settings/", {"text": FILE, "apply": "1"}).content
    assert Organisation.objects.get().name == "Acme"
    assert b"Nothing differs" in admin.post("/setup/settings/", {"text": FILE}).content
    fetched = admin.get("/setup/settings.yaml")
    assert (fetched.status_code, "name: Acme" in fetched.content.decode()) == (200, True)
    assert admin.post("/setup/settings/", {"text": "servicedesk: 9"}).status_code == 400
    assert admin.post("/setup/settings/", {}).status_code == 400


@pytest.mark.parametrize("path", ["settings/", "settings.yaml", "mail/", "doctor/"])
@pytest.mark.parametrize("role", ["requester", "agent", "lead", "manager", "incident_manager"])
def test_who_is_no_administrator_finds_nothing_here(client: Client, path: str, role: str) -> None:
    client.force_login(UserFactory(roles=[role]))
    assert client.get(f"/setup/{path}").status_code == client.post(f"/setup/{path}").status_code or path in (
        "settings.yaml",
        "doctor/",
    )
    assert client.get(f"/setup/{path}").status_code == 404
