"""The requester is told: by the texts in force, in their language and zone, with a link of their own."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

import incidents.actions
from audit.actions import Invalid, change_config
from audit.actor import SYSTEM
from incidents import wording
from incidents.actions.writing import filled
from incidents.models import Incident, MailKind, MailTemplate
from incidents.models.mails import LANGUAGES, PLACEHOLDERS, SAMPLES, shipped
from notify import channels
from notify.models import Message
from notify.queries import mail_key
from notify.threading import read
from tests.accounts.factories import UserFactory
from tests.incidents.factories import AT, IncidentFactory, later, person

pytestmark = pytest.mark.django_db


def mails(incident: Incident) -> list[Message]:
    return list(Message.objects.filter(topic=f"incident:{incident.pk}").order_by("id"))


def template(kind: str, locale: str = "en") -> MailTemplate:
    return MailTemplate.objects.get(kind=kind, locale=locale)


def write(kind: str, subject: str, body: str, locale: str = "en") -> MailTemplate:
    admin = person(UserFactory(), "admin")
    changed: MailTemplate = change_config(
        row=template(kind, locale), values={"subject": subject, "body": body}, by=admin, at=AT
    )
    return changed


@pytest.mark.parametrize("locale", [code for code, _ in LANGUAGES])
@pytest.mark.parametrize("kind", MailKind.values)
def test_every_shipped_text_can_be_rendered_and_none_is_left_in_english(kind: str, locale: str) -> None:
    for text, english in zip(shipped(kind, locale), shipped(kind, "en"), strict=True):
        wording.check(text, PLACEHOLDERS[kind])
        assert (text == english) is (locale == "en")
    assert all(template(kind, locale).preview())
    assert set(PLACEHOLDERS[kind]) <= set(SAMPLES)


def test_the_receipt_names_number_and_promise_in_the_readers_language_and_zone() -> None:
    caller = UserFactory(name="Maria Lopez", locale="es", time_zone="Europe/Madrid")
    incident = IncidentFactory(requester=caller, title="VPN drops")
    incidents.actions.send_receipt(incident=incident, answer_by=later(hours=1), by=SYSTEM, at=AT)
    (mail,) = mails(incident)
    assert mail.subject.startswith(f"[{incident.reference}] ")
    assert "Hola Maria" in mail.body
    assert "11:00 (Europe/Madrid)" in mail.body
    signed = read(mail.headers["Message-ID"], mail_key())
    assert signed is not None
    assert (signed.reference, signed.kind) == (incident.reference, "opened")


def test_a_receipt_is_sent_once_and_not_for_what_was_opened_resolved() -> None:
    incident = IncidentFactory(requester=UserFactory())
    solved = IncidentFactory(requester=UserFactory(), resolved=incidents.actions.Resolution(code="fixed"))
    for one in (incident, incident, solved):
        incidents.actions.send_receipt(incident=one, answer_by=None, by=SYSTEM, at=AT)
    assert len(mails(incident)) == 1
    assert [one.subject.split(" ")[1] for one in mails(solved)] == ["Resolved:"]


def test_the_resolution_mail_has_a_link_for_works_and_one_for_still_broken() -> None:
    incident = IncidentFactory(requester=UserFactory())
    incidents.actions.resolve(incident=incident, code="fixed", notes="Restarted.", by=SYSTEM, at=AT)
    (mail,) = mails(incident)
    sent = channels.body_of(mail)
    assert f"{mail.link}?say=works" in sent
    assert f"{mail.link}?say=broken" in sent
    assert "Restarted." in sent
    assert "/help/t/" not in mail.body + mail.html
    assert '<a href="{link}?say=works">' in mail.html


def test_what_a_requester_wrote_is_text_in_every_part_of_a_mail() -> None:
    evil = "<b>x</b>\r\nBcc: a@b.c {link} {if x}"
    incident = IncidentFactory(requester=UserFactory(name=evil.split("\r")[0]), title=evil)
    incidents.actions.comment(incident=incident, body=evil, is_public=True, by=person(None, "admin"), at=AT)
    (mail,) = mails(incident)
    assert "\n" not in mail.subject
    assert "<b>" not in mail.html
    assert mail.body.count("{link}") == 1


def test_an_admins_text_is_used_until_it_is_reset() -> None:
    write("closed", "Done: {title}", "{if name}Dear {name}{else}Hello{end}, {reference} is over. {rate}")
    incident = IncidentFactory(requester=UserFactory(name="Maria"), title="VPN")
    incidents.actions.resolve(incident=incident, code="fixed", by=SYSTEM, at=AT)
    incidents.actions.close(incident=incident, by=SYSTEM, at=AT)
    closed = mails(incident)[-1]
    assert closed.subject == f"[{incident.reference}] Done: VPN"
    assert closed.body == f"Dear Maria, {incident.reference} is over. {{link}}?say=rate\n"
    assert not write("closed", "", "").is_own
    assert template("closed", "es").in_force == shipped("closed", "es")


def test_a_bad_text_that_came_past_the_check_does_not_keep_a_mail_from_being_sent() -> None:
    MailTemplate.objects.filter(kind="closed", locale="en").update(subject="{oops}", body="{oops}")
    assert filled("closed", "en", {"title": "VPN"})[0] == "Closed: VPN"


def test_the_shipped_text_typed_again_is_the_shipped_text() -> None:
    assert not write("held", *shipped("held", "en")).is_own


@pytest.mark.parametrize(
    ("subject", "body", "says"),
    [
        ("x", "{reference} {closes_at}", "{closes_at} is not known here"),
        ("{nothing}", "x", "{nothing} is not known here"),
        ("x", "", "Give both"),
        ("", "x", "Give both"),
        ("x", "{if title}", "no {end}"),
        ("x", "{title.pk}", "{title.pk} is not known here"),
        ("x", "a\0b", "NUL"),
        ("x", "a" * 10_001, "too long"),
    ],
)
def test_a_text_that_could_not_be_sent_is_refused_when_saved(subject: str, body: str, says: str) -> None:
    with pytest.raises(Invalid, match=says.replace("{", r"\{").replace("}", r"\}")):
        write("closed", subject, body)
    with pytest.raises(ValidationError):
        MailTemplate(kind="closed", locale="en", subject=subject, body=body).clean()


def test_the_api_changes_previews_and_resets_a_text(client: Client) -> None:
    client.force_login(UserFactory(roles=["admin"]))
    row = template("opened")
    address = f"/api/v1/mail-templates/{row.pk}/"
    tried = {"subject": "{title}!", "body": "By {answer_by}."}
    shown = client.post(f"{address}preview/", tried, content_type="application/json").json()
    assert shown["body"] == "By 2026-03-10 10:30 (Europe/Madrid)."
    bad = client.post(f"{address}preview/", {"subject": "x", "body": "{oops}"}, content_type="application/json")
    assert (bad.status_code, "{oops}" in bad.json()["detail"]) == (400, True)
    headers = {"If-Match": client.get(address).headers["ETag"]}
    assert client.patch(address, tried, content_type="application/json", headers=headers).json()["is_own"] is True
    assert client.post(f"{address}reset/", {}, content_type="application/json").json()["is_own"] is False
    client.force_login(UserFactory(roles=["agent"]))
    assert client.get(address).status_code == 404


def test_the_admin_edits_a_text_beginning_with_what_is_in_force(client: Client) -> None:
    client.force_login(UserFactory(roles=["admin"]))
    row = template("opened")
    address = f"/admin/incidents/mailtemplate/{row.pk}/change/"
    page = client.get(address).content.decode()
    assert "We have your report: {title}" in page
    assert "{answer_by}" in page
    assert "Maria Lopez" in page
    form = {"subject": shipped("opened", "en")[0], "body": "Short: {reference}", "_version": "1"}
    assert client.post(address, form).status_code == 302
    assert template("opened").in_force == (form["subject"], "Short: {reference}")
    assert "is not known here" in client.post(address, {**form, "body": "{nope}", "_version": "2"}).content.decode()
    client.post(f"/admin/incidents/mailtemplate/{row.pk}/do/reset/", {"_version": "2"})
    assert not template("opened").is_own
