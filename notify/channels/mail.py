"""Mail by Django's backend, with the Message-ID of the dedup key, so that a repeat is known as one."""

from __future__ import annotations

import smtplib

from django.conf import settings
from django.core.mail import BadHeaderError, EmailMultiAlternatives, get_connection

from notify.channels import Outcome, Result, body_of
from notify.models import Message


def send(message: Message) -> Outcome:
    connection = get_connection(fail_silently=False)
    try:
        connection.open()
    except (OSError, smtplib.SMTPException) as error:
        return _refused(error, "no connection to the mail server")
    try:
        connection.send_messages([compose(message, connection)])
    except (smtplib.SMTPServerDisconnected, TimeoutError, ConnectionError) as error:
        return Outcome(Result.UNCERTAIN, f"the mail server went away: {type(error).__name__}")
    except BadHeaderError:
        return Outcome(Result.FAILED, "a header holds a line break", permanent=True)
    except (OSError, smtplib.SMTPException) as error:
        return _refused(error, "the mail server refused")
    finally:
        _close(connection)
    return Outcome(Result.OK, provider_ref=message.headers.get("Message-ID", ""))


def compose(message: Message, connection: object) -> EmailMultiAlternatives:
    """The message as a mail, with the headers that keep other robots from answering it."""
    headers = {**message.headers, "Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}
    mail = EmailMultiAlternatives(
        subject=message.subject,
        body=body_of(message),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[message.address],
        headers=headers,
        connection=connection,
    )
    if message.html:
        mail.attach_alternative(message.html.replace("{link}", message.link), "text/html")
    return mail


def _refused(error: Exception, what: str) -> Outcome:
    """A 5xx of the mail server is final, everything else may pass."""
    codes = [getattr(error, "smtp_code", 0)]
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
    permanent = bool(codes) and all(500 <= code < 600 for code in codes)
    shown = f" ({codes[0]})" if codes and codes[0] else ""
    return Outcome(Result.FAILED, f"{what}: {type(error).__name__}{shown}", permanent=permanent)


def _close(connection: object) -> None:
    try:
        connection.close()  # type: ignore[attr-defined]
    except (OSError, smtplib.SMTPException):
        return  # the mail is on its way already; a rude goodbye changes nothing
