"""The mails to requesters: what each may put in, the shipped texts, and the texts of an admin that replace them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import translation
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from audit.actor import Actor
from audit.models import Tracked, records
from audit.queries import fetch, kept
from incidents import wording

LANGUAGES = [("en", "English"), ("es", "Español"), ("pt", "Português")]
LONGEST_SUBJECT, LONGEST_BODY = 300, 10_000


class MailKind(models.TextChoices):
    OPENED = "opened", _("receipt")
    COMMENTED = "commented", _("public comment")
    HELD = "held", _("on hold")
    FOLLOW_UP = "follow_up", _("reminder of an open question")
    RESOLVED = "resolved", _("resolved")
    CLOSED = "closed", _("closed")
    CONFIRM = "confirm", _("confirm a report")
    LINK = "link", _("new link")


_INCIDENT = ("name", "reference", "title", "link")
#: What a text of each kind may name; the sample values are those of the preview.
PLACEHOLDERS: Mapping[str, tuple[str, ...]] = {
    MailKind.OPENED: (*_INCIDENT, "answer_by"),
    MailKind.COMMENTED: (*_INCIDENT, "author", "body"),
    MailKind.HELD: (*_INCIDENT, "hold_reason", "note", "until", "ends_at"),
    MailKind.FOLLOW_UP: (*_INCIDENT, "ends_at"),
    MailKind.RESOLVED: (*_INCIDENT, "code", "notes", "works", "broken", "closes_at"),
    MailKind.CLOSED: (*_INCIDENT, "rate", "new"),
    MailKind.CONFIRM: ("title", "link"),
    MailKind.LINK: ("name", "reference", "title", "link"),
}
SAMPLES: Mapping[str, Any] = {
    "name": "Maria Lopez",
    "reference": "INC-000123",
    "title": _("The printer on the second floor is out of paper"),
    "link": f"{settings.SERVICEDESK_URL}/help/t/…/",
    "works": f"{settings.SERVICEDESK_URL}/help/t/…/?say=works",
    "broken": f"{settings.SERVICEDESK_URL}/help/t/…/?say=broken",
    "rate": f"{settings.SERVICEDESK_URL}/help/t/…/?say=rate",
    "new": f"{settings.SERVICEDESK_URL}/help/new/",
    "answer_by": "2026-03-10 10:30 (Europe/Madrid)",
    "until": "2026-03-12 10:30 (Europe/Madrid)",
    "ends_at": "2026-03-17 10:30 (Europe/Madrid)",
    "closes_at": "2026-03-15 10:30 (Europe/Madrid)",
    "author": "Ines",
    "body": _("Could you tell us which tray is empty?"),
    "hold_reason": _("awaiting requester"),
    "note": _("Could you tell us which tray is empty?"),
    "code": _("fixed"),
    "notes": _("Paper was refilled."),
}

#: Subject and body of each kind; translated like every other text.
_SHIPPED: Mapping[str, tuple[str, str]] = {
    MailKind.OPENED: (
        gettext_noop("We have your report: {title}"),
        gettext_noop(
            "Hello{if name} {name}{end},\n\nyour report has the number {reference}: {title}\n\n"
            "{if answer_by}A person answers you by {answer_by} at the latest.{else}"
            "A person looks at it and answers you.{end}\n\n"
            "Answer this mail to add something, or look how it stands:\n{link}"
        ),
    ),
    MailKind.COMMENTED: (
        gettext_noop("News: {title}"),
        gettext_noop(
            "Hello{if name} {name}{end},\n\n{author} wrote about {reference} ({title}):\n\n{body}\n\n"
            "Answer this mail to reply, or do it here:\n{link}"
        ),
    ),
    MailKind.HELD: (
        gettext_noop("On hold: {title}"),
        gettext_noop(
            "Hello{if name} {name}{end},\n\n{reference} ({title}) is on hold: {hold_reason}.\n\n"
            "{if note}{note}{end}\n\n"
            "{if ends_at}Please answer this mail: then we go on at once. If we hear nothing by {ends_at}, we take it "
            "as settled and resolve it.{else}We look at it again by {until} at the latest.{end}\n\n{link}"
        ),
    ),
    MailKind.FOLLOW_UP: (
        gettext_noop("We need your answer: {title}"),
        gettext_noop(
            "Hello{if name} {name}{end},\n\n{reference} ({title}) still waits for your answer.\n\n"
            "Answer this mail and we go on at once. If we hear nothing by {ends_at}, we take it as settled and "
            "resolve it; your answer after that opens it again.\n\n{link}"
        ),
    ),
    MailKind.RESOLVED: (
        gettext_noop("Resolved: {title}"),
        gettext_noop(
            "Hello{if name} {name}{end},\n\n{reference} ({title}) is resolved: {code}.\n\n{if notes}{notes}{end}\n\n"
            "Does it work again? Please tell us:\n\nIt works: {works}\nIt is still broken: {broken}\n\n"
            "{if closes_at}If we hear nothing, we close it on {closes_at}.{end}"
        ),
    ),
    MailKind.CLOSED: (
        gettext_noop("Closed: {title}"),
        gettext_noop(
            "Hello{if name} {name}{end},\n\n{reference} ({title}) is closed.\n\n"
            "How content are you with our help?\nRate it: {rate}\n\n"
            "If it comes back, report it again and name this number:\n{new}"
        ),
    ),
    MailKind.CONFIRM: (
        gettext_noop("Please confirm your report: {title}"),
        gettext_noop(
            "Somebody, probably you, reported to the service desk:\n\n{title}\n\n"
            "Open this page and confirm it there; before that nobody works on it:\n{link}\n\n"
            "If it was not you, do nothing: it is thrown away."
        ),
    ),
    MailKind.LINK: (
        gettext_noop("Your link{if title}: {title}{end}"),
        gettext_noop(
            "Hello{if name} {name}{end},\n\n{if reference}here is a new link to {reference} ({title}):{else}"
            "here is a link to your reports:{end}\n{link}\n\nIt opens without a password, so keep it to yourself."
        ),
    ),
}  # fmt: skip


def shipped(kind: str, locale: str) -> tuple[str, str]:
    """Subject and body as they come with the desk, in a language."""
    subject, body = _SHIPPED[kind]
    with translation.override(locale):
        return gettext(subject), gettext(body)


def text_of(kind: str, locale: str) -> tuple[str, str]:
    """Subject and body in force: an admin's, else the shipped ones."""
    own = kept("incidents.mail_templates", _own_texts).get((kind, locale))
    if own is None:
        return shipped(kind, locale)
    return own


