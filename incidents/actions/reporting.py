"""What requesters do from outside: receipts, links without a login, reports that a mail has to confirm."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.utils.translation import gettext as _

import accounts.actions
import notify.actions
from accounts.models import User
from accounts.queries import as_requester
from audit.actions import ActionRefused, action
from audit.actor import Actor, ActorKind
from incidents import wording
from incidents.actions.frame import line, locked, text
from incidents.actions.opening import open_incident
from incidents.actions.telling import is_silent
from incidents.actions.writing import filled, greeted, mail_address, mail_requester
from incidents.models import Channel, Incident, State, links
from incidents.models.mails import MailKind
from incidents.models.reports import Report
from notify.models import token_hash

REPORT_LIFETIME = timedelta(days=2)
LIST_LIFETIME = timedelta(days=1)
LONGEST_DETAIL = 10_000
_LOCALES = frozenset(code for code, _name in settings.LANGUAGES)


class LinkInvalid(ActionRefused):
    """The link is unknown, too old, or of a report that was thrown away; which of them is not told."""

    status = 404
    code = "link_invalid"


@action(joins=True)
def send_receipt(*, incident: Incident, answer_by: datetime | None, by: Actor, at: datetime) -> None:
    """Mails number and promise to the requester of an incident that was just opened; `answer_by` is the clock's word.

    Once. Nothing for imports, drills and what was opened resolved. The mail itself records that it was sent.
    """
    if incident.requester is None or is_silent(incident) or incident.state == State.RESOLVED:
        return
    mail_requester(incident.requester, incident, MailKind.OPENED, "opened", by, at, {"answer_by": answer_by})


@action
def send_link(*, incident: Incident, user: User, by: Actor, at: datetime) -> bool:
    """Mails a new link to the requester's own address, once an hour; False when there is nobody to send it to.

    Whoever asks must not be told which: the person may have left, or may no longer be the requester.
    """
    incident = locked(incident)
    if incident.requester_id != user.pk or not user.is_active:
        return False
    mail_requester(user, incident, MailKind.LINK, f"link:{at:%Y%m%d%H}", by, at, {})
    return True


@action
def send_list_link(*, email: str, by: Actor, at: datetime) -> bool:
    """Mails a link to the list of their own reports to an active person, once an hour; False when nobody has it.

    Whoever asks must not be told which.
    """
    user = User.objects.active().filter(email=email.strip().lower()[:254]).first()
    if user is None:
        return False
    facts = {"name": greeted(user)}
    subject, body = filled(MailKind.LINK, user.locale, facts, user.time_zone)
    notify.actions.enqueue_mail_to_user(
        user=user, subject=subject, body=body + "\n", html=wording.to_html(body, user.locale),
        link=links.list_link_for(user, at + LIST_LIFETIME), dedup_key=f"list:{user.pk}:{at:%Y%m%d%H}",
        topic=f"list:{user.pk}", about=user, expires_at=at + LIST_LIFETIME, by=by, at=at,
    )  # fmt: skip
    return True


@action
def ask_to_confirm(
    *, email: str, title: str, by: Actor, at: datetime, description: str = "", urgency: int | None = None,
    locale: str = "en",
) -> Report:  # fmt: skip
    """Keeps a report of somebody without an account and mails a link that confirms it; nothing is opened before.

    A leaver and, unless the portal is open, an unknown address get no mail, and whoever asks must not be told so.
    Refused: no title, texts that are too long, an unknown urgency. Recorded once it is confirmed.
    """
    token = secrets.token_urlsafe(24)
    report = Report(
        email=line("email", email, required=True, longest=254).lower(),
        title=line("title", title, required=True),
        description=text("description", description, longest=LONGEST_DETAIL),
        urgency=urgency,
        locale=locale if locale in _LOCALES else "en",
        token_hash=token_hash(token),
        created_at=at,
        expires_at=at + REPORT_LIFETIME,
    )
    report.save()
    known = User.objects.filter(email=report.email).first()
    if (known is not None and not known.is_active) or (known is None and not settings.SERVICEDESK_OPEN_PORTAL):
        return report
    locale = known.locale if known is not None else report.locale
    mail_address(
        report.email, locale, MailKind.CONFIRM, f"report:{report.pk}", report,
        f"{settings.SERVICEDESK_URL}/help/c/{token}/", by, at, {"title": report.title}, report.expires_at,
    )  # fmt: skip
    return report


@action
def confirm_report(*, token: str, by: Actor, at: datetime) -> Incident:
    """Opens the incident of a report whose address was confirmed; the same link again gives the same incident.

    Somebody unknown becomes a requester without a password. Refused: an unknown or old link, a leaver. Records what
    opening an incident (and making a person) records.
    """
    report = Report.objects.select_for_update().filter(token_hash=token_hash(token), expires_at__gt=at).first()
    if report is None:
        raise LinkInvalid(_("this link is not valid any more"), remedy=_("report it again"))
    if report.incident_id is not None:
        return Incident.objects.get(pk=report.incident_id)
    person = User.objects.filter(email=report.email).first() or _made(report, at)
    if not person.is_active:
        raise LinkInvalid(_("this link is not valid any more"), remedy=_("report it again"))
    incident = open_incident(
        title=report.title, description=report.description, urgency=report.urgency, channel=Channel.PORTAL.value,
        requester=person, by=as_requester(person), at=at,
    )  # fmt: skip
    report.incident = incident
    report.save(update_fields=["incident"])
    return incident


def _made(report: Report, at: datetime) -> User:
    """Confirming the address is what mail from it would prove, so the mail robot's right is the one that counts."""
    robot = Actor(kind=ActorKind.MAIL, id="portal", label="portal")
    return accounts.actions.create_user(email=report.email, locale=report.locale, by=robot, at=at)
