"""The sentences of the timeline."""

from __future__ import annotations

import pytest

from audit.subscriptions import declared_kinds
from postmortems.timeline import SENTENCES, is_told, sentence


def test_every_sentence_is_of_a_declared_kind_and_uses_its_keys() -> None:
    kinds = declared_kinds()
    for kind in SENTENCES:
        assert kind in kinds, kind
        data = dict.fromkeys(kinds[kind].keys, "x")
        assert "{" not in sentence(kind, "Wen", data, "", "fallback")
        assert "fallback" not in sentence(kind, "Wen", data, "", "fallback"), kind


def test_the_reason_is_told() -> None:
    told = sentence("incident.put_on_hold", "Wen", {}, "vendor called", "")
    assert told == "Wen put it on hold (vendor called)"


@pytest.mark.parametrize(("meaning", "told"), [("It happened.", "Wen: It happened"), ("", "Wen: a.kind")])
def test_an_unknown_kind_falls_back_to_its_meaning(meaning: str, told: str) -> None:
    assert sentence("a.kind", "Wen", {"x": 1}, "", meaning) == told


def test_braces_in_a_name_or_title_are_only_text() -> None:
    told = sentence("alert.fired", "{source.__class__}", {"source": "{who}", "title": "{0}"}, "", "")
    assert told == "Alert fired at {who}: {0}"


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("incident.opened", True),
        ("clock.breached", True),
        ("message.sent", False),
        ("postmortem.drafted", False),
        ("clock.met", False),
    ],
)
def test_the_machinerys_own_steps_are_left_out(kind: str, told: bool) -> None:
    assert is_told(kind) is told
