"""The trial's mail server: a Django mail backend that keeps every mail in the database, for the page /mailbox/."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import F

from notify.models import MailboxMail


class EmailBackend(BaseEmailBackend):
    """Keeps mails; a Message-ID that comes again is counted on the first, as an idempotent provider does."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        for mail in email_messages:
            self._keep(mail)
        return len(email_messages)

    def _keep(self, mail: EmailMessage) -> None:
        parsed = mail.message()  # refuses header injection exactly as real sending does
        html = ""
        if isinstance(mail, EmailMultiAlternatives):
            html = next((str(content) for content, kind in mail.alternatives if kind == "text/html"), "")
        _, created = MailboxMail.objects.get_or_create(
            message_id=str(parsed["Message-ID"]),
            defaults={
                "sender": mail.from_email,
                "recipients": mail.recipients(),
                "subject": str(mail.subject),
                "body": str(mail.body),
                "html": html,
                "headers": {str(name): str(value) for name, value in parsed.items()},
            },
        )
        if not created:
            MailboxMail.objects.filter(message_id=str(parsed["Message-ID"])).update(copies=F("copies") + 1)
