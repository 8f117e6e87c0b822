"""Stores a message, then judges it: opens, replies, notes, or leaves it to a person. Nothing here answers anybody."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F

import accounts.actions
import incidents.actions
import notify.actions
from accounts.models import User
from accounts.queries import actor_for
from audit.actions import ActionRefused, Forbidden, action, record
from audit.actor import Actor, ActorKind
from audit.context import current_entry, entry
from incidents.filetypes import NotAllowed, Upload, limits_from, safe_name
from incidents.filetypes import judge as judge_file
from incidents.models import Channel, Comment, Incident, State
from integrations import permissions, queries
from integrations.events import MailEvent
from integrations.mail.bounces import report_of
from integrations.mail.folding import fold
from integrations.mail.nature import Kind, nature_of
from integrations.mail.reading import Parsed, clean, identity_of, read
from integrations.models import InboundMail, MailContent, MailSource, Verdict
from notify.threading import references_in

ROBOT = Actor(kind=ActorKind.MAIL, id="mail", label="mail")
#: So often a message is tried that makes the desk stumble; then it waits for a person.
MOST_ATTEMPTS = 5
_PREFIX = re.compile(
    r"^(?:\s*(?:re|aw|sv|vs|antw|odp|res|rv|ref|fwd?|wg|tr|enc)\s*(?:\[\d{1,3}\])?\s*:|\s*\[INC-\d{1,15}\])+", re.I
)


@action
def receive(
    *, raw: bytes, source: str, by: Actor, at: datetime, envelope_from: str | None = None
) -> tuple[InboundMail, bool]:
    """Stores a message as it came; returns it, and whether it is new. The same bytes again are only counted.

    What is larger than SERVICEDESK_MAIL_MAX_BYTES is stored up to there. Records nothing: judging does.
    """
    longest = settings.SERVICEDESK_MAIL_MAX_BYTES
    kept = raw[:longest]
    mail = InboundMail(
        sha256=hashlib.sha256(kept).hexdigest(), dedup_key=identity_of(kept), size=len(raw),
        is_cut=len(raw) > longest, source=source, received_at=at, next_attempt_at=at,
        envelope_from=None if envelope_from is None else clean(envelope_from.strip("<> "))[:500],
    )  # fmt: skip
    try:
        with transaction.atomic():
            mail.save()
            MailContent.objects.create(mail=mail, raw=kept)
    except IntegrityError:
        pass  # it came before, perhaps this very moment by another way
    else:
        return mail, True
    known = InboundMail.objects.filter(sha256=mail.sha256)
    known.update(copies=F("copies") + 1)
    return known.get(), False


@action
def judge(*, mail: InboundMail, by: Actor, at: datetime, let_in: bool = False) -> InboundMail:
    """Decides what a stored message is and does it, once; records `mail.judged`.

    `let_in` is a person's word that a held message is one of a person. Refused without the right to decide; a message
    that was acted on stays as it is.
    """
    _may_decide(by)
    parsed = read(bytes(mail.content.raw))
    mail = InboundMail.objects.select_for_update(no_key=True).get(pk=mail.pk)
    if mail.incident_id is not None or mail.verdict == Verdict.BOUNCE:
        return mail
    mail.sender, mail.subject = parsed.sender[:500], parsed.subject[:500]
    mail.message_id = parsed.message_id[:1000]
    with entry("mail", current_entry().request_id):
        _decide(mail, parsed, at, let_in=let_in)
    mail.judged_at, mail.next_attempt_at, mail.error = at, None, ""
    mail.save()
    record(
        MailEvent.JUDGED, mail, by, at, about=mail.incident or mail, reason=mail.reason, mail=str(mail.key),
        verdict=str(mail.verdict),
    )  # fmt: skip
    return mail


@action
def discard(*, mail: InboundMail, by: Actor, at: datetime) -> InboundMail:
    """A person puts a message aside that waits for one. Records `mail.discarded`; one that was acted on stays."""
    _may_decide(by)
    mail = InboundMail.objects.select_for_update(no_key=True).get(pk=mail.pk)
    if mail.verdict not in (Verdict.HELD, Verdict.BROKEN, Verdict.WAITING):
        return mail
    mail.verdict, mail.judged_at, mail.next_attempt_at = Verdict.DISCARDED, at, None
    mail.save()
    record(MailEvent.DISCARDED, mail, by, at, mail=str(mail.key))
    return mail


@action
def note_failure(*, mail: InboundMail, error: str, by: Actor, at: datetime) -> InboundMail:
    """A message made the desk stumble: it is tried again later, and after some attempts held for a person."""
    mail = InboundMail.objects.select_for_update(no_key=True).get(pk=mail.pk)
    mail.attempts += 1
    mail.error = clean(error)[:2000]
    if mail.attempts < MOST_ATTEMPTS:
        mail.next_attempt_at = at + timedelta(minutes=2**mail.attempts)
    else:
        mail.next_attempt_at, mail.judged_at = None, at
        mail.verdict, mail.reason = Verdict.BROKEN, "judging it failed again and again"
        record(MailEvent.JUDGED, mail, by, at, reason=mail.reason, mail=str(mail.key), verdict=str(mail.verdict))
    mail.save()
    return mail


@action
def note_source(*, name: str, by: Actor, at: datetime, error: str = "") -> MailSource:
    """How fetching a mailbox went; the beginning of a failure is kept until the next success."""
    known, _ = MailSource.objects.get_or_create(name=name)
    if error:
        known.failing_since_at, known.error = known.failing_since_at or at, error[:2000]
    else:
        known.ok_at, known.failing_since_at, known.error = at, None, ""
    known.save()
    return known


def _may_decide(by: Actor) -> None:
    if by.kind not in (ActorKind.JOB, ActorKind.SYSTEM) and not permissions.can_decide_mail(by):
        raise Forbidden(f"{by.label} may not decide about received mail", remedy="ask an agent")


def _decide(mail: InboundMail, parsed: Parsed, at: datetime, *, let_in: bool) -> None:
    nature = nature_of(parsed, envelope_from=mail.envelope_from, own=queries.own_addresses())
    answered = queries.signed_in(parsed)
    named = [one for one in references_in(parsed.subject) if one.startswith("INC-")]
    mail.is_answer = bool(answered or named)
    mail.copy_of = queries.original_of(mail)
    if mail.copy_of is not None:
        _set(mail, Verdict.IGNORED, "a copy of a message that came before")
    elif nature.kind is Kind.BOUNCE:
        _bounce(mail, parsed, at, nature.sign)
    elif nature.kind in (Kind.OWN, Kind.AUTOMATIC) and not let_in:
        _set(mail, Verdict.IGNORED, nature.sign)
    elif (mail.is_cut or parsed.broken) and not let_in:
        _set(mail, Verdict.BROKEN, "it is too large" if mail.is_cut else f"the parser failed: {parsed.broken}")
    elif nature.kind is Kind.DOUBTFUL and not let_in:
        _set(mail, Verdict.HELD, nature.sign)
    elif not parsed.sender:
        _set(mail, Verdict.HELD, "nobody is named as its sender")
    else:
        _of_a_person(mail, parsed, [one.reference for one in answered], named, at, let_in=let_in)


def _set(mail: InboundMail, verdict: Verdict, reason: str) -> None:
    mail.verdict, mail.reason = verdict, clean(reason)[:500]


def _bounce(mail: InboundMail, parsed: Parsed, at: datetime, sign: str) -> None:
    """Says of each mail of ours that it names that it did not arrive; a delay is only noted here."""
    report = report_of(parsed)
    _set(mail, Verdict.BOUNCE, report.detail or sign)
    for message in queries.messages_in(parsed):
        mail.bounced = mail.bounced or message
        if report.is_final:
            notify.actions.mark_bounced(message_id=message.pk, error=mail.reason, by=ROBOT, at=at)


def _of_a_person(
    mail: InboundMail, parsed: Parsed, threads: list[str], named: list[str], at: datetime, *, let_in: bool
) -> None:
    """By the thread it answers, else by a subject of somebody who takes part, else as something new."""
    user = queries.account_of(parsed.sender)
    mail.requester = user
    if user is not None and not user.is_active:
        _set(mail, Verdict.HELD, "the sender's account is deactivated")
        return
    incident = next((one for one in map(queries.incident_of, threads) if one is not None), None)
    if incident is None:
        known = [one for one in map(queries.incident_of, named) if one is not None]
        incident = next((one for one in known if queries.takes_part(user, one)), None)
    if queries.is_flood(mail, at) and not let_in:
        _set(mail, Verdict.HELD, "so many came from this sender that no person wrote them")
        return
    try:
        with transaction.atomic():
            if incident is not None:
                _reply(mail, parsed, incident, user, at)
            else:
                _open(mail, parsed, user, at, let_in=let_in)
    except incidents.actions.MergedMeanwhile:
        raise  # the next attempt finds where it went
    except ActionRefused as refusal:
        mail.incident = mail.comment = None
        _set(mail, Verdict.HELD, f"refused: {refusal.detail}")


def _open(mail: InboundMail, parsed: Parsed, user: User | None, at: datetime, *, let_in: bool) -> None:
    if user is None and not let_in and not _is_welcome(parsed.sender):
        _set(mail, Verdict.HELD, "the sender is not known here")
        return
    requester = user or _new_requester(parsed, at)
    mail.requester = requester
    text = parsed.text.strip()
    mail.incident = incidents.actions.open_incident(
        title=_title(parsed),
        description=text,
        channel=Channel.MAIL.value,
        requester=requester,
        by=_robot(parsed),
        at=at,
    )
    _set(mail, Verdict.OPENS, "from a known sender" if user else "from a new sender")
    if queries.is_loop(mail, at):
        _stay_silent(mail, mail.incident, at)
    _files(mail, parsed, mail.incident, None, _robot(parsed), at, is_public=True)


def _stay_silent(mail: InboundMail, incident: Incident, at: datetime) -> None:
    """Nothing is lost, but no receipt goes out: whatever answers our receipts would answer this one too."""
    why = "two machines seem to answer each other"
    notify.actions.cancel_topic(topic=f"incident:{incident.pk}", address=mail.sender, reason=why, by=ROBOT, at=at)
    _set(mail, Verdict.OPENS, f"{mail.reason}; no receipt: {why}")


def _is_welcome(address: str) -> bool:
    """Whether somebody without an account may open an incident: by address or domain, or everybody."""
    allowed = {one.strip().lower() for one in settings.SERVICEDESK_MAIL_STRANGERS}
    return bool(allowed & {"*", address, address.rpartition("@")[2]})


def _new_requester(parsed: Parsed, at: datetime) -> User:
    """An account without a password; where another mail of the same sender makes it at this moment, that one."""
    said = parsed.first("content-language")[:2].lower()
    locale = said if said in {"es", "pt"} else "en"
    name = parsed.sender_name if "@" not in parsed.sender_name else ""
    try:
        return accounts.actions.create_user(email=parsed.sender, name=name, locale=locale, by=_robot(parsed), at=at)
    except (IntegrityError, accounts.actions.AddressTaken):
        return User.objects.get_queryset().get(email=parsed.sender)


def _robot(parsed: Parsed) -> Actor:
    """The desk's hand, on behalf of an address that nobody has proven."""
    return Actor(kind=ActorKind.MAIL, id="mail", label="mail", on_behalf_of=parsed.sender)


