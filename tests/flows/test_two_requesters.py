"""Two requesters merged: by the API, with the clock passed in; the second never sees the first's thread."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from rest_framework.test import APIClient

from audit.actor import SYSTEM
from audit.models import Event
from incidents.actions import comment
from incidents.models import Incident
from sla.models import Breach, Clock
from tests.accounts.factories import TeamFactory, UserFactory
from tests.flows.test_promise import API, client_of, made
from tests.flows.test_promise import Clock as Watch
from tests.sla.factories import SlaPolicyFactory, without_policies

pytestmark = pytest.mark.django_db

MADRID = dt.timezone(dt.timedelta(hours=1))


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    from django.utils import timezone

    found = Watch()
    found.at = dt.datetime(2026, 3, 10, 9, 0, tzinfo=MADRID)
    monkeypatch.setattr(timezone, "now", lambda: found.at)
    return found


class Desk:
    """An incident manager and two people who report the same thing, an hour apart; two hours to resolve."""

    def __init__(self, watch: Watch) -> None:
        without_policies()
        TeamFactory(is_triage=True)
        SlaPolicyFactory(targets={"resolve": {str(priority): 7200 for priority in range(1, 6)}})
        self.manager = client_of(UserFactory(roles=["incident_manager"]))
        self.ana, self.bo = (client_of(UserFactory(name=name, roles=["requester"])) for name in ("Ana", "Bo"))
        self.bos = made(self.bo, "incidents", {"title": "Mail is down for Bo"})["reference"]
        watch.pass_time(60)
        self.anas = made(self.ana, "incidents", {"title": "Mail is down for Ana"})["reference"]
        made(self.manager, f"incidents/{self.anas}/comments", {"body": "Dear Ana", "is_public": True})
        made(self.manager, f"incidents/{self.bos}/comments", {"body": "Dear Bo", "is_public": True})

    def merge(self) -> None:
        body = {"into": self.anas, "reason": "one server"}
        refused = made(self.manager, f"incidents/{self.bos}/merge", body, 409)
        assert any("Bo reads nothing" in one for one in refused["readers"])
        made(self.manager, f"incidents/{self.bos}/merge", {**body, "confirmation": refused["confirmation"]}, 200)

    def said(self, client: APIClient, reference: str, status: int = 200) -> list[str]:
        answer = client.get(f"{API}/incidents/{reference}/comments/")
        assert answer.status_code == status
        return [one["body"] for one in answer.json().get("results", [])]

    def state(self, reference: str) -> tuple[dict[str, Any], list[dict[str, Any]], Any]:
        """Every field, clock and link of an incident, less what counts the changes."""
        row = Incident.objects.filter(number=int(reference[4:])).values().get()
        clocks = list(Clock.objects.filter(incident_id=row["id"]).order_by("target", "cycle").values())
        links = self.manager.get(f"{API}/incidents/{reference}/").json()
        return (
            {name: value for name, value in row.items() if name != "version"},
            [{name: value for name, value in one.items() if name != "voids"} for one in clocks],
            {name: links[name] for name in ("merged_into", "parent", "recurrence_of")},
        )


def test_two_requesters_merged_and_given_back(watch: Watch) -> None:
    desk = Desk(watch)
    watch.pass_time(61)
    before = desk.state(desk.bos), desk.state(desk.anas)
    desk.merge()
    check_who_reads_what(desk)
    check_the_breach(desk)
    made(desk.manager, f"incidents/{desk.bos}/unmerge", {"reason": "two servers"}, 200)
    assert (desk.state(desk.bos), desk.state(desk.anas)) == before
    check_the_trail(desk)
    watch.pass_time(1)


def check_who_reads_what(desk: Desk) -> None:
    assert desk.manager.get(f"{API}/incidents/{desk.bos}/").json()["merged_into"] == desk.anas
    assert desk.bo.get(f"{API}/incidents/{desk.bos}/").json()["merged_into"] is None
    desk.said(desk.bo, desk.anas, 404)
    assert desk.said(desk.bo, desk.bos) == ["Dear Bo"]
    # What mail-in calls for a mail to the old number.
    sender = Incident.objects.get(number=int(desk.bos[4:]))
    made(desk.bo, f"incidents/{desk.bos}/comments", {"body": "Bo by mail"})
    comment(incident=sender, by=SYSTEM, at=sender.created_at, body="delivery report")
    assert desk.said(desk.manager, desk.anas) == ["Dear Ana", "Dear Bo", "Bo by mail", "delivery report"]
    assert desk.said(desk.ana, desk.anas) == ["Dear Ana"]
    assert desk.said(desk.bo, desk.bos) == ["Dear Bo", "Bo by mail"]


def check_the_breach(desk: Desk) -> None:
    """Bo reported two hours and a minute ago: Ana's resolve clock breaches at once, by the merge."""
    (breach,) = Breach.objects.counted().filter(incident__number=int(desk.anas[4:]))
    assert (breach.target, breach.cause) == ("resolve", "merge")


def check_the_trail(desk: Desk) -> None:
    assert not Breach.objects.counted().filter(incident__number=int(desk.anas[4:])).exists()
    (breach,) = Breach.objects.filter(incident__number=int(desk.anas[4:]))
    assert breach.void.voided_by.startswith("undo of merge")
    told = [one["kind"] for one in desk.manager.get(f"{API}/incidents/{desk.bos}/timeline/").json()["results"]]
    assert [one for one in reversed(told) if "merged" in one] == ["incident.merged", "incident.unmerged"]
    assert Event.objects.filter(kind="clock.breach_voided").count() == 1
    # Comments written meanwhile stay where they landed.
    assert "Bo by mail" in desk.said(desk.manager, desk.anas)
