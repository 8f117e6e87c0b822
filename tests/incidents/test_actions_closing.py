"""What has to be said before the end, the requester's own word, and what a workaround keeps open."""

from __future__ import annotations

from typing import Any

import pytest

import incidents.actions
from audit.actions import Forbidden
from audit.actor import SYSTEM, Actor
from incidents.actions import ClosingIncomplete, IllegalTransition, close, confirm, resolve, settle_workaround
from incidents.models import ClosingRule, Incident
from incidents.tasks import sweep
from tests.accounts.factories import UserFactory
from tests.incidents.factories import AT, CategoryFactory, IncidentFactory, later, person
from tests.incidents.trail import fresh, kinds, last, mails

pytestmark = pytest.mark.django_db


def asks(kind: str, *fields: str) -> None:
    ClosingRule.objects.filter(kind=kind).delete()
    ClosingRule.objects.create(kind=kind, required=list(fields))


def done(**more: Any) -> tuple[Incident, Actor]:
    """Resolved, with its requester as actor."""
    caller = UserFactory()
    incident = IncidentFactory(requester=caller, assignee=UserFactory(name="Ines"))
    return resolve(incident=incident, code="fixed", by=SYSTEM, at=AT, **more), person(caller, "requester")


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("cause", {"cause": "power"}),
        ("confirmation", {"confirmation": "by phone"}),
        ("notes", {"notes": "plugged in"}),
        ("article", {"article": "KB-7"}),
        ("article", {"no_article_reason": "happens once"}),
    ],
)
def test_a_person_says_what_the_rule_of_the_kind_asks_for(field: str, given: dict[str, Any]) -> None:
    asks("incident", field)
    incident, _ = done()
    agent = person(None, "incident_manager")
    with pytest.raises(ClosingIncomplete) as refusal:
        close(incident=incident, by=agent, at=later(hours=1))
    assert (refusal.value.field, refusal.value.extra["missing"]) == (field, [field])
    assert close(incident=incident, by=agent, at=later(hours=1), **given).state == "closed"


def test_a_closing_category_is_asked_for_and_kept_beside_the_opening_one() -> None:
    asks("incident", "closing_category")
    incident, _ = done()
    category = CategoryFactory()
    agent = person(None, "incident_manager")
    with pytest.raises(ClosingIncomplete):
        close(incident=incident, by=agent, at=AT)
    incident = close(incident=incident, closing_category=category, by=agent, at=AT)
    assert (incident.category_id, incident.closing_category_id) == (None, category.pk)


def test_the_rule_binds_neither_the_requester_nor_the_system() -> None:
    asks("incident", "cause", "closing_category", "confirmation", "notes", "article")
    incident, caller = done()
    assert close(incident=incident, by=caller, at=AT).confirmation == "requester"
    incident, _ = done()
    assert sweep(later(days=5))["auto_close"] == 1
    assert fresh(incident).closed_by_id is None


def test_it_works_closes_and_the_same_word_again_changes_nothing() -> None:
    incident, caller = done()
    closed = confirm(incident=incident, works=True, by=caller, at=later(hours=1))
    assert (closed.state, closed.closed_by_id) == ("closed", caller.user_id)
    assert confirm(incident=closed, works=True, by=caller, at=later(hours=2)).version == closed.version


def test_still_broken_opens_it_again_and_counts() -> None:
    incident, caller = done()
    again = confirm(incident=incident, works=False, note="same as before", by=caller, at=later(hours=1))
    assert (again.state, again.reopen_count, again.reopened_by_id) == ("in_progress", 1, caller.user_id)
    assert (again.reopened_at, last(again).reason) == (later(hours=1), "same as before")
    with pytest.raises(IllegalTransition):
        confirm(incident=again, works=True, by=caller, at=later(hours=2))


def test_nobody_else_says_that_it_works() -> None:
    incident, _ = done()
    for by in (person(None, "requester"), person(None, "admin"), SYSTEM):
        with pytest.raises(Forbidden):
            confirm(incident=incident, works=True, by=by, at=AT)


def test_with_a_workaround_the_requesters_word_waits_until_it_is_settled() -> None:
    incident, caller = done(fix_kind="workaround")
    noted = confirm(incident=incident, works=True, by=caller, at=later(hours=1))
    assert (noted.state, noted.works_at, kinds(noted)[-1]) == ("resolved", later(hours=1), "confirmed")
    assert mails(noted)[-1].address == noted.assignee.email
    settle_workaround(incident=noted, outcome="handed_over", reason="PRB-3", by=SYSTEM, at=later(hours=2))
    assert sweep(later(hours=2))["auto_close"] == 1
    assert (fresh(incident).confirmation, fresh(incident).workaround_note) == ("requester", "PRB-3")


def test_reopening_forgets_the_article_and_the_word_of_the_requester() -> None:
    incident, caller = done(fix_kind="workaround")
    confirm(incident=incident, works=True, by=caller, at=AT)
    again = incidents.actions.reopen(incident=fresh(incident), by=caller, at=later(hours=1))
    assert (again.works_at, again.article_ref, again.workaround_note) == (None, "", "")
