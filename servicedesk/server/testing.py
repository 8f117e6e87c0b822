"""The test cluster: the same server without durability, and a database name that no other session uses."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from typing import Any

from . import ensure_postgres

_NAME = re.compile(r"test_servicedesk_p(\d+)")


@contextlib.contextmanager
def cluster_for_tests(pid: int, *, keeps_its_name: bool) -> Iterator[None]:
    """Hold the test cluster and give this process's test database its name.

    Several sessions in one checkout share the cluster, so the name carries the process; what sessions left behind
    that were killed is dropped. `--reuse-db` needs the same name each time and so gets no such number.
    """
    from django.db import connections

    with ensure_postgres() as url:
        if not keeps_its_name:
            settings: dict[str, Any] = connections["default"].settings_dict
            settings.setdefault("TEST", {})["NAME"] = f"test_servicedesk_p{pid}"
            if not os.environ.get("DATABASE_URL"):
                drop_leftovers(url)
        yield
        for connection in connections.all(initialized_only=True):
            connection.close()


def drop_leftovers(url: str) -> None:
    """Drop the test databases of processes that live no more."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE 'test\\_servicedesk\\_p%'"
        ).fetchall()
        for (name,) in rows:
            match = _NAME.match(name)
            if match and not _is_alive(int(match[1])):
                # Another session that starts now may be dropping it too.
                with contextlib.suppress(psycopg.Error):
                    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # Somebody else's process.
    return True
