"""People, roles, teams and keys: what their actions do, refuse and record."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connections

from accounts import actions
from accounts.models import ApiKey, Membership, RoleGrant, Team, User
from accounts.queries import actor_for
from accounts.roles import Role
from audit.actions import ActionRefused, Forbidden, Invalid, Stale
from audit.actor import SYSTEM, Actor, ActorKind
from audit.models import Event
from tests.accounts.factories import AT, ApiKeyFactory, MembershipFactory, TeamFactory, UserFactory, actor_for_key

db = pytest.mark.django_db


def _boss() -> Actor:
    return actor_for(UserFactory(roles=["admin"]))


def _kinds() -> list[str]:
    return list(Event.objects.order_by("id").values_list("kind", flat=True))


@db
def test_a_person_is_made_with_roles_and_an_address_in_lower_case() -> None:
    user = actions.create_user(email="Maria.Lopez@Example.ORG", roles=["agent"], name="Maria", by=SYSTEM, at=AT)
    assert User.objects.get(email="MARIA.lopez@example.org") == user
    assert (user.email, user.is_staff, user.has_usable_password()) == ("maria.lopez@example.org", True, False)
    assert _kinds() == ["user.created"]


@db
def test_one_address_is_one_person_whatever_its_spelling() -> None:
    UserFactory(email="wen@example.org")
    with pytest.raises(actions.AddressTaken):
        actions.create_user(email="WEN@example.org", by=SYSTEM, at=AT)
    with pytest.raises(IntegrityError):
        UserFactory(email="WEN@example.org")


@db
@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("email", {"email": "nobody"}),
        ("time_zone", {"time_zone": "Mars/Olympus"}),
        ("time_zone", {"time_zone": "../../etc/passwd"}),
        ("locale", {"locale": "xx"}),
        ("phone", {"phone": "<script>"}),
        ("role", {"roles": ["king"]}),
        ("password", {"password": "short"}),
    ],
)
def test_a_bad_value_is_refused_by_name(field: str, values: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        actions.create_user(**{"email": "ada@example.org", "by": SYSTEM, "at": AT, **values})
    assert refused.value.field == field
    assert refused.value.remedy
    assert not User.objects.exists()


@db
def test_who_logs_calls_may_make_a_requester_and_nobody_more() -> None:
    agent = actor_for(UserFactory(roles=["agent"]))
    actions.create_user(email="caller@example.org", by=agent, at=AT)
    with pytest.raises(Forbidden):
        actions.create_user(email="boss@example.org", roles=["admin"], by=agent, at=AT)
    with pytest.raises(Forbidden):
        actions.create_user(email="x@example.org", by=actor_for(UserFactory(roles=["requester"])), at=AT)


@db
def test_people_change_their_own_name_and_not_their_rank() -> None:
    user = UserFactory()
    actions.change_user(user=user, values={"name": "Olu", "locale": "es"}, by=actor_for(user), at=AT)
    with pytest.raises(Forbidden):
        actions.change_user(user=user, values={"is_vip": True}, by=actor_for(user), at=AT)
    with pytest.raises(Forbidden):
        actions.change_user(user=UserFactory(), values={"name": "x"}, by=actor_for(user), at=AT)
    assert Event.objects.get().data == {"fields": ["locale", "name"]}


@db
def test_not_even_an_admin_sets_state_by_changing_a_person() -> None:
    with pytest.raises(Forbidden):
        actions.change_user(user=UserFactory(), values={"is_active": False}, by=_boss(), at=AT)


@db
def test_a_change_on_an_old_version_is_stale() -> None:
    user = UserFactory()
    actions.change_user(user=user, values={"name": "A"}, by=SYSTEM, at=AT)
    with pytest.raises(Stale):
        actions.change_user(user=user, values={"name": "B"}, by=SYSTEM, at=AT, expected_version=1)


@db
def test_deactivating_ends_the_keys_once_and_is_told_once() -> None:
    user = UserFactory(roles=["responder"])
    key = ApiKeyFactory(user=user)
    for _ in range(2):
        actions.deactivate_user(user=user, by=_boss(), at=AT, reason="left")
    assert ApiKey.objects.get(pk=key.pk).revoked_at == AT
    told = Event.objects.get()
    assert (told.kind, told.reason, told.data) == ("user.deactivated", "left", {"keys": [key.prefix]})


@db
def test_coming_back_brings_roles_but_no_keys() -> None:
    user = UserFactory(roles=["agent"])
    key = ApiKeyFactory(user=user)
    actions.deactivate_user(user=user, by=SYSTEM, at=AT)
    actions.reactivate_user(user=user, by=SYSTEM, at=AT)
    assert actor_for(User.objects.get(pk=user.pk)).roles == {"agent"}
    assert not ApiKey.objects.valid(AT).filter(pk=key.pk).exists()


@db
def test_the_last_admin_can_neither_leave_nor_be_demoted() -> None:
    boss = UserFactory(roles=["admin"])
    for act in (actions.deactivate_user, lambda **more: actions.revoke_role(role="admin", **more)):
        with pytest.raises(actions.LastAdmin):
            act(user=boss, by=actor_for(boss), at=AT)
    UserFactory(roles=["admin"], password="!")
    with pytest.raises(actions.LastAdmin, match="can sign in"):
        actions.deactivate_user(user=boss, by=actor_for(boss), at=AT)
    UserFactory(roles=["admin"])
    actions.deactivate_user(user=boss, by=actor_for(boss), at=AT)


@db
def test_a_role_is_granted_and_revoked_with_history() -> None:
    boss, user = _boss(), UserFactory()
    for _ in range(2):
        actions.grant_role(user=user, role=Role.LEAD, by=boss, at=AT)
    assert RoleGrant.objects.get(user=user).granted_by_id == boss.user_id
    assert User.objects.get(pk=user.pk).is_staff
    actions.revoke_role(user=user, role=Role.LEAD, by=boss, at=AT)
    assert not User.objects.get(pk=user.pk).is_staff
    assert _kinds() == ["role.granted", "role.revoked"]
    past = RoleGrant.history.filter(user_id=user.pk).order_by("version")
    assert [(row.history_type, row.actor_id) for row in past] == [("+", boss.id), ("-", boss.id)]


@db
def test_nobody_grants_themselves_a_role() -> None:
    boss = UserFactory(roles=["admin"])
    with pytest.raises(Forbidden):
        actions.grant_role(user=boss, role="auditor", by=actor_for(boss), at=AT)


@db
def test_a_lead_sets_the_members_of_the_teams_below_only() -> None:
    team = TeamFactory()
    lead = MembershipFactory(user__roles=["lead"], team=team, is_lead=True).user
    below, user = TeamFactory(parent=team), UserFactory()
    by = actor_for(lead)
    for is_lead in (False, False, True):
        actions.set_membership(user=user, team=below, is_lead=is_lead, by=by, at=AT)
    assert Membership.objects.get(user=user).is_lead
    assert _kinds() == ["membership.set"] * 2
    actions.remove_membership(user=user, team=below, by=by, at=AT)
    with pytest.raises(Forbidden):
        actions.set_membership(user=user, team=TeamFactory(), by=by, at=AT)


@db
def test_nobody_who_left_joins_a_team_or_gets_a_role() -> None:
    user = UserFactory(is_active=False)
    with pytest.raises(actions.Deactivated):
        actions.set_membership(user=user, team=TeamFactory(), by=SYSTEM, at=AT)
    with pytest.raises(actions.Deactivated):
        actions.grant_role(user=user, role="agent", by=SYSTEM, at=AT)


@db
def test_a_team_is_never_part_of_itself() -> None:
    boss, top = _boss(), TeamFactory()
    below = TeamFactory(parent=TeamFactory(parent=top))
    for parent in (top, below):
        with pytest.raises(Invalid) as refused:
            actions.change_team(team=top, values={"parent": parent}, by=boss, at=AT)
        assert refused.value.field == "parent"


@db
@pytest.mark.parametrize(
    "scopes", [[], ["everything"], ["incidents"], ["incidents:own"], ["Incidents:read"], ["a:read "]]
)
def test_a_key_without_good_scopes_is_refused(scopes: list[str]) -> None:
    with pytest.raises(Invalid) as refused:
        actions.issue_api_key(name="x", scopes=scopes, by=SYSTEM, at=AT)
    assert refused.value.field == "scopes"


@db
def test_a_key_is_kept_as_a_hash_only() -> None:
    key, secret = actions.issue_api_key(name="Prometheus", scopes=["alerts:write"], by=_boss(), at=AT)
    assert secret.startswith(f"sdk_{key.prefix}_")
    stored = " ".join(map(str, ApiKey.objects.filter(pk=key.pk).values_list()[0]))
    assert secret.rsplit("_", 1)[1] not in stored
    assert not hasattr(ApiKey.history.get(), "secret_hash")
    assert "secret" not in str(Event.objects.get().data)


@db
def test_a_key_that_would_be_dead_is_refused() -> None:
    with pytest.raises(Invalid):
        actions.issue_api_key(name="x", scopes=["*:read"], by=SYSTEM, at=AT, expires_at=AT)


@db
def test_people_issue_keys_for_themselves_and_admins_those_of_machines() -> None:
    agent, other = UserFactory(roles=["agent"]), UserFactory()
    actions.issue_api_key(name="mine", scopes=["incidents:read"], user=agent, by=actor_for(agent), at=AT)
    for by, user in ((actor_for(agent), None), (actor_for(agent), other), (_boss(), other)):
        with pytest.raises(Forbidden):
            actions.issue_api_key(name="x", scopes=["*:read"], user=user, by=by, at=AT)


@db
def test_a_key_passes_on_no_more_than_it_has() -> None:
    boss = UserFactory(roles=["admin"])
    by = actor_for_key(ApiKeyFactory(user=boss, scopes=["api-keys:write", "incidents:read"]))
    actions.issue_api_key(name="less", scopes=["incidents:read"], by=by, at=AT)
    with pytest.raises(Forbidden):
        actions.issue_api_key(name="more", scopes=["incidents:write"], by=by, at=AT)


@db
def test_a_key_sets_no_password() -> None:
    boss = UserFactory(roles=["admin"])
    with pytest.raises(Forbidden):
        actions.set_password(user=boss, password="a-good-long-one", by=actor_for_key(ApiKeyFactory(user=boss)), at=AT)


@db
def test_a_use_is_noted_once_a_minute_and_makes_no_version() -> None:
    key = ApiKeyFactory()
    by = actor_for_key(key)
    for seconds in (0, 30, 59, 61):
        actions.note_key_used(key=key, by=by, at=AT + dt.timedelta(seconds=seconds))
    fresh = ApiKey.objects.get(pk=key.pk)
    assert (fresh.last_used_at, fresh.version) == (AT + dt.timedelta(seconds=61), 1)
    assert ApiKey.history.count() == 1


@db
def test_a_sign_in_is_told_by_the_person_alone() -> None:
    user = UserFactory()
    actions.note_sign_in(user=user, address="127.0.0.1", by=actor_for(user), at=AT)
    with pytest.raises(Forbidden):
        actions.note_sign_in(user=user, address="", by=Actor(kind=ActorKind.JOB, id="x", label="x"), at=AT)
    assert _kinds() == ["user.signed_in"]


@db
def test_there_is_a_group_for_each_of_the_nine_roles() -> None:
    assert set(Group.objects.values_list("name", flat=True)) == set(Role)
    assert len(Role) == 9


@db
def test_the_database_knows_the_tiers_and_languages() -> None:
    for row in (TeamFactory.build(tier=4), UserFactory.build(locale="fr")):
        with pytest.raises(ValidationError):
            row.full_clean()


def test_two_admins_who_demote_each_other_leave_one(committed_db: None) -> None:
    bosses = [UserFactory(roles=["admin"]) for _ in range(2)]
    refused: list[ActionRefused] = []

    def demote(user: User, by: User) -> None:
        try:
            actions.revoke_role(user=user, role="admin", by=actor_for(by), at=AT)
        except ActionRefused as refusal:
            refused.append(refusal)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=demote, args=pair) for pair in (bosses, bosses[::-1])]
    for one in threads:
        one.start()
    for one in threads:
        one.join(10)
    assert RoleGrant.objects.filter(group__name="admin").count() == 1
    assert len(refused) == 1


def test_two_moves_that_would_close_a_circle_together_do_not(committed_db: None) -> None:
    one, two, boss = TeamFactory(), TeamFactory(), _boss()
    refused: list[ActionRefused] = []

    def move(team: Team, parent: Team) -> None:
        try:
            actions.change_team(team=team, values={"parent": parent}, by=boss, at=AT)
        except ActionRefused as refusal:
            refused.append(refusal)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=move, args=pair) for pair in ((one, two), (two, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert Team.objects.filter(parent=None).count() == 1
    assert len(refused) == 1
