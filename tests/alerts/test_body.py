"""What an intake body may be: every refusal names the place."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from alerts import body
from alerts.body import BadBody


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b"", "line 1 column 1"),
        (b"{", "line 1 column 2"),
        (b'{"a":\n  NaN}', "line 2 column 3"),
        (b'{"a": "\\ud800"}', "line 1 column"),
        (b'"\xff"', "line 1 column"),
        (b"[" * 5000, "line 1 column"),
    ],
)
def test_what_no_row_can_hold_is_refused_with_its_place(raw: bytes, place: str) -> None:
    with pytest.raises(BadBody) as refused:
        body.decode(raw)
    assert place in refused.value.place


def test_nul_is_replaced_and_its_places_are_told() -> None:
    raw = b'{"alerts": [{"labels": {"a\\u0000b": "x\\u0000y", "c": "\\\\u0000"}}]}'
    value, places = body.decode_telling(raw)
    assert value == {"alerts": [{"labels": {"a\ufffdb": "x\ufffdy", "c": "\\u0000"}}]}
    assert places == ["alerts[0].labels.<name>", "alerts[0].labels.a\ufffdb"]
    with pytest.raises(BadBody, match="NUL"):
        body.check({"a": "\x00"})


def test_depth_is_bounded() -> None:
    deep: object = 1
    for _ in range(body.MAX_DEPTH):
        deep = {"a": deep}
    with pytest.raises(BadBody, match=f"more than {body.MAX_DEPTH} deep"):
        body.decode(json.dumps(deep).encode())
    assert body.decode(json.dumps(deep["a"]).encode()) == deep["a"]  # type: ignore[index]


def test_size_is_bounded() -> None:
    with pytest.raises(BadBody) as refused:
        body.decode(b'"' + b"x" * body.MAX_BYTES + b'"')
    assert refused.value.too_large


def test_a_decoded_value_with_infinity_is_refused() -> None:
    with pytest.raises(BadBody, match="not finite"):
        body.check({"a": [1.0, float("inf")]})


def test_labels_are_flat_and_become_text() -> None:
    owner = {"labels": {"a": "x", "b": 1, "c": True, "d": None, "e": 1.5}}
    assert body.labels(owner, "labels", "") == {"a": "x", "b": "1", "c": "true", "d": "", "e": "1.5"}
    with pytest.raises(BadBody) as refused:
        body.labels({"labels": {"a": {}}}, "labels", "alerts[3].")
    assert refused.value.place == "alerts[3].labels.a"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-11-21T23:39:49.175675256Z", datetime(2026, 11, 21, 23, 39, 49, 175675, tzinfo=UTC)),
        ("2017-08-03T15:17:37.804-04:00", datetime(2017, 8, 3, 19, 17, 37, 804000, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
    ],
)
def test_times_are_instants_in_utc(text: str, value: datetime | None) -> None:
    assert body.a_time({"at": text}, "at", "") == value


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-03-10T09:02:00", "2026-13-01T00:00:00Z", "9999-12-31T23:59:59-05:00"]
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(BadBody) as refused:
        body.a_time({"startsAt": text}, "startsAt", "alerts[0].")
    assert refused.value.place == "alerts[0].startsAt"


@pytest.mark.parametrize("value", [1, [], {}, True])
def test_a_text_is_a_text(value: object) -> None:
    with pytest.raises(BadBody, match="must be text"):
        body.a_text({"title": value}, "title", "")


@pytest.mark.parametrize("value", ["1", -1, True, 1.5])
def test_a_count_is_a_whole_number(value: object) -> None:
    with pytest.raises(BadBody, match="whole number"):
        body.a_count({"truncatedAlerts": value}, "truncatedAlerts", "")
