"""Real messages of Alertmanager: each alert opens and closes exactly one incident, in any company.

The messages lie in `$WEBHOOK_CASES/alertmanager` (default: `../shared/data/webhooks`, beside the project), listed by
its `index.json`; a few of our own making in `samples/` always run. What a message should do is worked out here from
the message itself, by rules written a second time and simply.
"""

from __future__ import annotations

import dataclasses
import json
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from alerts.models import Alert, AlertSource, Grouping
from audit.models import Event
from incidents.models import Incident
from tests.alerts.factories import AlertSourceFactory, key_of

pytestmark = pytest.mark.django_db

HERE = Path(__file__).resolve()
SAMPLES = HERE.parent / "samples"
GIVEN = Path(os.environ.get("WEBHOOK_CASES") or HERE.parents[2].parent / "shared" / "data" / "webhooks")
OVER = ("resolved", "closed")
Message = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    message: Message


def cases(folder: Path) -> list[Case]:
    """Every message of the folder, in the order of its index; capture envelopes are opened."""
    index = folder / "index.json"
    if index.exists():
        names = [one["file"] for one in json.loads(index.read_text("utf-8")) if one["tool"] == "alertmanager"]
    else:
        names = sorted(path.relative_to(folder).as_posix() for path in folder.glob("alertmanager/*.json"))
    found = []
    for name in names:
        content = json.loads((folder / name).read_text("utf-8"))
        found.append(Case(f"{folder.name}/{name}", content["body"] if {"body", "_path"} <= set(content) else content))
    return found


OWN = cases(SAMPLES)
THEIRS = cases(GIVEN) if GIVEN.is_dir() else []
FOLDERS = [pytest.param(one, id=name) for name, one in (("samples", OWN), ("given", THEIRS)) if one]
ALL = [pytest.param(one.message, id=one.name) for one in OWN + THEIRS]


def test_the_folder_of_real_messages_is_there() -> None:
    if not THEIRS:
        pytest.skip(f"no Alertmanager messages in {GIVEN} (WEBHOOK_CASES); only our own samples were run")


def key(alert: Message) -> str:
    return alert.get("fingerprint") or json.dumps(alert["labels"], sort_keys=True)


def status_of(alert: Message, message: Message) -> str:
    return str(alert.get("status") or message["status"])


def keys(message: Message, status: str) -> set[str]:
    return {key(one) for one in message["alerts"] if status_of(one, message) == status}


def turned(message: Message, status: str) -> Message:
    """The same message with all of its alerts firing or resolved, as the pair of a message that has none."""
    return {
        **message,
        "status": status,
        "truncatedAlerts": 0,
        "alerts": [{**one, "status": status} for one in message["alerts"]],
    }


def post(source: AlertSource, message: Message) -> dict[str, int]:
    response = Client().post(f"/api/v1/intake/{key_of(source)}/", json.dumps(message), content_type="application/json")
    assert response.status_code == 200, response.content
    outcomes: dict[str, int] = response.json()["outcomes"]
    return outcomes


def told(kind: str) -> int:
    return Event.objects.filter(kind=kind).count()


@pytest.mark.parametrize("message", ALL)
def test_each_alert_opens_and_closes_exactly_one_incident(message: Message) -> None:
    source, count = AlertSourceFactory(), len({key(one) for one in message["alerts"]})
    assert post(source, turned(message, "firing")) == {"opened": count}
    assert Incident.objects.open().count() == told("incident.opened") == count
    assert post(source, turned(message, "firing")) == {"repeated": count}
    assert Incident.objects.count() == count
    assert post(source, turned(message, "resolved")) == {"resolved": count}
    assert set(Incident.objects.values_list("state", flat=True)) <= set(OVER)
    assert told("incident.resolved") == count


@pytest.mark.parametrize("message", ALL)
def test_a_group_rule_opens_and_closes_one_incident_for_the_group(message: Message) -> None:
    source, count = AlertSourceFactory(grouping=Grouping.GROUP), len({key(one) for one in message["alerts"]})
    expected = 1 if message.get("groupKey") else count
    post(source, turned(message, "firing"))
    post(source, turned(message, "firing"))
    assert Incident.objects.open().count() == told("incident.opened") == expected
    post(source, turned(message, "resolved"))
    assert Incident.objects.open().count() == 0
    assert told("incident.resolved") == expected


