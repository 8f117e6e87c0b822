"""A process of its own that opens incidents and pages, and is killed between any two of its statements.

Run as `python -m tests.flows.dying VERB STEP`: dies before statement 1, 1 + STEP, 1 + 2 STEP, ... until one is through.
Prints a line for each try: at which statement it was killed, or `done`.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def open_one(number: int) -> None:
    import incidents.actions
    from audit.actor import Actor, ActorKind
    from incidents.models import Service

    by = Actor(
        kind=ActorKind.KEY, id="dying", label="dying", roles=frozenset({"integration"}), scopes=frozenset({"*:write"})
    )
    incidents.actions.open_incident(
        title=f"dying {number}",
        impact=1,
        urgency=1,
        channel="alert",
        service=Service.objects.get(slug="payments"),
        by=by,
        at=AT,
    )


def sweep_pages(number: int) -> None:
    from oncall import tasks

    tasks.sweep(at=AT + timedelta(hours=1, minutes=number))


def sweep_clocks(number: int) -> None:
    from sla import tasks

    tasks.sweep(at=AT + timedelta(days=9, minutes=number))


VERBS: dict[str, Callable[[int], None]] = {"open": open_one, "pages": sweep_pages, "clocks": sweep_clocks}


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def child(verb: str, number: int) -> None:
    """Runs the verb and dies, as by `kill -9`, right before its statement `number`."""
    from django.db import connection

    seen = 0

    def counting(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(counting):
        VERBS[verb](number)
    os._exit(0)


def main(verb: str, step: int) -> None:
    import django

    django.setup()
    for number in range(1, 2000, step):
        pid = os.fork()
        if pid == 0:
            try:
                child(verb, number)
            except Exception as error:  # noqa: BLE001 - whatever it was, the parent must read of it
                say(f"error {number} {type(error).__name__}: {error}")
                os._exit(3)
        _pid, status = os.waitpid(pid, 0)
        if os.WIFEXITED(status):
            say(f"done {number} {os.WEXITSTATUS(status)}")
            return
        say(f"killed {number}")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "servicedesk.settings")
    main(sys.argv[1], int(sys.argv[2]))
