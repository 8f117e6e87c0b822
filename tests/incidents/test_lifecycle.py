"""Any sequence of verbs, held against a small model of the states: what is legal works, the rest changes nothing."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

import incidents.actions as verbs
from accounts.models import Team, User
from audit.actions import ActionRefused
from audit.actor import SYSTEM
from incidents.models import Incident
from tests.accounts.factories import TeamFactory, UserFactory
from tests.incidents.factories import AT, IncidentFactory, person
from tests.incidents.trail import events, fresh, versions

OPEN = ("new", "assigned", "in_progress", "on_hold")
#: verb -> state before -> state after; what is missing is refused.
MODEL: dict[str, dict[str, str]] = {
    "assign": {"new": "assigned", "assigned": "assigned", "in_progress": "in_progress", "on_hold": "on_hold"},
    "start": {"new": "in_progress", "assigned": "in_progress"},
    "acknowledge": {
        "new": "in_progress", "assigned": "in_progress", "in_progress": "in_progress", "on_hold": "on_hold",
    },
    "put_on_hold": {"new": "on_hold", "assigned": "on_hold", "in_progress": "on_hold"},
    "change_hold": {"on_hold": "on_hold"},
    "resume": {"on_hold": "in_progress"},
    "resolve": dict.fromkeys(OPEN, "resolved"),
    "cancel": dict.fromkeys(OPEN, "cancelled"),
    "reopen": {"resolved": "in_progress"},
    "close": {"resolved": "closed"},
    "contain": {state: state for state in OPEN},
}  # fmt: skip


class Lifecycle(RuleBasedStateMachine):
    """The model knows the state, the team and who acknowledged; everything else is asserted by invariants."""

    people: list[User]
    teams: list[Team]

    @initialize()
    def open(self) -> None:
        self.point = transaction.savepoint()
        self.at = AT
        self.incident: Incident = IncidentFactory()
        self.state, self.reopened, self.moves, self.changes = "new", 0, 0, 1
        self.acknowledged_by: int | None = None
        self.team: int | None = None

    def teardown(self) -> None:
        if hasattr(self, "point"):
            transaction.savepoint_rollback(self.point)

    def _do(self, verb: str, by: Any = SYSTEM, legal: bool = True, **given: Any) -> bool:
        self.at += dt.timedelta(minutes=7)
        before = fresh(self.incident)
        expected = MODEL[verb].get(self.state) if legal else None
        try:
            with transaction.atomic():
                getattr(verbs, verb)(incident=self.incident, by=by, at=self.at, **given)
        except ActionRefused:
            assert expected is None
            assert fresh(self.incident).version == before.version
            return False
        assert expected is not None
        self.state = expected
        self.changes += fresh(self.incident).version != before.version
        return True

    @rule(team=st.integers(0, 1), person=st.integers(-1, 1))
    def assign(self, team: int, person: int) -> None:
        to = self.teams[team]
        assignee = None if person < 0 else self.people[person]
        if self._do("assign", team=to, assignee=assignee):
            self.moves += to.pk != self.team
            self.team = to.pk

    @rule(place=st.integers(0, 1))
    def acknowledge(self, place: int) -> None:
        user = self.people[place]
        is_second = self.acknowledged_by not in (None, user.pk)
        if self._do("acknowledge", by=person(user, "incident_manager"), legal=not is_second):
            self.acknowledged_by = user.pk

    @rule()
    def start(self) -> None:
        self._do("start")

    @rule(hours=st.integers(1, 500))
    def hold(self, hours: int) -> None:
        until = self.at + dt.timedelta(hours=hours)
        self._do("put_on_hold", hold_reason="awaiting_vendor", until=until)

    @rule(reason=st.sampled_from(["awaiting_requester", "awaiting_problem"]))
    def change_hold(self, reason: str) -> None:
        self._do("change_hold", hold_reason=reason)

    @rule(verb=st.sampled_from(["resume", "close"]))
    def plain(self, verb: str) -> None:
        self._do(verb)

    @rule()
    def resolve(self) -> None:
        self._do("resolve", code="fixed")

    @rule()
    def cancel(self) -> None:
        self._do("cancel", reason="mistake")

    @rule()
    def contain(self) -> None:
        self._do("contain", note="isolated")

    @rule()
    def reopen(self) -> None:
        self.reopened += self._do("reopen")

    @invariant()
    def agrees_with_the_model(self) -> None:
        if not hasattr(self, "point"):
            return
        now = fresh(self.incident)
        assert (now.state, now.reopen_count, now.reassignment_count) == (self.state, self.reopened, self.moves)
        assert (now.team_id, now.acknowledged_by_id) == (self.team, self.acknowledged_by)
        assert now.version == versions(now) == self.changes
        assert len(events(now)) >= self.changes

    @invariant()
    def something_will_happen_next(self) -> None:
        """An open incident always has a wake-up or a reminder, a resolved one its closing."""
        if hasattr(self, "point"):
            now = fresh(self.incident)
            assert (now.hold_until is not None) is (now.state == "on_hold")
            assert (now.close_due_at is not None) is (now.state == "resolved")
            assert (now.idle_at is not None) is (now.state in ("new", "assigned", "in_progress"))


@pytest.mark.django_db
def test_any_sequence_of_verbs_agrees_with_the_model() -> None:
    Lifecycle.people = [UserFactory(), UserFactory()]
    Lifecycle.teams = [TeamFactory(), TeamFactory()]
    run_state_machine_as_test(
        Lifecycle,
        settings=settings(
            max_examples=max(25, settings.default.max_examples // 8) if settings.default else 25,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
