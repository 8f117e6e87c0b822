"""After any history, a merge that is taken back at once leaves every field, clock and link as it was."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

import incidents.actions as verbs
from audit.actions import ActionRefused
from audit.actor import SYSTEM
from incidents.models import Incident, IncidentLink, Participant, Task
from sla.models import Breach, Clock, QueueEntry
from sla.tasks import sweep
from tests.accounts.factories import UserFactory
from tests.incidents.factories import AT, person
from tests.sla.factories import SlaPolicyFactory, without_policies

STEPS: dict[str, dict[str, Any]] = {
    "acknowledge": {},
    "start": {},
    "comment": {"body": "hm", "is_public": True},
    "put_on_hold": {"hold_reason": "awaiting_requester", "until": AT + dt.timedelta(days=90)},
    "resume": {},
    "resolve": {"code": "fixed"},
    "reopen": {},
    "set_priority_inputs": {"impact": 1, "urgency": 1},
}
_STEP = st.tuples(st.sampled_from(sorted(STEPS)), st.integers(1, 300), st.booleans())


def state_of(incident: Incident) -> Any:
    """Everything of an incident but its version, the turn of its clocks, and its trail."""
    row = Incident.objects.filter(pk=incident.pk).values().get()
    clocks = Clock.objects.filter(incident=incident).order_by("target", "cycle").values()
    return (
        {name: value for name, value in row.items() if name != "version"},
        [{name: value for name, value in one.items() if name != "voids"} for one in clocks],
        list(QueueEntry.objects.filter(incident=incident).values()),
        list(IncidentLink.objects.touching(incident).order_by("pk").values_list("pk", "incident_id", "other_id")),
        list(Task.objects.filter(incident=incident).order_by("pk").values_list("pk", "title", "done_at")),
        list(Participant.objects.filter(incident=incident).order_by("pk").values_list("user_id", "role", "added_at")),
        list(Breach.objects.counted().filter(incident=incident).order_by("pk").values_list("pk", flat=True)),
    )


def live(steps: list[tuple[str, int, bool]], pair: tuple[Incident, Incident], by: Any) -> dt.datetime:
    """Lets the pair live through the steps that are legal, with the sweep between them; the moment after the last."""
    at = AT + dt.timedelta(hours=2)
    for verb, minutes, first in steps:
        at += dt.timedelta(minutes=minutes)
        sweep(at=at)
        incident = Incident.objects.get(pk=pair[not first].pk)
        try:
            with transaction.atomic():
                getattr(verbs, verb)(incident=incident, by=by, at=at, **STEPS[verb])
        except ActionRefused:
            continue
    return at


@pytest.mark.django_db
@settings(max_examples=max(20, (settings.default or settings()).max_examples // 10))
@given(data=st.data())
def test_merge_and_undo_is_the_identity(data: Any) -> None:
    point = transaction.savepoint()
    without_policies()
    targets = {name: {str(n): 3600 * n for n in range(1, 6)} for name in ("acknowledge", "respond", "resolve")}
    SlaPolicyFactory(targets=targets)
    by = person(UserFactory(), "incident_manager")
    ages = data.draw(st.tuples(st.integers(0, 110), st.integers(0, 110)))
    pair = tuple(verbs.open_incident(title="x", by=SYSTEM, at=AT + dt.timedelta(minutes=age)) for age in ages)
    source, target = pair
    IncidentLink.objects.create(incident=verbs.open_incident(title="y", by=SYSTEM, at=AT), other=source, added_at=AT)
    Task.objects.create(incident=source, title="t", created_at=AT)
    verbs.add_participant(incident=source, user=UserFactory(), by=by, at=AT)
    at = live(data.draw(st.lists(_STEP, max_size=6)), (source, target), by)
    sweep(at=at)
    before = state_of(source), state_of(target)
    try:
        verbs.merge(incident=Incident.objects.get(pk=source.pk), into=Incident.objects.get(pk=target.pk), by=by, at=at)
        if data.draw(st.booleans()):
            sweep(at=at)
        verbs.unmerge(incident=Incident.objects.get(pk=source.pk), by=by, at=at)
    except ActionRefused:
        assert "resolved" in {Incident.objects.get(pk=one.pk).state for one in pair}
    assert (state_of(source), state_of(target)) == before
    transaction.savepoint_rollback(point)
