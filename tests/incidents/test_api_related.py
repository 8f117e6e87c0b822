"""Family, links, parts, tasks and major incidents by REST; what one may not see does not exist."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

import incidents.actions as verbs
from accounts.models import User
from audit.actor import SYSTEM
from incidents.models import Incident
from tests.accounts.factories import ApiKeyFactory, MembershipFactory, TeamFactory, UserFactory, bearer
from tests.incidents.factories import AT, CommentFactory, IncidentFactory

pytestmark = pytest.mark.django_db


class Api:
    """An agent of a team, and shorthand for the incident routes."""

    def __init__(self, *roles: str) -> None:
        self.team = TeamFactory()
        self.user: User = UserFactory(roles=list(roles or ("agent",)))
        MembershipFactory(user=self.user, team=self.team)
        self.client = APIClient()
        self.client.credentials(HTTP_AUTHORIZATION=bearer(ApiKeyFactory(user=self.user)))

    def incident(self, **given: Any) -> Incident:
        found: Incident = IncidentFactory(team=self.team, **given)
        return found

    def post(self, incident: Incident, verb: str, status: int = 200, **body: Any) -> Any:
        answer = self.client.post(f"/api/v1/incidents/{incident.reference}/{verb}/", body, format="json")
        assert answer.status_code == status, answer.content
        return answer.json() if answer.content else None

    def get(self, path: str, status: int = 200) -> Any:
        answer = self.client.get(f"/api/v1/{path}")
        assert answer.status_code == status, answer.content
        return answer.json()


def test_merge_and_back() -> None:
    api = Api()
    one, other = api.incident(), api.incident()
    assert api.post(one, "merge", into=other.reference)["reference"] == other.reference
    assert api.get(f"incidents/{one.reference}/")["merged_into"] == other.reference
    assert len(api.get(f"incidents/?merged_into={other.reference}")["results"]) == 1
    assert api.post(one, "unmerge")["merged_into"] is None


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("merge", {"into": "?"}),
        ("set-parent", {"parent": "?"}),
        ("duplicate", {"of": "?"}),
        ("links", {"other": "?", "kind": "related"}),
    ],
)
def test_an_incident_out_of_scope_does_not_exist(verb: str, body: dict[str, Any]) -> None:
    api = Api()
    mine, theirs = api.incident(), IncidentFactory(team=TeamFactory())
    given = {name: theirs.reference if value == "?" else value for name, value in body.items()}
    api.post(mine, verb, 404, **given)
    api.post(theirs, verb, 404, **{**given, next(iter(body)): mine.reference})
    assert Incident.objects.filter(version__gt=1).count() == 0


def test_a_link_to_what_one_may_not_see_is_not_listed() -> None:
    api = Api()
    mine, theirs = api.incident(), IncidentFactory(team=TeamFactory())
    verbs.add_link(incident=mine, other=theirs, kind="related", by=SYSTEM, at=AT)
    assert api.get(f"incidents/{mine.reference}/links/")["results"] == []
    link = api.post(mine, "links", 201, other=api.incident().reference, kind="caused_by")
    api.post(mine, "unlink", 204, link=link["id"])
    assert api.get(f"incidents/{mine.reference}/links/")["results"] == []


def test_a_family_by_its_references() -> None:
    api = Api()
    child, parent = api.incident(), api.incident()
    assert api.post(child, "set-parent", parent=parent.reference)["parent"] == parent.reference
    assert [one["reference"] for one in api.get(f"incidents/?parent={parent.reference}")["results"]] == [
        child.reference
    ]
    api.post(parent, "set-parent", 409, parent=parent.reference)
    api.post(child, "set-parent", 400, parent=True)
    assert api.post(child, "set-parent", parent=None)["parent"] is None


def test_a_comment_is_split_off() -> None:
    api = Api()
    old = api.incident()
    said = CommentFactory(incident=old)
    part = api.post(old, "split", 201, title="Another matter", comment=said.pk)
    assert part["description"] == said.body
    api.post(old, "split", 400, title="x", comment=CommentFactory().pk)
    assert api.post(old, "duplicate", of=part["reference"])["cancel_reason"] == "duplicate"


def test_tasks_are_noted_changed_done_and_dropped() -> None:
    api = Api()
    incident = api.incident()
    task = api.post(incident, "tasks", 201, title="Order a toner", owner=api.user.pk, due_at="2026-03-12T09:00:00Z")
    assert [one["id"] for one in api.get("tasks/?is_open=true")["results"]] == [task["id"]]
    changed = api.client.patch(f"/api/v1/tasks/{task['id']}/", {"title": "Order two"}, format="json")
    assert changed.json()["title"] == "Order two"
    assert api.client.post(f"/api/v1/tasks/{task['id']}/finish/").json()["done_by"] == api.user.pk
    assert api.client.post(f"/api/v1/tasks/{task['id']}/drop/").status_code == 409
    assert len(api.get(f"incidents/{incident.reference}/tasks/")["results"]) == 1
    Api().get(f"tasks/{task['id']}/", 404)


def test_resolving_warns_of_open_tasks() -> None:
    api = Api()
    incident = api.incident()
    api.post(incident, "tasks", 201, title="Order a toner")
    answer = api.client.post(f"/api/v1/incidents/{incident.reference}/resolve/", {"code": "fixed"}, format="json")
    assert answer["Warning"] == '199 - "1 tasks are still open"'


def test_a_requester_sees_no_tasks() -> None:
    api = Api("requester")
    incident = IncidentFactory(requester=api.user)
    verbs.add_task(incident=incident, title="x", by=SYSTEM, at=AT)
    assert api.get(f"incidents/{incident.reference}/tasks/")["results"] == []
    assert api.get("tasks/")["results"] == []
    api.post(incident, "tasks", 403, title="y")


def test_a_major_incident_from_proposal_to_demotion() -> None:
    agent, boss = Api(), Api("incident_manager")
    incident = agent.incident()
    agent.get(f"incidents/{incident.reference}/major/", 404)
    assert agent.post(incident, "propose-major", 201, reason="all tills")["state"] == "proposed"
    agent.post(incident, "accept-major", 403)
    assert boss.post(incident, "accept-major", scribe=agent.user.pk)["commander"] == boss.user.pk
    assert boss.get("incidents/?is_major=true")["results"][0]["is_major"] is True
    assert agent.post(incident, "give-update", 201, body="We know why.")["is_public"] is True
    assert agent.post(incident, "set-major-roles", commander=agent.user.pk)["commander"] == agent.user.pk
    assert agent.post(incident, "plan-closing", owner=agent.user.pk, close_on="2126-03-20")["closing_owner"]
    boss.post(incident, "demote-major", 400)
    assert boss.post(incident, "demote-major", reason="one till")["state"] == "demoted"
