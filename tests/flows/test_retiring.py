"""Ending categories and teams: open work goes to a successor, or nothing happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

import accounts.actions
import incidents.actions
from accounts.actions import LastTriageTeam
from accounts.models import Team
from audit.actions import Forbidden, Invalid
from audit.actor import SYSTEM
from audit.models import Event
from incidents.actions import HasChildren, NeedsSuccessor
from incidents.models import Category, Incident, Service
from tests.accounts.factories import ApiKeyFactory, TeamFactory, UserFactory, bearer
from tests.incidents.factories import AT, CategoryFactory, IncidentFactory, ServiceFactory, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> Any:
    return person(None, "admin")


def team_of(incident: Incident) -> Team | None:
    return Incident.objects.get(pk=incident.pk).team


def test_a_retired_team_hands_over_what_is_open_in_one_step(admin: Any) -> None:
    old, new = TeamFactory(), TeamFactory()
    one, over = IncidentFactory(team=old), IncidentFactory(team=old)
    service = ServiceFactory(owner_team=old)
    incidents.actions.resolve(incident=over, code="fixed", by=SYSTEM, at=AT)
    accounts.actions.retire_team(team=old, successor=new, reason="merged", by=admin, at=AT)
    assert (team_of(one), team_of(over), Service.objects.get(pk=service.pk).owner_team) == (new, old, new)
    assert not Team.objects.get(pk=old.pk).is_active
    told = Event.objects.get(kind="incident.assigned", subject_id=one.pk)
    assert (told.data["cause"], told.reason, told.actor_label) == ("team retired", "merged", admin.label)
    assert Incident.history.filter(id=one.pk).latest("version").history_change_reason == "merged"


@pytest.mark.parametrize("attribute", ["team", "owner_team"])
def test_a_team_with_work_is_not_retired_without_a_successor(admin: Any, attribute: str) -> None:
    old = TeamFactory()
    IncidentFactory(team=old) if attribute == "team" else ServiceFactory(owner_team=old)
    attempts: list[Callable[[], Any]] = [
        lambda: accounts.actions.retire_team(team=old, by=admin, at=AT),
        lambda: accounts.actions.change_team(team=old, values={"is_active": False}, by=admin, at=AT),
    ]
    for act in attempts:
        with pytest.raises(NeedsSuccessor) as refused:
            act()
        assert refused.value.field == "successor"
    assert Team.objects.get(pk=old.pk).is_active
    assert not Event.objects.filter(kind="team.retired").exists()


def test_a_team_goes_neither_to_itself_nor_to_a_retired_one(admin: Any) -> None:
    old = TeamFactory()
    for successor in (old, TeamFactory(is_active=False)):
        with pytest.raises(Invalid) as refused:
            accounts.actions.retire_team(team=old, successor=successor, by=admin, at=AT)
        assert refused.value.field == "successor"
    with pytest.raises(Forbidden):
        accounts.actions.retire_team(team=old, by=person(None, "lead", leads=(old,)), at=AT)


def test_the_last_triage_team_stays(admin: Any) -> None:
    Team.objects.filter(is_triage=True).update(is_triage=False)
    last, other = TeamFactory(is_triage=True), TeamFactory()
    for act in (
        lambda: accounts.actions.retire_team(team=last, successor=other, by=admin, at=AT),
        lambda: accounts.actions.change_team(team=last, values={"is_triage": False}, by=admin, at=AT),
        lambda: accounts.actions.change_team(team=last, values={"is_active": False}, by=admin, at=AT),
        lambda: accounts.actions.remove_team(team=last, by=admin, at=AT),
    ):
        with pytest.raises(LastTriageTeam):
            act()
    TeamFactory(is_triage=True)
    accounts.actions.retire_team(team=last, successor=other, by=admin, at=AT)
    assert not Team.objects.get(pk=last.pk).is_active


def test_a_retired_category_hands_over_what_is_open(admin: Any) -> None:
    old, new = CategoryFactory(), CategoryFactory()
    one = IncidentFactory(category=old)
    with pytest.raises(NeedsSuccessor):
        incidents.actions.retire_category(category=old, by=admin, at=AT)
    incidents.actions.retire_category(category=old, successor=new, by=admin, at=AT)
    assert Incident.objects.get(pk=one.pk).category == new
    assert not Category.objects.get(pk=old.pk).is_active
    assert Event.objects.filter(kind="incident.recategorised", subject_id=one.pk).exists()


def test_a_category_with_others_below_it_stays(admin: Any) -> None:
    parent = CategoryFactory()
    CategoryFactory(parent=parent)
    with pytest.raises(HasChildren):
        incidents.actions.change_category(category=parent, values={"is_active": False}, by=admin, at=AT)


def test_both_are_retired_by_verbs_and_refused_with_the_way_out() -> None:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=bearer(ApiKeyFactory(user=UserFactory(roles=["admin"]))))
    old, new = CategoryFactory(), CategoryFactory()
    IncidentFactory(category=old)
    refused = client.patch(f"/api/v1/categories/{old.pk}/", {"is_active": False})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (409, "successor")
    done = client.post(f"/api/v1/categories/{old.pk}/retire/", {"successor": new.pk})
    assert (done.status_code, done.data["is_active"]) == (200, False)
    team = TeamFactory()
    IncidentFactory(team=team)
    assert client.post(f"/api/v1/teams/{team.pk}/retire/", {}).status_code == 409
    done = client.post(f"/api/v1/teams/{team.pk}/retire/", {"successor": TeamFactory().pk, "reason": "x"})
    assert (done.status_code, done.data["is_active"]) == (200, False)
