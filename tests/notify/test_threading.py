"""Signed Message-IDs: read back by who has the key, made up by nobody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify import threading
from notify.queries import mail_key, message_of, thread_headers
from tests.notify.factories import MessageFactory

KEY = b"k" * 32
references = st.from_regex(r"[A-Z]{1,8}-[0-9]{1,15}", fullmatch=True)
kinds = st.from_regex(r"[a-z_]{1,30}", fullmatch=True)
nonces = st.from_regex(r"[a-z0-9]{1,40}", fullmatch=True)


@given(references, kinds, nonces)
def test_what_was_signed_is_read_back_in_any_case_and_with_or_without_brackets(ref: str, kind: str, nonce: str) -> None:
    made = threading.message_id(ref, kind, nonce, KEY, "desk.example")
    signed = threading.Signed(ref, kind, nonce)
    assert threading.read(made, KEY) == threading.read(made.strip("<>").upper(), KEY) == signed
    assert threading.read(made.replace("desk.example", "moved.example"), KEY) == signed


@given(st.integers(0, 70), st.sampled_from("abcdef0123456789.-"))
def test_one_changed_character_breaks_the_signature(place: int, instead: str) -> None:
    made = threading.message_id("INC-000123", "opened", "0123456789abcdef", KEY, "desk.example")
    left = made.index("@")
    place = 1 + place % (left - 1)
    forged = made[:place] + instead + made[place + 1 :]
    assert forged == made or threading.read(forged, KEY) is None


@pytest.mark.parametrize("text", ["", "<>", "<a@b>", "x" * 100_000, "<inc-1.opened.0.@d>", "\x00", "<ínc-1.a.b.c@d>"])
def test_what_is_not_ours_says_nothing(text: str) -> None:
    assert threading.read(text, KEY) is None


def test_another_key_says_nothing() -> None:
    assert threading.read(threading.message_id("INC-1", "opened", "0", b"other", "d"), KEY) is None


@pytest.mark.parametrize("parts", [("INC 1", "opened", "0"), ("INC-1", "o.p", "0"), ("INC-1", "opened", "0@x")])
def test_parts_that_could_not_be_read_back_are_refused(parts: tuple[str, str, str]) -> None:
    with pytest.raises(ValueError, match="no Message-ID"):
        threading.message_id(*parts, KEY, "desk.example")


def test_a_subject_names_references_in_order_and_once() -> None:
    subject = "Re: [INC-000123] fw: [inc-7] [INC-000123] INC-9 [INC-x]"
    assert threading.references_in(subject) == ["INC-000123", "INC-7"]
    assert threading.references_in(threading.subject_token("INC-000042")) == ["INC-000042"]


def test_headers_of_a_thread_are_signed_and_hang_on_one_root() -> None:
    one = thread_headers("a", "INC-000123", "opened")
    two = thread_headers("b", "INC-000123", "closed")
    assert one["References"] == one["In-Reply-To"] == two["References"]
    read = threading.read(two["Message-ID"], mail_key())
    assert read == threading.Signed("INC-000123", "closed", threading.nonce_of("b"))


@pytest.mark.django_db
def test_a_message_is_found_by_the_id_that_came_back() -> None:
    headers = thread_headers("a", "INC-000123", "opened")
    message = MessageFactory(dedup_key="a", headers=headers)
    assert message_of(headers["Message-ID"].strip("<>").upper()) == message
    assert message_of("<a@desk>") is None
