"""One mail to try the mail settings: sent at once, outside the outbox, with what the server answered to each step."""

from __future__ import annotations

import base64
import dataclasses
import smtplib
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.utils.translation import gettext as _

LONGEST_ANSWER = 500


@dataclasses.dataclass(frozen=True, slots=True)
class Trial:
    """Whether the server took the mail, and the steps with its answers; no secret stands in them."""

    is_accepted: bool
    steps: list[tuple[str, str]]


def try_mail_server(address: str) -> Trial:
    """Sends a test mail; what goes wrong is an answer, never an exception."""
    steps: list[tuple[str, str]] = []
    mail = EmailMessage(
        subject=_("Test mail of the service desk"),
        body=_("The mail settings work: the mail server took this mail.\n"),
        to=[address],
        headers={"Auto-Submitted": "auto-generated"},
    )
    link: Any = get_connection(fail_silently=False, timeout=settings.EMAIL_TIMEOUT)
    try:
        link.open()
        server = getattr(link, "connection", None)
        if not isinstance(server, smtplib.SMTP):
            link.send_messages([mail])
            return Trial(True, [("mailbox", _("No mail server is set: the mail lies in the trial's mailbox."))])
        steps.append(("connect", f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"))
        return Trial(_handed_over(server, mail, address, steps), steps)
    except smtplib.SMTPResponseException as error:
        steps.append(("refused", _said(error.smtp_code, error.smtp_error)))
    except (OSError, smtplib.SMTPException, UnicodeError) as error:
        steps.append(("failed", _without_secrets(f"{type(error).__name__}: {error}")))
    finally:
        _close(link)
    return Trial(False, steps)


def _handed_over(server: smtplib.SMTP, mail: EmailMessage, address: str, steps: list[tuple[str, str]]) -> bool:
    sender = mail.from_email.rpartition("<")[2].rstrip(">")
    talk: tuple[tuple[str, Callable[[], tuple[int, bytes]]], ...] = (
        ("mail", lambda: server.mail(sender)),
        ("rcpt", lambda: server.rcpt(address)),
        ("data", lambda: server.data(mail.message().as_bytes())),
    )
    for name, step in talk:
        code, answer = step()
        steps.append((name, _said(code, answer)))
        if code >= 400:  # SMTP's own line between yes and no
            return False
    return True


def _said(code: int, answer: object) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)
    return _without_secrets(f"{code} {text}")


def _without_secrets(text: str) -> str:
    """A server may repeat what it was told, the password too."""
    user, password = str(settings.EMAIL_HOST_USER or ""), str(settings.EMAIL_HOST_PASSWORD or "")
    secrets = [password, base64.b64encode(password.encode()).decode()] if password else []
    secrets += [base64.b64encode(f"\0{user}\0{password}".encode()).decode()] if password else []
    for secret in secrets:
        text = text.replace(secret, "***")
    return " ".join(text.split())[:LONGEST_ANSWER]


def _close(link: Any) -> None:
    try:
        link.close()
    except (OSError, smtplib.SMTPException):
        return  # it was asked for an answer, and that is there
