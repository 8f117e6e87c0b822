"""Incidents in the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Team, User
from audit.actor import SYSTEM
from incidents.actions import comment, resolve
from incidents.models import Category, Incident, PriorityMatrix
from tests.accounts.factories import MembershipFactory, TeamFactory, UserFactory
from tests.incidents.factories import AT, IncidentFactory
from tests.incidents.trail import fresh, kinds

pytestmark = pytest.mark.django_db

ADD = "/admin/incidents/incident/add/"


def signed_in(*roles: str, team: Team | None = None) -> Client:
    user: User = UserFactory(roles=list(roles))
    if team is not None:
        MembershipFactory(user=user, team=team)
    client = Client()
    client.force_login(user)
    return client


def page(incident: Incident) -> str:
    return reverse("admin:incidents_incident_change", args=[incident.pk])


def press(client: Client, incident: Incident, verb: str, **given: Any) -> Any:
    address = reverse("admin:incidents_incident_transition", args=[incident.pk, verb])
    return client.post(address, {"_version": fresh(incident).version, **given}, follow=True)


FORM = {
    "title": "VPN drops", "kind": "incident", "impact": "2", "urgency": "2", "channel": "phone", "description": "",
    "comments-TOTAL_FORMS": "0", "comments-INITIAL_FORMS": "0",
}  # fmt: skip


def test_an_incident_is_logged_in_the_admin() -> None:
    caller = UserFactory(email="maria@example.org")
    client = signed_in("agent")
    assert client.get(ADD).status_code == 200
    answer = client.post(ADD, {**FORM, "requester": "Maria@example.org"})
    assert answer.status_code == 302, answer.context and answer.context["errors"]
    incident = Incident.objects.get()
    assert (incident.requester_id, incident.priority, incident.state) == (caller.pk, 3, "new")
    assert kinds(incident) == ["opened"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("impact", "9"), ("requester", "nobody@example.org"), ("reported_at_0", "2999-01-01"), ("title", "")],
)
def test_a_refusal_is_an_error_of_the_form(field: str, value: str) -> None:
    given = {**FORM, field: value, "reported_at_1": "10:00:00" if field == "reported_at_0" else ""}
    answer = signed_in("agent").post(ADD, given)
    assert answer.status_code == 200
    assert field.removesuffix("_0") in answer.context["adminform"].form.errors
    assert not Incident.objects.exists()


def test_each_permitted_transition_is_a_button() -> None:
    team = TeamFactory()
    incident = IncidentFactory(team=team)
    shown = signed_in("agent", team=team).get(page(incident)).content.decode()
    for verb in ("acknowledge", "claim", "assign", "start", "hold", "resolve", "cancel", "comment"):
        assert f"/do/{verb}/" in shown
    for verb in ("reopen", "close", "resume", "override-priority"):
        assert f"/do/{verb}/" not in shown


def test_the_whole_life_by_buttons() -> None:
    client, incident = signed_in("admin"), IncidentFactory()
    steps: list[tuple[str, dict[str, str], str]] = [
        ("acknowledge", {}, "in_progress"),
        ("hold", {"hold_reason": "scheduled", "until_0": "2026-12-24", "until_1": "10:00:00"}, "on_hold"),
        ("resume", {}, "in_progress"),
        ("comment", {"body": "done", "is_public": "on"}, "in_progress"),
        ("override-priority", {"priority": "1", "reason": "board"}, "in_progress"),
        ("assign", {"assignee": UserFactory(email="wen@example.org").email}, "in_progress"),
        ("resolve", {"code": "fixed", "fix_kind": "fix"}, "resolved"),
        ("reopen", {}, "in_progress"),
        ("resolve", {"code": "fixed", "fix_kind": "fix"}, "resolved"),
        ("close", {"confirmation": "by phone", "cause": "power"}, "closed"),
    ]
    for verb, given, state in steps:
        answer = press(client, incident, verb, **given)
        assert fresh(incident).state == state, (verb, [str(one) for one in answer.context["messages"]])
    assert (fresh(incident).priority, str(fresh(incident).assignee)) == (
        1,
        str(User.objects.get(email="wen@example.org")),
    )


def test_a_button_needs_a_post_and_a_fresh_page() -> None:
    client, incident = signed_in("admin"), IncidentFactory()
    address = reverse("admin:incidents_incident_transition", args=[incident.pk, "start"])
    assert client.get(address).status_code == 405
    stale = client.post(address, {"_version": 77}, follow=True)
    assert fresh(incident).state == "new"
    assert "version" in " ".join(str(one) for one in stale.context["messages"])


def test_state_and_derived_fields_are_not_edited() -> None:
    client, incident = signed_in("admin"), IncidentFactory(title="Old")
    given = {**FORM, "title": "New", "state": "closed", "priority": "1", "number": "7", "_version": "1"}
    given |= {"impact": "3", "urgency": "3"}
    assert client.post(page(incident), given).status_code == 302
    now = fresh(incident)
    assert (now.title, now.state, now.priority, now.number) == ("New", "new", 5, incident.number)
    assert kinds(incident) == ["opened", "details_changed"]


def test_a_stale_save_is_refused_with_what_changed() -> None:
    client, incident = signed_in("admin"), IncidentFactory(title="Old")
    first = {**FORM, "title": "Mine", "_version": "1"}
    assert client.post(page(incident), first).status_code == 302
    second = client.post(page(incident), {**FORM, "title": "Theirs", "_version": "1"})
    assert second.status_code == 200
    assert "Old → Mine" in second.content.decode()
    assert fresh(incident).title == "Mine"


def test_an_auditor_sees_everything_and_changes_nothing() -> None:
    client, incident = signed_in("auditor"), IncidentFactory(team=TeamFactory())
    assert client.get(page(incident)).status_code == 200
    assert "/do/" not in client.get(page(incident)).content.decode()
    press(client, incident, "start")
    assert client.post(page(incident), {**FORM, "_version": "1"}).status_code == 403
    assert client.get(ADD).status_code == 403
    assert (fresh(incident).state, fresh(incident).version) == ("new", 1)


def test_a_foreign_incident_is_not_there() -> None:
    client, incident = signed_in("agent", team=TeamFactory()), IncidentFactory(team=TeamFactory())
    assert client.get(page(incident)).status_code == 302
    press(client, incident, "start")
    assert fresh(incident).state == "new"
    assert incident.reference not in client.get("/admin/incidents/incident/").content.decode()


def test_internal_notes_stay_internal_in_the_admin() -> None:
    agent = UserFactory(roles=["agent"])
    incident = IncidentFactory(requester=agent, team=TeamFactory())
    comment(incident=incident, body="He always breaks it.", by=SYSTEM, at=AT)
    comment(incident=incident, body="We are on it.", is_public=True, by=SYSTEM, at=AT)
    client = Client()
    client.force_login(agent)
    shown = client.get(page(incident)).content.decode()
    assert "We are on it." in shown
    assert "always breaks" not in shown


def test_the_history_page_shows_each_version() -> None:
    client, incident = signed_in("admin"), IncidentFactory()
    resolve(incident=incident, code="fixed", by=SYSTEM, at=AT)
    shown = client.get(reverse("admin:incidents_incident_history", args=[incident.pk]))
    assert shown.status_code == 200
    assert "system" in shown.content.decode()


def test_search_in_the_admin_uses_the_index() -> None:
    client, incident = signed_in("admin"), IncidentFactory(title="Gateway is down")
    for words in ("gateway", incident.reference, "gatewy"):
        assert incident.reference in client.get("/admin/incidents/incident/", {"q": words}).content.decode()
    assert incident.reference not in client.get("/admin/incidents/incident/?q=printer").content.decode()


def test_configuration_in_the_admin() -> None:
    client = signed_in("admin")
    assert client.post("/admin/incidents/category/add/", {"name": "Network", "is_active": "on"}).status_code == 302
    assert Category.objects.get().name == "Network"
    matrix = {"name": "Two by two", "rows": "[[1, 2], [3, 4]]", "impacts": '["a", "b"]', "urgencies": '["a", "b"]'}
    assert client.post("/admin/incidents/prioritymatrix/add/", matrix).status_code == 302
    assert PriorityMatrix.objects.get(is_current=True).rows == [[1, 2], [3, 4]]
    bad = client.post("/admin/incidents/prioritymatrix/add/", {**matrix, "rows": "[[1, 2], [3]]"})
    assert (bad.status_code, "rows" in bad.context["adminform"].form.errors) == (200, True)


@pytest.mark.parametrize("model", ["incident", "category", "service", "prioritymatrix", "comment", "participant"])
def test_every_list_opens(model: str) -> None:
    incident = IncidentFactory()
    comment(incident=incident, body="x", by=SYSTEM, at=AT)
    assert signed_in("admin").get(f"/admin/incidents/{model}/").status_code == 200