@pytest.mark.parametrize("message", ALL)
def test_a_message_does_what_its_alerts_say(message: Message) -> None:
    """Posted as it is after everything fired: what it says is resolved is over, the rest still fires."""
    source = AlertSourceFactory()
    post(source, turned(message, "firing"))
    post(source, message)
    firing, resolved = keys(message, "firing"), keys(message, "resolved")
    assert Incident.objects.open().count() == Alert.objects.firing().count() == len(firing)
    assert Incident.objects.filter(state__in=OVER).count() == len(resolved - firing)


@pytest.mark.parametrize("message", ALL)
def test_a_message_alone_opens_what_fires_and_nothing_else(message: Message) -> None:
    post(AlertSourceFactory(), message)
    assert Incident.objects.count() == len(keys(message, "firing"))
    assert Alert.objects.count() == len({key(one) for one in message["alerts"]})


@pytest.mark.parametrize("message", ALL)
def test_the_rest_of_a_group_is_closed_by_a_resolved_message_that_omits_members(message: Message) -> None:
    if not message.get("groupKey"):
        pytest.skip("an old body without a group can omit nothing")
    source, extra = AlertSourceFactory(), {"status": "firing", "labels": {"alertname": "Omitted"}}
    fired = turned(message, "firing")
    post(source, {**fired, "alerts": [*fired["alerts"], extra]})
    done = turned(message, "resolved")
    post(source, {**done, "truncatedAlerts": 0})
    assert Incident.objects.open().count() == 1
    post(source, {**done, "truncatedAlerts": 1})
    assert Incident.objects.open().count() == 0
    assert told("incident.resolved") == Incident.objects.count()


@dataclasses.dataclass
class Book:
    """What should be open, kept by hand: the last word on each alert, and its group."""

    fires: dict[str, bool] = dataclasses.field(default_factory=dict)
    groups: dict[str, str] = dataclasses.field(default_factory=dict)
    ever: set[str] = dataclasses.field(default_factory=set)

    def note(self, message: Message) -> None:
        for alert in message["alerts"]:
            self.fires[key(alert)] = status_of(alert, message) == "firing"
            if self.fires[key(alert)]:
                self.groups[key(alert)] = message.get("groupKey", "")
                self.ever.add(key(alert))
        if message.get("truncatedAlerts") and message["status"] == "resolved":
            for name, group in self.groups.items():
                if group == message["groupKey"] and name not in {key(one) for one in message["alerts"]}:
                    self.fires[name] = False


@pytest.mark.parametrize("repeats", [1, 2])
@pytest.mark.parametrize("found", FOLDERS)
def test_all_messages_in_order_leave_open_what_fires(found: list[Case], repeats: int) -> None:
    source, book = AlertSourceFactory(), Book()
    for case in found:
        for _ in range(repeats):
            post(source, case.message)
            book.note(case.message)
        assert Incident.objects.open().count() == sum(book.fires.values()), case.name
    assert Incident.objects.count() == told("incident.opened") == len(book.ever)


@pytest.mark.parametrize("message", ALL)
def test_times_and_unknown_fields_are_kept(message: Message) -> None:
    source = AlertSourceFactory()
    post(source, turned({**message, "novelty": [1]}, "firing"))
    for row in Alert.objects.all():
        sent = next(one for one in message["alerts"] if one["labels"] == row.labels)
        assert row.payload["alert"] == {**sent, "status": "firing"}
        assert row.payload["message"]["novelty"] == [1]
        assert row.incident is not None
        assert row.incident.detected_at == row.detected_at
        if row.occurred_at is not None and row.occurred_at <= row.detected_at:
            assert row.incident.occurred_at == row.occurred_at
            assert abs(row.occurred_at - datetime.fromisoformat(sent["startsAt"])) < timedelta(milliseconds=1)
