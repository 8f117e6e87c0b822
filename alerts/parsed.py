"""What every adapter makes of a body: alerts with a stable key, whatever tool sent them."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Set
from datetime import datetime

import orjson

#: Longer keys are replaced by their hash: an index entry holds at most 2,704 bytes.
MAX_KEY = 200


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ParsedAlert:
    """One alert as its source tells it. `payload` is the untouched original, so that nothing unknown is dropped."""

    fingerprint: str
    is_firing: bool
    title: str
    description: str = ""
    severity: str = ""
    group_key: str = ""
    url: str = ""
    started_at: datetime | None = None
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    annotations: Mapping[str, str] = dataclasses.field(default_factory=dict)
    payload: Mapping[str, object] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ParsedMessage:
    """The alerts of one body, and the group that it closes as a whole (a resolved message that omits members)."""

    alerts: tuple[ParsedAlert, ...]
    closes_group: str = ""

    @property
    def is_ordered(self) -> bool:
        """Whether an alert stands in it twice: then the order tells the story."""
        return len({one.fingerprint for one in self.alerts}) < len(self.alerts)

    def without(self, repeated: Set[str]) -> ParsedMessage:
        """What is left when the alerts that fire and were counted as repeats are taken out."""
        left = (one for one in self.alerts if not (one.is_firing and one.fingerprint in repeated))
        return dataclasses.replace(self, alerts=tuple(left))

    def parts(self, size: int) -> Iterator[ParsedMessage]:
        """Pieces small enough for one transaction each, in order; a group is closed by a piece of its own."""
        for start in range(0, len(self.alerts), size):
            yield ParsedMessage(alerts=self.alerts[start : start + size])
        if self.closes_group:
            yield ParsedMessage(alerts=(), closes_group=self.closes_group)


def key(text: str) -> str:
    """A key short enough to be indexed; equal texts give equal keys."""
    if len(text.encode()) <= MAX_KEY:
        return text
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def hash_of(labels: Mapping[str, str]) -> str:
    """The key of an alert whose source sends none: a hash of its labels, whatever their order."""
    return "labels:" + hashlib.sha256(orjson.dumps(dict(labels), option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
