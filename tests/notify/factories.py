"""One factory for each model of notify, and a provider that remembers what it saw."""

from __future__ import annotations

import dataclasses
import datetime as dt
import http.server
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import factory
from factory.django import DjangoModelFactory

from notify.models import Contact, MailboxMail, Message
from tests.accounts.factories import UserFactory

AT = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)


class ContactFactory(DjangoModelFactory[Contact]):
    """A verified mail contact."""

    class Meta:
        model = Contact

    user = factory.SubFactory(UserFactory)
    channel = "mail"
    address = factory.Sequence(lambda n: f"contact{n}@example.org")
    verified_at = AT


class MessageFactory(DjangoModelFactory[Message]):
    """A queued ordinary mail about its own contact's person."""

    class Meta:
        model = Message

    channel = "mail"
    address = "someone@example.org"
    subject = "Subject"
    body = "Body"
    headers = factory.LazyAttribute(lambda one: {"Message-ID": f"<{one.dedup_key}@desk>"})
    dedup_key = factory.Sequence(lambda n: f"key-{n}")
    topic = "topic:1"
    about_type = "accounts.user"
    about_id = 0
    created_at = AT
    next_attempt_at = AT


class MailboxMailFactory(DjangoModelFactory[MailboxMail]):
    class Meta:
        model = MailboxMail

    message_id = factory.Sequence(lambda n: f"<{n}@desk>")
    sender = "desk@example.org"
    recipients = ["someone@example.org"]
    subject = "Subject"
    body = "Open http://localhost:8000/r/abc/ now"


@dataclasses.dataclass
class Provider:
    """A strict double of a provider: it counts each dedup key, and can be slow, broken, busy or silent."""

    url: str
    keys: list[str] = dataclasses.field(default_factory=list)
    bodies: list[dict[str, object]] = dataclasses.field(default_factory=list)
    headers: list[dict[str, str]] = dataclasses.field(default_factory=list)
    texts: list[bytes] = dataclasses.field(default_factory=list)
    status: int = 200
    answer_headers: dict[str, str] = dataclasses.field(default_factory=dict)
    delay_s: float = 0.0
    is_silent: bool = False
    drip: bool = False
    answer: bytes = b"ok"

    def count(self) -> Counter[str]:
        return Counter(self.keys)


@contextmanager
def running_provider(host: str = "127.0.0.1") -> Iterator[Provider]:
    provider = Provider(url="")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            provider.keys.append(self.headers.get("Idempotency-Key", ""))
            provider.headers.append({name.lower(): value for name, value in self.headers.items()})
            provider.texts.append(body)
            if self.headers.get("Content-Type") == "application/json":
                provider.bodies.append(json.loads(body))
            time.sleep(provider.delay_s)
            if provider.is_silent:
                self.close_connection = True
                self.connection.close()
                return
            self.send_response(provider.status)
            for name, value in provider.answer_headers.items():
                self.send_header(name, value)
            self.end_headers()
            if provider.drip:
                for _ in range(100):
                    self.wfile.write(b".")
                    self.wfile.flush()
                    time.sleep(0.05)
            self.wfile.write(provider.answer)

        def log_message(self, *args: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer((host, 0), Handler)
    server.handle_error = lambda *args: None  # type: ignore[method-assign]
    provider.url = f"http://{host}:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
