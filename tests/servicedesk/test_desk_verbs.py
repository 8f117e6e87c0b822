"""Every verb works from the incident page in every state that allows it, and a refusal says why and what to do."""

from __future__ import annotations

import datetime as dt
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

import incidents.actions
from accounts.models import User
from accounts.queries import actor_for
from incidents.models import Comment, Incident, Participant, State
from servicedesk.desk import related
from servicedesk.desk.verbs import BY_NAME
from tests.accounts.factories import MembershipFactory, TeamFactory, UserFactory

pytestmark = pytest.mark.django_db


class Forms(HTMLParser):
    """What a browser would send: action -> the fields of its form as they stand on the page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str]] = {}
        self._fields: dict[str, str] | None = None
        self._select = self._area = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._fields = self.found.setdefault(said.get("action", ""), {})
        elif self._fields is None:
            return
        elif (
            tag == "input" and said.get("name") and ("checked" in said or said.get("type") not in ("radio", "checkbox"))
        ):
            self._fields[said["name"]] = said.get("value", "")
        elif tag == "textarea":
            self._area = said["name"]
            self._fields[self._area] = ""
        elif tag == "select":
            self._select = said["name"]
        elif tag == "option" and self._select and (self._select not in self._fields or "selected" in said):
            self._fields[self._select] = said.get("value", "")

    def handle_data(self, data: str) -> None:
        if self._area and self._fields is not None:
            self._fields[self._area] += data.strip("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._fields = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""


class Desk:
    """A lead of the incident's team at the page of one incident."""

    def __init__(self, **given: Any) -> None:
        above = TeamFactory(tier=2)
        self.team = TeamFactory(parent=above)
        self.lead = UserFactory(name="Lea", roles=["agent", "lead"])
        MembershipFactory(user=self.lead, team=self.team, is_lead=True)
        MembershipFactory(user=UserFactory(name="Boss", roles=["lead"]), team=above, is_lead=True)
        self.maria = UserFactory(name="Maria", roles=["requester"])
        self.client = self.client_of(self.lead)
        self.incident = incidents.actions.open_incident(
            title="No sound", team=self.team, requester=self.maria, by=actor_for(self.lead), at=self.now, **given
        )

    def client_of(self, user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    def colleague(self, name: str = "Wen", *roles: str) -> User:
        user = UserFactory(name=name, roles=list(roles or ("agent",)))
        MembershipFactory(user=user, team=self.team)
        return user

    @property
    def now(self) -> dt.datetime:
        return timezone.now()

    @property
    def page(self) -> str:
        return f"/desk/{self.incident.reference}/"

    def state(self) -> str:
        return str(Incident.objects.get(pk=self.incident.pk).state)

    def forms(self, client: Client | None = None) -> dict[str, dict[str, str]]:
        html = (client or self.client).get(self.page).content.decode()
        return {
            action.removeprefix(self.page).strip("/"): fields
            for action, fields in Forms(html).found.items()
            if action.startswith(self.page)
        }

    def do(self, verb: str, client: Client | None = None, **typed: str) -> Any:
        """Fills in the form that the page offers and sends it."""
        fields = self.forms(client)[verb] | typed
        return (client or self.client).post(f"{self.page}{verb}/", fields)

    def bring_to(self, state: str) -> None:
        by = actor_for(self.lead)
        steps: dict[str, Any] = {
            "assigned": lambda: incidents.actions.assign(
                incident=self.incident, team=self.team, assignee=self.lead, by=by, at=self.now
            ),
            "in_progress": lambda: incidents.actions.start(incident=self.incident, by=by, at=self.now),
            "on_hold": lambda: incidents.actions.put_on_hold(
                incident=self.incident, hold_reason="awaiting_vendor", until=self.now + dt.timedelta(days=1), by=by,
                at=self.now,
            ),
            "resolved": lambda: incidents.actions.resolve(incident=self.incident, code="fixed", by=by, at=self.now),
            "cancelled": lambda: incidents.actions.cancel(
                incident=self.incident, reason="mistake", detail="x", by=by, at=self.now
            ),
        }  # fmt: skip
        if state == "closed":
            self.bring_to("resolved")
            incidents.actions.close(
                incident=self.incident, confirmation="by phone", cause="power", by=by, at=self.now
            )  # fmt: skip
        elif state != "new":
            steps[state]()
        assert self.state() == state


#: What a person fills in for each verb; everything else stays as the page has it.
TYPED: dict[str, dict[str, str]] = {
    "assign": {"reason": "knows it"},
    "hold": {"note": "they send a part"},
    "change-hold": {"hold_reason": "awaiting_change"},
    "resolve": {"notes": "plugged it in"},
    "close": {"confirmation": "by phone", "cause": "power"},
    "escalate": {"reason": "beyond us"},
    "tell-manager": {"reason": "the board waits"},
    "restrict": {"reason": "about a colleague"},
    "reopen": {"reason": "silent again"},
    "open-again": {"reason": "silent again"},
    "revise": {"title": "No sound at all", "impact": "1"},
    "contain": {"note": "unplugged the others"},
    "override-priority": {"priority": "1", "reason": "the board meets"},
    "cancel": {"detail": "see INC-000001"},
    "comment": {"body": "hm"},
}
_OPEN = {"acknowledge", "assign", "resolve", "revise", "contain", "override-priority", "cancel", "merge"}
#: Verbs between incidents have tests of their own.
_BETWEEN = {"merge", "unmerge"}
_OPEN |= {"escalate", "tell-manager", "restrict"}
OFFERED = {
    "new": _OPEN | {"claim", "start", "hold"},
    "assigned": _OPEN | {"start", "hold"},
    "in_progress": _OPEN | {"hold"},
    "on_hold": _OPEN | {"claim", "resume", "change-hold"},
    "resolved": {"close", "reopen", "revise", "restrict"},
    "closed": {"open-again", "revise", "restrict"},
    "cancelled": {"restrict"},
}
ENDS_IN = {
    "acknowledge": "in_progress", "claim": "assigned", "start": "in_progress", "hold": "on_hold", "cancel": "cancelled",
    "resume": "in_progress", "resolve": "resolved", "reopen": "in_progress", "close": "closed",
}  # fmt: skip
#: Who takes a waiting incident does not end its wait; what a team was given is assigned.
ELSEWHERE = {
    ("new", "escalate"): "assigned",
    ("on_hold", "claim"): "on_hold",
    ("on_hold", "acknowledge"): "on_hold",
    ("new", "assign"): "assigned",
}
#: Offered only where there is something to settle or to lift; they have tests of their own.
OTHERWISE = {"comment", "settle-workaround", "settle-reply", "unrestrict"}
CASES = [(state, verb) for state, verbs in OFFERED.items() for verb in sorted(verbs - _BETWEEN)]


@pytest.mark.parametrize("state", list(OFFERED))
def test_each_state_offers_its_verbs_and_the_comment(state: str) -> None:
    desk = Desk()
    desk.bring_to(state)
    assert set(desk.forms()) - set(related.BY_NAME) == OFFERED[state] | {"comment"}


@pytest.mark.parametrize(("state", "verb"), CASES)
def test_each_offered_verb_works_from_the_page(state: str, verb: str) -> None:
    desk = Desk()
    desk.bring_to(state)
    typed: Any = TYPED.get(verb, {})
    answer = desk.do(verb, **typed)
    assert answer.status_code == 302, answer.content.decode()[:3000]
    assert desk.state() == ELSEWHERE.get((state, verb), ENDS_IN.get(verb, state))


def test_every_verb_has_a_case() -> None:
    assert {verb for _, verb in CASES} | OTHERWISE | _BETWEEN == set(BY_NAME)
    assert set(OFFERED) == set(State.values)


def test_a_workaround_is_settled_before_closing() -> None:
    desk = Desk()
    desk.do("resolve", notes="reboots daily", fix_kind="workaround")
    refused = desk.do("close", confirmation="by phone", cause="power")
    assert refused.status_code == 409
    assert "settle it first" in refused.content.decode().lower()
    assert desk.do("settle-workaround", outcome="waived", reason="too old").status_code == 302
    assert desk.do("close", confirmation="by phone", cause="power").status_code == 302


def test_what_the_requester_wrote_after_the_end_is_settled_by_a_button() -> None:
    desk = Desk()
    desk.bring_to("resolved")
    maria = actor_for(desk.maria)
    incidents.actions.comment(incident=desk.incident, body="Thanks!", by=maria, at=desk.now)
    assert "nobody answered yet" in desk.client.get(desk.page).content.decode()
    assert desk.do("settle-reply").status_code == 302
    assert "settle-reply" not in desk.forms()
    assert desk.state() == "resolved"


def test_a_restricted_incident_says_so_and_is_lifted() -> None:
    desk = Desk()
    assert desk.do("restrict", reason="about a colleague").status_code == 302
    assert "about a colleague" in desk.client.get(desk.page).content.decode()
    assert "restrict" not in desk.forms()
    assert desk.do("unrestrict", reason="settled").status_code == 302
    assert "unrestrict" not in desk.forms()


def test_what_comes_back_after_closing_is_a_new_linked_incident() -> None:
    desk = Desk()
    desk.bring_to("closed")
    answer = desk.do("open-again", reason="silent again")
    fresh = Incident.objects.exclude(pk=desk.incident.pk).get()
    assert answer.headers["Location"] == f"/desk/{fresh.reference}/"
    assert fresh.recurrence_of_id == desk.incident.pk


# --- refusals -------------------------------------------------------------------------------------------------------


def test_a_stale_save_is_refused_with_what_changed_and_can_be_sent_again() -> None:
    desk = Desk()
    stale = desk.forms()["resolve"] | {"notes": "all my typing"}
    desk.bring_to("assigned")
    refused = desk.client.post(f"{desk.page}resolve/", stale)
    html = refused.content.decode()
    assert refused.status_code == 412
    assert "somebody else saved meanwhile" in html
    assert "assignee: – → Lea" in html
    assert "state: new → assigned" in html
    assert "all my typing" in html
    assert desk.state() == "assigned"
    again = Forms(html).found[f"{desk.page}resolve/"]
    assert desk.client.post(f"{desk.page}resolve/", again).status_code == 302
    assert desk.state() == "resolved"


def test_a_form_that_does_not_say_its_version_is_refused() -> None:
    desk = Desk()
    answer = desk.client.post(f"{desk.page}resolve/", {"code": "fixed", "notes": "x", "fix_kind": "fix"})
    assert answer.status_code == 400
    assert "Load it again" in answer.content.decode()
    assert desk.state() == "new"


def test_an_impossible_verb_is_refused_with_cause_and_remedy() -> None:
    desk = Desk()
    desk.bring_to("closed")
    version = str(Incident.objects.get().version)
    answer = desk.client.post(
        f"{desk.page}resolve/", {"code": "fixed", "notes": "x", "fix_kind": "fix", "expected_version": version}
    )
    html = answer.content.decode()
    assert answer.status_code == 409
    assert "is closed: resolving is not possible" in html
    assert "open a new linked incident" in html


def test_the_second_to_claim_or_acknowledge_is_told_who_was_first() -> None:
    desk = Desk()
    wen = desk.client_of(desk.colleague("Wen"))
    fields = desk.forms(wen)
    desk.do("acknowledge")
    for verb in ("claim", "acknowledge"):
        answer = wen.post(f"{desk.page}{verb}/", fields[verb])
        assert answer.status_code == 409
        assert "Lea has" in answer.content.decode()


def test_a_hold_needs_a_wake_up_in_the_future_and_names_the_field() -> None:
    desk = Desk()
    answer = desk.do("hold", until="2020-01-01T09:00")
    html = answer.content.decode()
    assert answer.status_code == 400
    assert 'id="hold_until_error"' in html
    assert 'value="2020-01-01T09:00"' in html
    assert desk.state() == "new"


def test_who_may_not_is_refused_and_is_not_offered_it() -> None:
    desk = Desk()
    auditor = desk.client_of(UserFactory(roles=["auditor"]))
    assert desk.forms(auditor) == {}
    answer = auditor.post(f"{desk.page}claim/", {})
    assert answer.status_code == 403
    assert "may not claim" in answer.content.decode()


def test_an_unknown_verb_is_404_and_a_get_is_405() -> None:
    desk = Desk()
    assert desk.client.post(f"{desk.page}destroy/", {}).status_code == 404
    assert desk.client.get(f"{desk.page}resolve/").status_code == 405


def test_nobody_can_be_left_in_charge() -> None:
    desk = Desk()
    answer = desk.do("assign", team="", assignee="")
    assert answer.status_code == 400
    assert "somebody has to look after it" in answer.content.decode()


# --- comments -------------------------------------------------------------------------------------------------------


def test_a_comment_is_internal_unless_the_writer_chooses_the_requester() -> None:
    desk = Desk()
    desk.do("comment", body="careful, VIP")
    desk.do("comment", body="we are on it", is_public="on")
    assert list(Comment.objects.order_by("id").values_list("is_public", flat=True)) == [False, True]
    html = desk.client.get(desk.page).content.decode()
    assert "Send to Maria" in html
    assert 'class="internal"' in html


def test_an_empty_comment_is_refused_beside_the_field() -> None:
    desk = Desk()
    answer = desk.do("comment", body="  ")
    assert answer.status_code == 400
    assert Comment.objects.count() == 0


def test_a_watcher_may_comment_and_is_offered_nothing_else() -> None:
    desk = Desk()
    watcher = UserFactory(roles=["agent"])
    Participant.objects.create(incident=desk.incident, user=watcher, role="watcher", added_at=desk.now)
    client = desk.client_of(watcher)
    assert set(desk.forms(client)) == {"comment"}
    assert desk.do("comment", client, body="me too").status_code == 302


# --- the requester --------------------------------------------------------------------------------------------------


def test_a_requester_answers_in_public_and_says_whether_it_works() -> None:
    desk = Desk()
    maria = desk.client_of(desk.maria)
    assert set(desk.forms(maria)) - set(related.BY_NAME) == {"comment"}
    desk.do("comment", maria, body="still silent")
    assert Comment.objects.get().is_public
    desk.bring_to("resolved")
    assert set(desk.forms(maria)) - set(related.BY_NAME) == {"comment", "close", "reopen"}
    assert "It works again" in maria.get(desk.page).content.decode()
    desk.do("reopen", maria, reason="silent again")
    assert desk.state() == "in_progress"
    desk.bring_to("resolved")
    assert desk.do("close", maria).status_code == 302
    assert desk.state() == "closed"


def test_who_was_paged_may_work_on_a_foreign_teams_incident() -> None:
    desk = Desk()
    olu = UserFactory(roles=["responder"])
    Participant.objects.create(incident=desk.incident, user=olu, role="paged", added_at=desk.now)
    client = desk.client_of(olu)
    assert {"acknowledge", "resolve", "hold"} <= set(desk.forms(client))
    assert desk.do("acknowledge", client).status_code == 302
    assert Incident.objects.get().acknowledged_by_id == olu.pk
