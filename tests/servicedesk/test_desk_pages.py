"""The desk's pages as their readers use them: views by role, search, paging, and what is hidden from whom."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

import incidents.actions
from accounts.models import User
from accounts.queries import actor_for
from audit.actor import SYSTEM
from incidents.models import Incident
from servicedesk.desk import queries
from tests.accounts.factories import MembershipFactory, TeamFactory, UserFactory
from tests.incidents.factories import IncidentFactory, ServiceFactory

pytestmark = pytest.mark.django_db
TAGS = re.compile(r"<[^>]+>")


@pytest.fixture
def agent() -> User:
    return member("agent", zone="America/Sao_Paulo")


def member(*roles: str, zone: str = "UTC", team: Any = None) -> User:
    user = UserFactory(roles=list(roles), time_zone=zone)
    MembershipFactory(user=user, team=team or TeamFactory())
    return user


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def team_of(user: User) -> Any:
    return user.memberships.get().team


def opened(**given: Any) -> Incident:
    return IncidentFactory(**{"at": timezone.now(), **given})


def shown(user: User, path: str) -> str:
    answer = client_of(user).get(path)
    assert answer.status_code == 200
    return answer.content.decode()


# --- the queue ------------------------------------------------------------------------------------------------------


def test_home_leads_to_the_desk_and_a_stranger_to_the_door(agent: User) -> None:
    assert client_of(agent).get("/").headers["Location"] == "/desk/"
    assert Client().get("/").headers["Location"] == "/accounts/login/"
    assert Client().get("/desk/").headers["Location"] == "/accounts/login/?next=/desk/"


def test_the_soonest_due_comes_first(agent: User) -> None:
    low = opened(title="Low and slow", team=team_of(agent), impact=3, urgency=3)
    high = opened(title="High and fast", team=team_of(agent), impact=1, urgency=1)
    html = shown(agent, "/desk/?view=team")
    assert html.index(high.reference) < html.index(low.reference)


def test_each_view_holds_what_its_name_says(agent: User) -> None:
    mine = opened(title="Mine", team=team_of(agent), assignee=agent)
    free = opened(title="Nobody's", team=team_of(agent))
    foreign = opened(title="Foreign", team=TeamFactory())
    found = {view: shown(agent, f"/desk/?view={view}") for view in queries.VIEWS}
    held = {
        view: {one.reference for one in (mine, free, foreign) if one.reference in html} for view, html in found.items()
    }
    assert held == {
        "mine": {mine.reference}, "team": {mine.reference, free.reference}, "unassigned": {free.reference},
        "breached": set(), "open": {mine.reference, free.reference},
    }  # fmt: skip


def test_what_is_late_stands_in_its_view(agent: User) -> None:
    import sla.tasks

    late = opened(team=team_of(agent), impact=1, urgency=1, at=timezone.now() - dt.timedelta(days=9))
    sla.tasks.sweep(at=timezone.now())
    html = shown(agent, "/desk/?view=breached")
    assert late.reference in html
    assert "▲ late" in html


def test_pages_of_fifty_follow_each_other_without_gap_or_double(agent: User) -> None:
    team = team_of(agent)
    known = {opened(team=team).reference for _ in range(53)}
    first = shown(agent, "/desk/?view=team")
    following = re.search(r'href="(\?view=team&amp;after=[^"]+)"', first)
    assert following
    second = shown(agent, "/desk/" + following[1].replace("&amp;", "&"))
    parts = [set(re.findall(r"INC-\d{6}", html)) for html in (first, second)]
    assert [len(one) for one in parts] == [50, 3]
    assert parts[0] | parts[1] == known


@pytest.mark.parametrize("key", ["x", "%00", "W10", "WzEsMl0", "bnVsbA", "WyIyMDI2LTAxLTAxVDAwOjAwIiwgMV0", "A" * 3000])
def test_a_page_key_that_nobody_gave_shows_the_first_page(agent: User, key: str) -> None:
    one = opened(team=team_of(agent))
    assert one.reference in shown(agent, f"/desk/?view=team&after={key}")


def test_search_finds_numbers_and_words_within_what_one_may_see(agent: User) -> None:
    mine = opened(title="Scanner is dumb", team=team_of(agent))
    foreign = opened(title="Scanner is deaf", team=TeamFactory())
    for text in (mine.reference, str(mine.number), "scanner", "scaner dumb"):
        html = shown(agent, f"/desk/?q={text}")
        assert mine.reference in html
        assert foreign.title not in html


@pytest.mark.parametrize("text", ["%00", "' or 1=1 --", "INC-", "9" * 400, "!!!((", "<script>alert(1)</script>", "\\"])
def test_search_takes_any_text(agent: User, text: str) -> None:
    html = shown(agent, "/desk/?q=" + text)
    assert "<script>alert" not in html


def test_an_empty_view_says_so(agent: User) -> None:
    assert "Nothing waits here." in shown(agent, "/desk/?view=mine")
    assert "Nothing matches" in shown(agent, "/desk/?q=unheard-of")


def test_the_queue_costs_the_same_for_ten_and_for_three_hundred(agent: User) -> None:
    client, team = client_of(agent), team_of(agent)
    for _ in range(10):
        opened(team=team, requester=UserFactory())
    client.get("/desk/?view=team")  # what a thread learns once
    counts = []
    for more in (0, 290):
        for _ in range(more):
            opened(team=team, title="More of it")
        with CaptureQueriesContext(
            connection,
        ) as seen:
            client.get("/desk/?view=team")
        counts.append(len(seen))
    assert counts[0] == counts[1] <= 12


# --- what is hidden -------------------------------------------------------------------------------------------------


def test_a_foreign_incident_is_404_whatever_is_tried(agent: User) -> None:
    foreign = opened(team=TeamFactory())
    client = client_of(agent)
    for path in (f"/desk/{foreign.reference}/", "/desk/INC-999999/", "/desk/nonsense/", "/desk/INC-%00/"):
        assert client.get(path).status_code == 404
    assert client.post(f"/desk/{foreign.reference}/resolve/", {}).status_code == 404


def test_a_requester_reads_the_public_part_only() -> None:
    maria, team = member("requester"), TeamFactory()
    ines = actor_for(member("agent", team=team))
    incident = opened(team=team, requester=maria, description="It hisses.")
    for text, is_public in (("We are looking at it.", True), ("Maria broke it again.", False)):
        incidents.actions.comment(incident=incident, body=text, is_public=is_public, by=ines, at=timezone.now())
    html = shown(maria, f"/desk/{incident.reference}/")
    assert "It hisses." in html
    assert "We are looking at it." in html
    for hidden in ("Maria broke it", "Clocks", "Internal note", "internal", "Assign", "Priority matrix"):
        assert hidden not in html


def test_a_requester_sees_own_reports_open_and_over_and_no_views_of_agents() -> None:
    maria = member("requester")
    mine, other = opened(requester=maria), opened(requester=UserFactory())
    incidents.actions.resolve(incident=mine, code="fixed", by=SYSTEM, at=timezone.now())
    html = shown(maria, "/desk/")
    assert mine.reference in html
    assert other.reference not in html
    assert "Unassigned" not in html
    assert "Report something" in html


def test_times_are_those_of_the_reader(agent: User) -> None:
    at = dt.datetime(2026, 3, 9, 2, 30, tzinfo=dt.UTC)
    incident = opened(team=team_of(agent), at=at)
    html = shown(agent, f"/desk/{incident.reference}/")
    assert "2026-03-08 23:30" in html
    assert "America/Sao_Paulo" in html


def test_text_of_strangers_is_shown_as_text(agent: User) -> None:
    incident = opened(team=team_of(agent), title="<b>x</b>", description="<script>alert(1)</script>")
    html = shown(agent, f"/desk/{incident.reference}/")
    assert "<script>" not in html
    assert "<b>x</b>" not in html


def test_another_spelling_of_a_reference_leads_to_the_one_address(agent: User) -> None:
    incident = opened(team=team_of(agent))
    answer = client_of(agent).get(f"/desk/{incident.number}/")
    assert answer.headers["Location"] == f"/desk/{incident.reference}/"


# --- log a call -----------------------------------------------------------------------------------------------------


def log(user: User, **fields: Any) -> Any:
    return client_of(user).post("/desk/new/", {"title": "No sound", "urgency": "2", **fields})


def test_a_call_is_logged_with_two_fields(agent: User) -> None:
    service = ServiceFactory(criticality=1)
    answer = log(agent, service=service.pk)
    incident = Incident.objects.get()
    assert answer.headers["Location"] == f"/desk/{incident.reference}/"
    assert (incident.channel, incident.impact, incident.urgency) == ("phone", 1, 2)
    assert (incident.team_id, incident.logged_by_id) == (service.owner_team_id, agent.pk)
    assert incident.first_response_at is not None


@pytest.mark.parametrize("typed", ["mlopez@example.org", "MLOPEZ@example.org", "maria lópez", "López"])
def test_the_caller_is_found_by_address_or_name(agent: User, typed: str) -> None:
    maria = UserFactory(email="mlopez@example.org", name="Maria López")
    log(agent, requester=typed)
    assert Incident.objects.get().requester == maria


def test_a_caller_who_is_not_found_is_refused_with_who_is_near(agent: User) -> None:
    UserFactory(email="mlopez@example.org", name="Maria López")
    answer = log(agent, requester="Maria Lopes")
    html = answer.content.decode()
    assert answer.status_code == 400
    assert "mlopez@example.org" in html
    assert 'value="Maria Lopes"' in html
    assert 'value="No sound"' in html
    assert Incident.objects.count() == 0


def test_a_requester_reports_for_themselves_with_one_line() -> None:
    maria = member("requester")
    html = shown(maria, "/desk/new/")
    assert "Caller" not in html
    log(maria)
    incident = Incident.objects.get()
    assert (incident.requester, incident.channel) == (maria, "portal")


def test_who_may_not_log_is_told_so() -> None:
    manager = member("manager")
    answer = client_of(manager).get("/desk/new/")
    assert answer.status_code == 403
    assert "do not let you log" in answer.content.decode()
    assert log(manager).status_code == 403
    assert Incident.objects.count() == 0


def test_a_form_names_each_field_that_is_wrong(agent: User) -> None:
    answer = log(agent, title=" ", urgency="9", service="4711")
    html = answer.content.decode()
    assert answer.status_code == 400
    assert html.count('aria-invalid="true"') == 3
    assert all(f'aria-describedby="id_{name}_error"' in html for name in ("title", "urgency", "service"))


# --- errors ---------------------------------------------------------------------------------------------------------


def test_error_pages_are_ours_and_tell_nothing(agent: User) -> None:
    answer = client_of(agent).get("/desk-of-nobody/")
    html = answer.content.decode()
    assert answer.status_code == 404
    assert "desk/desk.css" in html
    assert "Traceback" not in html
    assert "desk-of-nobody" not in html


def test_a_form_without_its_token_is_explained(agent: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(agent)
    answer = client.post("/desk/new/", {"title": "x"})
    assert answer.status_code == 403
    assert "This form has grown old" in answer.content.decode()
    assert Incident.objects.count() == 0


def test_a_breakdown_answers_500_without_details(agent: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **more: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(queries, "queue_page", broken)
    client = Client(raise_request_exception=False)
    client.force_login(agent)
    answer = client.get("/desk/")
    html = answer.content.decode()
    assert answer.status_code == 500
    assert "Something went wrong on our side" in html
    assert "secret detail" not in html
