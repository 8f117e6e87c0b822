"""The test cluster: the same server without durability, and a database name that no other session uses."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import BASE_DIR, ensure_postgres

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


#: Rooms that no migration reads: a change there leaves the migrated template as it is.
_UNREAD = frozenset(
    {
        "actions", "adapters", "admin", "api", "channels", "client", "demo", "desk", "drill", "forms", "handlers",
        "mail", "management", "middleware", "portal", "queries", "replay", "rest", "server", "tasks", "templatetags",
        "urls", "views", "wakeup",
    }
)  # fmt: skip


def _is_read(path: Path) -> bool:
    return _UNREAD.isdisjoint({path.stem, *path.relative_to(BASE_DIR).parts[1:-1]})


def _fingerprint() -> str:
    """Of everything that a migrated database may depend on: the apps and their Python files but for some rooms."""
    from django.apps import apps

    digest = hashlib.sha256()
    for config in sorted(apps.get_app_configs(), key=lambda one: one.name):
        digest.update(config.name.encode())
        folder = Path(config.path)
        if BASE_DIR in folder.parents and ".venv" not in folder.parts:
            for file in sorted(filter(_is_read, folder.rglob("*.py"))):
                digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _server() -> dict[str, Any]:
    """How to reach the server beside the test databases."""
    from django.db import connection

    given = {**connection.get_connection_params(), "dbname": "postgres"}
    return {key: value for key, value in given.items() if key in ("host", "port", "user", "password", "dbname")}


def make_database(name: str) -> None:
    """Make the migrated test database `name` by copying a template that is migrated once for each state of the code.

    Under a lock, so that parallel workers wait for the first one's template instead of migrating each their own.
    """
    import psycopg
    from django.core.management import call_command
    from django.db import connection

    template = f"servicedesk_template_{_fingerprint()}"
    with psycopg.connect(**_server(), autocommit=True) as server:
        server.execute("select pg_advisory_lock(hashtext('servicedesk_template'))")
        known = [
            row[0]
            for row in server.execute("select datname from pg_database where datname like 'servicedesk_template_%'")
        ]
        if template not in known:
            for old in known:
                server.execute(f'drop database if exists "{old}" with (force)')
            making = f"{template}_making"
            server.execute(f'create database "{making}"')
            connection.close()
            connection.settings_dict["NAME"] = making
            call_command("migrate", verbosity=0, interactive=False, skip_checks=True)
            connection.close()
            server.execute(f'alter database "{making}" rename to "{template}"')
        server.execute(f'drop database if exists "{name}" with (force)')
        server.execute(f'create database "{name}" template "{template}"')
    connection.close()
    connection.settings_dict["NAME"] = name


def drop_database(name: str) -> None:
    """Drop a test database, whoever is still connected."""
    import psycopg
    from django.db import connection

    connection.close()
    with psycopg.connect(**_server(), autocommit=True) as server:
        server.execute(f'drop database if exists "{name}" with (force)')
