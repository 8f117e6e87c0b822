"""Reads about mail: whose thread it is, whether two machines answer each other, what waits."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet

from accounts.models import User
from incidents.models import Incident, Participant
from incidents.queries import number_of
from integrations.mail.reading import Parsed
from integrations.models import InboundMail, MailSource, Verdict
from notify import threading
from notify.models import Message
from notify.queries import mail_key, message_of

#: So many answers of one machine are taken for people's; then it is left to a person.
ENOUGH = 3
_DAY, _MOMENT = timedelta(days=1), timedelta(minutes=10)
#: Nobody writes so many mails by hand in ten minutes.
_FLOOD = 30
_OURS = re.compile(r"[a-z]{1,8}-[0-9]{1,15}\.[a-z_]{1,30}\.[a-z0-9]{1,40}\.[0-9a-f]{32}@[^\s<>@]{1,253}", re.I | re.A)
_RESULT = re.compile(r"\b(dmarc|dkim)\s{0,3}=\s{0,3}pass\b([^;]{0,500})", re.IGNORECASE)


def own_addresses() -> frozenset[str]:
    """The desk's own addresses: what it sends from, and those that the setting names."""
    named = [parseaddr(settings.DEFAULT_FROM_EMAIL)[1], *settings.SERVICEDESK_MAIL_ADDRESSES]
    return frozenset(one.strip().lower() for one in named if one.strip())


def signed_in(parsed: Parsed) -> list[threading.Signed]:
    """What the Message-IDs that the mail answers to say, as far as they are genuine."""
    found = (threading.read(one, mail_key()) for one in parsed.references)
    return [one for one in found if one is not None]


def messages_in(parsed: Parsed) -> list[Message]:
    """The mails of ours that a report encloses or quotes, by their signed Message-IDs."""
    text = "\n".join((*parsed.references, *(value for _, value in parsed.enclosed), parsed.everything))
    named = list(dict.fromkeys(one.lower() for one in _OURS.findall(text)))[:20]
    return [one for one in (message_of(f"<{name}>") for name in named) if one is not None]


def incident_of(reference: str) -> Incident | None:
    """The incident of a reference; what is said on a merged one lands where it went, by the action itself."""
    number = number_of(reference) if reference.upper().startswith("INC-") else None
    return None if number is None else Incident.objects.filter(number=number).first()


def account_of(address: str) -> User | None:
    return User.objects.get_queryset().filter(email=address).first() if address else None


def takes_part(user: User | None, incident: Incident) -> bool:
    """Whether a subject may speak for them: requester, assignee, or who follows it."""
    if user is None:
        return False
    if user.pk in (incident.requester_id, incident.assignee_id):
        return True
    return Participant.objects.filter(incident=incident, user=user).exists()


def original_of(mail: InboundMail) -> InboundMail | None:
    """The same message that was judged before, come by another way; of two at one moment one waits for the other."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 7))", [mail.dedup_key])
    same = InboundMail.objects.filter(dedup_key=mail.dedup_key, copy_of=None, judged_at__isnull=False)
    return same.exclude(pk=mail.pk).exclude(verdict=Verdict.DISCARDED).order_by("id").first()


def is_authentic(parsed: Parsed) -> bool:
    """Whether the desk's own mail server says that the sender's address is true (RFC 8601)."""
    server = settings.SERVICEDESK_MAIL_AUTHSERV.strip().lower()
    domain = parsed.sender.rpartition("@")[2]
    for value in parsed.all("authentication-results") if server and domain else []:
        named, _, results = value.partition(";")
        if named.split()[:1] != [server]:
            continue
        # The first one of our server is its own; a later one may have come with the mail.
        for method, detail in _RESULT.findall(results.lower()):
            wanted = rf"header\.from\s*=\s*{re.escape(domain)}\b" if method == "dmarc" else (
                rf"header\.(?:d\s*=\s*|i\s*=\s*[^\s;]*@){re.escape(domain)}(?![\w.-])"
            )  # fmt: skip
            if re.search(wanted, detail):
                return True
        return False
    return False


def is_flood(mail: InboundMail, at: datetime) -> bool:
    """Whether this sender sends more than anybody writes by hand."""
    lately = InboundMail.objects.exclude(pk=mail.pk).acted_on(mail.sender, at - _MOMENT)
    return lately.count() >= _FLOOD


def is_loop(mail: InboundMail, at: datetime) -> bool:
    """Whether another receipt might be answered by a machine again: three that we sent by ourselves are enough.

    Of those that answer a mail of ours in a day, of all others in ten minutes. What people of the desk wrote does not
    count.
    """
    opened = InboundMail.objects.exclude(pk=mail.pk).acted_on(mail.sender, at - _DAY).filter(verdict=Verdict.OPENS)
    if mail.is_answer and opened.filter(is_answer=True).count() >= ENOUGH:
        return True
    sent = _automatic_to(mail.sender).filter(created_at__gt=at - _MOMENT)
    return opened.filter(received_at__gt=at - _MOMENT).count() >= ENOUGH and sent.count() >= ENOUGH


def _automatic_to(address: str) -> QuerySet[Message]:
    """What the desk sent there by itself, without the words of a person."""
    sent = Message.objects.filter(address=address, channel="mail").exclude(state="cancelled")
    return sent.exclude(dedup_key__contains=":comment:")


def trouble(at: datetime) -> dict[str, Any]:
    """What keeps mail from coming in: messages that could not be judged, mailboxes that can't be fetched."""
    late = at - MailSource.PATIENCE
    stuck = InboundMail.objects.filter(verdict=Verdict.WAITING, received_at__lt=late).count()
    failing = MailSource.objects.filter(failing_since_at__lt=late).values_list("name", "error")
    waiting = InboundMail.objects.filter(verdict__in=[Verdict.HELD, Verdict.BROKEN]).count()
    return {"stuck": stuck, "held": waiting, "failing": {name: error[:200] for name, error in failing[:10]}}


def mails_of(incident: Incident) -> QuerySet[InboundMail]:
    return InboundMail.objects.filter(incident=incident)
