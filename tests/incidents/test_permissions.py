"""The table of who may do what, row by row."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import Team
from audit.actor import SYSTEM, Actor
from incidents import permissions, queries
from incidents.actions import resolve, restrict
from incidents.models import Incident
from tests.accounts.factories import TeamFactory, UserFactory
from tests.incidents.factories import AT, IncidentFactory, ParticipantFactory, key, later, person

pytestmark = pytest.mark.django_db

ACTORS: dict[str, Callable[[Team, Team], Actor]] = {
    "requester": lambda team, other: person(None, "requester"),
    "agent": lambda team, other: person(None, "agent", teams=(team,)),
    "foreign agent": lambda team, other: person(None, "agent", teams=(other,)),
    "lead": lambda team, other: person(None, "lead", leads=(team,)),
    "foreign lead": lambda team, other: person(None, "agent", "lead", teams=(team,), leads=(other,)),
    "responder": lambda team, other: person(None, "responder", teams=(team,)),
    "foreign responder": lambda team, other: person(None, "responder", teams=(other,)),
    "incident manager": lambda team, other: person(None, "incident_manager"),
    "manager": lambda team, other: person(None, "manager"),
    "admin": lambda team, other: person(None, "admin"),
    "auditor": lambda team, other: person(None, "auditor"),
    "integration": lambda team, other: key("incidents:write"),
    "reading integration": lambda team, other: key("incidents:read"),
    "foreign key": lambda team, other: key("teams:write"),
    "person's reading key": lambda team, other: dataclasses.replace(
        person(None, "agent", teams=(team,)), kind=key().kind, scopes=frozenset({"incidents:read"})
    ),
}

#: Which of them may, on a team's open incident that they neither reported nor logged.
TABLE: dict[str, set[str]] = {
    "can_see": {
        "agent", "lead", "foreign lead", "responder", "incident manager", "manager", "admin", "auditor", "integration",
        "reading integration", "person's reading key",
    },
    "can_log": {
        "requester", "agent", "foreign agent", "lead", "foreign lead", "responder", "foreign responder",
        "incident manager", "admin", "integration",
    },
    "can_triage": {
        "agent", "foreign agent", "lead", "foreign lead", "responder", "foreign responder", "incident manager", "admin",
        "integration",
    },
    "can_comment": {"agent", "lead", "foreign lead", "responder", "incident manager", "admin", "integration"},
    "can_note": {"agent", "lead", "foreign lead", "responder", "incident manager", "admin", "integration"},
    "can_work": {"agent", "lead", "foreign lead", "responder", "incident manager", "admin", "integration"},
    "can_acknowledge": {"agent", "lead", "foreign lead", "responder", "incident manager", "admin"},
    "can_close": {"agent", "lead", "foreign lead", "incident manager", "admin"},
    "can_reopen": {"agent", "lead", "foreign lead", "incident manager", "admin"},
    "can_cancel": {"agent", "lead", "foreign lead", "incident manager", "admin"},
    "can_override_priority": {"lead", "incident manager", "admin"},
    "can_restrict": {"lead", "incident manager", "admin"},
}  # fmt: skip


@pytest.mark.parametrize("who", ACTORS)
@pytest.mark.parametrize("what", TABLE)
def test_the_table_of_who_may_do_what(what: str, who: str) -> None:
    team, other = TeamFactory(), TeamFactory()
    incident = IncidentFactory(team=team)
    predicate = getattr(permissions, what)
    actor = ACTORS[who](team, other)
    may = predicate(actor) if what in ("can_log", "can_triage") else predicate(actor, incident)
    assert may is (who in TABLE[what])


#: The same once the incident is restricted: manager, admin and integrations are out, an auditor reads.
RESTRICTED: dict[str, set[str]] = {
    "can_see": {
        "agent", "lead", "foreign lead", "responder", "incident manager", "auditor", "person's reading key",
    },
    "can_comment": {"agent", "lead", "foreign lead", "responder", "incident manager"},
    "can_work": {"agent", "lead", "foreign lead", "responder", "incident manager"},
    "can_close": {"agent", "lead", "foreign lead", "incident manager"},
    "can_restrict": {"lead", "incident manager"},
}  # fmt: skip


@pytest.mark.parametrize("who", ACTORS)
@pytest.mark.parametrize("what", RESTRICTED)
def test_who_may_what_with_a_restricted_incident(what: str, who: str) -> None:
    team, other = TeamFactory(), TeamFactory()
    incident = restrict(incident=IncidentFactory(team=team), reason="about a colleague", by=SYSTEM, at=AT)
    assert getattr(permissions, what)(ACTORS[who](team, other), incident) is (who in RESTRICTED[what])


@pytest.mark.parametrize("who", ACTORS)
def test_what_is_seen_in_a_list_is_what_is_seen_alone(who: str) -> None:
    team, other = TeamFactory(), TeamFactory()
    actor = ACTORS[who](team, other)
    someone = UserFactory()
    rows: list[Any] = [
        IncidentFactory(team=team),
        IncidentFactory(team=other),
        IncidentFactory(),
        IncidentFactory(team=other, requester=someone),
    ]
    if actor.user_id is not None:
        me: Any = type(someone).objects.get(pk=actor.user_id)
        rows += [IncidentFactory(team=other, requester=me), IncidentFactory(team=other, assignee=me)]
        rows += [IncidentFactory(team=other, by=actor)] if permissions.can_triage(actor) else []
    rows += [restrict(incident=one, reason="private", by=SYSTEM, at=AT) for one in map(_copy, rows)]
    seen = set(Incident.objects.visible_to(actor))
    assert seen == {one for one in rows if permissions.can_see(actor, one)}
    assert len(seen) <= len(rows)


def _copy(incident: Incident) -> Incident:
    """The same incident once more."""
    same = IncidentFactory(team=incident.team, requester=incident.requester, assignee=incident.assignee)
    Incident.objects.filter(pk=same.pk).update(logged_by=incident.logged_by_id)
    return same


def test_after_the_first_response_an_agent_no_longer_cancels() -> None:
    team = TeamFactory()
    agent, lead = person(None, "agent", teams=(team,)), person(None, "lead", leads=(team,))
    incident = IncidentFactory(team=team, channel="phone", by=agent)
    assert not permissions.can_cancel(agent, incident)
    assert permissions.can_cancel(lead, incident)


def test_the_requester_sees_comments_and_ends_only_their_own() -> None:
    caller, stranger = UserFactory(), person(None, "requester")
    own = person(caller, "requester")
    incident = IncidentFactory(requester=caller, team=TeamFactory())
    assert permissions.can_see(own, incident)
    assert permissions.can_comment(own, incident)
    assert not permissions.can_note(own, incident)
    assert not permissions.can_close(own, incident)
    assert not permissions.can_work(own, incident)
    done = resolve(incident=incident, code="fixed", by=SYSTEM, at=AT)
    assert permissions.can_close(own, done)
    assert permissions.can_reopen(own, done)
    for predicate in (permissions.can_see, permissions.can_comment, permissions.can_close, permissions.can_reopen):
        assert not predicate(stranger, done)


def test_unassigned_incidents_of_no_team_are_every_agents() -> None:
    agent, responder = person(None, "agent"), person(None, "responder")
    incident = IncidentFactory()
    assert permissions.can_work(agent, incident)
    assert not permissions.can_see(responder, incident)


def test_who_was_paged_may_work_and_who_watches_may_see() -> None:
    incident = IncidentFactory(team=TeamFactory())
    paged, watching = UserFactory(), UserFactory()
    ParticipantFactory(incident=incident, user=paged, role="paged")
    ParticipantFactory(incident=incident, user=watching, role="watcher")
    on_call, watcher = person(paged, "responder"), person(watching, "agent")
    for actor in (on_call, watcher):
        assert list(Incident.objects.visible_to(actor)) == [incident]
    assert permissions.can_acknowledge(on_call, incident, is_paged=True)
    assert "acknowledge" in queries.possible_verbs(on_call, incident)
    assert "acknowledge" not in queries.possible_verbs(watcher, incident)


def test_watching_shows_a_requester_only_the_public_part() -> None:
    incident = IncidentFactory(team=TeamFactory())
    colleague, agent = UserFactory(), UserFactory()
    ParticipantFactory(incident=incident, user=colleague)
    ParticipantFactory(incident=incident, user=agent)
    assert not queries.is_staff_for(person(colleague, "requester"), incident)
    assert queries.is_staff_for(person(agent, "agent"), incident)


def test_an_agent_does_not_read_the_internal_part_of_their_own_trouble() -> None:
    agent = UserFactory()
    incident = IncidentFactory(requester=agent, by=person(agent, "agent"), team=TeamFactory())
    assert not queries.is_staff_for(person(agent, "agent"), incident)


def test_possible_verbs_follow_the_state() -> None:
    admin = person(None, "admin")
    incident = IncidentFactory()
    assert set(queries.possible_verbs(admin, incident)) == {
        "acknowledge", "claim", "assign", "start", "hold", "contain", "resolve", "cancel", "override-priority",
        "revise",
        "merge",
        "escalate", "tell-manager", "restrict",
    }  # fmt: skip
    done = resolve(incident=incident, code="fixed", by=SYSTEM, at=later(hours=1))
    assert set(queries.possible_verbs(admin, done)) == {"reopen", "close", "revise", "restrict"}
    assert queries.possible_verbs(person(None, "auditor"), done) == []
