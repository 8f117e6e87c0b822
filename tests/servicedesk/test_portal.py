"""The requester's pages: a link shows by GET and acts by POST, one field reports, and nobody is told who exists."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.test import Client

import incidents.actions
import incidents.tasks
from accounts.models import User
from alerts.masking import masked
from audit.actor import SYSTEM
from incidents.models import Comment, Incident, Report, links
from metrics.models import Rating
from notify.models import Message
from tests.accounts.factories import UserFactory
from tests.incidents.factories import AT, IncidentFactory, later, person
from tests.servicedesk.test_desk_crawl import digest

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_window")]
NOBODY = Client()


@pytest.fixture
def maria() -> User:
    return UserFactory(name="Maria Lopez", roles=["requester"])


@pytest.fixture
def case(maria: User) -> Incident:
    return IncidentFactory(requester=maria, title="VPN drops", description="Since nine.")


def link(case: Incident, user: User | None = None, at: Any = None) -> str:
    from django.utils import timezone

    address = links.link_for(user or case.requester, case, at or timezone.now())
    return "/help/t/" + address.split("/help/t/")[1]


def say(case: Incident, verb: str, **more: str) -> Any:
    return NOBODY.post(link(case), {"verb": verb, **more})


def again(case: Incident) -> Incident:
    return Incident.objects.get(pk=case.pk)


def resolved(case: Incident) -> Incident:
    return incidents.actions.resolve(incident=case, code="fixed", by=SYSTEM, at=later(minutes=1))


def test_twenty_looks_change_nothing_and_one_post_still_works(case: Incident) -> None:
    resolved(case)
    address, before = link(case), digest()
    for number in range(20):
        answer = NOBODY.get(address + ("?say=works" if number % 2 else ""))
        assert answer.status_code == NOBODY.head(address).status_code == 200
    assert digest() == before
    assert NOBODY.post(address, {"verb": "works"}).status_code == 303
    assert again(case).state == "closed"


def test_the_link_shows_the_public_part_only_and_travels_nowhere(case: Incident) -> None:
    agent = person(UserFactory(), "admin")
    incidents.actions.comment(incident=case, body="She broke it <b>herself</b>.", by=agent, at=AT)
    incidents.actions.comment(incident=case, body="We <i>look</i> at it.", is_public=True, by=agent, at=AT)
    answer = NOBODY.get(link(case))
    page = answer.content.decode()
    assert "herself" not in page
    assert "We &lt;i&gt;look&lt;/i&gt; at it." in page
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "noindex" in answer.headers["X-Robots-Tag"]
    assert len(answer.content) < 12_000
    assert "Set-Cookie" not in answer.headers


def test_works_closes_and_says_so_again(case: Incident) -> None:
    resolved(case)
    assert say(case, "works").headers["Location"].endswith("?done=works")
    assert say(case, "works").status_code == 303
    assert (again(case).state, again(case).confirmation) == ("closed", "requester")
    assert "Good to hear" in NOBODY.get(link(case) + "?done=works").content.decode()


def test_still_broken_reopens_once_with_the_requesters_words(case: Incident) -> None:
    resolved(case)
    for _ in range(2):
        assert say(case, "broken", note="Again since ten.").status_code == 303
    assert (again(case).state, again(case).reopen_count) == ("in_progress", 1)
    assert Comment.objects.get(incident=case).body == "Again since ten."


def test_what_comes_back_after_closing_is_one_new_linked_incident(case: Incident) -> None:
    resolved(case)
    say(case, "works")
    places = {say(case, "broken", note="It is back.").headers["Location"] for _ in range(2)}
    fresh = Incident.objects.get(recurrence_of=case)
    assert (fresh.requester_id, fresh.description) == (case.requester_id, "It is back.")
    for place in places:
        assert fresh.reference in NOBODY.get(place).content.decode()


def test_a_reply_is_the_requesters_and_a_second_tap_is_not_a_second_message(case: Incident) -> None:
    assert say(case, "reply", body="It is the blue one.").status_code == 303
    assert say(case, "reply", body="It is the blue one.").status_code == 303
    comment = Comment.objects.get(incident=case)
    assert (comment.author_id, comment.author_kind, comment.channel) == (case.requester_id, "requester", "link")
    assert say(case, "reply", body=" ").status_code == 400


def test_a_rating_needs_a_post_and_can_be_corrected(case: Incident) -> None:
    resolved(case)
    assert "You gave" not in NOBODY.get(link(case) + "?say=rate&score=5").content.decode()
    assert say(case, "rate", score="2", comment="Slow.").status_code == 303
    assert say(case, "rate", score="4", comment="Slow.").status_code == 303
    rating = Rating.objects.get(incident=case)
    assert (rating.score, rating.comment, rating.respondent_id) == (4, "Slow.", case.requester_id)
    assert say(case, "rate", score="6").status_code == 400
    assert "You gave 4 of 5" in NOBODY.get(link(case)).content.decode()


@pytest.mark.parametrize(
    ("verb", "more"),
    [
        ("works", {}), ("rate", {"score": "5"}), ("resolve", {}), ("", {}), ("reply", {"body": "\0"}),
        ("broken", {"note": "x" * 2001}),
    ],
)  # fmt: skip
def test_what_is_not_possible_is_refused_and_changes_nothing(case: Incident, verb: str, more: dict[str, str]) -> None:
    before = digest()
    assert say(case, verb, **more).status_code in (303, 400, 403, 409)
    assert digest() == before


def test_an_agents_own_link_is_worth_a_requesters_right_only() -> None:
    agent = UserFactory(roles=["admin", "agent"])
    case = IncidentFactory(requester=agent)
    incidents.actions.comment(incident=case, body="internal words", by=person(UserFactory(), "admin"), at=AT)
    assert "internal words" not in NOBODY.get(link(case)).content.decode()
    say(case, "reply", body="Hello")
    assert Comment.objects.get(body="Hello").author_kind == "requester"


def test_a_link_ends_with_the_person_the_requester_and_its_time(case: Incident, maria: User) -> None:
    good, stranger = link(case), link(case, UserFactory())
    old = link(case, at=AT)
    assert NOBODY.get(stranger).status_code == 404
    page = NOBODY.get(old).content.decode()
    assert "too old" in page
    assert case.title not in page
    maria.is_active = False
    maria.save()
    assert NOBODY.get(good).status_code == NOBODY.post(good, {"verb": "reply", "body": "x"}).status_code == 404
    assert NOBODY.get(old).content.decode() == page


def test_an_old_link_is_renewed_to_the_persons_own_address_and_nobody_learns_whether(
    case: Incident, maria: User
) -> None:
    old, foreign = link(case, at=AT), link(case, UserFactory(), at=AT)
    answers = [NOBODY.post(address, {"verb": "renew"}) for address in (old, old, foreign)]
    assert {(one.status_code, one.headers["Location"].split("?")[1]) for one in answers} == {(303, "done=renew")}
    (mail,) = Message.objects.filter(topic=f"incident:{case.pk}", subject__contains="Your link")
    assert mail.address == maria.email
    assert NOBODY.get("/help/t/" + mail.link.split("/help/t/")[1]).status_code == 200


@pytest.mark.parametrize("token", ["x", "A" * 50, "A" * 5000, "%00", "..%2f", "é"])
@pytest.mark.parametrize("door", ["t", "m", "c"])
def test_nonsense_is_one_calm_404(door: str, token: str) -> None:
    assert NOBODY.get(f"/help/{door}/{token}/").status_code == 404
    assert NOBODY.post(f"/help/{door}/{token}/", {"verb": "works"}).status_code in (404, 405)


def test_a_link_to_one_door_opens_no_other(case: Incident, maria: User) -> None:
    listed = links.list_link_for(maria, later(days=9999)).split("/help/m/")[1]
    assert NOBODY.get(f"/help/t/{listed}").status_code == 404
    assert NOBODY.get(link(case).replace("/t/", "/m/")).status_code == 404
    assert case.title in NOBODY.get(f"/help/m/{listed}").content.decode()


def test_tokens_never_reach_a_log(case: Incident, caplog: Any) -> None:
    address = link(case)
    assert masked(f'"GET {address} HTTP/1.1" 200') == '"GET /help/t/***/ HTTP/1.1" 200'
    with caplog.at_level(logging.DEBUG):
        NOBODY.get(address[:-2] + "x/")
    assert all(address[8:40] not in masked(one.getMessage()) for one in caplog.records)


def test_too_many_posts_are_told_to_wait(case: Incident) -> None:
    codes = [say(case, "reply", body=f"message {number}").status_code for number in range(25)]
    address = link(case)
    codes += [NOBODY.post(address, {"verb": "reply", "body": f"m {number}"}).status_code for number in range(25)]
    assert 429 in codes


def report(**given: str) -> Any:
    return NOBODY.post("/help/new/", {"title": "VPN drops", **given})


def confirmation() -> str:
    mail = Message.objects.latest("id")
    return "/help/c/" + mail.link.split("/help/c/")[1]


def test_who_is_signed_in_reports_with_one_field(maria: User) -> None:
    browser = Client()
    browser.force_login(maria)
    answer = browser.post("/help/new/", {"title": "VPN drops", "urgency": "1"}, follow=True)
    opened = Incident.objects.get(title="VPN drops")
    assert (opened.requester_id, opened.channel, opened.urgency) == (maria.pk, "portal", 1)
    assert opened.reference in answer.content.decode()
    assert opened.title in browser.get("/help/").content.decode()
    assert browser.post("/help/new/", {"title": " "}).status_code == 400


def test_nothing_is_opened_before_the_address_is_confirmed_by_a_post(maria: User) -> None:
    report(email=maria.email, description="Since nine.")
    address = confirmation()
    for _ in range(20):
        assert "Yes, report it" in NOBODY.get(address).content.decode()
    assert not Incident.objects.exists()
    assert {NOBODY.post(address).headers["Location"][:8] for _ in range(2)} == {"/help/t/"}
    opened = Incident.objects.get()
    assert (opened.requester_id, opened.description, opened.channel) == (maria.pk, "Since nine.", "portal")


def test_an_unknown_person_becomes_a_requester_when_the_portal_is_open(settings: Any) -> None:
    settings.SERVICEDESK_OPEN_PORTAL = True
    report(email="New@Example.org")
    assert not User.objects.filter(email="new@example.org").exists()
    NOBODY.post(confirmation())
    person = User.objects.get(email="new@example.org")
    assert (Incident.objects.get().requester_id, person.has_usable_password()) == (person.pk, False)
    assert list(person.role_grants.values_list("group__name", flat=True)) == ["requester"]


def test_the_answer_is_the_same_whoever_asks(maria: User, settings: Any) -> None:
    settings.SERVICEDESK_OPEN_PORTAL = False
    gone = UserFactory(is_active=False)
    people = (maria.email, gone.email, "x@y.example")
    assert len({report(email=one).content for one in people}) == 1
    assert len({NOBODY.post("/help/", {"email": one}).content for one in people}) == 1
    assert set(Message.objects.values_list("address", flat=True)) == {maria.email}


def test_a_leaver_between_report_and_confirmation_opens_nothing(maria: User) -> None:
    report(email=maria.email)
    maria.is_active = False
    maria.save()
    assert NOBODY.post(confirmation()).status_code == 404
    assert not Incident.objects.exists()


def test_an_unconfirmed_report_is_thrown_away(maria: User) -> None:
    incidents.actions.ask_to_confirm(email=maria.email, title="Old", by=SYSTEM, at=AT)
    assert NOBODY.get(confirmation()).status_code == 404
    incidents.tasks.prune_reports(at=later(days=3))
    assert not Report.objects.exists()


def test_mails_to_one_address_are_limited(maria: User) -> None:
    for _ in range(8):
        assert report(email=maria.email).status_code == 200
    assert Message.objects.count() == 5


@pytest.mark.parametrize(
    "given", [{"email": "a@b\r\nBcc: c@d.e"}, {"email": "x"}, {"title": "\0", "email": "a@b.example"}]
)
def test_hostile_reports_are_refused(given: dict[str, str]) -> None:
    assert report(**given).status_code == 400
    assert not Report.objects.exists()


def test_hostile_texts_stay_text(maria: User) -> None:
    report(email=maria.email, title="<script>x</script> {link}\u202e", description="<img src=x onerror=y>")
    mail = Message.objects.latest("id")
    page = NOBODY.get(confirmation()).content.decode()
    assert "<script>x" not in page + mail.html
    assert "<img" not in page


@pytest.mark.parametrize(("language", "words"), [("es", "¿Qué"), ("pt", "O que"), ("en", "What is wrong?")])
def test_a_strangers_browser_says_which_language(language: str, words: str) -> None:
    assert words in NOBODY.get("/help/new/", headers={"Accept-Language": language}).content.decode()
