"""The pages of the numbers: who sees which, what they show, and what they answer to nonsense."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

import accounts.actions
import incidents.actions
from accounts.models import Team, User
from audit.actor import SYSTEM
from audit.models import Event
from metrics import tasks
from tests.accounts.factories import MembershipFactory, TeamFactory, UserFactory
from tests.incidents.factories import IncidentFactory

pytestmark = pytest.mark.django_db


def signed_in(*roles: str, leads: Team | None = None) -> Client:
    user: User = UserFactory()
    for role in roles:
        accounts.actions.grant_role(user=user, role=role, by=SYSTEM, at=timezone.now())
    if leads:
        MembershipFactory(user=user, team=leads, is_lead=True)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def solved() -> Any:
    """An incident of a team, reported an hour ago and resolved by now, and read by the sweep."""
    now = timezone.now()
    incident: Any = IncidentFactory(
        title="=HYPERLINK(1)", team=TeamFactory(), channel="phone", at=now - timedelta(minutes=62),
    )  # fmt: skip
    incident = incidents.actions.resolve(incident=incident, code="fixed", by=SYSTEM, at=now - timedelta(minutes=2))
    tasks.sweep(now)
    return incident


def test_a_manager_reads_every_number_with_its_definition(solved: Any) -> None:
    page = signed_in("manager").get("/reports/").content.decode()
    assert "1 h 00 min" in page
    assert "From detection to the last resolution" in page
    assert "a time or fact is unknown" in page


@pytest.mark.parametrize("roles", [(), ("agent",), ("responder",)])
def test_who_oversees_nothing_reads_no_numbers(roles: tuple[str, ...]) -> None:
    client = signed_in(*roles)
    assert [client.get(path).status_code for path in ("/reports/", "/reports/mttr/")] == [403, 403]
    assert client.post("/reports/mttr/rows.csv").status_code == 403


def test_a_lead_counts_the_teams_that_they_lead(solved: Any) -> None:
    own, foreign = signed_in("lead", leads=solved.team), signed_in("lead", leads=TeamFactory())
    assert solved.reference in own.get("/reports/resolution/").content.decode()
    assert solved.reference not in foreign.get("/reports/resolution/").content.decode()
    assert foreign.get(f"/reports/?team={solved.team_id}").status_code == 400


@pytest.mark.parametrize(
    "asked",
    [
        "from=2026-03-02&to=2026-03-01", "to=9999-12-31", "from=0001-01-01", "from=2001-01-01&to=2026-01-01",
        "from=yesterday", "team=999999999999999999999", "team=x%00", "priority=9", "channel=fax", "service=-1",
    ],
)  # fmt: skip
def test_nonsense_is_answered_with_its_reason(asked: str) -> None:
    client = signed_in("manager")
    pages = [client.get(f"/reports/{path}?{asked}") for path in ("", "mttr/", "backlog/")]
    assert [page.status_code for page in pages] == [400, 400, 400]
    assert all("errorlist" in page.content.decode() for page in pages)
    assert client.post(f"/reports/mttr/rows.csv?{asked}").status_code == 400


def test_the_rows_leave_as_csv_without_formulas_and_the_trail_says_so(solved: Any) -> None:
    answer: Any = signed_in("manager").post("/reports/resolution/rows.csv")
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert lines[1].startswith(f"{solved.reference},'=HYPERLINK(1),resolved,")
    assert Event.objects.get(kind="report.exported").data["report"] == "resolution"


def test_every_number_leaves_as_csv(solved: Any) -> None:
    answer: Any = signed_in("manager").post("/reports/numbers.csv")
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert next(line for line in lines if line.startswith("resolution,")).split(",")[4:6] == ["1", "3600"]


@pytest.mark.parametrize("slug", ["volume", "mttr", "sla_resolve", "csat", "fcr", "backlog", "reassignments"])
def test_each_number_has_a_page(solved: Any, slug: str) -> None:
    client = signed_in("auditor")
    assert client.get(f"/reports/{slug}/?show=unknown&after=20260101.5.0").status_code == 200
    assert client.get("/reports/nothing/").status_code == 404


def test_what_is_left_out_is_listed_by_its_reason(solved: Any) -> None:
    page = signed_in("manager").get("/reports/mttr/?show=unknown").content.decode()
    assert solved.reference in page
    assert "Left out: a time or fact is unknown" in page
