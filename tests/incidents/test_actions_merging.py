"""Two incidents become one, and are two again: fields, watchers, tasks, links, and who reads what."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection

import incidents.actions as verbs
from accounts.models import User
from audit.actions import Forbidden
from audit.actor import SYSTEM
from incidents import queries
from incidents.actions import DifferentRequesters, IllegalTransition, NotMergeable, NotMerged
from incidents.actions.merging import confirmation_of
from incidents.models import Incident, IncidentLink, Merge, Participant, Task
from tests.accounts.factories import TeamFactory, UserFactory
from tests.incidents.factories import AT, IncidentFactory, ParticipantFactory, later, person
from tests.incidents.trail import events, fresh, kinds, mails

pytestmark = pytest.mark.django_db


def fields(incident: Incident) -> dict[str, Any]:
    row = Incident.objects.filter(pk=incident.pk).values().get()
    return {name: value for name, value in row.items() if name != "version"}


def merged(source: Incident, target: Incident, **more: Any) -> Incident:
    return verbs.merge(incident=source, into=target, **{"by": SYSTEM, "at": later(hours=3), **more})


def confirmed(source: Incident, target: Incident, **more: Any) -> Incident:
    confirmation = confirmation_of(queries.readers_of_merge(source, target))
    return merged(source, target, confirmation=confirmation, **more)


def test_a_merged_incident_points_to_its_heir_and_gives_it_the_earlier_times() -> None:
    source, target = IncidentFactory(), IncidentFactory(at=later(hours=1), occurred_at=AT)
    heir = merged(source, target, reason="same printer")
    assert (heir.pk, heir.reported_at, heir.occurred_at, heir.version) == (target.pk, AT, AT, 2)
    gone = fresh(source)
    assert (gone.state, gone.cancel_reason, gone.merged_into_id) == ("cancelled", "merged", target.pk)
    assert (kinds(source)[-1], kinds(target)[-1]) == ("merged", "absorbed")
    assert events(source)[-1].data["target"] == target.reference


def test_taking_it_back_gives_back_every_field() -> None:
    source = verbs.put_on_hold(
        incident=IncidentFactory(), hold_reason="awaiting_vendor", until=later(days=2), by=SYSTEM, at=AT
    )
    target = IncidentFactory(at=later(hours=1), detected_at=later(minutes=50))
    before = fields(source), fields(target)
    merged(source, target)
    assert verbs.unmerge(incident=fresh(source), by=SYSTEM, at=later(hours=4)).state == "on_hold"
    assert (fields(source), fields(target)) == before
    assert (kinds(source)[-2:], kinds(target)[-2:]) == (["merged", "unmerged"], ["absorbed", "released"])


def test_one_of_several_merges_is_taken_back_alone() -> None:
    target = IncidentFactory(at=later(hours=2))
    first, second = IncidentFactory(at=later(hours=1)), IncidentFactory()
    merged(first, target)
    merged(second, fresh(target))
    verbs.unmerge(incident=fresh(first), by=SYSTEM, at=later(hours=4))
    assert fresh(target).reported_at == AT
    verbs.unmerge(incident=fresh(second), by=SYSTEM, at=later(hours=4))
    assert fresh(target).reported_at == later(hours=2)


def test_watchers_tasks_and_links_move_and_come_back() -> None:
    source, target, third = IncidentFactory(), IncidentFactory(), IncidentFactory()
    watcher = ParticipantFactory(incident=source).user
    task = Task.objects.create(incident=source, title="Call the vendor", created_at=AT)
    link = IncidentLink.objects.create(incident=source, other=third, kind="caused_by", added_at=AT)
    merged(source, target)
    assert Participant.objects.filter(incident=target, user=watcher).exists()
    assert Task.objects.get(pk=task.pk).incident_id == target.pk
    assert IncidentLink.objects.get(pk=link.pk).incident_id == target.pk
    verbs.unmerge(incident=fresh(source), by=SYSTEM, at=later(hours=4))
    assert not Participant.objects.filter(incident=target).exists()
    assert Task.objects.get(pk=task.pk).incident_id == source.pk
    assert IncidentLink.objects.get(pk=link.pk).incident_id == source.pk


def test_what_a_merged_incident_was_held_by_a_leaver_returns_to_a_queue() -> None:
    leaver, team = UserFactory(), TeamFactory()
    source, target = IncidentFactory(team=team, assignee=leaver), IncidentFactory()
    merged(source, target)
    User.objects.filter(pk=leaver.pk).update(is_active=False)
    assert verbs.unmerge(incident=fresh(source), by=SYSTEM, at=later(hours=4)).assignee_id is None


@pytest.mark.parametrize("state", ["resolved", "closed", "cancelled"])
def test_only_open_incidents_are_merged(state: str) -> None:
    source = verbs.resolve(incident=IncidentFactory(), code="fixed", by=SYSTEM, at=AT)
    if state == "closed":
        source = verbs.close(incident=source, by=SYSTEM, at=AT)
    if state == "cancelled":
        source = verbs.cancel(incident=IncidentFactory(), reason="mistake", by=SYSTEM, at=AT)
    with pytest.raises(NotMergeable):
        merged(source, IncidentFactory())
    if state != "resolved":
        with pytest.raises(NotMergeable):
            merged(IncidentFactory(), source)


def test_itself_its_child_and_circles_are_refused() -> None:
    one, other = IncidentFactory(), IncidentFactory()
    with pytest.raises(NotMergeable, match="itself"):
        merged(one, one)
    merged(one, other)
    with pytest.raises(NotMergeable):
        merged(other, fresh(one))
    with pytest.raises(IllegalTransition, match="not possible") as refusal:
        verbs.claim(incident=one, by=person(UserFactory(), "incident_manager"), at=AT)
    assert "part of" in refusal.value.remedy
    with pytest.raises(NotMerged):
        verbs.unmerge(incident=other, by=SYSTEM, at=AT)


def test_who_may_not_work_on_both_is_refused() -> None:
    team = TeamFactory()
    agent = person(UserFactory(), "agent", teams=(team,))
    mine, theirs = IncidentFactory(team=team), IncidentFactory(team=TeamFactory())
    for source, target in ((mine, theirs), (theirs, mine)):
        with pytest.raises(Forbidden):
            merged(source, target, by=agent)
    assert not Merge.objects.exists()


def test_it_is_too_late_once_the_target_closed() -> None:
    source, target = IncidentFactory(), IncidentFactory()
    merged(source, target)
    verbs.resolve(incident=fresh(target), code="fixed", by=SYSTEM, at=later(hours=4))
    verbs.close(incident=fresh(target), by=SYSTEM, at=later(hours=5))
    with pytest.raises(NotMerged, match="too late"):
        verbs.unmerge(incident=fresh(source), by=SYSTEM, at=later(hours=6))


def test_the_database_lets_a_cancelled_incident_back_only_with_its_merge() -> None:
    cancelled = verbs.cancel(incident=IncidentFactory(), reason="mistake", by=SYSTEM, at=AT)
    statement = "update incidents_incident set state = 'new', cancel_reason = '', cancelled_at = null where id = %s"
    with pytest.raises(DatabaseError, match="may not go"), connection.cursor() as cursor:
        cursor.execute(statement, [cancelled.pk])


def test_a_restricted_incident_merges_only_with_its_like() -> None:
    open_one, restricted = IncidentFactory(team=TeamFactory()), IncidentFactory(team=TeamFactory())
    verbs.restrict(incident=restricted, reason="names", by=person(UserFactory(), "incident_manager"), at=AT)
    for source, target in ((open_one, restricted), (restricted, open_one)):
        with pytest.raises(NotMergeable, match="restricted"):
            merged(fresh(source), fresh(target))


def test_a_wait_for_the_requester_comes_back_with_its_reminders() -> None:
    source = verbs.put_on_hold(
        incident=IncidentFactory(requester=UserFactory()), hold_reason="awaiting_requester", until=later(days=20),
        by=SYSTEM, at=AT,
    )  # fmt: skip
    verbs.schedule_follow_ups(incident=source, moments=[later(days=2), later(days=4)], by=SYSTEM, at=AT)
    before = fields(source)
    merged(fresh(source), IncidentFactory())
    verbs.unmerge(incident=fresh(source), by=SYSTEM, at=later(hours=4))
    assert fields(source) == before


class TestTwoRequesters:
    """Their conversations stay apart."""

    def test_it_takes_a_confirmation_that_names_who_reads_what(self) -> None:
        source, target = (IncidentFactory(requester=UserFactory()) for _ in range(2))
        with pytest.raises(DifferentRequesters) as refusal:
            merged(source, target)
        told = " ".join(refusal.value.extra["readers"])
        assert str(source.requester) in told
        assert str(target.requester) in told
        merged(source, target, confirmation=refusal.value.extra["confirmation"])
        assert Merge.objects.get().confirmed == told

    def test_a_watcher_who_came_meanwhile_asks_for_another_confirmation(self) -> None:
        source, target = (IncidentFactory(requester=UserFactory()) for _ in range(2))
        old = confirmation_of(queries.readers_of_merge(source, target))
        ParticipantFactory(incident=source, user=UserFactory(roles=["agent"]))
        with pytest.raises(DifferentRequesters):
            merged(source, target, confirmation=old)

    def test_neither_reads_what_is_said_with_the_other(self) -> None:
        source, target = (IncidentFactory(requester=UserFactory()) for _ in range(2))
        first, second = person(target.requester, "requester"), person(source.requester, "requester")
        agent = person(UserFactory(), "incident_manager")
        verbs.comment(incident=target, by=first, at=AT, body="my salary")
        verbs.comment(incident=source, by=second, at=AT, body="my illness")
        confirmed(source, target)
        self.talk(fresh(source), fresh(target), second, agent)
        assert self.read(first, fresh(target)) == ["my salary", "paid"]
        assert self.read(second, fresh(source)) == ["my illness", "still ill", "get well"]
        assert len(self.read(agent, fresh(target))) == 5
        assert mails(source)[-1].address == source.requester.email
        assert not Incident.objects.visible_to(second).filter(pk=target.pk).exists()

    def talk(self, source: Incident, target: Incident, second: Any, agent: Any) -> None:
        verbs.comment(incident=source, by=second, at=later(hours=4), body="still ill")
        verbs.comment(incident=source, by=agent, at=later(hours=5), body="get well", is_public=True)
        verbs.comment(incident=target, by=agent, at=later(hours=5), body="paid", is_public=True)

    def read(self, actor: Any, incident: Incident) -> list[str]:
        return list(queries.comments_for(actor, incident).values_list("body", flat=True))

    def test_what_the_second_writes_on_a_waiting_target_is_flagged(self) -> None:
        source, target = (IncidentFactory(requester=UserFactory()) for _ in range(2))
        verbs.put_on_hold(incident=target, hold_reason="awaiting_requester", until=later(days=3), by=SYSTEM, at=AT)
        confirmed(source, fresh(target))
        verbs.comment(incident=fresh(source), by=person(source.requester), at=later(hours=4), body="and me?")
        assert (fresh(target).state, fresh(target).replied_at) == ("on_hold", later(hours=4))
        assert kinds(target)[-1] == "replied"

    def test_the_second_hears_that_it_is_solved_under_the_old_number(self) -> None:
        source, target = (IncidentFactory(requester=UserFactory()) for _ in range(2))
        confirmed(source, target)
        verbs.resolve(incident=fresh(target), code="fixed", notes="secret", by=SYSTEM, at=later(hours=4))
        told = mails(source)[-1]
        assert "Resolved" in told.subject
        assert (told.address, "secret" in told.body, source.reference in told.subject) == (
            source.requester.email, False, True,
        )  # fmt: skip
