"""Signed passes: read back by who has the key, made up and bent by nobody."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.passes import LENGTH, Pass, Purpose, issue, read

KEY = b"k" * 32
ENDS = dt.datetime(2026, 3, 9, 9, 0, tzinfo=dt.UTC)
TOKEN = issue(Purpose.INCIDENT, 7, 123, ENDS, KEY)


@given(st.sampled_from(Purpose), st.integers(0, 2**63), st.integers(0, 2**63), st.integers(0, 2**32 - 1))
def test_what_was_issued_is_read_back(purpose: Purpose, user: int, number: int, ends: int) -> None:
    moment = dt.datetime.fromtimestamp(ends, tz=dt.UTC)
    token = issue(purpose, user, number, moment, KEY)
    assert len(token) == LENGTH
    assert read(token, KEY) == Pass(purpose, user, number, moment)
    assert read(token, b"other") is None


@given(st.integers(0, LENGTH - 1), st.sampled_from("ABCxyz019-_"))
def test_one_changed_character_opens_nothing(place: int, instead: str) -> None:
    bent = TOKEN[:place] + instead + TOKEN[place + 1 :]
    assert bent == TOKEN or read(bent, KEY) is None or read(bent, KEY) == read(TOKEN, KEY)


@pytest.mark.parametrize("text", ["", "x" * LENGTH, "é" * LENGTH, TOKEN + "=", TOKEN[:-1], "/" * LENGTH, "\0" * LENGTH])
def test_nonsense_opens_nothing(text: str) -> None:
    assert read(text, KEY) is None
