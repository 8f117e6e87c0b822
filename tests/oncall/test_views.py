"""The responder's page: one tap to open, one to act, no login, no script; scanners change nothing."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

import accounts.actions
import notify.tasks
from accounts.models import User
from audit.actor import SYSTEM
from audit.models import Event
from incidents.models import Incident
from notify.models import MailboxMail, Message
from oncall.models import LinkUse, Page, PageState, ResponderLink
from tests.oncall.factories import MINUTE, Desk, desk

pytestmark = pytest.mark.django_db


@pytest.fixture
def paged() -> Desk:
    """Olu was paged just now, on the real clock, and the mail has arrived."""
    at = desk(ack_timeout_s=1800)
    at.at = timezone.now()
    at.open()
    at.pass_time()
    notify.tasks.send_due(at=at.at)
    return at


@pytest.fixture
def phone() -> Iterator[Client]:
    """A phone's browser: no session, and a foreign request would be told apart from ours by no cookie."""
    return Client(enforce_csrf_checks=True)  # type: ignore[return-value]


def link_of(user: User) -> str:
    mails = MailboxMail.objects.filter(recipients__contains=[f"{user.name.lower()}0@example.org"]).order_by("-id")
    found = re.search(r"https?://[^/]+(/r/\S+)", mails[0].body)
    assert found
    return found[1]


def page() -> Page:
    return Page.objects.select_related("acknowledged_by").get()


