"""How incidents wait, end and come back."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from audit.actions import Forbidden, Invalid, record
from audit.actor import SYSTEM, Actor
from incidents.actions import (
    IllegalTransition,
    Resolution,
    WorkaroundOpen,
    assign,
    cancel,
    change_hold,
    close,
    comment,
    put_on_hold,
    reopen,
    resolve,
    resume,
    schedule_close,
    settle_workaround,
    start,
)
from incidents.models import Incident
from tests.accounts.factories import TeamFactory, UserFactory
from tests.incidents.factories import AT, IMPORT, CategoryFactory, IncidentFactory, later, person
from tests.incidents.trail import events, fresh, kinds, last, mails, versions

pytestmark = pytest.mark.django_db


def resolved(**more: Any) -> Incident:
    return resolve(incident=IncidentFactory(**more), code="fixed", by=SYSTEM, at=AT)


def held(reason: str = "awaiting_vendor", **more: Any) -> Incident:
    return put_on_hold(incident=IncidentFactory(**more), hold_reason=reason, until=later(days=2), by=SYSTEM, at=AT)


def test_a_hold_needs_a_reason_and_a_wake_up() -> None:
    incident = held("awaiting_requester")
    assert (incident.state, incident.hold_reason) == ("on_hold", "awaiting_requester")
    assert (incident.hold_until, incident.held_at, incident.idle_at) == (later(days=2), AT, None)


@pytest.mark.parametrize(
    ("reason", "until", "field"),
    [("", later(days=1), "hold_reason"), ("lunch", later(days=1), "hold_reason"), ("scheduled", AT, "until"),
     ("scheduled", later(days=500), "until")],
)  # fmt: skip
def test_a_bad_hold_is_refused(reason: str, until: Any, field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        put_on_hold(incident=IncidentFactory(), hold_reason=reason, until=until, by=SYSTEM, at=AT)
    assert refusal.value.field == field


def test_what_is_on_hold_is_changed_and_not_held_again() -> None:
    incident = held()
    with pytest.raises(IllegalTransition):
        put_on_hold(incident=incident, hold_reason="scheduled", until=later(days=1), by=SYSTEM, at=AT)
    changed = change_hold(incident=incident, hold_reason="awaiting_problem", by=SYSTEM, at=later(hours=1))
    assert (changed.hold_reason, changed.hold_until, changed.held_at) == ("awaiting_problem", later(days=2), AT)
    assert (last(changed).data["old"], last(changed).data["new"]) == ("awaiting_vendor", "awaiting_problem")


def test_the_same_hold_again_writes_nothing() -> None:
    incident = held()
    same = change_hold(incident=incident, hold_reason="awaiting_vendor", until=later(days=2), by=SYSTEM, at=AT)
    assert same.version == incident.version


def test_changing_a_hold_that_is_none_is_refused() -> None:
    with pytest.raises(IllegalTransition):
        change_hold(incident=IncidentFactory(), hold_reason="scheduled", until=later(days=1), by=SYSTEM, at=AT)


def test_resuming_tells_how_long_it_waited() -> None:
    incident = resume(incident=held(), by=SYSTEM, at=later(hours=2))
    assert (incident.state, incident.hold_reason, incident.hold_until) == ("in_progress", "", None)
    assert last(incident).data == {"hold_reason": "awaiting_vendor", "held_s": 7200, "cause": "person"}


def test_resolving_from_hold_ends_the_hold_and_tells_its_length() -> None:
    incident = resolve(incident=held(), code="fixed", by=SYSTEM, at=later(hours=1))
    assert (incident.state, incident.hold_until) == ("resolved", None)
    assert (last(incident).data["hold_reason"], last(incident).data["held_s"]) == ("awaiting_vendor", 3600)


def test_who_resolves_an_unowned_incident_becomes_its_assignee() -> None:
    agent = person(None, "agent")
    incident = resolve(incident=IncidentFactory(), code="fixed", cause="human_error", by=agent, at=later(hours=1))
    assert incident.assignee_id == incident.resolved_by_id == agent.user_id
    assert (incident.resolved_at, incident.close_due_at) == (later(hours=1), later(hours=1, days=5))


def test_the_system_resolving_makes_nobody_assignee() -> None:
    assert resolved().assignee_id is None


def test_opening_and_closing_category_are_kept_apart() -> None:
    opening, closing = CategoryFactory(), CategoryFactory()
    incident = resolve(
        incident=IncidentFactory(category=opening), code="fixed", closing_category=closing, by=SYSTEM, at=AT
    )
    assert (incident.category_id, incident.closing_category_id) == (opening.pk, closing.pk)
    assert resolved(category=opening).closing_category_id == opening.pk


@pytest.mark.parametrize("field", ["code", "cause", "fix_kind"])
def test_an_unknown_code_is_refused(field: str) -> None:
    given: dict[str, Any] = {"code": "fixed", field: "magic"}
    with pytest.raises(Invalid) as refusal:
        resolve(incident=IncidentFactory(), by=SYSTEM, at=AT, **given)
    assert refusal.value.field == field


def test_reopening_counts_and_forgets_the_resolution() -> None:
    incident = reopen(incident=resolved(), reason="still broken", by=SYSTEM, at=later(days=1))
    assert (incident.state, incident.reopen_count, incident.resolved_at) == ("in_progress", 1, None)
    assert (incident.resolution_code, incident.close_due_at) == ("", None)
    assert (last(incident).reason, last(incident).data) == (
        "still broken",
        {"count": 1, "by_import": False, "assignee": None},
    )


def test_reopening_takes_it_from_who_left() -> None:
    gone, team = UserFactory(), TeamFactory()
    incident = resolved(team=team, assignee=gone)
    gone.is_active = False
    gone.save()
    incident = reopen(incident=incident, by=SYSTEM, at=later(days=1))
    assert (incident.team_id, incident.assignee_id) == (team.pk, None)


def test_only_what_is_resolved_is_reopened() -> None:
    for incident in (IncidentFactory(), close(incident=resolved(), by=SYSTEM, at=AT)):
        with pytest.raises(IllegalTransition):
            reopen(incident=incident, by=SYSTEM, at=AT)


def test_an_import_may_carry_a_step_out_of_closed() -> None:
    incident = resolve(incident=IncidentFactory(imported=True, by=IMPORT), code="other", by=IMPORT, at=AT)
    incident = close(incident=incident, by=IMPORT, at=AT)
    incident = reopen(incident=incident, by=IMPORT, at=later(days=1))
    assert (incident.state, incident.closed_at, incident.reopen_count) == ("in_progress", None, 1)
    assert last(incident).data["by_import"] is True


def test_nobody_else_carries_a_step_out_of_closed() -> None:
    incident = resolve(incident=IncidentFactory(imported=True, by=IMPORT), code="other", by=IMPORT, at=AT)
    incident = close(incident=incident, by=IMPORT, at=AT)
    with pytest.raises(IllegalTransition):
        reopen(incident=incident, by=person(None, "admin"), at=later(days=1))


def test_a_person_says_how_restoration_was_confirmed() -> None:
    agent = person(None, "agent")
    incident = resolve(incident=IncidentFactory(), code="fixed", cause="power", by=agent, at=AT)
    with pytest.raises(Invalid) as refusal:
        close(incident=incident, by=agent, at=later(hours=1))
    assert refusal.value.field == "confirmation"
    incident = close(incident=incident, confirmation="requester by phone", by=agent, at=later(hours=1))
    assert (incident.state, incident.closed_at, incident.closed_by_id) == ("closed", later(hours=1), agent.user_id)
    assert (incident.confirmation, incident.close_due_at) == ("requester by phone", None)


def test_the_requesters_word_is_the_confirmation() -> None:
    caller = UserFactory()
    incident = close(incident=resolved(requester=caller), by=person(caller, "requester"), at=later(hours=1))
    assert (incident.state, incident.confirmation) == ("closed", "requester")


def test_only_what_is_resolved_is_closed() -> None:
    with pytest.raises(IllegalTransition) as refusal:
        close(incident=IncidentFactory(), by=SYSTEM, at=AT)
    assert refusal.value.extra["state"] == "new"


def test_a_workaround_is_settled_before_closing() -> None:
    incident = resolve(incident=IncidentFactory(), code="fixed", fix_kind="workaround", by=SYSTEM, at=AT)
    with pytest.raises(WorkaroundOpen):
        close(incident=incident, by=SYSTEM, at=AT)
    with pytest.raises(Invalid):
        settle_workaround(incident=incident, outcome="waived", by=SYSTEM, at=AT)
    incident = settle_workaround(incident=incident, outcome="waived", reason="replaced in May", by=SYSTEM, at=AT)
    assert close(incident=incident, by=SYSTEM, at=AT).state == "closed"


def test_what_has_no_workaround_has_none_to_settle() -> None:
    with pytest.raises(IllegalTransition):
        settle_workaround(incident=resolved(), outcome="removed", by=SYSTEM, at=AT)


@pytest.mark.parametrize("prepare", [IncidentFactory, held])
def test_every_open_incident_can_be_cancelled_and_that_is_final(prepare: Any) -> None:
    incident = cancel(incident=prepare(), reason="duplicate", detail="of INC-000001", by=SYSTEM, at=later(hours=1))
    assert (incident.state, incident.cancel_reason, incident.cancelled_at) == ("cancelled", "duplicate", later(hours=1))
    for verb in (
        start,
        lambda **more: assign(team=TeamFactory(), **more),
        lambda **more: resolve(code="fixed", **more),
    ):
        with pytest.raises(IllegalTransition):
            verb(incident=incident, by=SYSTEM, at=later(hours=2))


def test_cancelling_needs_a_known_reason() -> None:
    with pytest.raises(Invalid):
        cancel(incident=IncidentFactory(), reason="boring", by=SYSTEM, at=AT)


def test_after_a_breach_an_agent_no_longer_cancels() -> None:
    team = TeamFactory()
    incident: Incident = IncidentFactory(team=team)
    with transaction.atomic():
        record("clock.breached", incident, SYSTEM, AT, target="resolve", cause="time")
    with pytest.raises(Forbidden, match="breached"):
        cancel(incident=incident, reason="mistake", by=person(None, "agent", teams=(team,)), at=AT)
    lead = person(None, "lead", leads=(team,))
    assert cancel(incident=incident, reason="mistake", by=lead, at=AT).state == "cancelled"


def test_the_closing_can_be_planned_by_the_system() -> None:
    incident = schedule_close(incident=resolved(), close_due_at=later(days=9), by=SYSTEM, at=AT)
    assert incident.close_due_at == later(days=9)
    assert kinds(incident)[-1] == "close_scheduled"
    assert schedule_close(incident=incident, close_due_at=later(days=9), by=SYSTEM, at=AT).version == incident.version
    with pytest.raises(Forbidden):
        schedule_close(incident=incident, close_due_at=later(days=8), by=person(None, "admin"), at=AT)


def test_the_requester_hears_of_hold_resolution_and_closure_in_one_thread() -> None:
    incident = held(requester=UserFactory())
    incident = resume(incident=incident, by=SYSTEM, at=AT)
    incident = close(incident=resolve(incident=incident, code="fixed", by=SYSTEM, at=AT), by=SYSTEM, at=AT)
    subjects = [one.subject.split("] ")[1].split(":")[0] for one in mails(incident)]
    assert subjects == ["On hold", "Resolved", "Closed"]
    assert len({one.headers["References"] for one in mails(incident)}) == 1
    assert len({one.headers["Message-ID"] for one in mails(incident)}) == 3


def test_mails_speak_the_requesters_language_and_zone() -> None:
    incident = held(requester=UserFactory(time_zone="Europe/Madrid"))
    assert "11 Mar 2026, 10:00 (Europe/Madrid)" in " ".join(mails(incident)[-1].body.split()).replace("March", "Mar")


def test_nobody_mails_a_deactivated_requester() -> None:
    caller = UserFactory()
    incident: Incident = IncidentFactory(requester=caller)
    caller.is_active = False
    caller.save()
    resolve(incident=incident, code="fixed", by=SYSTEM, at=AT)
    assert mails(incident) == []


def test_a_public_word_of_the_desk_is_the_first_response_and_reaches_the_requester() -> None:
    caller, agent = UserFactory(email="maria@example.org"), person(None, "agent")
    incident: Incident = IncidentFactory(requester=caller)
    comment(incident=incident, body="Looking into it.", is_public=False, by=agent, at=later(minutes=1))
    assert (fresh(incident).first_response_at, len(mails(incident))) == (None, 0)
    comment(incident=incident, body="Please restart.", is_public=True, by=agent, at=later(minutes=2))
    comment(incident=incident, body="And again.", is_public=True, by=agent, at=later(minutes=3))
    assert fresh(incident).first_response_at == later(minutes=2)
    assert [one.data["is_first_response"] for one in events(incident, "incident.commented")] == [False, True, False]
    assert "Please restart." in mails(incident)[0].body
    assert mails(incident)[0].address == "maria@example.org"


def test_a_robots_word_is_no_response() -> None:
    incident: Incident = IncidentFactory(requester=UserFactory())
    comment(incident=incident, body="We received it.", is_public=True, by=SYSTEM, at=later(minutes=1))
    assert fresh(incident).first_response_at is None


def test_the_requesters_answer_resumes_what_waits_for_it() -> None:
    caller, agent = UserFactory(), UserFactory(email="ines@example.org")
    incident = held("awaiting_requester", requester=caller, assignee=agent)
    comment(incident=incident, body="It is the blue one.", by=person(caller, "requester"), at=later(hours=1))
    assert fresh(incident).state == "in_progress"
    assert last(incident).data["cause"] == "requester"
    assert mails(incident)[-1].address == "ines@example.org"


def test_with_another_reason_an_answer_does_not_resume() -> None:
    caller = UserFactory()
    incident = held("awaiting_vendor", requester=caller)
    comment(incident=incident, body="Any news?", by=person(caller, "requester"), at=later(hours=1))
    assert fresh(incident).state == "on_hold"


def test_an_answer_takes_back_a_resolution_for_want_of_it() -> None:
    caller = UserFactory()
    incident = resolve(incident=IncidentFactory(requester=caller), code="no_answer", by=SYSTEM, at=AT)
    comment(incident=incident, body="Sorry, I was away.", by=person(caller, "requester"), at=later(days=1))
    assert (fresh(incident).state, fresh(incident).reopen_count) == ("in_progress", 1)


def test_a_thank_you_reopens_nothing() -> None:
    caller = UserFactory()
    incident = resolved(requester=caller)
    comment(incident=incident, body="Thank you!", by=person(caller, "requester"), at=later(hours=1))
    assert fresh(incident).state == "resolved"


FORGET = "resolved_at = null, resolution_code = '', close_due_at = null, closed_at = null, confirmation = ''"


@pytest.mark.parametrize(
    ("before", "values"),
    [
        ("closed", f"state = 'in_progress', {FORGET}"),
        ("closed", "state = 'resolved', closed_at = null, confirmation = ''"),
        ("resolved", f"state = 'new', {FORGET}"),
        ("in_progress", "state = 'new'"),
        ("in_progress", "state = 'assigned'"),
    ],
)
def test_the_database_refuses_an_illegal_step(before: str, values: str) -> None:
    incident = start(incident=IncidentFactory(), by=SYSTEM, at=AT)
    if before != "in_progress":
        incident = resolve(incident=incident, code="fixed", by=SYSTEM, at=AT)
    if before == "closed":
        close(incident=incident, by=SYSTEM, at=AT)
    statement = f"update incidents_incident set {values}, version = version + 1 where id = %s"
    with pytest.raises(DatabaseError, match="may not go"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, [incident.pk])


def test_an_incident_does_not_begin_closed() -> None:
    incident: Incident = IncidentFactory(resolved=Resolution(code="fixed"))
    row = {field.attname: getattr(incident, field.attname) for field in Incident._meta.concrete_fields}
    for name in ("id", "number", "version"):
        row.pop(name)
    with pytest.raises(DatabaseError, match="may not begin"), transaction.atomic():
        Incident.objects.create(**{**row, "state": "closed", "closed_at": AT, "close_due_at": None})


def test_each_verb_makes_one_version() -> None:
    incident = start(incident=IncidentFactory(), by=SYSTEM, at=AT)
    incident = put_on_hold(incident=incident, hold_reason="scheduled", until=later(days=1), by=SYSTEM, at=AT)
    incident = resolve(incident=incident, code="fixed", by=SYSTEM, at=AT)
    incident = reopen(incident=incident, by=SYSTEM, at=AT)
    assert (incident.version, versions(incident), len(events(incident))) == (5, 5, 5)


def test_each_row_of_the_history_names_who_did_it() -> None:
    actor: Actor = person(UserFactory(name="Ines"), "agent")
    incident = start(incident=IncidentFactory(), by=actor, at=AT)
    newest = Incident.history.filter(id=incident.pk).order_by("-version").first()
    assert (newest.actor_label, newest.actor_kind) == ("Ines", "person")
