"""One filled database with its web server, as the figures use it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
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
    larger: Callable[[], Any] | None = None

    @property
    def seconds(self) -> float:
        return 0.3 if self.brief else 3.0

    @property
    def rounds(self) -> int:
        return 1 if self.brief else 3


_CONTROL = ("BEGIN", "COMMIT")


def statements(method: str, path: str, body: Any, key: str) -> list[str]:
    """What one request asks of the database, begin and commit left out; the second of two, so that caches are warm."""
    client = Client(HTTP_AUTHORIZATION=f"Bearer {key}", HTTP_HOST="localhost")
    sent = {"data": json.dumps(body() if callable(body) else body), "content_type": "application/json"} if body else {}
    client.generic(method, path() if callable(path) else path, **sent) if body else client.get(path)
    if callable(body):
        sent["data"] = json.dumps(body())
    with CaptureQueriesContext(connection) as asked:
        where = path() if callable(path) else path
        answer = client.generic(method, where, **sent) if body is not None else client.get(where)
    if answer.status_code >= 300:
        raise RuntimeError(f"{method} {where}: {answer.status_code} {answer.content[:500]!r}")
    return [one["sql"] for one in asked if one["sql"] not in _CONTROL]