class Buttons(HTMLParser):
    """The submit buttons that a reader can tap, and everything that would need a script."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.verbs: list[str] = []
        self.tags: set[str] = set()
        self.inline: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        values = dict(attrs)
        self.inline += [name for name in values if name.startswith("on") or name == "style"]
        if tag == "button":
            self.verbs.append(values.get("value") or "")


def test_one_tap_opens_and_one_tap_acknowledges(paged: Desk, phone: Client) -> None:
    link = link_of(paged.olu)
    shown = phone.get(link)
    assert shown.status_code == 200
    buttons = Buttons(shown.content.decode())
    assert buttons.verbs == ["acknowledge", "pass-on", "resolve"]
    answer = phone.post(link, {"verb": "acknowledge"})
    assert answer.status_code == 200
    assert page().acknowledged_by == paged.olu
    assert Incident.objects.get().acknowledged_by == paged.olu
    assert "You have it until" in answer.content.decode()


def test_the_page_works_without_script_login_or_cookie_on_a_phone(paged: Desk, phone: Client) -> None:
    shown = phone.get(link_of(paged.olu))
    html = shown.content.decode()
    buttons = Buttons(html)
    assert "script" not in buttons.tags
    assert buttons.inline == []
    assert 'name="viewport" content="width=device-width' in html
    assert shown.cookies == {}
    assert len(shown.content) < 20_000


def test_the_page_says_what_and_who_is_next(paged: Desk, phone: Client) -> None:
    html = phone.get(link_of(paged.olu)).content.decode()
    for part in ("Payment gateway returns 502", Incident.objects.get().reference, "P1", "Wen will be paged at"):
        assert part in html


def test_it_is_not_indexed_cached_or_told_to_other_sites(paged: Desk, phone: Client) -> None:
    shown = phone.get(link_of(paged.olu))
    assert shown["Referrer-Policy"] == "no-referrer"
    assert "noindex" in shown["X-Robots-Tag"]
    assert shown["Cache-Control"] == "no-store"


def _everything() -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select relname, n_tup_ins + n_tup_upd + n_tup_del from pg_stat_xact_user_tables "
            "where n_tup_ins + n_tup_upd + n_tup_del > 0"
        )
        return dict(cursor.fetchall())


def test_twenty_scanner_gets_change_nothing_and_one_post_still_works(paged: Desk, phone: Client) -> None:
    link = link_of(paged.olu)
    before = _everything()
    for number in range(20):
        assert (phone.head if number % 4 == 0 else phone.get)(link).status_code == 200
    assert _everything() == before
    assert page().state == PageState.RUNNING
    phone.post(link, {"verb": "acknowledge"})
    assert page().state == PageState.ACKNOWLEDGED


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options"])
def test_other_methods_are_refused(paged: Desk, phone: Client, method: str) -> None:
    assert getattr(phone, method)(link_of(paged.olu)).status_code == 405


def test_a_second_tap_gets_the_same_answer(paged: Desk, phone: Client) -> None:
    link = link_of(paged.olu)
    age = re.compile(r"[\d,]+\W\w+( \w+)* ago")
    first, second = (age.sub("", phone.post(link, {"verb": "acknowledge"}).content.decode()) for _ in range(2))
    assert first == second
    assert LinkUse.objects.count() == 1
    assert Event.objects.filter(kind="incident.acknowledged").count() == 1


def test_somebody_too_late_is_told_who_has_it(paged: Desk, phone: Client) -> None:
    paged.pass_time(5)
    notify.tasks.send_due(at=paged.at)
    phone.post(link_of(paged.wen), {"verb": "acknowledge"})
    assert "Wen has it since" in phone.get(link_of(paged.olu)).content.decode()
    late = phone.post(link_of(paged.olu), {"verb": "acknowledge"})
    assert late.status_code == 409
    assert "Wen has it since" in late.content.decode()
    assert page().acknowledged_by == paged.wen


def test_passing_on_pages_the_next_person(paged: Desk, phone: Client) -> None:
    answer = phone.post(link_of(paged.olu), {"verb": "pass-on", "note": "on a train"})
    assert "Passed on to Wen" in answer.content.decode()
    assert Message.objects.filter(contact__user=paged.wen).exists()
    assert Event.objects.filter(kind="incident.commented").exists()


def test_resolving_ends_it(paged: Desk, phone: Client) -> None:
    answer = phone.post(link_of(paged.olu), {"verb": "resolve", "note": "restarted the gateway"})
    assert answer.status_code == 200
    incident = Incident.objects.get()
    assert (incident.state, incident.resolved_by, incident.resolution_notes) == (
        "resolved", paged.olu, "restarted the gateway",
    )  # fmt: skip
    assert "Nothing is left to do" in phone.get(link_of(paged.olu)).content.decode()
    assert phone.post(link_of(paged.olu), {"verb": "acknowledge"}).status_code == 409


def test_the_holder_extends_by_the_same_link(paged: Desk, phone: Client) -> None:
    link = link_of(paged.olu)
    phone.post(link, {"verb": "acknowledge"})
    before = page().escalate_at
    assert Buttons(phone.get(link).content.decode()).verbs == ["extend", "pass-on", "resolve"]
    for _ in range(2):
        phone.post(link, {"verb": "extend"})
    assert before
    assert page().escalate_at == before + 30 * MINUTE


def test_an_expired_link_only_sends_a_new_one_to_the_person(paged: Desk, phone: Client) -> None:
    link = link_of(paged.olu)
    ResponderLink.objects.update(expires_at=timezone.now() - MINUTE)
    html = phone.get(link).content.decode()
    assert Buttons(html).verbs == ["renew"]
    assert phone.post(link, {"verb": "acknowledge"}).status_code == 404
    for _ in range(2):
        assert phone.post(link, {"verb": "renew"}).status_code == 200
    assert Message.objects.filter(dedup_key__contains=":renew:").count() == 1
    notify.tasks.send_due(at=timezone.now())
    assert link_of(paged.olu) != link
    assert phone.post(link_of(paged.olu), {"verb": "acknowledge"}).status_code == 200


def test_an_exhausted_page_can_be_confirmed(phone: Client) -> None:
    at = desk(repeats=0)
    at.at = timezone.now() - 20 * MINUTE
    at.open()
    for minutes in (0, 5, 5):
        at.pass_time(minutes)
    notify.tasks.send_due(at=timezone.now())
    assert "Nobody confirmed" in phone.get(link_of(at.ada)).content.decode()
    phone.post(link_of(at.ada), {"verb": "acknowledge"})
    assert page().acknowledged_by == at.ada


@pytest.mark.parametrize("token", ["x", "a" * 32, "é", "a" * 5000, "%00"])
def test_an_unknown_token_answers_404_and_writes_nothing(phone: Client, token: str) -> None:
    before = _everything()
    for answer in (phone.get(f"/r/{token}/"), phone.post(f"/r/{token}/", {"verb": "acknowledge"})):
        assert answer.status_code == 404
    assert _everything() == before


def test_the_link_of_somebody_who_left_is_dead(paged: Desk, phone: Client) -> None:
    link = link_of(paged.olu)
    User.objects.filter(pk=paged.olu.pk).update(is_active=False, version=paged.olu.version + 1)
    assert phone.get(link).status_code == 404
    assert phone.post(link, {"verb": "acknowledge"}).status_code == 404


@pytest.mark.parametrize("verb", ["", "delete", "a\x00b"])
def test_an_unknown_verb_is_refused(paged: Desk, phone: Client, verb: str) -> None:
    assert phone.post(link_of(paged.olu), {"verb": verb}).status_code == 400
    assert page().state == PageState.RUNNING


def test_only_a_hash_of_the_token_is_stored_and_the_outbox_forgets_it(paged: Desk) -> None:
    token = link_of(paged.olu).split("/")[2]
    assert len(token) >= 32
    assert token not in str(list(ResponderLink.objects.values()))
    assert token not in str(list(Message.objects.values()))
    assert token not in str(list(Event.objects.values()))


def test_the_page_speaks_the_persons_language(paged: Desk, phone: Client) -> None:
    paged.olu.locale = "es"
    paged.olu.save()
    assert '<html lang="es">' in phone.get(link_of(paged.olu)).content.decode()


def test_the_page_shows_times_in_the_persons_zone(paged: Desk, phone: Client) -> None:
    paged.olu.time_zone = "Asia/Kathmandu"
    paged.olu.save()
    due = page().escalate_at
    assert due
    local = due.astimezone(dt.timezone(dt.timedelta(hours=5, minutes=45))).strftime("%H:%M:%S")
    assert local in phone.get(link_of(paged.olu)).content.decode()


def test_who_lost_every_role_meanwhile_has_no_link_any_more(paged: Desk, phone: Client) -> None:
    link = link_of(paged.olu)
    accounts.actions.revoke_role(user=paged.olu, role="responder", by=SYSTEM, at=paged.at)
    assert phone.get(link).status_code == phone.post(link, {"verb": "acknowledge"}).status_code == 404
    assert page().state == PageState.RUNNING


def test_a_link_from_before_somebody_left_stays_dead_when_they_come_back(paged: Desk, phone: Client) -> None:
    link = link_of(paged.olu)
    accounts.actions.deactivate_user(user=paged.olu, by=SYSTEM, at=paged.at)
    accounts.actions.reactivate_user(user=paged.olu, by=SYSTEM, at=paged.at)
    assert phone.post(link, {"verb": "acknowledge"}).status_code == 404
    assert page().state == PageState.RUNNING
