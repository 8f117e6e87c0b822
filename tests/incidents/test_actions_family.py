"""Parent and child: one level, no circles; what passes down and what does not."""

from __future__ import annotations

from typing import Any

import pytest

import incidents.actions as verbs
from audit.actions import Forbidden
from audit.actor import SYSTEM
from audit.models import Delivery
from incidents.actions import NotFamily
from incidents.models import Incident
from tests.accounts.factories import TeamFactory, UserFactory
from tests.incidents.factories import AT, IncidentFactory, later, person
from tests.incidents.trail import events, fresh, kinds

pytestmark = pytest.mark.django_db


def family(**child: Any) -> tuple[Incident, Incident]:
    parent, young = IncidentFactory(requester=UserFactory()), IncidentFactory(**child)
    return parent, verbs.set_parent(incident=young, parent=parent, by=SYSTEM, at=AT)


def act(incident: Incident, verb: str, by: Any = SYSTEM, hours: int = 1, **given: Any) -> None:
    getattr(verbs, verb)(incident=fresh(incident), by=by, at=later(hours=hours), **given)
    assert not Delivery.objects.exists()


def test_a_child_counts_once_and_keeps_its_number() -> None:
    parent, child = family()
    assert list(Incident.objects.counted()) == [parent]
    assert events(child)[-1].data == {"old": None, "parent": parent.reference}
    verbs.set_parent(incident=child, parent=None, by=SYSTEM, at=AT)
    assert Incident.objects.counted().count() == 2


def test_itself_a_second_level_and_circles_are_refused() -> None:
    parent, child = family()
    other = IncidentFactory()
    for one, elder in ((other, other), (other, child), (parent, other), (parent, child)):
        with pytest.raises(NotFamily):
            verbs.set_parent(incident=fresh(one), parent=fresh(elder), by=SYSTEM, at=AT)


def test_what_is_over_has_no_parent() -> None:
    cancelled = verbs.cancel(incident=IncidentFactory(), reason="mistake", by=SYSTEM, at=AT)
    with pytest.raises(NotFamily):
        verbs.set_parent(incident=IncidentFactory(), parent=cancelled, by=SYSTEM, at=AT)


def test_who_may_not_work_on_both_is_refused() -> None:
    team = TeamFactory()
    agent = person(UserFactory(), "agent", teams=(team,))
    mine, theirs = IncidentFactory(team=team), IncidentFactory(team=TeamFactory())
    for one, elder in ((mine, theirs), (theirs, mine)):
        with pytest.raises(Forbidden):
            verbs.set_parent(incident=one, parent=elder, by=agent, at=AT)


def test_a_hold_passes_down_and_ends_with_the_parents() -> None:
    parent, child = family()
    act(parent, "put_on_hold", hold_reason="awaiting_vendor", until=later(days=3))
    held = fresh(child)
    assert (held.state, held.hold_reason, held.hold_until) == ("on_hold", "awaiting_parent", later(days=3))
    act(parent, "change_hold", hours=2, until=later(days=5))
    assert fresh(child).hold_until == later(days=5)
    act(parent, "resume", hours=3)
    assert fresh(child).state == "in_progress"


def test_the_wait_for_the_parents_requester_does_not_pass_down() -> None:
    parent, child = family()
    act(parent, "put_on_hold", hold_reason="awaiting_requester", until=later(days=3))
    assert fresh(child).state == "new"


def test_a_resolution_passes_down_and_says_who_carried_it() -> None:
    parent, child = family()
    act(parent, "resolve", code="fixed", cause="software", notes="secret", by=person(UserFactory(), "admin"))
    solved = fresh(child)
    assert (solved.state, solved.resolution_code, solved.cause_code, solved.resolution_notes) == (
        "resolved", "fixed", "software", "",
    )  # fmt: skip
    told = next(one for one in events(child) if one.kind == "incident.resolved")
    assert (told.actor_id, told.actor_label) == ("incidents.cascade", f"cascade of {parent.reference}")


def test_closing_never_passes_down() -> None:
    parent, child = family()
    act(parent, "resolve", code="fixed")
    act(parent, "close", hours=2)
    assert fresh(child).state == "resolved"


def test_an_agents_reopening_passes_down_a_requesters_does_not() -> None:
    parent, child = family()
    mine = person(parent.requester, "requester")
    act(parent, "resolve", code="fixed")
    act(parent, "reopen", hours=2, by=mine)
    assert fresh(child).state == "resolved"
    act(parent, "resolve", hours=3, code="fixed")
    act(parent, "reopen", hours=4, by=person(UserFactory(), "incident_manager"))
    assert fresh(child).state == "in_progress"


def test_what_was_solved_on_its_own_stays_so() -> None:
    parent, child = family()
    act(child, "resolve", code="answered")
    act(parent, "resolve", code="fixed", hours=2)
    act(parent, "reopen", hours=3)
    assert fresh(child).state == "resolved"
    assert kinds(child).count("resolved") == 1


def test_children_move_with_a_merge_and_come_back() -> None:
    parent, child = family()
    heir = IncidentFactory()
    verbs.merge(incident=fresh(parent), into=heir, by=SYSTEM, at=later(hours=1))
    assert fresh(child).parent_id == heir.pk
    verbs.unmerge(incident=fresh(parent), by=SYSTEM, at=later(hours=2))
    assert fresh(child).parent_id == parent.pk
