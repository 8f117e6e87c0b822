"""Settings as YAML: what is exported changes nothing when it is imported; a diff first, then all or nothing."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Organisation, Team
from accounts.queries import actor_for
from audit.actions import Forbidden
from audit.models import Event
from incidents.models import Category, PriorityMatrix
from oncall.models import EscalationPolicy, PolicyAssignment, Schedule
from servicedesk.blueprint import Outcome, UnreadableBlueprint, export, import_settings
from servicedesk.blueprint.text import load
from sla.models import CalendarVersion, SlaPolicy
from tests.accounts.factories import AT, OrganisationFactory, SiteFactory, UserFactory
from tests.incidents.factories import CategoryFactory
from tests.oncall.factories import LayerFactory, RotationMemberFactory, desk

db = pytest.mark.django_db
NEW = """
servicedesk: 1
organisations: [{name: Acme}]
sites: [{name: Madrid, organisation: Acme, time_zone: Europe/Madrid}]
teams:
  - {slug: vpn, name: VPN, parent: network}
  - {slug: network, name: Network, tier: 2}
categories: [{path: Network > VPN}, {path: Network}]
services: [{slug: vpn, name: VPN, owner_team: network, criticality: 1}]
calendars:
  - {name: Office, zone: Europe/Madrid, week: {mon: [[10:00, 14:00]]}, holidays: [2026-12-25, --01-06]}
sla_policies:
  - name: Fast
    position: 900
    calendar: Office
    teams: [network]
    categories: [Network > VPN]
    targets: {resolve: {"1": 3600}}
    thresholds: [{percent: 90, actions: [{do: reassign, team: network}]}]
schedules:
  - name: Primary
    zone: Europe/Madrid
    team: network
    layers:
      - {name: Week, start_on: 2026-03-02, handover_time: 09:00, members: [olu@example.org]}
escalation_policies:
  - {name: First, priority_threshold: 2, repeats: 1, fallback_policy: Last, services: [vpn],
     levels: [{delay_s: 300, targets: [{schedule: Primary}, {user: olu@example.org}]}]}
  - {name: Last, repeats: 0, levels: [{delay_s: 0, targets: [{user: olu@example.org}]}]}
postmortem_templates:
  - {name: Short, sections: [{title: What, kind: text}, {title: When, kind: timeline}]}
