"""The admin's base classes, shown on teams and people: who may, stale saves, buttons, history."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client

from accounts.models import ApiKey, Membership, Team, User
from audit.models import Event
from tests.accounts.factories import ApiKeyFactory, MembershipFactory, TeamFactory, UserFactory

pytestmark = pytest.mark.django_db
TEAMS = "/admin/accounts/team/"


def page_of(*roles: str) -> Client:
    client = Client()
    client.force_login(UserFactory(roles=list(roles)))
    return client


@pytest.fixture
def desk_admin() -> Client:
    return page_of("admin")


def _values(team: Team, **more: Any) -> dict[str, Any]:
    return {"name": team.name, "slug": team.slug, "tier": team.tier, "parent": "", "email": "", "is_active": "on",
            "memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0, "_version": team.version, **more}  # fmt: skip


def test_a_new_row_is_made_by_its_action(desk_admin: Client) -> None:
    answer = desk_admin.post(f"{TEAMS}add/", _values(Team(name="Network", slug="network"), _save="1"))
    assert answer.status_code == 302, answer.content
    assert Event.objects.get().kind == "config.created"
    row = Team.objects.get().history.get()
    assert (row.actor_kind, row.actor_channel) == ("person", "admin")


def test_a_change_records_only_what_changed(desk_admin: Client) -> None:
    team = TeamFactory()
    assert desk_admin.post(f"{TEAMS}{team.pk}/change/", _values(team, tier=2)).status_code == 302
    assert Event.objects.get().data["fields"] == ["tier"]


def test_a_stale_save_is_refused_with_what_changed_meanwhile(desk_admin: Client) -> None:
    team = TeamFactory(name="Old")
    seen = _values(team, tier=3)
    team.name = "New"
    team.save()
    answer = desk_admin.post(f"{TEAMS}{team.pk}/change/", seen)
    assert answer.status_code == 200
    assert "Old → New" in answer.content.decode()
    assert '<input type="hidden" name="_version" value="1">' in answer.content.decode()
    assert (Team.objects.get().name, Team.objects.get().tier) == ("New", 1)


@pytest.mark.parametrize("version", ["", "x", "²", "9" * 30])
def test_a_save_without_a_good_version_is_refused(desk_admin: Client, version: str) -> None:
    team = TeamFactory()
    answer = desk_admin.post(f"{TEAMS}{team.pk}/change/", _values(team, tier=3, _version=version))
    assert "which version" in answer.content.decode()
    assert Team.objects.get().tier == 1


def test_a_refusal_of_the_action_is_an_error_of_the_form(desk_admin: Client) -> None:
    top = TeamFactory()
    below = TeamFactory(parent=top)
    answer = desk_admin.post(f"{TEAMS}{top.pk}/change/", _values(top, parent=below.pk))
    assert "part of itself" in answer.content.decode()
    assert Team.objects.get(pk=top.pk).parent is None


@pytest.mark.parametrize("role", ["auditor", "agent", "manager"])
def test_without_the_role_nothing_is_changed(role: str) -> None:
    team, client = TeamFactory(), page_of(role)
    assert client.post(f"{TEAMS}{team.pk}/change/", _values(team, tier=3)).status_code == 403
    assert client.post(f"{TEAMS}add/", _values(Team(name="N", slug="n"))).status_code == 403
    assert client.post(f"{TEAMS}{team.pk}/delete/", {"post": "yes"}).status_code == 403
    client.post(f"{TEAMS}{team.pk}/do/set-member/", {"user": UserFactory().pk, "_version": 1})
    assert (Team.objects.get().tier, Membership.objects.count()) == (1, 0)


def test_an_auditor_sees_every_page_of_every_model() -> None:
    client = page_of("auditor", "agent")
    MembershipFactory(user__roles=["agent"])
    ApiKeyFactory()
    for model in apps.get_app_config("accounts").get_models():
        if admin.site.is_registered(model) and not model.__name__.startswith("Historical"):
            base = f"/admin/accounts/{model._meta.model_name}/"
            assert client.get(base).status_code == 200, base
            for row in model._default_manager.all()[:1]:
                assert b'name="_save"' not in client.get(f"{base}{row.pk}/change/").content
                assert client.get(f"{base}{row.pk}/history/").status_code == 200


def test_a_requester_stays_outside() -> None:
    assert page_of("requester").get("/admin/").status_code == 302
    assert page_of("requester").get("/admin/login/").status_code == 403


def test_a_removal_is_an_action_and_says_what_still_needs_the_row(desk_admin: Client) -> None:
    free, needed = TeamFactory(), TeamFactory()
    TeamFactory(parent=needed)
    assert desk_admin.post(f"{TEAMS}{free.pk}/delete/", {"post": "yes"}).status_code == 302
    desk_admin.post(f"{TEAMS}{needed.pk}/delete/", {"post": "yes"})
    assert not Team.objects.filter(pk=free.pk).exists()
    assert Team.objects.filter(pk=needed.pk).exists()
    assert list(Event.objects.values_list("kind", flat=True)) == ["config.removed"]


def test_nothing_is_removed_in_bulk(desk_admin: Client) -> None:
    team = TeamFactory()
    desk_admin.post(TEAMS, {"action": "delete_selected", "_selected_action": team.pk, "post": "yes"})
    assert Team.objects.exists()


def test_a_button_runs_its_action_once_by_post(desk_admin: Client) -> None:
    team, user = TeamFactory(), UserFactory()
    url = f"{TEAMS}{team.pk}/do/set-member/"
    assert desk_admin.get(url).status_code == 405
    assert not Membership.objects.exists()
    assert desk_admin.post(url, {"user": user.pk, "is_lead": "on", "_version": 1}).status_code == 302
    assert Membership.objects.get().is_lead


def test_a_button_with_a_bad_form_asks_again(desk_admin: Client) -> None:
    answer = desk_admin.post(f"{TEAMS}{TeamFactory().pk}/do/set-member/", {"user": "999999", "_version": 1})
    assert answer.status_code == 400
    assert b"errorlist" in answer.content


def test_a_button_on_an_old_page_is_refused_with_the_difference(desk_admin: Client) -> None:
    user = UserFactory(name="Old")
    user.name = "New"
    user.save()
    url = f"/admin/accounts/user/{user.pk}/do/deactivate/"
    answer = desk_admin.post(url, {"reason": "left", "_version": 1}, follow=True)
    assert "Old → New" in answer.content.decode()
    assert User.objects.get(pk=user.pk).is_active


def test_a_refused_button_says_why(desk_admin: Client) -> None:
    boss = User.objects.get(groups__name="admin")
    answer = desk_admin.post(f"/admin/accounts/user/{boss.pk}/do/deactivate/", {"_version": boss.version}, follow=True)
    assert "last administrator" in answer.content.decode()


def test_buttons_that_are_not_open_are_neither_shown_nor_run(desk_admin: Client) -> None:
    user = UserFactory(is_active=False)
    page = desk_admin.get(f"/admin/accounts/user/{user.pk}/change/").content.decode()
    assert "do/reactivate/" in page
    assert "do/deactivate/" not in page
    desk_admin.post(f"/admin/accounts/user/{user.pk}/do/set-password/", {"password": "long-enough-1", "_version": 1})
    assert not User.objects.get(pk=user.pk).check_password("long-enough-1")


def test_history_shows_and_never_reverts(desk_admin: Client) -> None:
    team = TeamFactory(name="Old")
    team.name = "New"
    team.save()
    listed = desk_admin.get(f"{TEAMS}{team.pk}/history/").content.decode()
    assert "Old" in listed
    assert "New" in listed
    past = f"{TEAMS}{team.pk}/history/{team.history.get(version=1).pk}/"
    page = desk_admin.get(past).content.decode()
    assert "Old" in page
    assert '<input type="text"' not in page
    assert desk_admin.post(past, _values(team, name="Old")).status_code == 405
    assert Team.objects.get().name == "New"


@pytest.mark.parametrize("key", ["9" * 40, "x", "%00", "1e9"])
@pytest.mark.parametrize("page", ["change/", "history/", "delete/", "history/x/"])
def test_a_key_that_can_be_none_is_no_fault(desk_admin: Client, key: str, page: str) -> None:
    assert desk_admin.get(f"{TEAMS}{key}/{page}").status_code in {302, 404}


def test_a_person_is_made_with_roles(desk_admin: Client) -> None:
    answer = desk_admin.post(
        "/admin/accounts/user/add/",
        {"email": "Wen@Example.org", "name": "Wen", "time_zone": "Asia/Tokyo", "locale": "en", "roles": ["agent"]},
    )
    assert answer.status_code == 302, answer.content
    wen = User.objects.get(email="wen@example.org")
    assert (wen.is_staff, [group.name for group in wen.groups.all()]) == (True, ["agent"])


def test_a_key_is_shown_on_the_page_that_follows_and_nowhere_else(desk_admin: Client) -> None:
    answer = desk_admin.post("/admin/accounts/apikey/add/", {"name": "Prometheus", "scopes": "alerts:write"})
    key = ApiKey.objects.get()
    assert f"sdk_{key.prefix}_" in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    shown = desk_admin.get(f"/admin/accounts/apikey/{key.pk}/change/").content.decode()
    assert f"sdk_{key.prefix}_" not in shown
    assert key.secret_hash not in shown


def test_no_get_changes_a_row(desk_admin: Client) -> None:
    team = MembershipFactory().team
    before = (Team.objects.get().version, Event.objects.count())
    for page in ("", "add/", f"{team.pk}/change/", f"{team.pk}/delete/", f"{team.pk}/history/"):
        assert desk_admin.get(f"{TEAMS}{page}").status_code == 200
    assert (Team.objects.get().version, Event.objects.count()) == before
