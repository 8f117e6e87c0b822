"""One filled database with its web server, as the figures use it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench.servers import Servers, Web
from bench.world import World


@dataclasses.dataclass(slots=True)
class Desk:
    """`brief` shortens every round: for the smoke test, whose figures mean nothing."""

    servers: Servers
    web: Web
    world: World
    size: int
    brief: bool = False

    @property
    def seconds(self) -> float:
        return 0.3 if self.brief else 3.0

    @property
    def rounds(self) -> int:
        return 1 if self.brief else 3


_CONTROL = ("BEGIN", "COMMIT")


def statements(method: str, path: str, key: str, body: Any = None) -> list[str]:
    """What one request asks of the database, begin and commit left out; ask twice, so that caches are warm."""
    client = Client(HTTP_AUTHORIZATION=f"Bearer {key}", HTTP_HOST="localhost")
    sent = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
    with CaptureQueriesContext(connection) as asked:
        answer = client.generic(method, path, **sent)
    if answer.status_code >= 300:
        raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.content[:500]!r}")
    return [one["sql"] for one in asked if one["sql"] not in _CONTROL]