"""


def run(text: str, *, dry_run: bool = False, roles: tuple[str, ...] = ("admin",)) -> Outcome:
    boss = actor_for(UserFactory(roles=list(roles)))
    return import_settings(content=text.encode(), by=boss, at=AT, dry_run=dry_run)


def exported() -> str:
    return export(actor_for(UserFactory(roles=["auditor"])))


@pytest.fixture
def olu(db: None) -> Any:
    return UserFactory(email="olu@example.org", roles=["responder"])


@db
def test_what_is_exported_changes_nothing_when_it_comes_back() -> None:
    desk()
    SiteFactory(organisation=OrganisationFactory())
    CategoryFactory(parent=CategoryFactory(), is_active=False)
    RotationMemberFactory(layer=LayerFactory(ends_at=AT, restrictions=[]))
    before = Event.objects.count()
    assert run(exported()) == Outcome([], is_done=True)
    assert Event.objects.count() == before


def test_an_empty_desk_is_filled_whatever_the_order_in_the_file(olu: Any) -> None:
    done = run(NEW)
    assert [(one.key, one.error) for one in done.refused] == []
    assert done.is_done
    assert Team.objects.get(slug="vpn").parent == Team.objects.get(slug="network")
    assert str(Category.objects.get(name="VPN")) == "Network > VPN"
    policy = SlaPolicy.objects.get(name="Fast")
    assert policy.thresholds[0]["actions"] == [{"do": "reassign", "team": Team.objects.get(slug="network").pk}]
    assert CalendarVersion.objects.filter(calendar__name="Office").count() == 1
    assert Schedule.objects.get().layers.get().handover_time == dt.time(9)
    assert EscalationPolicy.objects.get(name="First").fallback_policy == EscalationPolicy.objects.get(name="Last")
    assert PolicyAssignment.objects.filter(service__slug="vpn").exists()
    assert run(NEW).changes == []
    assert run(exported()).changes == []


def test_a_dry_run_tells_each_field_before_and_after_and_does_nothing(olu: Any) -> None:
    run(NEW)
    events = Event.objects.count()
    changed = NEW.replace("tier: 2", "tier: 3").replace("10:00, 14:00", "11:00, 14:00")
    told = run(changed, dry_run=True)
    assert {(one.section, one.key): one.fields for one in told.changes} == {
        ("teams", "network"): {"tier": [2, 3]},
        ("calendars", "Office"): {"week": [{"mon": [["10:00", "14:00"]]}, {"mon": [["11:00", "14:00"]]}]},
    }
    assert not told.is_done
    assert (Team.objects.get(slug="network").tier, Event.objects.count()) == (2, events)


@pytest.mark.parametrize(
    ("old", "new", "section", "field"),
    [
        ("Europe/Madrid, week", "Mars/Base, week", "calendars", "zone"),
        ("owner_team: network", "owner_team: nowhere", "services", "owner_team"),
        ("{user: olu@example.org}]}]}\n  - {name: Last", "{user: nobody@x.org}]}]}\n  - {name: Last",
         "escalation_policies", "levels.0.targets"),
        ("repeats: 0, levels", "repeats: 0, fallback_policy: First, levels", "escalation_policies", "fallback_policy"),
        ("start_on: 2026-03-02", "start_on: soon", "schedules", "layers.0"),
        ("tier: 2", "tier: nine", "teams", "tier"),
        ("priority_threshold: 2", "priority_threshold: [1]", "escalation_policies", "priority_threshold"),
        ("[[10:00, 14:00]]", "[]", "calendars", "week"),
    ],
)  # fmt: skip
def test_one_refused_row_keeps_everything_back(olu: Any, old: str, new: str, section: str, field: str) -> None:
    assert old in NEW
    outcome = run(NEW.replace(old, new, 1))
    assert not outcome.is_done
    assert (section, field) in {(one.section, one.error["field"]) for one in outcome.refused}
    assert all(one.error["cause"] for one in outcome.refused)
    assert not Organisation.objects.filter(name="Acme").exists()


@db
def test_another_matrix_becomes_a_new_version() -> None:
    old = PriorityMatrix.objects.get(is_current=True)
    text = exported().replace("vip_raises_urgency: false", "vip_raises_urgency: true")
    assert [(one.section, one.outcome) for one in run(text).changes] == [("priority_matrix", "changed")]
    assert PriorityMatrix.objects.get(is_current=True).number == old.number + 1


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "line 1"),
        ("[1]", "line 1"),
        ("teams: []", "servicedesk"),
        ("servicedesk: 2", "servicedesk"),
        ("servicedesk: 1\npeople: []", "people"),
        ("servicedesk: 1\nteams: {}", "teams"),
        ("servicedesk: 1\nteams: [x]", "teams, number 1"),
        ("servicedesk: 1\nteams: [{name: x}]", "teams, number 1"),
        ("servicedesk: 1\nteams: [{slug: x, salary: 1}]", "teams, number 1"),
        ("servicedesk: 1\nteams: [{slug: x}, {slug: x}]", "teams, number 2"),
        ("servicedesk: 1\nteams: [{slug: x, slug: y}]", "line 2"),
        ("servicedesk: 1\nteams: &a [*a]", "line 2"),
        ("servicedesk: 1\nteams: !!python/object:os.system [x]", "line 2"),
        ("servicedesk: 1\nteams: [", "line 2"),
        ("[" * 5000, "file"),
    ],
)
@db
def test_a_file_that_is_none_is_refused_with_its_place(text: str, place: str) -> None:
    with pytest.raises(UnreadableBlueprint) as refused:
        run(text)
    assert refused.value.place == place
    assert refused.value.remedy


#: YAML turns other kinds of line breaks into its own, and our texts hold none.
_TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cn", "Co"), exclude_characters="\ufeff"))


@given(st.dictionaries(_TEXTS.filter(bool), st.one_of(_TEXTS, st.booleans(), st.integers(0, 10**9), st.none())))
def test_what_yaml_writes_is_read_as_it_was(values: dict[str, Any]) -> None:
    values.pop("servicedesk", None)
    text = yaml.safe_dump({"servicedesk": 1, **values}, allow_unicode=True)
    assert load(text.encode()) == values


@db
def test_settings_are_for_administrators_and_auditors_only_read_them() -> None:
    for roles in (["auditor"], ["lead"]):
        with pytest.raises(Forbidden):
            run("servicedesk: 1", roles=tuple(roles))
    with pytest.raises(Forbidden):
        export(actor_for(UserFactory(roles=["manager"])))


def test_the_commands_write_compare_and_take_over(olu: Any, tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "desk.yaml"
    call_command("settings_export", str(file))
    file.write_text(file.read_text("utf-8") + "# nothing\n", encoding="utf-8")
    call_command("settings_import", str(file))
    assert "0 changes" in capsys.readouterr().out
    file.write_text(NEW, encoding="utf-8")
    call_command("settings_import", str(file), json=True)
    assert json.loads(capsys.readouterr().out)["is_done"] is False
    assert not Organisation.objects.exists()
    call_command("settings_import", str(file), apply=True)
    assert "created teams: network" in capsys.readouterr().out
    file.write_text("servicedesk: 1\nteams: [{slug: x, name: '', tier: 9}]", encoding="utf-8")
    with pytest.raises(CommandError, match="refused"):
        call_command("settings_import", str(file), apply=True)