def _title(parsed: Parsed) -> str:
    plain = _PREFIX.sub("", parsed.subject).strip()
    first = next((line.strip() for line in parsed.text.splitlines() if line.strip()), "")
    return " ".join((plain or first or "(no subject)").split())[:300]


def _reply(mail: InboundMail, parsed: Parsed, incident: Incident, user: User | None, at: datetime) -> None:
    """The requester's words are theirs; anybody else's become an internal note, unless the sender is proven staff."""
    mail.incident = incident
    folded = fold(parsed.text)
    said = folded.visible or ", ".join(safe_name(one.name) for one in parsed.files) or parsed.subject or "(empty)"
    if user is not None and user.pk == incident.requester_id:
        if incident.state == State.CLOSED:
            _open_again(mail, parsed, incident, said, at)
            return
        by, verdict, reason, is_public = actor_for(user), Verdict.REPLIES, "from its requester", True
    elif user is not None and user.is_staff and queries.is_authentic(parsed):
        by, verdict, reason, is_public = actor_for(user), Verdict.REPLIES, "from proven staff", False
    else:
        who = f"{parsed.sender_name} <{parsed.sender}>".strip()
        said = f"By mail from {who}; the sender is not confirmed:\n\n{said}"
        by, verdict, reason, is_public = _robot(parsed), Verdict.NOTED, "not from its requester", False
    mail.comment = incidents.actions.comment(
        incident=incident, by=by, at=at, body=said[: incidents.actions.LONGEST_TEXT], is_public=is_public
    )
    _set(mail, verdict, reason)
    _files(mail, parsed, incident, mail.comment, by, at, is_public=mail.comment.is_public)
    # What is said on a merged incident lands where it went; its files stay where their sender finds them.
    mail.incident = mail.comment.incident


