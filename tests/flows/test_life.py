"""Lives of incidents by the public API with the clock passed in: fixed on the phone, silent requester, five ways in."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

import audit.tasks
import incidents.tasks
import notify.tasks
import oncall.tasks
import sla.tasks
from accounts.models import User
from notify.models import MailboxMail
from oncall.models import Page
from servicedesk.watchdog import violations
from tests.accounts.factories import ApiKeyFactory, MembershipFactory, TeamFactory, UserFactory, bearer
from tests.sla.factories import SPLIT_DAYS, CalendarFactory, SlaPolicyFactory, without_policies

pytestmark = pytest.mark.django_db

MADRID = zoneinfo.ZoneInfo("Europe/Madrid")
INCIDENTS = "/api/v1/incidents/"


def madrid(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(f"2026-03-{text}").replace(tzinfo=MADRID)


class Desk:
    """A team with an agent, its lead and a requester, each with a key; time passes with the sweeps that it wakes."""

    def __init__(self, at: dt.datetime) -> None:
        self.at = at
        without_policies()
        SlaPolicyFactory(
            calendar=CalendarFactory(week=SPLIT_DAYS, zone="Europe/Madrid"),
            targets={
                "acknowledge": {str(priority): 1800 for priority in range(1, 6)},
                "respond": {str(priority): 3600 for priority in range(1, 6)},
                "resolve": {str(priority): 8 * 3600 for priority in range(1, 6)},
            },
            on_breach=[],
        )
        self.team = TeamFactory(name="Service desk")
        self.agent, self.lead = UserFactory(roles=["agent"]), UserFactory(roles=["lead"])
        self.maria = UserFactory(name="Maria", roles=["requester"], time_zone="Europe/Madrid")
        MembershipFactory(user=self.agent, team=self.team)
        MembershipFactory(user=self.lead, team=self.team, is_lead=True)
        self.clients = {user.pk: client_of(user) for user in (self.agent, self.lead, self.maria)}

    def call(self, user: User, path: str, **body: Any) -> Any:
        answer = self.clients[user.pk].post(f"{INCIDENTS}{path}", body, format="json")
        assert answer.status_code in (200, 201), answer.content
        return answer.json()

    def seen(self, reference: str, user: User | None = None) -> Any:
        return self.clients[(user or self.agent).pk].get(f"{INCIDENTS}{reference}/").json()

    def clocks(self, reference: str) -> dict[tuple[str, int], Any]:
        found = self.clients[self.agent.pk].get("/api/v1/clocks/", {"incident": reference}).json()["results"]
        return {(one["target"], one["cycle"]): one for one in found}

    def kinds(self, reference: str) -> list[str]:
        found = self.clients[self.lead.pk].get(f"{INCIDENTS}{reference}/timeline/").json()["results"]
        return [one["kind"] for one in reversed(found)]

    def pass_time(self, until: dt.datetime) -> None:
        self.at = until
        for sweep in (
            incidents.tasks.sweep, sla.tasks.sweep, oncall.tasks.sweep, notify.tasks.send_due,
            audit.tasks.sweep_deliveries,
        ):  # fmt: skip
            sweep(at=self.at)
        assert violations(self.at) == []

    def mails(self, user: User) -> list[MailboxMail]:
        return list(MailboxMail.objects.filter(recipients__contains=[user.email]).order_by("id"))


def client_of(user: User | None) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=bearer(ApiKeyFactory(user=user, scopes=["*:write"])))
    return client


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Desk:
    settings.EMAIL_BACKEND = "notify.channels.mailbox.EmailBackend"
    settings.SERVICEDESK_MAILBOX = True
    found = Desk(madrid("10T09:09:30"))
    monkeypatch.setattr(timezone, "now", lambda: found.at)
    return found


def test_fixed_on_the_phone(desk: Desk) -> None:
    """A call at 09:02:00, saved and resolved at 09:09:30 in one request; nobody objects."""
    made = desk.call(
        desk.agent, "", title="Excel does not print", channel="phone", requester=desk.maria.pk, team=desk.team.pk,
        reported_at=madrid("10T09:02:00").isoformat(), resolved={"code": "fixed", "cause": "configuration"},
    )  # fmt: skip
    reference = made["reference"]
    assert (made["state"], made["assignee"], made["resolved_by"]) == ("resolved", desk.agent.pk, desk.agent.pk)
    assert made["acknowledged_at"] == made["first_response_at"] == made["reported_at"] == "2026-03-10T08:02:00Z"
    clocks = desk.clocks(reference)
    assert [(clocks[name, 1]["state"], clocks[name, 1]["elapsed_s"]) for name in ("acknowledge", "respond")] == [
        ("met", 0), ("met", 0),
    ]  # fmt: skip
    assert (clocks["resolve", 1]["state"], clocks["resolve", 1]["elapsed_s"]) == ("met", 450)
    assert not Page.objects.exists()
    desk.pass_time(madrid("10T09:10"))
    assert len(desk.mails(desk.maria)) == 1
    desk.pass_time(madrid("15T09:09:29"))
    assert desk.seen(reference)["state"] == "resolved"
    desk.pass_time(madrid("15T09:09:30"))
    closed = desk.seen(reference)
    assert (closed["state"], closed["closed_by"], closed["confirmation"]) == ("closed", None, "nobody objected in time")


def hold(desk: Desk) -> str:
    """Opened Mon 16 Mar 09:30 by phone, on hold from 10:00: the agent asked which printer."""
    desk.at = madrid("16T09:30")
    made = desk.call(
        desk.agent, "", title="Printer", channel="phone", requester=desk.maria.pk, team=desk.team.pk,
        assignee=desk.agent.pk,
    )  # fmt: skip
    desk.at = madrid("16T10:00")
    held = desk.call(desk.agent, f"{made['reference']}/hold/", reason="awaiting_requester", note="Which printer?")
    assert (held["state"], held["hold_until"]) == (
        "on_hold",
        madrid("23T10:00").astimezone(dt.UTC).isoformat()[:19] + "Z",
    )
    return str(made["reference"])


def test_a_silent_requester(desk: Desk) -> None:
    """Reminders on business days 2 and 4, resolved as "no answer" on day 5; a late reply opens it again."""
    reference = hold(desk)
    for moment, state, reminders in (
        ("18T09:59:59", "on_hold", 0), ("18T10:00", "on_hold", 1), ("20T09:59:59", "on_hold", 1),
        ("20T10:00", "on_hold", 2), ("23T09:59:59", "on_hold", 2), ("23T10:00", "resolved", 2),
    ):  # fmt: skip
        desk.pass_time(madrid(moment))
        assert desk.seen(reference)["state"] == state, moment
        assert desk.kinds(reference).count("incident.follow_up_sent") == reminders, moment
    done = desk.seen(reference)
    assert (done["resolution_code"], done["resolved_by"]) == ("no_answer", None)
    assert "still waits for your answer" in desk.mails(desk.maria)[-2].body
    clock = desk.clocks(reference)["resolve", 1]
    assert (clock["state"], clock["elapsed_s"]) == ("met", 1800)
    assert {"clock.paused", "incident.put_on_hold"} <= set(desk.kinds(reference))


def test_a_late_reply_opens_it_again_for_the_team_when_its_owner_has_left(desk: Desk) -> None:
    reference = hold(desk)
    for moment in ("18T10:00", "20T10:00", "23T10:00"):
        desk.pass_time(madrid(moment))
    admin = UserFactory(roles=["admin"])
    left = client_of(admin).post(f"/api/v1/users/{desk.agent.pk}/deactivate/", {}, format="json")
    assert left.status_code == 200, left.content
    desk.at = madrid("24T09:30")
    desk.call(desk.maria, f"{reference}/comments/", body="The one on the third floor.")
    again = desk.seen(reference, desk.lead)
    assert (again["state"], again["assignee"], again["team"]) == ("in_progress", None, desk.team.pk)
    assert (again["reopen_count"], again["reopened_at"]) == (1, "2026-03-24T08:30:00Z")
    desk.clients[desk.agent.pk] = desk.clients[desk.lead.pk]
    clocks = desk.clocks(reference)
    assert (clocks["resolve", 2]["state"], clocks["resolve", 2]["elapsed_s"]) == ("running", 1800)
    assert clocks["own", 1]["started_at"] == "2026-03-24T08:30:00Z"
    desk.pass_time(madrid("24T09:31"))


def test_five_ways_in_are_five_rows_of_one_list(desk: Desk) -> None:
    """Mail comes in by its own door, which has tests of its own; here its robot's channel is that of the desk."""
    desk.call(desk.agent, "", title="By phone", channel="phone", requester=desk.maria.pk)
    desk.call(desk.maria, "", title="By portal", channel="portal")
    desk.call(desk.agent, "", title="By mail", channel="mail", requester=desk.maria.pk)
    machine = client_of(None)
    assert machine.post(INCIDENTS, {"title": "By API"}, format="json").status_code == 201
    admin = client_of(UserFactory(roles=["admin"]))
    source = admin.post("/api/v1/alert-sources/", {"name": "Disks", "adapter": "generic"}, format="json").json()
    alert = {"fingerprint": "disk-1", "title": "By alert", "severity": "critical"}
    fired = APIClient().post(f"/api/v1/intake/{source['key']}/", alert, format="json")
    assert fired.status_code == 200, fired.content
    boss = client_of(UserFactory(roles=["incident_manager"]))
    rows = sorted(boss.get(INCIDENTS).json()["results"], key=lambda row: str(row["reference"]))
    assert [row["channel"] for row in rows] == ["phone", "portal", "mail", "api", "alert"]
