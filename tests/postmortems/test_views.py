"""The pages: what people read and print, and nothing that acts."""

from __future__ import annotations

import re

import pytest
from django.test import Client

import postmortems.actions
from postmortems.models import PostMortem
from postmortems.templatetags.postmortems import markdown
from tests.accounts.factories import TeamFactory, UserFactory
from tests.incidents.factories import IncidentFactory, later, person
from tests.postmortems.factories import ActionItemFactory, PostMortemFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(UserFactory(roles=["incident_manager"]))
    return client


@pytest.fixture
def postmortem() -> PostMortem:
    return PostMortemFactory()


def test_the_page_shows_the_whole_document(reader: Client, postmortem: PostMortem) -> None:
    writer = person(None, "incident_manager")
    section = postmortem.sections.get(position=1)
    postmortems.actions.write_section(section=section, body="**Full** disk", by=writer, at=later(hours=3))
    ActionItemFactory(postmortem=postmortem, title="Add an alert")
    page = reader.get(f"/postmortems/{postmortem.pk}/").content.decode()
    assert "<strong>Full</strong> disk" in page
    for words in (
        postmortem.incident.reference,
        "Root cause",
        "Add an alert",
        "resolved the incident",
        "Missing before",
    ):
        assert words in page


def test_a_hidden_entry_shows_its_reason_instead_of_its_words(reader: Client, postmortem: PostMortem) -> None:
    entry = postmortem.timeline.get(kind="incident.resolved")
    postmortems.actions.hide_entry(entry=entry, reason="said twice", by=person(None, "admin"), at=later(hours=3))
    page = reader.get(f"/postmortems/{postmortem.pk}/").content.decode()
    assert "said twice" in page
    assert entry.text not in page


def test_the_list_narrows_by_state(reader: Client, postmortem: PostMortem) -> None:
    assert postmortem.title in reader.get("/postmortems/").content.decode()
    assert postmortem.title in reader.get("/postmortems/?state=draft").content.decode()
    assert postmortem.title not in reader.get("/postmortems/?state=published").content.decode()
    assert reader.get("/postmortems/?state=%00&page=%00").status_code == 200


def test_who_may_not_see_the_incident_finds_no_page(client: Client) -> None:
    postmortem = PostMortemFactory(incident=IncidentFactory(team=TeamFactory()))
    client.force_login(UserFactory(roles=["agent"]))
    assert client.get(f"/postmortems/{postmortem.pk}/").status_code == 404
    assert postmortem.title not in client.get("/postmortems/").content.decode()


def test_pages_are_for_people_who_signed_in(client: Client, postmortem: PostMortem) -> None:
    assert client.get(f"/postmortems/{postmortem.pk}/").status_code == 302


def test_pages_only_show(reader: Client, postmortem: PostMortem) -> None:
    assert reader.post(f"/postmortems/{postmortem.pk}/").status_code == 405


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        "![x](http://spy.example/x.png)",
        "<img src=x onerror=alert(1)>",
        '<a href="data:text/html,x">x</a>',
    ],
)
def test_markdown_makes_nothing_dangerous(hostile: str) -> None:
    made = markdown(hostile)
    assert not re.search(r"<[^>]*(script|img|data:|onerror)", made)
