"""What a `manage.py` command needs before it runs, and the holding of it while it runs.

A command of ours may say so itself by a class attribute `needs`: "nothing", "database" (when it says nothing),
"broker" or "worker" (broker, worker and beat). Of Django's and the libraries' commands a few need no database.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from . import BASE_DIR, ensure_broker, ensure_postgres, locations

WITHOUT_DATABASE: Final = frozenset(
    {
        "check",
        "collectstatic",
        "compilemessages",
        "diffsettings",
        "findstatic",
        "help",
        "makemessages",
        "sendtestemail",
        "spectacular",
        "startapp",
        "startproject",
        "version",
    }
)
_LEVELS: Final = ("nothing", "database", "broker", "worker")


def is_ours(command: str) -> bool:
    """Whether the command's file lies in this checkout, seen without loading Django."""
    return command.isidentifier() and any(BASE_DIR.glob(f"*/management/commands/{command}.py"))


def needs(argv: Sequence[str]) -> str:
    """Return what a command line needs: "nothing", "database", "broker", "worker"."""
    command = argv[1] if len(argv) > 1 else "help"
    if command.startswith("-") or {"--help", "-h", "--version"} & set(argv[2:]):
        return "nothing"
    if command in WITHOUT_DATABASE and "--database" not in argv:
        return "nothing"
    if not is_ours(command):
        return "database"
    return _own_needs(command)


def _own_needs(command: str) -> str:
    """Ask the command's class; loading it needs Django's apps but no server."""
    import django
    from django.core.management import get_commands, load_command_class

    django.setup()
    found = load_command_class(get_commands()[command], command)
    stated = getattr(found, "needs", "database")
    if stated not in _LEVELS:
        raise TypeError(f"{command}: `needs` is {stated!r}, it may be one of {', '.join(_LEVELS)}.")
    return str(stated)


@contextmanager
def prepared(argv: Sequence[str]) -> Iterator[None]:
    """Hold the servers that a command line needs; migrate an empty database before a command of ours."""
    wanted = needs(argv)
    with ExitStack() as held:
        if wanted != "nothing":
            held.enter_context(ensure_postgres())
            if is_ours(argv[1]):
                migrate_if_empty()
        if wanted in ("broker", "worker"):
            held.enter_context(ensure_broker())
        if wanted == "worker":
            from .workers import ensure_workers

            held.enter_context(ensure_workers())
        yield


def migrate_if_empty() -> bool:
    """Migrate a database that holds no table of ours; return whether it was empty."""
    from django.core.management import call_command
    from django.db import connection

    from .attachment import alone

    places = locations()
    places.var.mkdir(parents=True, exist_ok=True)
    # Two commands that start at once must not both migrate.
    with alone(places.var / f"migrate-{places.cluster}.lock"):
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('django_migrations')")
            is_empty = cursor.fetchone() == (None,)
        if is_empty:
            call_command("migrate", verbosity=0, interactive=False, stdout=open(os.devnull, "w"))
    connection.close()
    return is_empty
