"""Each route and method answers each of the nine roles as the reviewed table says.

The whole table is asked in the proof (MATRIX=all); each run asks a share of it.
After a new route `MATRIX=new pytest tests/servicedesk/test_authorisation.py` writes the rows that are missing, after a
change that is meant MATRIX=record writes all: then review the difference of docs/authorisation.csv as you would review
code, and run `manage.py docs`.
"""

from __future__ import annotations

import dataclasses
import fcntl
import os
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.template import Template
from django.test import Client
from django.utils import timezone

import incidents.actions
from accounts.models import User
from accounts.queries import actor_for
from accounts.roles import Role
from audit.actor import SYSTEM
from incidents.models import Incident
from servicedesk import reference
from tests.accounts.factories import ApiKeyFactory, MembershipFactory, TeamFactory, UserFactory, bearer
from tests.servicedesk.test_desk_crawl import _filled, _mounted, routes, samples

MODE = os.environ.get("MATRIX", "")
RECORDING = MODE in ("new", "record")
#: One of so many requests is made in a normal run; MATRIX=all makes each.
SHARE = 1 if MODE else 40
#: One desk for each role where all is asked, so that they can be asked side by side; else one for all of them.
GROUPS = [[role] for role in reference.ROLES] if MODE else [list(reference.ROLES)]
#: Ends the session that the other requests need; open to everybody.
LEFT_OUT = "logout/"
UNREVIEWED = reference.UNREVIEWED

_TEXT = {"reason": "because", "note": "noted"}
#: What an incident's verbs take; every other route is asked with an empty body.
BODIES: dict[str, dict[str, Any]] = {
    "assign": {"assignee": None}, "hold": {"reason": "awaiting_requester"}, "change-hold": {"note": "x"},
    "contain": {"note": "x"}, "escalate": {"how": "hierarchical", "reason": "x"}, "restrict": {"reason": "x"},
    "unrestrict": {"reason": "x"}, "resolve": {"code": "fixed", "notes": "x", "fix_kind": "fix"},
    "settle-workaround": {"outcome": "removed"}, "close": {"confirmation": "by phone", "cause": "power"},
    "confirm": {"works": True}, "cancel": {"reason": "mistake"}, "override-priority": {"priority": 2, "reason": "x"},
    "comments": {"body": "x"}, "incidents": {"title": "Out of paper"},
}  # fmt: skip
#: Verbs that mean something only later in the incident's life.
LATER = {
    "close": "resolved", "reopen": "resolved", "confirm": "resolved", "settle-workaround": "resolved",
    "settle-reply": "resolved", "open-again": "closed",
}  # fmt: skip


@dataclasses.dataclass
class Scene:
    """One person for each role, in one team, and its incident in three states of its life."""

    people: dict[str, User]
    references: dict[str, str]
    values: dict[str, str]

    @classmethod
    def build(cls) -> Scene:
        people: dict[str, Any] = {
            role.value: UserFactory(roles=[role]) for role in Role if role is not Role.INTEGRATION
        }
        team = TeamFactory()
        for name in ("agent", "lead", "responder"):
            MembershipFactory(user=people[name], team=team, is_lead=name == "lead")
        rows = {
            state: incidents.actions.open_incident(
                title="Printer", team=team, requester=people["requester"], by=SYSTEM, at=timezone.now()
            )
            for state in ("open", "resolved", "closed")
        }
        for state in ("resolved", "closed"):
            incidents.actions.resolve(incident=rows[state], code="fixed", by=SYSTEM, at=timezone.now())
        done = Incident.objects.get(pk=rows["closed"].pk)
        incidents.actions.close(incident=done, by=SYSTEM, at=timezone.now())
        return cls(people, {state: row.reference for state, row in rows.items()}, samples())

    def client(self, role: str) -> Client:
        if role == Role.INTEGRATION:
            return Client(raise_request_exception=False, headers={"authorization": bearer(ApiKeyFactory(user=None))})
        client = Client(raise_request_exception=False)
        client.force_login(self.people[role])
        return client

    def address(self, route: str, view: Any, mounted: dict[str, Any]) -> str:
        verb = route.rstrip("/$").rpartition("/")[2]
        values = {**self.values, "reference": self.references[LATER.get(verb, "open")]}
        return _filled(route, view, values, mounted)


