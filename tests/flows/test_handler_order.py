"""Handlers are told in the order of the apps today; told the other way round, they leave the same desk."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

import accounts.actions
import alerts.actions
import alerts.queries
import incidents.actions as verbs
import incidents.tasks
import notify.tasks
import oncall.tasks
import sla.tasks
from accounts.queries import actor_for
from audit import subscriptions
from audit.actor import SYSTEM
from audit.models import Delivery, Event
from incidents.models import Incident
from notify.models import Message
from oncall.models import BreachRule, Page, PageNotification
from postmortems.models import PostMortem, TimelineEntry
from sla.models import Breach, Clock, QueueEntry, ThresholdFired
from tests.accounts.factories import MembershipFactory, UserFactory
from tests.alerts.factories import AlertSourceFactory
from tests.oncall.factories import AT, Desk, desk

pytestmark = pytest.mark.django_db


@pytest.fixture
def reversed_handlers(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def reverse() -> None:
        known = {kind: list(reversed(listening)) for kind, listening in subscriptions._subscriptions.items()}
        assert any(len(listening) > 1 for listening in known.values())
        monkeypatch.setattr(subscriptions, "_subscriptions", known)

    return reverse


def story(at: Desk, source: Any) -> None:
    """An alert pages, level two answers, it waits, breaches, she leaves, it is solved, comes back and is closed."""
    payload = {"title": "Payment gateway returns 502", "fingerprint": "order", "severity": "critical"}

    def later(minutes: float) -> dt.datetime:
        return AT + dt.timedelta(minutes=minutes)

    def pass_time(minutes: float) -> None:
        for sweep in (incidents.tasks.sweep, sla.tasks.sweep, oncall.tasks.sweep, notify.tasks.send_due):
            sweep(at=later(minutes))

    alerts.actions.receive(source=source, payload=payload, by=alerts.queries.actor_of(source), at=AT)
    incident = Incident.objects.get()
    pass_time(0)
    pass_time(6)
    wen, ada = actor_for(at.wen), actor_for(at.ada)
    verbs.acknowledge(incident=incident, by=wen, at=later(7))
    verbs.comment(incident=incident, body="Looking at it.", is_public=True, by=wen, at=later(9))
    verbs.put_on_hold(
        incident=incident, hold_reason="awaiting_requester", until=later(70), by=wen, at=later(10)
    )  # fmt: skip
    pass_time(71)
    accounts.actions.deactivate_user(user=at.wen, by=SYSTEM, at=later(80))
    pass_time(81)
    verbs.set_priority_inputs(incident=incident, impact=1, urgency=2, by=SYSTEM, at=later(85))
    pass_time(700)
    verbs.resolve(incident=incident, code="fixed", cause="software", notes="Rolled back.", by=ada, at=later(710))
    verbs.reopen(incident=incident, reason="again", by=SYSTEM, at=later(720))
    verbs.resolve(incident=incident, code="fixed", cause="software", notes="Again.", by=ada, at=later(730))
    pass_time(60 * 24 * 9)


#: Of two reasons to page at the same instant, the one told first starts the page and the other joins it.
SECOND_REASON = {"page.started": {"cause": ""}}
_NUMBER = re.compile(r"INC-\d+|/r/\S+|\d{1,6}")


def plain(value: Any) -> str:
    """Without numbers of rows, which differ between any two runs."""
    return _NUMBER.sub("#", str(value))


def rows(model: Any, *names: str) -> list[Any]:
    return sorted(tuple(map(str, row)) for row in model._default_manager.values_list(*names))


def desk_now() -> dict[str, Any]:
    """Everything that somebody could see of the desk, without numbers of rows."""
    incident: Any = Incident.objects.get()
    relations = {"id", "number", "matrix_id", "service_id", "team_id", "category_id"}
    shown = {field.attname: getattr(incident, field.attname) for field in incident._meta.concrete_fields}
    return {
        "incident": {name: str(value) for name, value in shown.items() if name not in relations},
        "clocks": rows(
            Clock, "target", "cycle", "state", "started_at", "due_at", "elapsed_s", "budget_s", "breached_at",
            "stopped_at", "fired_percent", "next_threshold_at",
        ),
        "fired": rows(ThresholdFired, "clock__target", "cycle", "percent", "reached_at"),
        "breaches": rows(Breach, "target", "cycle", "at", "cause"),
        "queue": rows(QueueEntry, "state", "priority", "due_at", "target", "is_breached", "assignee__name"),
        "pages": rows(Page, "state", "round", "level", "escalate_at", "started_at", "acknowledged_by__name"),
        "told": rows(PageNotification, "round", "level", "user__name", "created_at"),
        "messages": sorted(
            (one.state, one.address, plain(one.subject), plain(one.dedup_key), str(one.created_at))
            for one in Message.objects.all()
        ),
        "postmortems": rows(PostMortem, "state", "due_at", "owner__name"),
        "timeline": [one for one in rows(TimelineEntry, "at", "text", "kind", "who") if one[2] != "page.joined"],
        "events": sorted(
            (one.kind, str(one.at), one.actor_label, plain(one.data | SECOND_REASON.get(one.kind, {})))
            for one in Event.objects.exclude(kind="page.joined")
        ),
        "owed": Delivery.objects.count(),
    }  # fmt: skip


def told(at: Desk, source: Any) -> dict[str, Any]:
    with transaction.atomic():
        story(at, source)
        found = desk_now()
        transaction.set_rollback(True)
    return found


def test_the_order_of_handlers_makes_no_difference(reversed_handlers: Callable[[], None]) -> None:
    at = desk(ack_timeout_s=1800)
    MembershipFactory(user=at.ada, team=at.service.owner_team, is_lead=True)
    at.ada = UserFactory._meta.model.objects.get(pk=at.ada.pk)
    BreachRule.objects.create(name="Late resolutions page", target="resolve", percent=100, priority_threshold=5)
    source = AlertSourceFactory(adapter="generic", service=at.service)
    first = told(at, source)
    reversed_handlers()
    second = told(at, source)
    for part, expected in first.items():
        assert second[part] == expected, part
    assert first["owed"] == 0
    kinds = {kind for kind, *_ in first["events"]}
    assert {
        "page.acknowledged", "clock.breached", "incident.resumed", "user.deactivated", "incident.reopened",
        "incident.closed", "postmortem.drafted", "page.stopped",
    } <= kinds  # fmt: skip
