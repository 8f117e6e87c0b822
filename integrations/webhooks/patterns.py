"""Which event kinds an endpoint asks for: `incident.resolved`, `incident.*` or `*`."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PATTERN = re.compile(r"\*|[a-z_]{1,40}\.(?:\*|[a-z_]{1,60})", re.ASCII)


def is_pattern(text: str) -> bool:
    return _PATTERN.fullmatch(text) is not None


def matches(patterns: Iterable[str], kind: str) -> bool:
    noun = kind.partition(".")[0]
    return any(one in {"*", kind, f"{noun}.*"} for one in patterns)