def body_of(route: str) -> dict[str, Any]:
    if "incidents" not in route or "admin/" in route:
        return {}
    return BODIES.get(route.rstrip("/$").rpartition("/")[2].lstrip("^"), {})


def answer_of(status: int, where: str) -> str:
    if status == 401 or (status == 302 and where.startswith(("/accounts/login/", "/admin/login/"))):
        return "sign in"
    if status in (403, 404, 405):
        return "no" if status == 403 else str(status)
    if status == 400 or status in (413, 415, 422, 428):
        return "body"
    return "yes" if status < 400 or status in (409, 412, 503) else str(status)


def ask(client: Client, method: str, address: str, body: dict[str, Any]) -> str:
    """One request, of which nothing stays."""
    with transaction.atomic():
        kind: dict[str, Any] = {} if method == "GET" else {"content_type": "application/json"}
        if method != "GET" and not address.startswith("/api/"):
            kind = {}
        answer = client.generic(method, address, **kind) if not body else _sent(client, method, address, body)
        where = answer.headers.get("Location", "") if answer.status_code == 302 else ""
        answer.close()
        transaction.set_rollback(True)
    return answer_of(answer.status_code, where)


def _sent(client: Client, method: str, address: str, body: dict[str, Any]) -> Any:
    send = getattr(client, method.lower())
    return send(address) if method == "GET" else send(address, body, content_type="application/json")


def wanted(role: str) -> Iterator[tuple[tuple[str, str], str, Any]]:
    known = reference.read_answers() if MODE == "new" else {}
    for route, view in routes():
        path = "/" + reference._APP_LIST.sub("<app_label>", route)
        for method in reference.methods_of(view):
            chosen = zlib.crc32(f"{path} {method} {role}".encode()) % SHARE == 0
            is_known = known.get((path, method), {}).get(role, UNREVIEWED) != UNREVIEWED
            if chosen and not is_known and not path.endswith(LEFT_OUT):
                yield (path, method), route, view


def found_for(scene: Scene, role: str) -> dict[tuple[str, str], str]:
    """What the desk answers."""
    client, mounted = scene.client(role), _mounted()
    return {
        key: ask(client, key[1], scene.address(route, view, mounted), body_of(route))
        for key, route, view in wanted(role)
    }


@pytest.mark.usefixtures("demo_db")
@pytest.mark.parametrize("roles", GROUPS, ids="-".join)
def test_each_route_answers_each_role_as_the_table_says(roles: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are decided on before they are drawn, so they are not drawn here."""
    scene = Scene.build()
    monkeypatch.setattr(Template, "render", lambda self, context: "")
    lenient = {UNREVIEWED} if not MODE else set()
    for role in roles:
        found = found_for(scene, role)
        if RECORDING:
            write_down(role, found)
        known = reference.read_answers()
        wrong = {key: (answer, known.get(key, {}).get(role, UNREVIEWED)) for key, answer in found.items()}
        differing = {key: pair for key, pair in wrong.items() if pair[0] != pair[1] and pair[1] not in lenient}
        assert differing == {}, (role, "what was answered, and what the table says")


def write_down(role: str, found: dict[tuple[str, str], str]) -> None:
    with reference.answers_file().open("r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # several roles may be recorded at the same time
        known = reference.read_answers()
        for key in reference.asked():
            row = known.setdefault(key, dict.fromkeys(reference.ROLES, UNREVIEWED))
            row[role] = "yes" if key[0].endswith(LEFT_OUT) else found.get(key, row[role])
        reference.answers_file().write_text(reference.as_table(known), encoding="utf-8")


@pytest.mark.proof
def test_no_route_is_unreviewed() -> None:
    assert [key for key, row in reference.read_answers().items() if UNREVIEWED in row.values()] == []


def test_the_actors_of_the_scene_have_one_role_each(db: None) -> None:
    user = UserFactory(roles=[Role.MANAGER])
    assert actor_for(user).roles == {"manager"}