def _open_again(mail: InboundMail, parsed: Parsed, incident: Incident, said: str, at: datetime) -> None:
    """Closed is final: what comes afterwards is a new incident that is linked to it."""
    mail.incident = incidents.actions.open_again_linked(
        incident=incident, description=said, by=_robot(parsed), at=at, reason="answered by mail after closing"
    )
    _set(mail, Verdict.OPENS, f"answers {incident.reference}, which is closed")
    if queries.is_loop(mail, at):
        _stay_silent(mail, mail.incident, at)
    _files(mail, parsed, mail.incident, None, _robot(parsed), at, is_public=True)


def _files(
    mail: InboundMail, parsed: Parsed, incident: Incident, comment: Comment | None, by: Actor, at: datetime, *,
    is_public: bool,
) -> None:  # fmt: skip
    """Keeps what may be kept; the others are named in an internal note, so that nobody waits for them."""
    taken: list[Upload] = []
    refused = [f"{safe_name(name)}: not read" for name in parsed.left_out]
    seen: set[str] = set()
    for one in parsed.files:
        digest = hashlib.sha256(one.content).hexdigest()
        if digest in seen:
            continue
        seen.add(digest)
        if len(taken) >= settings.SERVICEDESK_ATTACHMENT_MAX_COUNT:
            refused.append(f"{safe_name(one.name)}: there are too many files")
            continue
        try:
            judge_file(one.content, limits_from(settings))
        except NotAllowed as error:
            refused.append(f"{safe_name(one.name)}: {error}")
        else:
            taken.append(one)
    try:
        if taken:
            incidents.actions.attach(incident=incident, by=by, at=at, files=taken, comment=comment, is_public=is_public)
    except incidents.actions.FileRefused as error:
        refused += [f"{safe_name(one.name)}: {error.detail}" for one in taken]
    if refused:
        note = "Files of the mail that were not taken:\n" + "\n".join(f"- {one}" for one in refused[:50])
        incidents.actions.comment(incident=incident, by=ROBOT, at=at, body=note)
