"""The doctor: each trouble is found, named and linked, and a desk without it is not accused."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import RoleGrant, Team
from accounts.roles import Role
from audit.models import UnattributedWrite
from incidents.models import Incident, RoutingRule
from notify.models import Contact
from oncall.models import EscalationPolicy
from servicedesk.doctor import Finding, Level, examine
from sla.models import Calendar, SlaPolicy
from tests.accounts.factories import TeamFactory, UserFactory
from tests.incidents.factories import CategoryFactory, IncidentFactory, ServiceFactory
from tests.oncall.factories import LayerFactory, LevelTargetFactory, RotationMemberFactory, desk, responder

pytestmark = pytest.mark.django_db
AT = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)


def of(check: str) -> list[Finding]:
    return [one for one in examine(AT) if one.check == check]


def _empty_level() -> None:
    desk()
    RoleGrant.objects.filter(user__name="Wen").delete()


def _no_contact() -> None:
    desk()
    Contact.objects.all().delete()


def _gap() -> None:
    gone = RotationMemberFactory(layer=LayerFactory(), user=responder(is_active=False))
    LevelTargetFactory(schedule=gone.layer.schedule)


def _no_triage() -> None:
    Team.objects.update(is_triage=False)


def _calendar_ends() -> None:
    Calendar.objects.create(name="Old", week={"mon": [["09:00", "17:00"]]}, holidays=["2026-01-06", "--12-25"])


def _orphaned_policy() -> None:
    SlaPolicy.objects.filter(pk=SlaPolicy.objects.values("pk")[:1]).update(teams=[TeamFactory(is_active=False).pk])


def _orphaned_route() -> None:
    rule = RoutingRule.objects.create(name="r", position=1, team=TeamFactory())
    Team.objects.filter(pk=rule.team_id).update(is_active=False)


def _mostly_other() -> None:
    IncidentFactory(category=CategoryFactory(name="Otros"))
    Incident.objects.update(created_at=AT, reported_at=AT)


def _stranded() -> None:
    incident = IncidentFactory(team=TeamFactory())
    Team.objects.filter(pk=incident.team_id).update(is_active=False)


def _no_page() -> None:
    ServiceFactory(criticality=1, owner_team=TeamFactory())


def _write() -> None:
    UnattributedWrite.objects.create(model="x", object_id="1", object_version=1, role="r", at=AT)


def _gave_up_owner() -> None:
    ServiceFactory(owner_team=None)


@pytest.mark.parametrize(
    ("check", "level", "make"),
    [
        ("policies-with-nobody", Level.ERROR, _empty_level),
        ("people-unreachable", Level.ERROR, _no_contact),
        ("rotas-with-gaps", Level.WARNING, _gap),
        ("no-triage-team", Level.ERROR, _no_triage),
        ("calendars-running-out", Level.WARNING, _calendar_ends),
        ("orphaned-rules", Level.WARNING, _orphaned_policy),
        ("orphaned-rules", Level.WARNING, _orphaned_route),
        ("share-of-other", Level.WARNING, _mostly_other),
        ("stranded-incidents", Level.ERROR, _stranded),
        ("services-without-page", Level.WARNING, _no_page),
        ("services-without-owner", Level.WARNING, _gave_up_owner),
        ("teams-without-people", Level.WARNING, TeamFactory),
        ("unattributed-writes", Level.ERROR, _write),
    ],
)
def test_each_trouble_is_found_with_a_link(check: str, level: Level, make: Callable[[], Any]) -> None:
    TeamFactory(is_triage=True, name="Front")
    before = sum(one.count for one in of(check))
    make()
    found = of(check)
    assert sum(one.count for one in found) > before
    assert level in {one.level for one in found}
    assert all(one.link.startswith("/admin/") and one.text for one in found)


def test_a_desk_in_order_has_no_error() -> None:
    at = desk()
    TeamFactory(is_triage=True)
    for _ in range(2):
        UserFactory(roles=[Role.ADMIN])
    errors = {one.check for one in examine(AT) if one.level == Level.ERROR}
    assert errors <= {"unattributed-writes"}  # the factories' own
    assert of("lone-admin") == []
    EscalationPolicy.objects.filter(pk=at.policy.pk).update(is_active=False)
    assert [one.count for one in of("orphaned-rules")] == [1]


def test_a_category_that_nobody_uses_is_a_note_once_it_is_old() -> None:
    old = CategoryFactory(name="Fax")
    assert of("unused-categories") == []
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=120)
    found = [one for one in examine(later) if one.check == "unused-categories"]
    assert [(one.level, one.names) for one in found] == [(Level.NOTE, (str(old),))]


def test_the_command_ends_non_zero_and_prints_json(capsys: Any) -> None:
    _no_triage()
    with pytest.raises(CommandError):
        call_command("doctor", json=True)
    told = json.loads(capsys.readouterr().out)["findings"]
    assert "no-triage-team" in {one["check"] for one in told}
    assert {"check", "level", "text", "link", "count", "names"} == set(told[0])


def test_the_page_is_for_administrators_and_auditors(client: Client) -> None:
    ServiceFactory(owner_team=None, name="Orphan service")
    for roles, status in (([], 404), (["agent"], 404), (["auditor"], 200), (["admin"], 200)):
        client.force_login(UserFactory(roles=roles))
        answer = client.get("/setup/doctor/")
        assert answer.status_code == status
        assert (b"Orphan service" in answer.content) == (status == 200)
