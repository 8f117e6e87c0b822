"""What search finds: words of three languages, comments and notes by who may read them, likenesses, and its plans."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.models import Team, User
from audit.actor import SYSTEM
from incidents import queries
from incidents.actions import cancel, comment, resolve, revise
from incidents.models import Incident
from tests.accounts.factories import MembershipFactory, TeamFactory, UserFactory
from tests.incidents.factories import (
    AT,
    CategoryFactory,
    IncidentFactory,
    ParticipantFactory,
    ServiceFactory,
    person,
)
from tests.incidents.test_api import LIST, client_of, url

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Team:
    return TeamFactory()


@pytest.fixture
def ines(team: Team) -> User:
    user = UserFactory(name="Ines", roles=["agent"])
    MembershipFactory(user=user, team=team)
    return user


@pytest.fixture
def agent(ines: User) -> APIClient:
    return client_of(ines)


def found(client: APIClient, **given: Any) -> list[str]:
    answer = client.get(LIST, given)
    assert answer.status_code == 200, answer.content
    return [one["reference"] for one in answer.data["results"]]


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Printers are failing", "printer fail"),
        ("La conexión no funciona", "conexiones"),
        ("La conexión no funciona", "CONEXION"),
        ("As impressões saíram em branco", "impressao"),
        ("Não consigo imprimir relatórios", "nao relatorio"),
        ("Error ORA-00942 in Übersicht", "ora-00942 ubersicht"),
    ],
)
def test_words_are_found_in_other_forms_and_without_accents(
    agent: APIClient, team: Team, title: str, words: str
) -> None:
    wanted = IncidentFactory(team=team, title=title)
    IncidentFactory(team=team, title="Mouse")
    assert found(agent, search=words) == [wanted.reference]


def test_phrases_alternatives_and_exclusions_are_understood(agent: APIClient, team: Team) -> None:
    one = IncidentFactory(team=team, title="Mail server is down")
    other = IncidentFactory(team=team, title="Server for mail moves")
    assert found(agent, search='"mail server"') == [one.reference]
    assert found(agent, search="server -moves") == [one.reference]
    assert found(agent, search="down or moves") == [other.reference, one.reference]


def test_typos_are_forgiven_only_where_nothing_matches(agent: APIClient, team: Team) -> None:
    exact = IncidentFactory(team=team, title="Gateway is down")
    IncidentFactory(team=team, title="Gatewax is down")
    assert found(agent, search="gateway") == [exact.reference]
    assert found(agent, search="gatway") == [exact.reference]
    assert found(agent, search="zzzzqqqq") == []


def test_a_search_goes_on_over_pages_also_where_typos_are_forgiven(agent: APIClient, team: Team) -> None:
    made = [IncidentFactory(team=team, title="Gateway is down").reference for _ in range(3)]
    for words in ("gateway", "gatway"):
        first = agent.get(LIST, {"search": words, "limit": 2}).data
        second = agent.get(first["next"]).data
        assert [one["reference"] for one in (*first["results"], *second["results"])] == made[::-1]
        assert second["next"] is None


def test_a_search_looks_past_the_newest(agent: APIClient, team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "NEWEST", 3)
    titles = ("VPN", "VPN", "Mouse", "VPN", "Mouse", "VPN")
    made = [IncidentFactory(team=team, title=title).reference for title in titles]
    wanted = [made[5], made[3], made[1], made[0]]
    assert found(agent, search="vpn") == wanted
    assert found(agent, search="vpn", order="oldest") == wanted[::-1]
    seen, link = [], f"{LIST}?search=vpn&limit=1"
    while link:
        page = agent.get(link).data
        seen += [one["reference"] for one in page["results"]]
        link = page["next"]
    assert seen == wanted


def test_resolutions_and_comments_are_searched_and_follow_a_change(agent: APIClient, team: Team) -> None:
    incident = IncidentFactory(team=team, title="Mouse")
    comment(incident=incident, body="Replaced the dongle", is_public=True, by=SYSTEM, at=AT)
    revise(incident=incident, values={"title": "Keyboard"}, by=SYSTEM, at=AT)
    resolve(incident=incident, code="fixed", notes="Pairing was lost", by=SYSTEM, at=AT)
    assert found(agent, search="dongle") == found(agent, search="pairing") == [incident.reference]
    assert found(agent, search="keyboard") == [incident.reference]
    assert found(agent, search="mouse") == []


def test_a_search_is_narrowed_by_filters(agent: APIClient, team: Team) -> None:
    first, second = (IncidentFactory(team=team, title="VPN drops") for _ in range(2))
    resolve(incident=second, code="fixed", by=SYSTEM, at=AT)
    assert found(agent, search="vpn", is_open="true") == [first.reference]
    assert found(agent, search="vpn", state="resolved") == [second.reference]


def test_internal_notes_are_found_only_by_who_may_read_them(team: Team, ines: User, agent: APIClient) -> None:
    caller: User = UserFactory(roles=["requester"])
    incident = IncidentFactory(team=team, requester=caller)
    comment(incident=incident, body="Suspected fraud", is_public=False, by=SYSTEM, at=AT)
    stranger: User = UserFactory(roles=["agent"])
    follower, watching = UserFactory(roles=["requester"]), UserFactory(roles=["agent"])
    ParticipantFactory(incident=incident, user=follower)
    ParticipantFactory(incident=incident, user=watching)
    readers: set[User] = {ines, UserFactory(roles=["auditor"]), watching}
    everybody: list[User] = [caller, stranger, follower, *readers]
    for user in everybody:
        expected = [incident.reference] if user in readers else []
        assert found(client_of(user), search="fraud") == expected, user


@pytest.mark.parametrize(
    "roles", [["agent"], ["lead"], ["responder"], ["requester"], ["manager"], ["agent", "requester"]]
)
@pytest.mark.parametrize("tie", ["none", "team", "assignee", "logged", "requested", "watched", "paged", "nobody's"])
def test_notes_are_found_by_exactly_those_who_read_them_on_the_incident(roles: list[str], tie: str, team: Team) -> None:
    user = UserFactory(roles=roles)
    actor = person(user, *roles, teams=(team,) if tie == "team" else ())
    ties = {"assignee": {"assignee": user}, "requested": {"requester": user}}
    incident: Incident = IncidentFactory(team=None if tie == "nobody's" else team, **ties.get(tie, {}))
    if tie == "logged":
        Incident.objects.filter(pk=incident.pk).update(logged_by=user)
    if tie in ("watched", "paged"):
        ParticipantFactory(incident=incident, user=user, role="watcher" if tie == "watched" else "paged")
    comment(incident=incident, body="Suspected fraud", is_public=False, by=SYSTEM, at=AT)
    incident = Incident.objects.get(pk=incident.pk)
    seen = Incident.objects.visible_to(actor).filter(pk=incident.pk).exists()
    reads = seen and queries.is_staff_for(actor, incident)
    assert Incident.objects.visible_to(actor).matching("fraud", actor).exists() == reads


def test_a_text_too_long_for_a_vector_is_taken_and_searched_in_its_beginning(agent: APIClient, team: Team) -> None:
    long = " ".join(f"wörd{number:06d}x" for number in range(8_000))
    incident = IncidentFactory(team=team, description=long)
    for _ in range(12):
        comment(incident=incident, body=long, is_public=True, by=SYSTEM, at=AT)
    assert found(agent, search="word000001x") == [incident.reference]


def test_similar_incidents_are_ranked_and_within_what_one_may_see(agent: APIClient, team: Team) -> None:
    service, category = ServiceFactory(owner_team=team), CategoryFactory()
    given = {"title": "VPN drops every hour", "service": service, "category": category}
    incident = IncidentFactory(**given)
    same = resolve(incident=IncidentFactory(**given), code="fixed", notes="Renewed the key", by=SYSTEM, at=AT)
    near = IncidentFactory(team=team, title="VPN drops at night")
    IncidentFactory(team=team, title="Printer is jammed")
    IncidentFactory(team=TeamFactory(), title="VPN drops every hour")
    cancel(incident=IncidentFactory(**given), reason="mistake", by=SYSTEM, at=AT)
    shown = agent.get(url(incident, "similar")).data
    assert [one["reference"] for one in shown] == [same.reference, near.reference]
    assert (shown[0]["resolution_notes"], shown[0]["resolution_code"]) == ("Renewed the key", "fixed")


def test_a_title_without_words_is_like_nothing(agent: APIClient, team: Team) -> None:
    assert agent.get(url(IncidentFactory(team=team, title="?! a b"), "similar")).data == []


def test_the_callers_history_is_on_the_page_and_a_filter_of_the_list(client: Any, team: Team, ines: User) -> None:
    caller = UserFactory(roles=["requester"])
    now, before = (IncidentFactory(team=team, title=title, requester=caller) for title in ("Now ill", "Long before"))
    hidden = IncidentFactory(team=TeamFactory(), title="Hidden from Ines", requester=caller)
    client.force_login(ines)
    page = client.get(reverse("desk:incident", args=[now.reference])).content.decode()
    assert before.reference in page
    assert hidden.reference not in page
    assert found(client_of(ines), requester=caller.pk) == [before.reference, now.reference]


def test_search_takes_few_statements_at_any_length(
    agent: APIClient, team: Team, django_assert_max_num_queries: Any
) -> None:
    for _ in range(30):
        IncidentFactory(team=team, title="VPN drops")
    agent.get(LIST)
    with django_assert_max_num_queries(5):
        assert len(found(agent, search="vpn")) == 30
    with django_assert_max_num_queries(6):
        assert found(agent, search="zzzzqqqq") == []
    with django_assert_max_num_queries(4):
        agent.get(url(Incident.objects.latest("pk"), "similar"))


@pytest.fixture
def thousands(team: Team) -> None:
    """Enough rows that the planner has a choice."""
    first = IncidentFactory(team=team, title="VPN drops")
    names = ", ".join(
        f'"{one.column}"' for one in Incident._meta.concrete_fields if one.column not in ("id", "number", "title")
    )
    with connection.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute(
            f"insert into incidents_incident (title, {names}) select 'Case ' || g || ' of ' || md5(g::text), {names} "
            "from incidents_incident, generate_series(1, 5000) g where id = %s",
            [first.pk],
        )
        cursor.execute("set local session_replication_role = origin")
        for name in ("words", "said", "noted", "title_trigrams"):
            cursor.execute("select gin_clean_pending_list(%s::regclass)", [f"incidents_{name}"])
        cursor.execute("analyze incidents_incident")


@pytest.mark.usefixtures("thousands")
@pytest.mark.parametrize("role", ["agent", "auditor"])
def test_no_search_scans_the_table(role: str, team: Team) -> None:
    actor = person(UserFactory(), role, teams=(team,))
    rows = Incident.objects.visible_to(actor)
    newest = rows.matching("case", actor).filter(number__gt=queries.newest_number() - 500)
    searches = {
        "words": queries.by_index(rows.matching("case 4711", actor))[:50],
        "rare": queries.by_index(rows.matching("unheard", actor))[:50],
        "typos": queries.by_index(rows.resembling("unheard"))[:50],
        "newest": newest.order_by("-number")[:50],
        "alike": rows.sharing_words_with("unheard cases").order_by("-number")[:50],
    }
    plans = {name: one.explain() for name, one in searches.items()}
    assert not {name: plan for name, plan in plans.items() if "Seq Scan on incidents_incident" in plan}
    assert "incidents_words" in plans["rare"]


def test_the_migration_of_search_can_be_undone_and_done_again(team: Team) -> None:
    from importlib import import_module

    from django.apps import apps

    search = import_module("incidents.migrations.0011_search")
    incident = IncidentFactory(team=team)
    comment(incident=incident, body="Suspected fraud", is_public=False, by=SYSTEM, at=AT)
    with connection.schema_editor(atomic=False) as editor:
        editor.execute("set constraints all immediate")
        search.unmake(apps, editor)
        search.make(apps, editor)
    assert list(Incident.objects.matching("frauds", SYSTEM)) == [incident]
