"""The arithmetic of webhooks: an independent library takes our signatures, and no event is passed by."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from integrations.webhooks import patterns, retrying, signing
from integrations.webhooks.progress import Progress

BODY = b'{"type": "incident.opened"}'


def _now() -> int:
    return int(dt.datetime.now(dt.UTC).timestamp())


def test_the_public_library_takes_what_we_sign() -> None:
    key = signing.derived("own", b"salt")
    headers = signing.headers([key], "msg_1", _now(), BODY)
    assert Webhook(signing.shown(key)).verify(BODY, headers) == json.loads(BODY)


@pytest.mark.parametrize("change", ["webhook-id", "webhook-timestamp", "body", "key"])
def test_the_public_library_refuses_anything_changed(change: str) -> None:
    key, body = signing.derived("own", b"salt"), BODY
    headers = signing.headers([key], "msg_1", _now(), BODY)
    if change == "body":
        body = BODY + b" "
    elif change == "key":
        key = signing.derived("own", b"other")
    else:
        headers[change] = str(_now() - 1)
    with pytest.raises(WebhookVerificationError):
        Webhook(signing.shown(key)).verify(body, headers)


def test_while_a_key_is_replaced_receivers_with_either_are_served() -> None:
    old, new = signing.derived("own", b"old"), signing.derived("own", b"new")
    headers = signing.headers([new, old], "msg_1", _now(), BODY)
    for key in (old, new):
        assert Webhook(signing.shown(key)).verify(BODY, headers)


def test_a_signature_as_in_the_specification() -> None:
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signing.signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_key_is_found_again_under_a_former_key_of_the_desk_only() -> None:
    key = signing.derived("before", b"salt")
    assert signing.recovered(["now", "before"], b"salt", signing.check(key)) == key
    assert signing.recovered(["now"], b"salt", signing.check(key)) is None
    assert len(key) == 32
    assert signing.check(key) not in hashlib.sha256(key).hexdigest()


def test_delays_grow_over_days_and_end() -> None:
    waits = [retrying.delay(n, "msg_1") for n in range(1, len(retrying.SCHEDULE) + 2)]
    assert waits.pop() is None
    known = [one for one in waits if one is not None]
    assert known == sorted(known)
    assert dt.timedelta(days=3) < sum(known, dt.timedelta()) < dt.timedelta(days=5)


@given(st.integers(1, len(retrying.SCHEDULE)), st.text())
def test_jitter_only_ever_adds_a_fifth(attempts: int, name: str) -> None:
    wait = retrying.delay(attempts, name)
    assert wait is not None
    assert retrying.SCHEDULE[attempts - 1] <= wait.total_seconds() <= retrying.SCHEDULE[attempts - 1] * 1.2


def test_one_failure_holds_no_endpoint_and_no_hold_is_longer_than_a_quarter_of_an_hour() -> None:
    assert retrying.hold(1, "x") is None
    assert retrying.hold(2, "x") is None
    holds = [retrying.hold(n, "x") or dt.timedelta() for n in range(3, 500)]
    assert dt.timedelta(0) < holds[0] < dt.timedelta(seconds=7)
    assert max(holds) <= dt.timedelta(minutes=18)


@pytest.mark.parametrize(
    ("pattern", "kind", "does"),
    [
        ("*", "clock.breached", True), ("incident.*", "incident.opened", True), ("incident.*", "clock.met", False),
        ("incident.opened", "incident.opened", True), ("incident.opened", "incident.opened_again", False),
    ],
)  # fmt: skip
def test_patterns(pattern: str, kind: str, does: bool) -> None:
    assert patterns.is_pattern(pattern)
    assert patterns.matches([pattern], kind) is does


@pytest.mark.parametrize("text", ["", "incident", "incident.", ".*", "*.opened", "Incident.opened", "a.b.c", "a*.b"])
def test_what_is_no_pattern(text: str) -> None:
    assert not patterns.is_pattern(text)


@given(st.lists(st.sets(st.integers(1, 60)), max_size=8))
def test_seen_and_gaps_are_each_others_complement(passes: list[set[int]]) -> None:
    progress = Progress()
    known: set[int] = set()
    for ids in passes:
        progress, known = progress.with_seen(ids), known | ids
        open_ = {one for first, last in progress.gaps() for one in range(first, min(last, 61) + 1)}
        assert open_ == set(range(1, 62)) - known


class Table:
    """A table with ids given out in order, transactions that end in any order, and the reader."""

    def __init__(self, outcomes: list[bool]) -> None:
        self.outcomes, self.begun = outcomes, 0
        self.running: set[int] = set()
        self.committed: set[int] = set()
        self.read: list[int] = []
        self.progress = Progress()

    def begin(self) -> None:
        if self.begun < len(self.outcomes):
            self.begun += 1
            self.running.add(self.begun)

    def end(self, which: int) -> None:
        if self.running:
            one = sorted(self.running)[which % len(self.running)]
            self.running.remove(one)
            self.committed |= {one} if self.outcomes[one - 1] else set()

    def look(self) -> None:
        now = frozenset(map(str, self.running))
        settled = self.progress.settled(now)
        new = [pk for first, last in self.progress.gaps() for pk in sorted(self.committed) if first <= pk <= last]
        self.read += new
        self.progress = self.progress.with_seen(new).past(settled)
        if self.progress.mark <= self.progress.low:
            self.progress = self.progress.waiting(now)


_STEPS = st.one_of(st.just("begin"), st.just("look"), st.integers(0, 9))


@given(st.lists(st.booleans(), max_size=12), st.lists(_STEPS, max_size=60))
def test_whatever_the_order_of_commits_every_row_is_read_once(outcomes: list[bool], steps: list[str | int]) -> None:
    table = Table(outcomes)
    for step in [*steps, *["begin"] * 12, "look", *[0] * 12, *["look"] * 3]:
        if isinstance(step, int):
            table.end(step)
        else:
            getattr(table, step)()
    assert sorted(table.read) == sorted(table.committed)
    assert table.progress.seen == ()
