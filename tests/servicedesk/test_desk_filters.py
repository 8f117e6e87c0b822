"""Filters of the queue in its address, and the views that people save."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import Team, User
from incidents.models import SavedView
from tests.accounts.factories import MembershipFactory, TeamFactory, UserFactory
from tests.incidents.factories import CategoryFactory, IncidentFactory, ServiceFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Team:
    return TeamFactory()


def member(team: Team, role: str = "agent") -> tuple[User, Client]:
    user = UserFactory(roles=[role])
    MembershipFactory(user=user, team=team)
    client = Client()
    client.force_login(user)
    return user, client


@pytest.fixture
def desk(team: Team) -> Client:
    return member(team)[1]


def shown(desk: Client, **filters: Any) -> set[int]:
    answer = desk.get("/desk/", {"view": "open", **filters})
    assert answer.status_code == 200
    return {one.incident_id for one in answer.context["page"].entries}


def test_each_filter_narrows_the_queue_down(desk: Client, team: Team) -> None:
    parent, service = CategoryFactory(), ServiceFactory()
    other = IncidentFactory(team=team)
    wanted: dict[str, tuple[Any, dict[str, Any]]] = {
        "priority": (["1", "2"], {"impact": 1, "urgency": 1}),
        "category": (parent.pk, {"category": CategoryFactory(parent=parent)}),
        "service": (service.pk, {"service": service}),
        "channel": ("chat", {"channel": "chat"}),
        "kind": ("question", {"kind": "question"}),
        "state": (["assigned"], {"assignee": UserFactory()}),
    }
    for name, (value, given) in wanted.items():
        found = IncidentFactory(team=team, **given)
        assert shown(desk, **{name: value}) == {found.pk}, name
    assert other.pk in shown(desk)


def test_people_are_filtered_as_me_nobody_or_a_mate(team: Team) -> None:
    user, desk = member(team)
    mate, _ = member(team)
    free, mine, theirs = (IncidentFactory(team=team, assignee=one) for one in (None, user, mate))
    assert shown(desk, assignee="me") == {mine.pk}
    assert shown(desk, assignee="none") == {free.pk}
    assert shown(desk, assignee=str(mate.pk)) == {theirs.pk}


@pytest.mark.parametrize("filters", [{"priority": "9"}, {"team": "x"}, {"assignee": "-1"}, {"service": "9" * 40}])
def test_a_filter_that_can_not_be_read_is_said_and_narrows_nothing(
    desk: Client, team: Team, filters: dict[str, str]
) -> None:
    incident = IncidentFactory(team=team)
    answer = desk.get("/desk/", {"view": "open", **filters})
    assert "correct what is marked" in answer.content.decode()
    assert [one.incident_id for one in answer.context["page"].entries] == [incident.pk]


def test_filtering_costs_as_many_statements_with_few_rows_as_with_many(
    desk: Client, team: Team, django_assert_max_num_queries: Any
) -> None:
    IncidentFactory.create_batch(3, team=team)
    with django_assert_max_num_queries(19) as few:
        shown(desk, state=["new"], channel="portal")
    IncidentFactory.create_batch(20, team=team)
    with django_assert_max_num_queries(len(few)):
        shown(desk, state=["new"], channel="portal")


def test_a_view_is_saved_shown_changed_and_removed(team: Team) -> None:
    user, desk = member(team)
    query = "view=team&priority=1&priority=2&after=abc"
    answer = desk.post("/desk/views/", {"name": "Urgent", "query": query})
    assert answer.headers["Location"] == "/desk/?view=team&priority=1&priority=2"
    view = SavedView.objects.get()
    assert (view.owner_id, view.query) == (user.pk, "view=team&priority=1&priority=2")
    page = desk.get(f"/desk/?{view.query}").content.decode()
    assert "Urgent" in page
    assert "Remove the view" in page
    desk.post("/desk/views/", {"name": "Urgent", "query": "view=open"})
    assert SavedView.objects.get().query == "view=open"
    desk.post(f"/desk/views/{view.pk}/remove/")
    assert not SavedView.objects.exists()


def test_a_shared_view_is_seen_by_the_team_alone_and_removed_by_its_owner_alone(team: Team) -> None:
    _, desk = member(team)
    desk.post("/desk/views/", {"name": "Ours", "query": "view=open", "team": team.pk})
    view = SavedView.objects.get()
    _, mate = member(team)
    _, stranger = member(TeamFactory())
    assert "Ours" in mate.get("/desk/?view=open").content.decode()
    assert "Ours" not in stranger.get("/desk/?view=open").content.decode()
    assert mate.post(f"/desk/views/{view.pk}/remove/").status_code == 302
    assert stranger.post(f"/desk/views/{view.pk}/remove/").status_code == 404
    assert SavedView.objects.filter(pk=view.pk).exists()


@pytest.mark.parametrize("typed", [{"name": ""}, {"name": "x" * 200}, {"query": "a=" + "b" * 2000}, {"name": "a\x00b"}])
def test_what_is_no_view_is_refused_with_a_reason(desk: Client, typed: dict[str, str]) -> None:
    answer = desk.post("/desk/views/", {"name": "n", "query": "view=open", **typed}, follow=True)
    assert answer.status_code == 200
    assert 'class="notice bad"' in answer.content.decode()
    assert not SavedView.objects.exists()


def test_a_view_is_shared_only_with_ones_own_team(desk: Client) -> None:
    desk.post("/desk/views/", {"name": "n", "query": "view=open", "team": TeamFactory().pk})
    assert not SavedView.objects.exists()
