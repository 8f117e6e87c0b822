"""The supervisor of the trial: finds, starts, shares and stops PostgreSQL, Valkey, web, worker and beat.

Knows nothing of the domain. Whatever is configured by a URL (`DATABASE_URL`, `CELERY_BROKER_URL`) is somebody
else's to run and is never started or stopped here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .errors import ServerError
from .locations import BASE_DIR, Locations, locations

__all__ = ["BASE_DIR", "Locations", "ServerError", "ensure_broker", "ensure_postgres", "locations", "servers"]


def say(line: str) -> None:
    """Tell a person, never the reader of the command's output."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


@contextmanager
def ensure_postgres(base: Path = BASE_DIR, environ: Mapping[str, str] | None = None) -> Iterator[str]:
    """Hold a running PostgreSQL and yield its URL; the last holder's end stops it."""
    environ = os.environ if environ is None else environ
    given = environ.get("DATABASE_URL", "")
    if given:
        yield given
        return
    refuse_windows()
    # Imported late: the modules of the servers need a POSIX system, the settings do not.
    from . import postgres

    places = locations(base, environ)
    attachment = postgres.attach(places, environ, say)
    try:
        yield places.database_url
    finally:
        attachment.detach()


@contextmanager
def ensure_broker(base: Path = BASE_DIR, environ: Mapping[str, str] | None = None) -> Iterator[str]:
    """Hold a running broker and yield its URL as Celery writes it; the last holder's end stops it."""
    environ = os.environ if environ is None else environ
    given = environ.get("CELERY_BROKER_URL", "")
    if given:
        yield given
        return
    refuse_windows()
    from . import broker

    places = locations(base, environ)
    attachment = broker.attach(places, environ, say)
    try:
        yield places.broker_url
    finally:
        attachment.detach()


@contextmanager
def servers(
    *, need_broker: bool = False, need_worker: bool = False, base: Path = BASE_DIR
) -> Iterator[tuple[str, str | None]]:
    """Hold PostgreSQL and, where needed, broker, worker and beat; yield the database's and the broker's URL."""
    with ExitStack() as held:
        database = held.enter_context(ensure_postgres(base))
        broker = held.enter_context(ensure_broker(base)) if need_broker or need_worker else None
        if need_worker:
            from .processes import ensure_workers

            held.enter_context(ensure_workers(base))
        yield database, broker


def refuse_windows() -> None:
    """Say so before a module that only POSIX has is missed."""
    if sys.platform == "win32":
        raise ServerError("Windows itself can't run the trial's servers: use WSL, or set DATABASE_URL.")
