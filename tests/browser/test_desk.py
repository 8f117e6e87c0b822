"""The desk in a browser: what an agent and a responder do, without JavaScript, by keyboard, on a phone."""

from __future__ import annotations

import re
from typing import Any

import pytest

from incidents.models import Incident
from notify.models import MailboxMail
from oncall.models import Page
from tests.demonstration import person

pytestmark = pytest.mark.browser


def paged() -> Incident:
    """The incident that monitoring reported, and that pages whoever is on call."""
    return Incident.objects.get(title="Payment gateway returns 502")


def link_of(incident: Incident) -> str:
    mail = MailboxMail.objects.filter(subject__contains=incident.reference, body__contains="/r/").order_by("-id")[0]
    found = re.search(r"(/r/[^/\s]+/)", mail.body)
    assert found
    return found[1]


def test_signing_in_refuses_a_wrong_password_and_takes_the_right_one(visit: Any) -> None:
    one = visit()
    one.go("/desk/?view=open")
    one.page.fill("#id_username", "ines@demo.example")
    one.page.fill("#id_password", "not-the-password")
    with one.page.expect_navigation():
        one.page.keyboard.press("Enter")
    assert "The mail address or the password is wrong." in one.text()
    one.page.fill("#id_password", "demo-desk-2026")
    with one.page.expect_navigation():
        one.page.keyboard.press("Enter")
    assert one.page.url.endswith("/desk/?view=open")
    assert "Inés Robledo" in one.text()
    one.page.click("text=Sign out")
    assert "/accounts/login/" in one.page.url


def test_a_call_is_logged_by_keyboard_in_six_stops(visit: Any) -> None:
    one = visit()
    one.sign_in("ines")
    one.go("/desk/new/")
    one.page.wait_for_selector("#id_requester:focus")
    keyboard, stops = one.page.keyboard, 1  # the first field has the focus already
    for typed in ("maria@demo.example", "The projector stays dark", "Room 4", "Print", "High"):
        keyboard.type(typed)
        keyboard.press("Tab")
        stops += 1
    assert one.page.evaluate("document.activeElement.innerText") == "Log the call"
    keyboard.press("Enter")
    one.page.wait_for_url("**/desk/INC-*/")
    incident = Incident.objects.latest("id")
    assert stops <= 6
    assert (incident.title, incident.requester, incident.urgency) == ("The projector stays dark", person("maria"), 1)
    assert incident.service is not None
    assert one.page.locator("form [required]").count() <= 2


def test_an_agent_claims_acknowledges_holds_and_resolves(visit: Any) -> None:
    one, incident = visit(), paged()
    one.sign_in("ada")
    one.page.click(f"a:has-text('{incident.title}')")
    one.page.click("button:has-text('Assign to me')")
    assert "Assign to me: done." in one.text()
    one.page.click("button:has-text('I am on it')")
    assert "Ada Moreira is on it" in one.text()
    one.page.click("summary:has-text('Hold')")
    one.page.fill("#hold_note", "the vendor looks")
    one.page.click("form[action$='/hold/'] button")
    assert "On hold: awaiting requester" in one.text()
    one.page.click("button:has-text('Resume')")
    one.page.click("summary:has-text('Resolve')")
    one.page.fill("#resolve_notes", "Rolled back.")
    one.page.click("form[action$='/resolve/'] button")
    assert "Resolved: fixed" in one.text()
    assert Incident.objects.get(pk=incident.pk).state == "resolved"
    assert {page.state for page in Page.objects.filter(incident=incident)} == {"resolved"}


def test_a_note_is_yellow_and_a_reply_says_who_reads_it(visit: Any) -> None:
    one = visit()
    incident = Incident.objects.filter(requester__isnull=False, state="in_progress", is_imported=False)[0]
    one.sign_in("carmen")
    one.go(f"/desk/{incident.reference}/")
    form = one.page.locator("form.say")
    yellow = form.evaluate("element => getComputedStyle(element).backgroundColor")
    assert form.locator("button:visible").inner_text() == "Add internal note"
    form.locator("input[value=on]").check()
    assert form.evaluate("element => getComputedStyle(element).backgroundColor") != yellow
    assert form.locator("button:visible").inner_text() == f"Send to {incident.requester.name}"


def test_a_responder_acknowledges_from_the_mail_on_a_phone_without_script_or_login(visit: Any) -> None:
    phone, incident = visit(width=390), paged()
    phone.go(link_of(incident))
    assert phone.page.context.cookies() == []
    button = phone.page.locator("button:has-text('I am on it')")
    box = button.bounding_box()
    assert box["y"] + box["height"] <= 900
    assert box["height"] >= 44
    button.click()
    assert "You have it" in phone.text()
    assert Incident.objects.get(pk=incident.pk).acknowledged_by is not None
    assert Page.objects.get(incident=incident).state == "acknowledged"


def test_the_mail_in_the_mailbox_leads_to_the_page(visit: Any, settings: Any) -> None:
    one = visit()
    one.sign_in("ada")
    one.go("/mailbox/")
    one.page.click(".notice a")
    assert "/r/" in (one.page.locator(".panel a").get_attribute("href") or "")


def test_two_people_at_one_incident_the_second_sees_what_the_first_did(visit: Any) -> None:
    first, second, incident = visit(), visit(), paged()
    for one, login in ((first, "ada"), (second, "olu")):
        one.sign_in(login)
        one.go(f"/desk/{incident.reference}/")
    first.page.click("button:has-text('I am on it')")
    second.page.click("summary:has-text('Resolve')")
    second.page.fill("#resolve_notes", "typed meanwhile")
    second.page.click("form[action$='/resolve/'] button")
    assert "somebody else saved meanwhile" in second.text()
    assert second.page.input_value("#resolve_notes") == "typed meanwhile"
    second.page.click("form[action$='/resolve/'] button")
    assert "Resolved: fixed" in second.text()
