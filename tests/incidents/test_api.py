"""Incidents by REST."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import Team, User
from audit.actor import SYSTEM
from incidents.actions import close, comment, resolve, restrict, revise
from incidents.models import Incident
from tests.accounts.factories import ApiKeyFactory, MembershipFactory, TeamFactory, UserFactory, bearer
from tests.incidents.factories import AT, CategoryFactory, IncidentFactory, ParticipantFactory, ServiceFactory, later
from tests.incidents.trail import fresh, kinds, last

pytestmark = pytest.mark.django_db

LIST = "/api/v1/incidents/"


def client_of(user: User | None, *scopes: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=bearer(ApiKeyFactory(user=user, scopes=list(scopes) or ["*:write"])))
    return client


def url(incident: Incident, verb: str = "") -> str:
    return f"{LIST}{incident.reference}/{verb + '/' if verb else ''}"


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


@pytest.fixture
def admin() -> APIClient:
    return client_of(UserFactory(roles=["admin"]))


def test_an_incident_is_logged_and_shown_with_its_reference(agent: APIClient, ines: User) -> None:
    made = agent.post(LIST, {"title": "VPN drops", "impact": 2, "urgency": 2, "channel": "phone"})
    assert made.status_code == 201, made.content
    assert (made.data["state"], made.data["priority"], made.data["logged_by"]) == ("new", 3, ines.pk)
    assert made["Location"].endswith(f"/api/v1/incidents/{made.data['reference']}/")
    shown = agent.get(made["Location"])
    assert (shown.status_code, shown.data["title"], shown["ETag"]) == (200, "VPN drops", made["ETag"])
    assert agent.get(made["Location"].replace("INC-", "inc-")).status_code == 200


def test_fixed_on_the_phone_is_one_request(agent: APIClient, ines: User) -> None:
    made = agent.post(
        LIST,
        {"title": "Password", "channel": "phone", "resolved": {"code": "fixed", "cause": "knowledge"}},
        format="json",
    )
    assert (made.status_code, made.data["state"], made.data["assignee"]) == (201, "resolved", ines.pk)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "title"),
        ({"title": "x", "state": "closed"}, "state"),
        ({"title": "x", "priority": 1}, "priority"),
        ({"title": "x", "colour": "red"}, "colour"),
        ({"title": "x", "impact": 9}, "impact"),
        ({"title": "x", "channel": "fax"}, "channel"),
        ({"title": "x", "team": 999999}, "team"),
        ({"title": "x", "reported_at": "2026-03-09T09:00:00"}, "reported_at"),
        ({"title": "x", "reported_at": "9999-01-01T00:00:00Z"}, "reported_at"),
        ({"title": "x", "reported_at": "8999-01-01T00:00:00Z"}, "reported_at"),
        ({"title": "x", "acknowledged_at": "2026-03-09T09:00:00Z"}, "acknowledged_at"),
        ({"title": "x", "resolved": {"code": "magic"}}, "resolved.code"),
    ],
)
def test_a_bad_body_is_refused_by_field(agent: APIClient, body: dict[str, Any], field: str) -> None:
    answer = agent.post(LIST, body, format="json")
    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"].startswith("application/problem+json")
    assert field in [one["field"] for one in answer.json()["errors"]]
    assert not Incident.objects.exists()


def test_the_whole_life_by_verbs(agent: APIClient, team: Team) -> None:
    caller = UserFactory()
    path = agent.post(LIST, {"title": "VPN drops", "team": team.pk, "requester": caller.pk})["Location"]
    steps = [
        ("claim", {}, "assigned"),
        ("start", {}, "in_progress"),
        ("hold", {"reason": "awaiting_vendor", "until": "2100-01-01T00:00:00Z"}, "on_hold"),
    ]
    for verb, body, state in steps[:2]:
        assert agent.post(f"{path}{verb}/", body).data["state"] == state
    refused = agent.post(f"{path}hold/", steps[2][1])
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "until")
    soon = (fresh(Incident.objects.get()).created_at + (later(days=1) - AT)).isoformat()
    for verb, body, state in [
        ("hold", {"reason": "awaiting_vendor", "until": soon}, "on_hold"),
        ("change-hold", {"reason": "awaiting_requester"}, "on_hold"),
        ("acknowledge", {}, "on_hold"),
        ("resume", {}, "in_progress"),
        ("contain", {"note": "isolated"}, "in_progress"),
        ("resolve", {"code": "fixed", "fix_kind": "workaround"}, "resolved"),
        ("reopen", {"reason": "still broken"}, "in_progress"),
        ("resolve", {"code": "fixed", "fix_kind": "workaround", "notes": "restarted"}, "resolved"),
        ("settle-workaround", {"outcome": "removed"}, "resolved"),
        ("close", {"confirmation": "by phone", "cause": "power"}, "closed"),
    ]:
        answer = agent.post(f"{path}{verb}/", body)
        assert (answer.status_code, answer.data.get("state")) == (200, state), (verb, answer.content)
    again = agent.post(f"{path}open-again/", {})
    assert (again.status_code, again.data["recurrence_of"]) == (201, Incident.objects.order_by("id")[0].reference)


def test_an_illegal_step_is_a_conflict_that_names_the_way_out(agent: APIClient, team: Team) -> None:
    answer = agent.post(url(IncidentFactory(team=team), "close"), {"confirmation": "x"})
    assert answer.status_code == 409
    assert answer.json()["errors"][0]["remedy"]


def test_assigning_by_rest(agent: APIClient, team: Team, ines: User) -> None:
    incident = IncidentFactory(team=team)
    assert agent.post(url(incident, "assign"), {}).status_code == 400
    assert agent.post(url(incident, "assign"), {"assignee": ines.pk}).data["assignee"] == ines.pk
    assert last(incident).data["old_assignee"] is None


def test_cancelling_and_overriding_are_for_leads(agent: APIClient, team: Team, admin: APIClient) -> None:
    incident = IncidentFactory(team=team)
    body = {"priority": 1, "reason": "board meeting"}
    assert agent.post(url(incident, "override-priority"), body).status_code == 403
    assert admin.post(url(incident, "override-priority"), body).data["priority"] == 1
    lifted = admin.post(url(incident, "override-priority"), {"priority": None, "reason": "over"}, format="json")
    assert lifted.data["priority"] == 5
    assert agent.post(url(incident, "cancel"), {"reason": "mistake"}).data["state"] == "cancelled"


def test_a_patch_revises_and_refuses_the_state(agent: APIClient, team: Team) -> None:
    incident, category = IncidentFactory(team=team), CategoryFactory()
    changed = agent.patch(url(incident), {"title": "Better", "impact": 1, "category": category.pk}, format="json")
    assert (changed.status_code, changed.data["title"], changed.data["priority"]) == (200, "Better", 3)
    for field in ("state", "priority", "team", "closed_at", "number", "version"):
        assert agent.patch(url(incident), {field: 1}).status_code == 400


def test_a_stale_patch_is_refused_with_the_difference(agent: APIClient, team: Team) -> None:
    incident = IncidentFactory(team=team, title="Old")
    etag = agent.get(url(incident))["ETag"]
    agent.patch(url(incident), {"title": "Newer"})
    stale = agent.patch(url(incident), {"title": "Mine"}, headers={"If-Match": etag})
    assert stale.status_code == 412
    assert stale.json()["diff"]["title"] == ["Old", "Newer"]
    verb = agent.post(url(incident, "claim"), {}, headers={"If-Match": etag})
    assert verb.status_code == 412


def test_the_same_idempotency_key_gives_the_same_incident(agent: APIClient) -> None:
    first, second = (agent.post(LIST, {"title": "VPN"}, headers={"Idempotency-Key": "k-1"}) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.data["reference"] == second.json()["reference"]
    assert Incident.objects.count() == 1


@pytest.mark.parametrize("verb", ["", "timeline", "comments", "history"])
def test_what_one_may_not_see_does_not_exist(agent: APIClient, verb: str) -> None:
    foreign = IncidentFactory(team=TeamFactory())
    assert agent.get(url(foreign, verb)).status_code == 404
    assert agent.get("/api/v1/incidents/INC-999999999999999/").status_code == 404


@pytest.mark.parametrize(
    "verb",
    ["assign", "claim", "start", "acknowledge", "hold", "change-hold", "resume", "contain", "resolve", "reopen",
     "close", "cancel", "override-priority", "settle-workaround", "open-again", "watch", "unwatch", "comments"],
)  # fmt: skip
def test_no_verb_reaches_what_one_may_not_see(verb: str) -> None:
    foreign = IncidentFactory(team=TeamFactory())
    stranger = client_of(UserFactory(roles=["requester"]))
    assert stranger.post(url(foreign, verb), {}).status_code == 404
    assert kinds(foreign) == ["opened"]


def test_the_list_is_scoped_filtered_and_searched(agent: APIClient, team: Team) -> None:
    service = ServiceFactory(owner_team=team)
    IncidentFactory(team=TeamFactory(), title="VPN secret")
    printer = IncidentFactory(team=team, title="Printer is jammed", impact=1, urgency=1, channel="phone")
    vpn = IncidentFactory(service=service, title="VPN drops", description="since the update of the gateway")
    done = resolve(incident=IncidentFactory(team=team, title="Mouse"), code="fixed", by=SYSTEM, at=AT)

    def found(**given: Any) -> list[str]:
        answer = agent.get(LIST, given)
        assert answer.status_code == 200, answer.content
        return [one["reference"] for one in answer.data["results"]]

    assert found() == [done.reference, vpn.reference, printer.reference]
    assert found(state="resolved") == [done.reference]
    assert found(state=["new", "resolved"], order="oldest") == [printer.reference, vpn.reference, done.reference]
    assert found(is_open="true") == [vpn.reference, printer.reference]
    assert found(is_open="false") == [done.reference]
    assert found(priority=1) == found(priority__lte=2) == found(channel="phone") == [printer.reference]
    assert found(service=service.pk) == [vpn.reference]
    assert found(unassigned="false") == []
    assert found(reported_since="2026-03-10T00:00:00Z") == []
    assert found(search="vpn gateway") == [vpn.reference]
    assert found(search="printr jamed") == [printer.reference]
    assert found(search=vpn.reference) == found(search=str(vpn.number)) == [vpn.reference]
    assert found(search="secret") == []


def test_a_nul_in_the_body_is_refused(agent: APIClient) -> None:
    assert agent.post(LIST, {"title": "a\u0000b"}, format="json").status_code == 400


@pytest.mark.parametrize("given", ["stat=new", "state=open", "team=x", "order=up", "limit=0"])
def test_unknown_filters_are_refused(agent: APIClient, given: str) -> None:
    assert agent.get(f"{LIST}?{given}").status_code == 400


@pytest.mark.parametrize("words", ["'", '"', "a & | !", "%", "\\", "((", "x" * 200, "ñ", "INC-", "-", "or and"])
def test_odd_searches_are_harmless(agent: APIClient, words: str) -> None:
    assert agent.get(LIST, {"search": words}).status_code == 200


def test_pages_follow_each_other(agent: APIClient, team: Team) -> None:
    made = [IncidentFactory(team=team).reference for _ in range(5)]
    seen, address = [], f"{LIST}?limit=2"
    while address:
        answer = agent.get(address)
        seen += [one["reference"] for one in answer.data["results"]]
        address = answer.data["next"]
    assert seen == made[::-1]


def test_a_requester_reads_only_the_public_part() -> None:
    caller = UserFactory(roles=["requester"])
    client = client_of(caller)
    incident = IncidentFactory(requester=caller, team=TeamFactory(), source_label="inner", external_ref="X1")
    comment(incident=incident, body="He always breaks it.", by=SYSTEM, at=AT)
    comment(incident=incident, body="We are on it.", is_public=True, by=SYSTEM, at=AT)
    shown = client.get(url(incident)).data
    assert (shown["source_label"], shown["external_ref"], shown["logged_by"]) == (None, None, None)
    listed = client.get(LIST).data["results"][0]
    assert listed == shown
    assert [one["body"] for one in client.get(url(incident, "comments")).data["results"]] == ["We are on it."]
    timeline = client.get(url(incident, "timeline")).data["results"]
    assert [(one["kind"], one["text"], one["data"]) for one in timeline] == [
        ("incident.commented", "We are on it.", {}), ("incident.opened", "", {}),
    ]  # fmt: skip
    assert client.get(url(incident, "history")).status_code == 404


def test_a_requester_confirms_or_reopens_their_own() -> None:
    caller = UserFactory(roles=["requester"])
    client = client_of(caller)
    incident = resolve(incident=IncidentFactory(requester=caller), code="fixed", by=SYSTEM, at=AT)
    assert client.post(url(incident, "reopen"), {"reason": "no"}).data["state"] == "in_progress"
    incident = resolve(incident=incident, code="fixed", by=SYSTEM, at=AT)
    assert client.post(url(incident, "close")).data["state"] == "closed"
    assert client.post(url(incident, "assign"), {"assignee": caller.pk}).status_code == 403


def test_a_requester_reports_by_rest() -> None:
    caller = UserFactory(roles=["requester"])
    made = client_of(caller).post(LIST, {"title": "Help"})
    assert (made.status_code, made.data["requester"]) == (201, caller.pk)


def test_staff_read_the_whole_story(agent: APIClient, team: Team) -> None:
    incident = IncidentFactory(team=team)
    agent.post(url(incident, "comments"), {"body": "  indented\nnote"})
    agent.post(url(incident, "acknowledge"))
    timeline = agent.get(url(incident, "timeline")).data["results"]
    assert [one["kind"] for one in timeline if one["kind"].startswith("incident.")] == [
        "incident.acknowledged", "incident.commented", "incident.opened",
    ]  # fmt: skip
    assert next(one["text"] for one in timeline if one["kind"] == "incident.commented") == "indented\nnote"
    history = agent.get(url(incident, "history")).data["results"]
    assert [one["version"] for one in history] == [2, 1]
    assert history[0]["changes"]["state"] == ["new", "in_progress"]


def test_two_acknowledgements_by_rest(agent: APIClient, team: Team, admin: APIClient) -> None:
    incident = IncidentFactory(team=team)
    assert agent.post(url(incident, "acknowledge")).status_code == 200
    assert agent.post(url(incident, "acknowledge")).status_code == 200
    second = admin.post(url(incident, "acknowledge"))
    assert (second.status_code, second.json()["holder"]) == (409, "Ines")


def test_an_integration_works_within_its_scope_and_never_acknowledges(team: Team) -> None:
    robot = client_of(None, "incidents:write")
    incident = IncidentFactory(team=team)
    assert robot.post(url(incident, "acknowledge")).status_code == 403
    assert robot.post(url(incident, "resolve"), {"code": "recovered"}).data["state"] == "resolved"
    assert robot.post(url(incident, "close"), {"confirmation": "x"}).status_code == 403
    reader = client_of(None, "incidents:read")
    assert reader.get(url(incident)).status_code == 200
    assert reader.post(LIST, {"title": "x"}).status_code == 403
    assert client_of(None, "teams:write").get(url(incident)).status_code == 403


def test_following_by_rest(team: Team) -> None:
    watcher = UserFactory(roles=["agent"])
    client = client_of(watcher)
    incident = IncidentFactory(team=TeamFactory())
    ParticipantFactory(incident=incident, user=watcher, role="paged")
    assert client.post(url(incident, "watch"), {}).data["role"] == "watcher"
    assert client.post(url(incident, "unwatch"), {}).status_code == 204
    assert kinds(incident)[1:] == ["participant_added", "participant_removed"]


def test_a_closed_incident_takes_no_verb_but_open_again(admin: APIClient) -> None:
    incident = close(incident=resolve(incident=IncidentFactory(), code="fixed", by=SYSTEM, at=AT), by=SYSTEM, at=AT)
    for verb in ("claim", "start", "acknowledge", "resume", "reopen"):
        assert admin.post(url(incident, verb)).status_code == 409, verb
    assert admin.delete(url(incident)).status_code == 405


def test_categories_and_services_are_configured(admin: APIClient, agent: APIClient) -> None:
    root = admin.post("/api/v1/categories/", {"name": "Network"}).data
    leaf = admin.post("/api/v1/categories/", {"name": "VPN", "parent": root["id"]}).data
    assert leaf["path"] == "Network > VPN"
    loop = admin.patch(f"/api/v1/categories/{root['id']}/", {"parent": leaf["id"]})
    assert loop.status_code == 400
    deep = leaf["id"]
    for depth, expected in ((3, 201), (4, 400)):
        answer = admin.post("/api/v1/categories/", {"name": f"deep {depth}", "parent": deep})
        assert answer.status_code == expected
        deep = answer.data.get("id", deep)
    service = admin.post("/api/v1/services/", {"name": "Mail", "slug": "mail", "criticality": 1})
    assert service.status_code == 201
    assert agent.post("/api/v1/services/", {"name": "X", "slug": "x"}).status_code == 403
    assert agent.get("/api/v1/services/?slug=mail").data["results"][0]["name"] == "Mail"


def test_a_used_category_is_retired_and_not_removed(admin: APIClient) -> None:
    category = CategoryFactory()
    IncidentFactory(category=category)
    assert admin.delete(f"/api/v1/categories/{category.pk}/").status_code == 409
    retire = f"/api/v1/categories/{category.pk}/retire/"
    assert admin.patch(f"/api/v1/categories/{category.pk}/", {"is_active": False}).status_code == 409
    assert admin.post(retire, {"successor": CategoryFactory().pk}).data["is_active"] is False


def test_the_matrix_is_saved_as_a_new_version(admin: APIClient, agent: APIClient) -> None:
    saved = admin.post("/api/v1/priority-matrix/", {"rows": [[1, 2], [3, 4]]}, format="json")
    assert (saved.status_code, saved.data["number"], saved.data["is_current"]) == (201, 2, True)
    assert agent.get("/api/v1/priority-matrix/?is_current=true").data["results"][0]["number"] == 2
    assert admin.post("/api/v1/priority-matrix/", {"rows": [[1, 9]]}, format="json").status_code == 400
    for wrong in ({}, {"rows": 1.5}, {"rows": [[1]], "impacts": 5}, {"rows": [[1]], "urgencies": "a"}):
        assert admin.post("/api/v1/priority-matrix/", wrong, format="json").status_code == 400, wrong
    assert admin.patch("/api/v1/priority-matrix/1/", {"rows": [[1]]}, format="json").status_code == 405
    assert agent.post("/api/v1/priority-matrix/", {"rows": [[1]]}, format="json").status_code == 403


def test_a_list_takes_the_same_few_statements_at_any_length(
    agent: APIClient, team: Team, django_assert_max_num_queries: Any
) -> None:
    IncidentFactory(team=team)
    agent.get(LIST)
    with django_assert_max_num_queries(5) as few:
        agent.get(LIST)
    for _ in range(40):
        IncidentFactory(team=team, category=CategoryFactory(), requester=UserFactory())
    with django_assert_max_num_queries(len(few)):
        assert len(agent.get(LIST).data["results"]) == 41


def test_opening_by_rest_takes_few_statements(agent: APIClient, team: Team, django_assert_max_num_queries: Any) -> None:
    service = ServiceFactory(owner_team=team)
    agent.get(LIST)
    with django_assert_max_num_queries(10):
        agent.post(LIST, {"title": "VPN", "service": service.pk})


def test_a_verb_by_rest_takes_few_statements(agent: APIClient, team: Team, django_assert_max_num_queries: Any) -> None:
    incident = IncidentFactory(team=team)
    agent.get(LIST)
    with django_assert_max_num_queries(10):
        agent.post(url(incident, "start"))


def test_a_restricted_incident_is_absent_for_manager_admin_and_key_and_an_auditors_look_is_recorded(
    team: Team, agent: APIClient, admin: APIClient
) -> None:
    incident = restrict(incident=IncidentFactory(team=team), reason="private", by=SYSTEM, at=AT)
    for client in (admin, client_of(UserFactory(roles=["manager"])), client_of(None, "incidents:write")):
        assert client.get(url(incident)).status_code == 404
        assert client.get(LIST).json()["results"] == []
        assert client.post(url(incident, "comments"), {"body": "x"}).status_code == 404
    assert agent.get(url(incident)).json()["restricted_reason"] == "private"
    auditor = client_of(UserFactory(roles=["auditor"]))
    for address in (LIST, url(incident), url(incident, "timeline")):
        assert auditor.get(address).status_code == 200
    assert kinds(incident) == ["opened", "restricted", "restricted_read", "restricted_read", "restricted_read"]


def test_a_requester_who_asks_for_an_internal_note_is_told_that_there_is_none(team: Team) -> None:
    maria = UserFactory(roles=["requester"])
    incident = IncidentFactory(requester=maria, team=team)
    refused = client_of(maria).post(url(incident, "comments"), {"body": "Between us", "is_public": False})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "is_public")
    assert not incident.comments.exists()
    assert client_of(maria).post(url(incident, "comments"), {"body": "Hello"}).data["is_public"] is True


def test_an_agent_notes_among_colleagues_on_an_incident_of_their_own(agent: APIClient, ines: User, team: Team) -> None:
    incident = IncidentFactory(requester=ines, team=team)
    noted = agent.post(url(incident, "comments"), {"body": "My own laptop", "is_public": False})
    assert (noted.status_code, noted.data["is_public"], noted.data["author_kind"]) == (201, False, "agent")


def test_a_requester_never_reads_the_name_of_a_key(team: Team) -> None:
    maria = UserFactory(roles=["requester"])
    incident = IncidentFactory(requester=maria, team=team)
    robot = client_of(None)
    assert robot.post(url(incident, "comments"), {"body": "Rebooted", "is_public": True}).status_code == 201
    for place in ("comments", "timeline"):
        shown = client_of(maria).get(url(incident, place)).json()["results"]
        assert team.name in str(shown), place
        assert "Key " not in str(shown), place
    assert "key Key" in str(robot.get(url(incident, "timeline")).json())


@pytest.mark.parametrize("name", ["is_open", "unassigned", "is_drill", "is_imported"])
def test_a_filter_of_yes_or_no_takes_nothing_else(agent: APIClient, name: str) -> None:
    for value in ("maybe", "2", "ja", "nul%00"):
        answer = agent.get(f"{LIST}?{name}={value}")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, name), value
    for value in ("true", "False", "1", "0", ""):
        assert agent.get(f"{LIST}?{name}={value}").status_code == 200, value


def test_every_filter_of_yes_or_no_or_of_a_choice_refuses_what_is_neither() -> None:
    admin, seen = client_of(UserFactory(roles=["admin"])), 0
    schema = admin.get("/api/schema/?format=json").json()
    for path, methods in schema["paths"].items():
        for one in methods.get("get", {}).get("parameters", []):
            kind = one["schema"].get("items", one["schema"])
            if one["in"] == "query" and "{" not in path and (kind.get("type") == "boolean" or "enum" in kind):
                answer = admin.get(path, {one["name"]: "maybe"})
                assert answer.status_code == 400, (path, one["name"])
                seen += 1
    assert seen > 20


def test_a_filter_by_person_does_not_tell_a_requester_who_exists(team: Team) -> None:
    client, other = client_of(UserFactory(roles=["requester"])), UserFactory()
    for name, value in (("assignee", other.pk), ("requester", other.pk), ("team", team.pk)):
        known, unknown = (client.get(f"{LIST}?{name}={one}") for one in (value, 999_999))
        assert (known.status_code, unknown.status_code) == (400, 400), name
        assert known.json()["errors"] == unknown.json()["errors"]


def test_a_stale_change_names_each_field_with_what_was_seen_and_what_is_now(agent: APIClient, team: Team) -> None:
    incident = IncidentFactory(title="VPN", team=team)
    tag = agent.get(url(incident))["ETag"]
    agent.patch(url(incident), {"title": "VPN drops"})
    for refused in (
        agent.patch(url(incident), {"urgency": 1}, headers={"If-Match": tag}),
        agent.post(url(incident, "claim"), {}, headers={"If-Match": tag}),
    ):
        assert (refused.status_code, refused.json()["diff"]) == (412, {"title": ["VPN", "VPN drops"]})
        assert [one["field"] for one in refused.json()["errors"]] == ["title"]
        assert "VPN when you read it, VPN drops now" in refused.json()["errors"][0]["cause"]


def test_a_requesters_stale_change_shows_nothing_internal(team: Team) -> None:
    maria = UserFactory(roles=["requester"])
    incident = IncidentFactory(requester=maria, team=team, external_ref="A-1")
    tag = client_of(maria).get(url(incident))["ETag"]
    revise(incident=incident, values={"external_ref": "B-2", "title": "New"}, by=SYSTEM, at=AT)
    refused = client_of(maria).post(url(incident, "comments"), {"body": "x"}, headers={"If-Match": tag})
    assert (refused.status_code, list(refused.json()["diff"])) == (412, ["title"])


@pytest.mark.parametrize("title", ["\u200b\u200d", "\u2066\u202e", "\u3164\u2800", " \ufeff "])
def test_a_title_that_shows_nothing_is_refused(agent: APIClient, title: str) -> None:
    refused = agent.post(LIST, {"title": title})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "title")


def test_a_title_turns_no_line_around(agent: APIClient) -> None:
    made = agent.post(LIST, {"title": "Invoice \u202egnp.exe \u05e9\u05dc\u05d5\u05dd"})
    assert made.data["title"] == "Invoice gnp.exe \u05e9\u05dc\u05d5\u05dd"
