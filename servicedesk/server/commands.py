"""What a `manage.py` command needs before it runs, and the holding of it while it runs.

A command of ours may say so itself by a class attribute `needs`: "nothing", "database" (when it says nothing),
"broker" or "worker" (broker, worker and beat). Of Django's and the libraries' commands a few need no database.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from . import BASE_DIR, ensure_broker, ensure_postgres, locations, refuse_windows
from .locations import cluster_of

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
    app = get_commands().get(command)
    if app is None:
        return "database"
    found = load_command_class(app, command)
    stated = getattr(found, "needs", "database")
    if stated not in _LEVELS:
        raise TypeError(f"{command}: `needs` is {stated!r}, it may be one of {', '.join(_LEVELS)}.")
    return str(stated)


@contextmanager
def prepared(argv: Sequence[str]) -> Iterator[None]:
    """Hold the servers that a command line needs; migrate an empty database before a command of ours."""
    describe_trial(argv, os.environ)
    if argv[1:2] == ["up"] or not os.environ.get("DATABASE_URL"):
        refuse_windows()
    wanted = needs(argv)
    with ExitStack() as held:
        if wanted != "nothing":
            held.enter_context(ensure_postgres())
            if is_ours(argv[1]):
                migrate_if_empty()
        if wanted in ("broker", "worker"):
            held.enter_context(ensure_broker())
        if wanted == "worker":
            from .processes import ensure_workers

            held.enter_context(ensure_workers())
        yield


def describe_trial(argv: Sequence[str], environ: MutableMapping[str, str]) -> None:
    """Set what the trial means for the settings, before they are read; a variable that is set stays.

    The trial is our own PostgreSQL: its mails go to the mailbox page, and links lead to the port of `up`.
    """
    if environ.get("DATABASE_URL") or cluster_of(environ) != "trial":
        return
    if not environ.get("EMAIL_URL"):
        environ.setdefault("SERVICEDESK_MAILBOX", "true")
    if argv[1:2] == ["up"] and environ.get("PORT"):
        environ.setdefault("SERVICEDESK_URL", f"http://localhost:{environ['PORT']}")


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
            call_command("migrate", verbosity=0, interactive=False, stdout=io.StringIO())
    connection.close()
    return bool(is_empty)
