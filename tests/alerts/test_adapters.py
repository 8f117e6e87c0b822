"""Each adapter: what it makes of its tool's body, and what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.adapters import ADAPTERS, alertmanager, generic
from alerts.body import BadBody, check
from alerts.models import Adapter
from alerts.parsed import ParsedAlert, ParsedMessage, key

AT = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)


def alert(status: str | None = "firing", **fields: Any) -> dict[str, Any]:
    found = {
        "labels": {"alertname": "DiskFull", "instance": "db1"},
        "annotations": {"summary": "Disk is full"},
        **fields,
    }
    return {"status": status, **found} if status else found


def message(*alerts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"version": "4", "status": "firing", "groupKey": "{}:{}", "alerts": list(alerts), **fields}


def test_every_adapter_of_a_source_exists() -> None:
    assert set(ADAPTERS) == set(Adapter.values)


def test_each_alert_has_its_own_status_whatever_the_message_says() -> None:
    parsed = alertmanager.parse(message(alert("resolved"), alert(fingerprint="f2"), status="firing"), AT)
    assert [one.is_firing for one in parsed.alerts] == [False, True]


def test_the_fingerprint_of_the_source_is_kept() -> None:
    assert alertmanager.parse(message(alert(fingerprint="57a21a42")), AT).alerts[0].fingerprint == "57a21a42"


def test_without_a_fingerprint_the_labels_are_the_key_whatever_their_order() -> None:
    one, other, third = alertmanager.parse(
        message(
            alert(labels={"a": "1", "b": "2"}), alert(labels={"b": "2", "a": "1"}), alert(labels={"a": "1", "b": "3"})
        ),
        AT,
    ).alerts
    assert one.fingerprint == other.fingerprint != third.fingerprint


def test_a_long_key_stays_short_and_distinct() -> None:
    assert key("x" * 200) == "x" * 200
    assert len(key("ü" * 200)) < 200
    assert key("x" * 5000) != key("x" * 5001)


def test_the_old_body_without_version_and_group_is_read() -> None:
    parsed = alertmanager.parse({"status": "firing", "alerts": [alert()]}, AT)
    assert parsed.alerts[0].title == "Disk is full"
    assert parsed.alerts[0].group_key == ""


@pytest.mark.parametrize(
    ("fields", "firing"),
    [
        ({"status": "resolved"}, False),
        ({"status": "firing"}, True),
        ({"status": "firing", "endsAt": "2026-03-10T08:59:59Z"}, False),
        ({"status": "firing", "endsAt": "2026-03-10T09:10:00Z"}, True),
    ],
)
def test_an_alert_without_a_status_is_judged_by_its_end(fields: dict[str, str], firing: bool) -> None:
    status = fields.pop("status")
    assert alertmanager.parse(message(alert(None, **fields), status=status), AT).alerts[0].is_firing is firing


def test_only_a_resolved_message_that_omits_members_closes_its_group() -> None:
    gone = alert("resolved")
    assert alertmanager.parse(message(gone, status="resolved", truncatedAlerts=2), AT).closes_group == "{}:{}"
    assert alertmanager.parse(message(gone, status="resolved", truncatedAlerts=0), AT).closes_group == ""
    assert alertmanager.parse(message(gone, status="firing", truncatedAlerts=2), AT).closes_group == ""
    assert alertmanager.parse(message(alert(), status="resolved", truncatedAlerts=2), AT).closes_group == ""


def test_nothing_unknown_is_dropped() -> None:
    parsed = alertmanager.parse(message(alert(novelty=[1, 2]), receiver="r", extra={"x": 1}), AT)
    assert parsed.alerts[0].payload["alert"]["novelty"] == [1, 2]  # type: ignore[index]
    assert parsed.alerts[0].payload["message"]["extra"] == {"x": 1}  # type: ignore[index]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ([], "body"),
        ({}, "alerts"),
        ({"alerts": {}}, "alerts"),
        ({"alerts": ["x"]}, "alerts[0]"),
        (message(alert("burning")), "alerts[0].status"),
        (message(alert(labels=[])), "alerts[0].labels"),
        (message(alert(labels={})), "alerts[0].labels"),
        (message(alert(), alert(startsAt=5)), "alerts[1].startsAt"),
        (message(alert(), groupKey=5), "groupKey"),
        (message(alert(), truncatedAlerts="many"), "truncatedAlerts"),
    ],
)
def test_alertmanager_refuses_with_the_place(body: object, place: str) -> None:
    with pytest.raises(BadBody) as refused:
        alertmanager.parse(body, AT)
    assert refused.value.place == place


def test_generic_reads_its_schema_and_keeps_the_rest() -> None:
    parsed = generic.parse(
        {
            "title": "Backup failed", "description": "exit 3", "severity": "high", "dedup_key": "backup-7",
            "labels": {"host": "b7"}, "started_at": "2026-03-10T08:00:00+01:00", "url": "https://b7/", "shift": 4,
        },
        AT,
    ).alerts[0]  # fmt: skip
    assert (parsed.title, parsed.fingerprint, parsed.severity, parsed.is_firing) == (
        "Backup failed",
        "backup-7",
        "high",
        True,
    )
    assert parsed.started_at == datetime(2026, 3, 10, 7, 0, tzinfo=UTC)
    assert parsed.payload["alert"]["shift"] == 4  # type: ignore[index]


def test_generic_takes_a_list() -> None:
    parsed = generic.parse([{"title": "a"}, {"title": "b", "status": "resolved"}], AT)
    assert [one.is_firing for one in parsed.alerts] == [True, False]


def test_generic_recovers_by_key_alone() -> None:
    assert generic.parse({"status": "resolved", "fingerprint": "k"}, AT).alerts[0].fingerprint == "k"


def test_generic_knows_the_alert_by_labels_or_title() -> None:
    def fingerprint(**fields: Any) -> str:
        return generic.parse({"title": "a", **fields}, AT).alerts[0].fingerprint

    assert fingerprint() == fingerprint() != fingerprint(title="b")
    assert fingerprint(labels={"x": "1"}) == fingerprint(labels={"x": "1"}, title="b") != fingerprint()


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ("text", "body"),
        ({}, "title"),
        ({"title": "  "}, "title"),
        ({"status": "resolved"}, "fingerprint"),
        ({"title": "x", "status": "maybe"}, "status"),
        ([{"title": "x"}, {"title": 4}], "[1].title"),
        ({"title": "x", "labels": {"a": []}}, "labels.a"),
        ({"title": "x", "started_at": "soon"}, "started_at"),
    ],
)
def test_generic_refuses_with_the_place(body: object, place: str) -> None:
    with pytest.raises(BadBody) as refused:
        generic.parse(body, AT)
    assert refused.value.place == place


def test_a_message_splits_in_order_and_closes_its_group_last() -> None:
    alerts = tuple(ParsedAlert(fingerprint=str(number), is_firing=True, title="x") for number in range(5))
    parts = list(ParsedMessage(alerts=alerts, closes_group="g").parts(2))
    assert [[one.fingerprint for one in part.alerts] for part in parts] == [["0", "1"], ["2", "3"], ["4"], []]
    assert [part.closes_group for part in parts] == ["", "", "", "g"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
names = st.sampled_from(
    ["status", "labels", "annotations", "startsAt", "endsAt", "fingerprint", "generatorURL", "title", "severity", "url",
     "dedup_key", "group", "started_at", "description"]
)  # fmt: skip
words = st.sampled_from(["firing", "resolved", "0001-01-01T00:00:00Z"])
alert_shapes = st.dictionaries(names, words | values, max_size=6)
bodies = values | alert_shapes | st.fixed_dictionaries(
    {"alerts": st.lists(alert_shapes, max_size=3) | values},
    optional={"status": values, "groupKey": values, "truncatedAlerts": values},
)  # fmt: skip


@pytest.mark.parametrize("name", sorted(ADAPTERS))
@given(body=bodies)
def test_any_body_is_read_or_refused(name: str, body: object) -> None:
    try:
        check(body)
        parsed = ADAPTERS[name](body, AT)
    except BadBody as error:
        refused: str | None = error.place
    else:
        refused = None
        assert all(one.fingerprint and len(one.fingerprint.encode()) <= 200 for one in parsed.alerts)
    assert refused != ""
