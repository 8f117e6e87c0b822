"""Verbs between incidents on the desk's page: merge with its confirmation, the way to the heir, and back."""

from __future__ import annotations

from typing import Any

import pytest

import incidents.actions
from accounts.queries import actor_for
from incidents.models import Incident, IncidentLink, Task
from tests.accounts.factories import UserFactory
from tests.servicedesk.test_desk_verbs import Desk

pytestmark = pytest.mark.django_db


def another(desk: Desk, **given: Any) -> Incident:
    values = {"title": "Silent", "team": desk.team, "requester": desk.maria, **given}
    return incidents.actions.open_incident(by=actor_for(desk.lead), at=desk.now, **values)


def url(incident: Incident, more: str = "") -> str:
    return f"/desk/{incident.reference}/{more}"


def test_an_agent_merges_and_is_led_to_the_other_one() -> None:
    desk = Desk()
    other = another(desk)
    answer = desk.do("merge", into=other.reference, reason="same speaker")
    assert (answer.status_code, answer["Location"]) == (302, url(other))
    assert desk.client.get(url(desk.incident))["Location"] == url(other)
    page = desk.client.get(url(other)).content.decode()
    assert desk.incident.reference in page
    assert "unmerge" in desk.client.get(url(desk.incident, "?stay=1")).content.decode()


def test_two_requesters_are_named_and_sending_it_again_confirms() -> None:
    desk = Desk()
    other = another(desk, requester=UserFactory(name="Nils", roles=["requester"]))
    answer = desk.do("merge", into=other.reference)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "Nils reads nothing" in page.replace("&#x27;", "'")
    token = page.split('name="confirmation" value="')[1].split('"')[0]
    assert desk.do("merge", into=other.reference, confirmation=token).status_code == 302


def test_the_other_requester_keeps_their_page_and_learns_nothing_of_the_first() -> None:
    desk = Desk()
    other = another(desk, title="Nils has no sound", requester=UserFactory(name="Nils", roles=["requester"]))
    answer = desk.do("merge", into=other.reference).content.decode()
    token = answer.split('name="confirmation" value="')[1].split('"')[0]
    desk.do("merge", into=other.reference, confirmation=token)
    maria = desk.client_of(desk.maria)
    page = maria.get(url(desk.incident))
    assert page.status_code == 200
    assert not any(word in page.content.decode() for word in ("Nils", other.reference))
    assert maria.get(url(other)).status_code == 404
    sent = maria.post(url(desk.incident, "comment/"), {"body": "and now?"})
    assert sent.status_code == 302
    assert "and now?" in maria.get(url(desk.incident)).content.decode()


def test_an_unknown_number_is_refused_by_the_form() -> None:
    answer = Desk().do("merge", into="INC-999999")
    assert answer.status_code == 400
    assert "no such incident" in answer.content.decode()


def test_a_merge_is_taken_back_from_the_page_of_the_merged_one() -> None:
    desk = Desk()
    desk.do("merge", into=another(desk).reference)
    version = Incident.objects.get(pk=desk.incident.pk).version
    sent = desk.client.post(url(desk.incident, "unmerge/"), {"expected_version": version, "reason": "other speaker"})
    assert sent.status_code == 302
    assert Incident.objects.get(pk=desk.incident.pk).state == "new"


def sent(desk: Desk, verb: str, **typed: Any) -> Any:
    """A form of the page, sent as the page has it, with what a person types."""
    found = Incident.objects.get(pk=desk.incident.pk)
    return desk.client.post(url(found, f"{verb}/"), {"expected_version": found.version, **typed})


def shown(desk: Desk) -> str:
    return desk.client.get(url(desk.incident)).content.decode()


def test_tasks_are_added_and_done_on_the_page() -> None:
    desk = Desk()
    assert sent(desk, "add-task", title="Order a cable").status_code == 302
    task = Task.objects.get()
    assert "Order a cable" in shown(desk)
    desk.do("resolve", notes="plugged it in")
    assert "1 task is still open" in shown(desk)
    assert sent(desk, "finish-task", row=task.pk).status_code == 302
    assert "still open" not in shown(desk)


def test_links_family_parts_and_watchers_on_the_page() -> None:
    desk = Desk()
    other, elder = another(desk), another(desk)
    assert sent(desk, "link", kind="related", other=other.reference).status_code == 302
    assert sent(desk, "set-parent", parent=elder.reference).status_code == 302
    assert sent(desk, "add-watcher", user=desk.lead.pk).status_code == 302
    page = shown(desk)
    assert all(word in page for word in (other.reference, elder.reference, "Watched by"))
    assert sent(desk, "unlink", row=IncidentLink.objects.get().pk).status_code == 302
    part = sent(desk, "split", title="And the screen")
    assert part.status_code == 302
    assert "And the screen" in desk.client.get(part["Location"]).content.decode()


def test_a_major_incident_on_the_page() -> None:
    desk = Desk()
    assert sent(desk, "propose-major", reason="nobody hears anything").status_code == 302
    assert "To be decided by" in shown(desk)
    assert sent(desk, "accept-major").status_code == 302
    assert sent(desk, "give-update", body="We look for the cause.").status_code == 302
    assert sent(desk, "set-major-roles", commander=desk.lead.pk).status_code == 302
    assert sent(desk, "plan-closing", owner=desk.lead.pk, close_on="2126-03-20").status_code == 302
    page = shown(desk)
    assert "We look for the cause." in page
    assert sent(desk, "demote-major", reason="one speaker").status_code == 302