def _own_texts() -> dict[tuple[str, str], tuple[str, str]]:
    rows = fetch(MailTemplate, "where body <> ''")
    return {(one.kind, one.locale): (one.subject, one.body) for one in rows}


class MailTemplateQuerySet(models.QuerySet["MailTemplate"]):
    def visible_to(self, actor: Actor) -> MailTemplateQuerySet:
        return self if actor.has_role("admin", "auditor", "integration") else self.none()


class MailTemplate(Tracked):
    """An admin's text of one mail in one language; empty means the shipped one, which a new version may improve."""

    kind = models.CharField(_("mail"), max_length=20, choices=MailKind.choices, editable=False)
    locale = models.CharField(_("language"), max_length=2, choices=LANGUAGES, editable=False)
    subject = models.CharField(_("subject"), max_length=LONGEST_SUBJECT, blank=True)
    body = models.TextField(_("text"), max_length=LONGEST_BODY, blank=True)

    history = records()
    objects = MailTemplateQuerySet.as_manager()
    is_kept: ClassVar[bool] = True

    class Meta:
        verbose_name = _("mail to requesters")
        verbose_name_plural = _("mails to requesters")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "locale"], name="incidents_mail_template_once"),
            models.CheckConstraint(
                condition=models.Q(subject="", body="") | ~models.Q(subject="") & ~models.Q(body=""),
                name="incidents_mail_template_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.get_locale_display()})"

    @property
    def is_own(self) -> bool:
        return bool(self.body)

    @property
    def in_force(self) -> tuple[str, str]:
        return (self.subject, self.body) if self.is_own else shipped(self.kind, self.locale)

    def clean(self) -> None:
        """Refuses what could not be rendered; the shipped text typed again is the shipped text."""
        self.subject = " ".join(self.subject.split())
        self.body = self.body.replace("\r\n", "\n").strip()
        if (self.subject, self.body) == shipped(self.kind, self.locale):
            self.subject = self.body = ""
        problem = self.problem()
        if problem is not None:
            raise ValidationError({problem[0]: problem[1]})

    def problem(self) -> tuple[str, str] | None:
        """The first field that can't be used, and why."""
        for field, longest in (("subject", LONGEST_SUBJECT), ("body", LONGEST_BODY)):
            value = getattr(self, field)
            if "\x00" in value or len(value) > longest:
                return field, gettext("It is too long or holds a NUL character.")
            if not value and (self.subject or self.body):
                return field, gettext("Give both, or neither for the shipped text.")
            try:
                wording.check(value, PLACEHOLDERS[self.kind])
            except wording.Misworded as wrong:
                return field, explained(wrong, self.kind)
        return None

    def preview(self) -> tuple[str, str]:
        """Subject and body with sample values, in the language of the mail."""
        with translation.override(self.locale):
            values = {name: str(SAMPLES[name]) for name in PLACEHOLDERS[self.kind]}
        subject, body = self.in_force
        return wording.render(subject, values), wording.render(body, values)


def explained(wrong: wording.Misworded, kind: str) -> str:
    """What is wrong with a text, and what would be right."""
    names = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS[kind])
    match wrong.fault:
        case wording.Fault.UNKNOWN:
            return gettext("{%(name)s} is not known here; there are: %(names)s.") % {"name": wrong.name, "names": names}
        case wording.Fault.NOT_ENDED:
            return gettext("{if %(name)s} has no {end}.") % {"name": wrong.name}
        case wording.Fault.NOT_BEGUN:
            return gettext("{%(name)s} has no {if …} before it.") % {"name": wrong.name}
        case wording.Fault.TOO_DEEP:
            return gettext("{if %(name)s} stands too deep inside others.") % {"name": wrong.name}
