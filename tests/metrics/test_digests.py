"""Numbers by mail: asked for by who may see them, sent once, in the reader's language and zone."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

import accounts.actions
import metrics.actions
from accounts.models import User
from accounts.queries import actor_for
from audit.actions import ActionRefused
from audit.actor import SYSTEM
from metrics import tasks
from metrics.models import Digest
from metrics.queries.digests import next_at
from notify.models import Message
from tests.accounts.factories import MembershipFactory, TeamFactory, UserFactory
from tests.incidents.factories import AT, IncidentFactory, later
from tests.metrics.test_pages import signed_in

pytestmark = pytest.mark.django_db
MONDAY = dt.datetime(2026, 3, 9, 7, 0, tzinfo=dt.UTC)  # 08:00 in Madrid


def reader(role: str = "manager", **more: Any) -> User:
    user: User = UserFactory(time_zone="Europe/Madrid", **more)
    accounts.actions.grant_role(user=user, role=role, by=SYSTEM, at=AT)
    return user


def asked_for(user: User, kind: str = "weekly", at: dt.datetime = AT - dt.timedelta(days=4)) -> Digest:
    return metrics.actions.ask_for_digest(kind=kind, at_time=dt.time(8), weekday=0, by=actor_for(user), at=at)


def mails(user: User) -> list[Message]:
    return list(Message.objects.filter(topic__startswith="digest:", address=user.email).order_by("id"))


def test_a_weekly_digest_leaves_once_in_the_readers_language() -> None:
    user = reader(locale="es")
    IncidentFactory(at=later(days=-2))
    tasks.sweep(AT)
    asked_for(user)
    sent = [
        tasks.send_digests(MONDAY - dt.timedelta(seconds=1)),
        tasks.send_digests(MONDAY),
        tasks.send_digests(MONDAY),
    ]
    assert sent == [0, 1, 0]
    (mail,) = mails(user)
    assert "2026-03-02" in mail.subject
    assert "Incidencias comunicadas: 1 (0); n = 1" in mail.body


def test_a_standstill_is_followed_by_one_mail() -> None:
    user = reader()
    digest = asked_for(user, kind="shift")
    tasks.send_digests(MONDAY + dt.timedelta(days=10, hours=1))
    tasks.send_digests(MONDAY + dt.timedelta(days=10, hours=2))
    assert len(mails(user)) == 1
    assert Digest.objects.get(pk=digest.pk).next_at == MONDAY + dt.timedelta(days=11)


def test_a_shift_digest_tells_a_lead_of_the_own_teams_only() -> None:
    own, foreign = TeamFactory(), TeamFactory()
    user = reader("lead")
    MembershipFactory(user=user, team=own, is_lead=True)
    asked_for(user, kind="shift", at=AT)
    seen: Any = IncidentFactory(team=own, impact=1, urgency=1, at=later(hours=1))
    hidden: Any = IncidentFactory(team=foreign, impact=1, urgency=1, at=later(hours=1))
    tasks.sweep(later(hours=2))
    tasks.send_digests(later(days=1))
    (mail,) = mails(user)
    assert (seen.reference in mail.body, hidden.reference in mail.body) == (True, False)
    assert "Reported: 1" in mail.body


def test_who_may_no_longer_see_numbers_gets_none() -> None:
    user = reader()
    asked_for(user)
    accounts.actions.revoke_role(user=user, role="manager", by=SYSTEM, at=AT)
    assert tasks.send_digests(MONDAY) == 0


def test_only_who_sees_numbers_may_ask_and_only_oneself_gives_up() -> None:
    with pytest.raises(ActionRefused):
        asked_for(reader("agent"))
    with pytest.raises(ActionRefused):
        metrics.actions.give_up_digest(digest=asked_for(reader()), by=actor_for(reader()), at=AT)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2026-03-28T12:00+00:00", "2026-03-29T01:30+00:00"),  # 02:30 is skipped: half past three, summer time
        ("2026-10-24T12:00+00:00", "2026-10-25T00:30+00:00"),  # 02:30 comes twice: the first of them
        ("2026-03-10T01:30+00:00", "2026-03-11T01:30+00:00"),
    ],
)
def test_a_digest_follows_the_wall_clock(after: str, expected: str) -> None:
    found = next_at("shift", dt.time(2, 30), 0, "Europe/Madrid", dt.datetime.fromisoformat(after))
    assert found == dt.datetime.fromisoformat(expected)


def test_the_page_asks_for_one_and_gives_it_up() -> None:
    client = signed_in("manager")
    asked = client.post("/reports/digests/", {"kind": "weekly", "at_time": "08:00", "weekday": "0"})
    assert (asked.status_code, Digest.objects.count()) == (302, 1)
    assert client.post("/reports/digests/", {"kind": "hourly", "at_time": "25:99"}).status_code == 400
    assert client.post("/reports/digests/", {"give_up": "99999"}).status_code == 404
    client.post("/reports/digests/", {"give_up": str(Digest.objects.get().pk)})
    assert Digest.objects.count() == 0
