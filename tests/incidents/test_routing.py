"""How a new incident finds its team, what a rule would have done, and who may set one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import incidents.actions
from accounts.models import Team
from audit.actions import Forbidden, Invalid
from audit.actor import SYSTEM
from incidents import queries, routing
from incidents.models import Incident, RoutingRule
from tests.accounts.factories import OrganisationFactory, SiteFactory, TeamFactory, UserFactory
from tests.incidents.factories import AT, IMPORT, CategoryFactory, IncidentFactory, ServiceFactory, later, person

pytestmark = pytest.mark.django_db

NAMES = st.sampled_from(["a", "b", "c"])
_MAYBE = st.none() | st.integers(1, 3)
FACTS = st.builds(
    routing.Facts, kind=NAMES, channel=NAMES, source=NAMES, categories=st.lists(st.integers(1, 3)).map(tuple),
    service=_MAYBE, site=_MAYBE, organisation=_MAYBE,
)  # fmt: skip
_SOME_NAMES, _SOME_IDS = st.lists(NAMES, max_size=2).map(tuple), st.lists(st.integers(1, 3), max_size=2).map(tuple)
RULES = st.builds(
    routing.Rule, name=st.uuids().map(str), team=st.integers(1, 9), kinds=_SOME_NAMES, channels=_SOME_NAMES,
    sources=_SOME_NAMES, categories=_SOME_IDS, services=_SOME_IDS, sites=_SOME_IDS, organisations=_SOME_IDS,
)  # fmt: skip


def rule(team: Team, position: int = 10, **conditions: Any) -> RoutingRule:
    values = {"name": f"rule {position}", "position": position, "team": team, **conditions}
    return incidents.actions.create_routing_rule(values=values, by=person(None, "admin"), at=AT)


@given(st.lists(RULES, max_size=5), FACTS)
def test_the_first_rule_that_holds_takes_it_and_each_before_says_what_did_not_hold(
    rules: list[routing.Rule], facts: routing.Facts
) -> None:
    found = routing.first_match(rules, facts)
    place = len(found.passed_over)
    assert [one for one, _ in found.passed_over] == rules[:place]
    assert all(why in routing.CONDITIONS and getattr(one, why) for one, why in found.passed_over)
    assert found.rule == (rules[place] if place < len(rules) else None)
    assert found.rule is None or found.rule.mismatch(facts) == ""


def test_without_a_condition_a_rule_takes_everything() -> None:
    assert routing.Rule(name="all", team=1).mismatch(routing.Facts(kind="incident", channel="mail")) == ""


@pytest.mark.parametrize(("pattern", "holds"), [("nagios*", True), ("*EU", True), ("Nagios", False), ("*", True)])
def test_a_source_is_a_pattern_in_any_case(pattern: str, holds: bool) -> None:
    facts = routing.Facts(kind="incident", channel="alert", source="Nagios eu")
    assert (routing.Rule(name="r", team=1, sources=(pattern,)).mismatch(facts) == "") is holds


def test_each_condition_finds_the_team() -> None:
    parent = CategoryFactory()
    service, site, organisation = ServiceFactory(), SiteFactory(), OrganisationFactory()
    requester = UserFactory(site=site, organisation=organisation)
    told: dict[str, tuple[list[Any], dict[str, Any]]] = {
        "kinds": (["question"], {"kind": "question"}),
        "channels": (["chat"], {"channel": "chat"}),
        "sources": (["probe*"], {"source_label": "Probe 7"}),
        "categories": ([parent.pk], {"category": CategoryFactory(parent=parent)}),
        "services": ([service.pk], {"service": service}),
        "sites": ([site.pk], {"requester": requester}),
        "organisations": ([organisation.pk], {"requester": requester}),
    }
    for place, (name, (wanted, given_)) in enumerate(told.items(), 1):
        made = rule(TeamFactory(), position=place, **{name: wanted})
        assert IncidentFactory(**given_).team_id == made.team_id, name
        assert IncidentFactory().team_id != made.team_id, name
        incidents.actions.remove_routing_rule(rule=made, by=person(None, "admin"), at=AT)


def test_the_lower_position_wins_over_the_service_and_a_named_team_over_all() -> None:
    service, named = ServiceFactory(), TeamFactory()
    rule(TeamFactory(), position=20)
    first = rule(TeamFactory(), position=10)
    assert IncidentFactory(service=service).team_id == first.team_id
    assert IncidentFactory(service=service, team=named).team_id == named.pk


def test_a_rule_that_is_off_or_whose_team_is_retired_is_passed_over() -> None:
    triage = TeamFactory(is_triage=True)
    retired = TeamFactory()
    rule(TeamFactory(), position=10, is_active=False)
    rule(retired, position=20)
    Team.objects.filter(pk=retired.pk).update(is_active=False)
    assert IncidentFactory().team_id == triage.pk


def test_an_import_is_routed_by_nothing() -> None:
    rule(TeamFactory())
    assert IncidentFactory(by=IMPORT, imported=True).team_id is None


def test_work_that_would_be_nobodys_is_routed_again() -> None:
    team = rule(TeamFactory()).team
    incident = IncidentFactory(team=TeamFactory())
    moved = incidents.actions.assign(incident=incident, team=None, assignee=None, by=SYSTEM, at=later(hours=1))
    assert moved.team_id == team.pk


def test_why_this_team_names_the_rule_as_it_was_then() -> None:
    made = rule(TeamFactory())
    incident = IncidentFactory()
    incidents.actions.change_routing_rule(
        rule=made, values={"name": "other"}, by=person(None, "admin"), at=later(hours=1)
    )
    why = queries.why_this_team(incident)
    assert why is not None
    assert (why.by, why.rule, why.rule_version, why.team) == ("rule", "rule 10", 1, str(made.team))


def test_why_this_team_after_an_assignment_names_who_and_the_reason() -> None:
    incident, team = IncidentFactory(team=TeamFactory()), TeamFactory()
    lead = person(None, "incident_manager")
    incidents.actions.assign(incident=incident, team=team, reason="theirs", by=lead, at=later(hours=1))
    why = queries.why_this_team(Incident.objects.get(pk=incident.pk))
    assert why is not None
    assert (why.by, why.event.actor_label, why.event.reason) == ("person", lead.label, "theirs")


def test_a_dry_run_says_what_real_routing_does_and_changes_nothing() -> None:
    service = ServiceFactory()
    before = [IncidentFactory(service=service), IncidentFactory(team=TeamFactory()), IncidentFactory(kind="question")]
    draft = RoutingRule(name="draft", position=1, team=TeamFactory(), kinds=["question"])
    tried = queries.try_rules(queries.rules_with(draft), SYSTEM, 10)
    assert [one.incident for one in tried] == before[::-1]
    assert [(one.by, one.rule) for one in tried] == [("rule", "draft"), ("triage", ""), ("service", "")]
    compared = queries.try_rules(queries.rules_with(draft), SYSTEM, 10, instead_of=queries.rules_with())
    assert [one.incident for one in compared if one.moves] == [before[2]]
    assert not RoutingRule.objects.exists()
    draft.save()
    assert IncidentFactory(kind="question").team_id == draft.team_id


def test_a_dry_run_costs_the_same_for_ten_and_for_fifty(django_assert_max_num_queries: Any) -> None:
    rules = [rule(TeamFactory(), categories=[CategoryFactory().pk]).rule()]
    IncidentFactory.create_batch(5, category=CategoryFactory(parent=CategoryFactory()))
    with django_assert_max_num_queries(4) as few:
        queries.try_rules(rules, SYSTEM, 50)
    IncidentFactory.create_batch(20, category=CategoryFactory(parent=CategoryFactory()))
    with django_assert_max_num_queries(len(few)):
        queries.try_rules(rules, SYSTEM, 50)


def test_a_dry_run_sees_only_what_the_actor_may_see() -> None:
    ours, theirs = TeamFactory(), TeamFactory()
    IncidentFactory(team=ours), IncidentFactory(team=theirs)
    tried = queries.try_rules([], person(None, "agent", teams=(ours,)), 50)
    assert {one.incident.team_id for one in tried} == {ours.pk}


@pytest.mark.parametrize(
    ("field", "value"), [("kinds", ["nonsense"]), ("channels", ["owl"]), ("services", [10**12]), ("sites", [-1])]
)
def test_a_condition_that_could_never_hold_is_refused(field: str, value: Any) -> None:
    with pytest.raises(Invalid) as refused:
        rule(TeamFactory(), **{field: value})
    assert refused.value.field == field


def test_a_rule_for_a_retired_team_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        rule(TeamFactory(is_active=False))
    assert refused.value.field == "team"


def test_a_lead_routes_only_to_teams_that_they_lead() -> None:
    own, other = TeamFactory(), TeamFactory()
    lead = person(None, "lead", leads=(own,))
    made = incidents.actions.create_routing_rule(values={"name": "n", "position": 1, "team": own}, by=lead, at=AT)
    with pytest.raises(Forbidden):
        incidents.actions.change_routing_rule(rule=made, values={"team": other}, by=lead, at=AT)
    foreign = rule(other)
    with pytest.raises(Forbidden):
        incidents.actions.change_routing_rule(rule=foreign, values={"team": own}, by=lead, at=AT)
    with pytest.raises(Forbidden):
        incidents.actions.remove_routing_rule(rule=foreign, by=lead, at=AT)


@pytest.mark.parametrize("role", ["requester", "agent", "responder", "incident_manager", "manager", "auditor"])
def test_nobody_else_sets_rules(role: str) -> None:
    team = TeamFactory()
    values = {"name": "n", "position": 1, "team": team}
    with pytest.raises(Forbidden):
        incidents.actions.create_routing_rule(values=values, by=person(None, role, teams=(team,)), at=AT)
