"""Acting on several incidents of the queue at once."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import Team, User
from incidents.models import Incident
from tests.accounts.factories import MembershipFactory, TeamFactory, UserFactory
from tests.incidents.factories import IncidentFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Team:
    return TeamFactory()


@pytest.fixture
def agent(team: Team) -> User:
    user = UserFactory(roles=["agent"])
    MembershipFactory(user=user, team=team)
    return user


@pytest.fixture
def desk(agent: User) -> Client:
    client = Client()
    client.force_login(agent)
    return client


def keys(*found: Incident) -> dict[str, list[str]]:
    return {"i": [f"{one.reference}@{one.version}" for one in found]}


def test_the_queue_offers_a_box_for_each_row(desk: Client, team: Team) -> None:
    incident = IncidentFactory(team=team)
    assert f'value="{incident.reference}@{incident.version}"' in desk.get("/desk/?view=team").content.decode()


def test_the_verbs_that_some_of_them_allow_are_offered_with_their_number(desk: Client, team: Team) -> None:
    found = [IncidentFactory(team=team), IncidentFactory(team=team, assignee=UserFactory())]
    page = desk.get("/desk/bulk/", keys(*found)).content.decode()
    assert all(one.reference in page for one in found)
    assert "/desk/bulk/resolve/" in page
    assert "/desk/bulk/close/" not in page


def test_each_is_done_or_refused_by_itself(desk: Client, agent: User, team: Team) -> None:
    free, held = IncidentFactory(team=team), IncidentFactory(team=team, assignee=UserFactory(name="Wen"))
    foreign = IncidentFactory(team=TeamFactory())
    page = desk.post("/desk/bulk/claim/", keys(free, held, foreign)).content.decode()
    assert Incident.objects.get(pk=free.pk).assignee_id == agent.pk
    assert "Wen has" in page
    assert foreign.title not in page


def test_a_row_that_somebody_changed_meanwhile_is_left_alone(desk: Client, team: Team) -> None:
    incident = IncidentFactory(team=team)
    typed = {"i": f"{incident.reference}@99", "reason": "mistake", "detail": "x"}
    assert "Somebody else saved meanwhile" in desk.post("/desk/bulk/cancel/", typed).content.decode()
    assert Incident.objects.get(pk=incident.pk).state == "new"


def test_a_form_that_lacks_something_says_so_for_each(desk: Client, team: Team) -> None:
    incident = IncidentFactory(team=team)
    assert "This field is required" in desk.post("/desk/bulk/cancel/", keys(incident)).content.decode()


def test_requesters_have_no_bulk_and_odd_verbs_do_not_exist(desk: Client) -> None:
    client = Client()
    client.force_login(UserFactory(roles=["requester"]))
    assert client.get("/desk/bulk/").status_code == 404
    assert client.post("/desk/bulk/claim/").status_code == 404
    assert desk.post("/desk/bulk/revise/").status_code == 404


def test_nothing_chosen_and_nonsense_are_answered(desk: Client) -> None:
    assert desk.get("/desk/bulk/").status_code == 200
    assert desk.get("/desk/bulk/", {"i": ["x", "INC-999999@1", "@", "INC-1@" + "9" * 40]}).status_code == 200
    assert desk.post("/desk/bulk/claim/", {"i": ["x@y", "\x00"]}).status_code == 200
